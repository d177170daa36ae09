import type { JsonValue } from '../../protocols/canonical-json/v1/json.ts'
import { toHex } from '../../protocols/primitives/bytes.ts'
import { receiptsInvalid, storeReceipts } from '../authoring/seal.ts'
import type { BlobStore } from '../log/blob-store.ts'
import {
  BATCH_CUT_PREFIX,
  HANDED_IN_PREFIX,
  batchCutKey,
  handedInKey,
  handedInPrefix,
  parseSortableNumber
} from '../log/keys.ts'
import { prefixRange } from '../log/store.ts'
import type { WriteOperation } from '../log/store.ts'
import type { Clock } from '../platform/clock.ts'
import { AnchormeshError } from '../platform/errors.ts'
import type { Random } from '../platform/random.ts'
import { InTurn } from '../platform/in-turn.ts'
import { BATCH_RECEIPTS_MAX } from '../projections/batch-sealed.ts'

/** How much may wait in a namespace. */
interface QueueBounds {
  readonly receipts: number
  readonly bytes: number
}

const QUEUE_BOUNDS: QueueBounds = {
  // Two full batches: one that is being sealed, and the next. They are counted in some seconds at the start.
  receipts: 2 * BATCH_RECEIPTS_MAX,
  // Receipts wait on the disk, so this only keeps one app from filling it unseen.
  bytes: 4 * 1024 * 1024 * 1024
}
// The answer names each by its hash: 7 MB in one line of a stream.
export const HAND_IN_RECEIPTS_MAX = 100_000

/** What waits of a namespace. Times are milliseconds since 1970. */
export interface Waiting {
  readonly receipts: number
  readonly bytes: number
  /** When the oldest was handed in; `null` while none waits. */
  readonly oldestAt: number | null
}

/** Which waiting receipts become which batch. It is durable before the first of them is sealed. */
export type BatchCut = {
  readonly batchId: string
  /** The number of the last receipt of the batch. */
  readonly through: number
  /** Where it is anchored; decided with the batch, whatever the configuration becomes. */
  readonly chains: readonly string[]
}

/** What was handed in: the leaf hash of each receipt (hex), in order, and how many wait now. */
export interface HandedIn {
  readonly namespace: string
  readonly receiptHashes: readonly string[]
  readonly queued: number
}

type Entry = { readonly leaf: string; readonly bytes: number; readonly at: number }

interface Line extends Waiting {
  readonly nextNumber: number
}

const EMPTY: Line = { receipts: 0, bytes: 0, oldestAt: null, nextNumber: 0 }

/**
 * Receipts that wait to be sealed: blobs already, salted, each with an entry that says where in line it stands. Blob and
 * entry are durable before a receipt counts as handed in; sealing only has to log the leaf hashes and drop the entries.
 */
export class ReceiptQueue {
  readonly #blobs: BlobStore
  readonly #clock: Clock
  readonly #random: Random
  /** By namespace, as they are in the store; `null` until they were counted, and after a write that failed. */
  #lines: Map<string, Line> | null = null
  #changes = 0
  #isUncertain = false
  /** Entries are written and cut one after another: a cut must not pass over one that is on its way. */
  readonly #writing = new InTurn()
  /** Receipts are sealed and forgotten one after another: what is being sealed would come to stand in the log meanwhile. */
  readonly #sealing = new InTurn()

  readonly #bounds: QueueBounds

  constructor(ports: { blobs: BlobStore; clock: Clock; random: Random }, bounds: QueueBounds = QUEUE_BOUNDS) {
    const { blobs, clock, random } = ports
    this.#bounds = bounds
    this.#blobs = blobs
    this.#clock = clock
    this.#random = random
  }

  /** The namespaces of which receipts wait. */
  async namespaces(): Promise<readonly string[]> {
    return [...(await this.#counted())].filter(([, { receipts }]) => receipts > 0).map(([namespace]) => namespace)
  }

  async waiting(namespace: string): Promise<Waiting> {
    const { receipts, bytes, oldestAt } = (await this.#counted()).get(namespace) ?? EMPTY
    return { receipts, bytes, oldestAt }
  }

  /**
   * Takes all of the receipts, or none. Throws `RECEIPTS_INVALID`, `RECEIPTS_QUEUE_FULL`, `STORE_FULL`; after the last
   * they may wait all the same.
   */
  async handIn(namespace: string, receipts: AsyncIterable<JsonValue> | Iterable<JsonValue>): Promise<HandedIn> {
    const entries: Entry[] = []
    try {
      await this.#store(namespace, receipts, entries)
    } catch (error) {
      // Nothing would ever name them. That this fails too, on a full disk, is not what the caller must know.
      await Promise.allSettled([
        this.#blobs.delete(
          entries.map(({ leaf }) => leaf),
          { sync: false }
        )
      ])
      throw error
    }
    const queued = await this.#writing.run(() => this.#append(namespace, entries))
    return { namespace, receiptHashes: entries.map(({ leaf }) => leaf), queued }
  }

  /** The batch that is being made of waiting receipts; `null` while there is none. */
  async cut(namespace: string): Promise<BatchCut | null> {
    const key = batchCutKey(namespace)
    for await (const [, bytes] of this.#blobs.range({ gte: key, lte: key })) return parsed(bytes) as BatchCut
    return null
  }

  /** Decides that the first receipts in line, at most `most`, become a batch; durable when it resolves. */
  async makeCut(namespace: string, most: number, batch: Omit<BatchCut, 'through'>): Promise<BatchCut> {
    return await this.#writing.run(async () => {
      let through = -1
      for await (const [key] of this.#blobs.range({ ...prefixRange(handedInPrefix(namespace)), limit: most }))
        through = numberOf(namespace, key)
      if (through === -1) throw new Error(`no receipt of ${namespace} waits`)
      const { batchId, chains } = batch
      const cut: BatchCut = { batchId, through, chains }
      await this.#write([{ type: 'put', key: batchCutKey(namespace), value: JSON.stringify(cut) }])
      return cut
    })
  }

  /** The leaf hashes of a cut, in the order in which they were handed in. */
  async *leaves(namespace: string, { through }: BatchCut): AsyncGenerator<string> {
    const { gte } = prefixRange(handedInPrefix(namespace))
    for await (const [, bytes] of this.#blobs.range({ gte, lte: handedInKey(namespace, through) }))
      yield (parsed(bytes) as Entry).leaf
  }

  /** The batch of the cut is in the log, and so is what is to happen with it: its receipts wait no longer. */
  async finish(namespace: string, { through }: BatchCut): Promise<void> {
    await this.#writing.run(async () => {
      const operations: WriteOperation[] = [{ type: 'del', key: batchCutKey(namespace) }]
      const { gte, lt } = prefixRange(handedInPrefix(namespace))
      let bytes = 0
      for await (const [key, value] of this.#blobs.range({ gte, lte: handedInKey(namespace, through) })) {
        operations.push({ type: 'del', key })
        bytes += (parsed(value) as Entry).bytes
      }
      let oldestAt: number | null = null
      for await (const [, value] of this.#blobs.range({ gt: handedInKey(namespace, through), lt, limit: 1 }))
        oldestAt = (parsed(value) as Entry).at
      const lines = await this.#counted()
      const line = lines.get(namespace) ?? EMPTY
      await this.#write(operations)
      const receipts = line.receipts - (operations.length - 1)
      lines.set(namespace, { ...line, receipts, bytes: line.bytes - bytes, oldestAt })
    })
  }

  /** Does the work while nothing else that is done by this seals or forgets receipts. */
  async undisturbed<Result>(work: () => Promise<Result>): Promise<Result> {
    return await this.#sealing.run(work)
  }

  /**
   * Takes a receipt out of line, by its leaf hash, in whatever namespace it waits; durable when it resolves. Its blob is
   * left to the caller. Reads all entries: an index would cost every hand-in what few erasures need.
   */
  async drop(leaf: string): Promise<void> {
    await this.#writing.run(async () => {
      if (this.#isUncertain) await this.recover()
      const operations: WriteOperation[] = []
      for await (const [key, value] of this.#blobs.range(prefixRange(HANDED_IN_PREFIX)))
        if ((parsed(value) as Entry).leaf === leaf) operations.push({ type: 'del', key })
      if (operations.length === 0) return
      await this.#write(operations)
      this.#countAnew()
    })
  }

  /** Brings the store back after a write that failed, here or elsewhere; then what it left behind is counted. */
  async recover(): Promise<void> {
    await this.#blobs.write([], { sync: false })
    if (this.#isUncertain) this.#countAnew()
    this.#isUncertain = false
  }

  /** Makes each receipt a blob; `entries` has those that were, also when it throws. */
  async #store(
    namespace: string,
    receipts: AsyncIterable<JsonValue> | Iterable<JsonValue>,
    entries: Entry[]
  ): Promise<void> {
    const before = await this.waiting(namespace)
    let bytes = before.bytes
    const ports = { blobs: this.#blobs, random: this.#random }
    await storeReceipts(receipts, ports, { sync: false }, (leaf, recordBytes) => {
      if (entries.length === HAND_IN_RECEIPTS_MAX)
        throw receiptsInvalid(
          `at most ${HAND_IN_RECEIPTS_MAX} receipts are handed in at once`,
          'hand in fewer at a time'
        )
      bytes += recordBytes
      this.#assertRoom(namespace, before.receipts + entries.length + 1, bytes)
      entries.push({ leaf: toHex(leaf), bytes: recordBytes, at: this.#clock.now() })
    })
  }

  /** Others may have handed in meanwhile, by at most what each of them may: the bounds are kept to within that. */
  async #append(namespace: string, entries: readonly Entry[]): Promise<number> {
    if (this.#isUncertain) await this.recover()
    const lines = await this.#counted()
    const { nextNumber, receipts, bytes, oldestAt } = lines.get(namespace) ?? EMPTY
    // The receipts stay even if this seems to fail, because the entries may stand in the store. The write syncs them, too.
    await this.#write(
      entries.map((entry, offset) => ({
        type: 'put',
        key: handedInKey(namespace, nextNumber + offset),
        value: JSON.stringify(entry)
      }))
    )
    const queued = receipts + entries.length
    lines.set(namespace, {
      receipts: queued,
      bytes: bytes + entries.reduce((sum, entry) => sum + entry.bytes, 0),
      oldestAt: oldestAt ?? entries[0]?.at ?? null,
      nextNumber: nextNumber + entries.length
    })
    return queued
  }

  async #write(operations: readonly WriteOperation[]): Promise<void> {
    try {
      await this.#blobs.write(operations, { sync: true })
    } catch (error) {
      // What it was given may be in the store, or not, and shows only once that is opened anew.
      this.#isUncertain = true
      this.#countAnew()
      throw error
    }
  }

  async #counted(): Promise<Map<string, Line>> {
    for (;;) {
      if (this.#lines !== null) return this.#lines
      const changes = this.#changes
      const lines = await this.#count()
      // What was counted while entries went away is out of date.
      if (changes === this.#changes) this.#lines ??= lines
    }
  }

  async #count(): Promise<Map<string, Line>> {
    const lines = new Map<string, Line>()
    for await (const [key, value] of this.#blobs.range(prefixRange(HANDED_IN_PREFIX))) {
      const namespace = key.slice(HANDED_IN_PREFIX.length, key.lastIndexOf('!'))
      const { bytes, at } = parsed(value) as Entry
      const line = lines.get(namespace) ?? EMPTY
      lines.set(namespace, {
        receipts: line.receipts + 1,
        bytes: line.bytes + bytes,
        oldestAt: line.oldestAt ?? at,
        nextNumber: numberOf(namespace, key) + 1
      })
    }
    // The last receipts of a cut may have been forgotten: what is handed in next must not take their numbers, and so pass
    // for a part of a batch that may be sealed.
    for await (const [key, value] of this.#blobs.range(prefixRange(BATCH_CUT_PREFIX))) {
      const namespace = key.slice(BATCH_CUT_PREFIX.length)
      const line = lines.get(namespace) ?? EMPTY
      const { through } = parsed(value) as BatchCut
      lines.set(namespace, { ...line, nextNumber: Math.max(line.nextNumber, through + 1) })
    }
    return lines
  }

  #countAnew(): void {
    this.#lines = null
    this.#changes += 1
  }

  #assertRoom(namespace: string, receipts: number, bytes: number): void {
    if (receipts <= this.#bounds.receipts && bytes <= this.#bounds.bytes) return
    throw new AnchormeshError('RECEIPTS_QUEUE_FULL', `too many receipts of ${namespace} wait to be sealed`, {
      hint: 'anchormesh status shows when the next batch is sealed, and what keeps it; nothing was taken.',
      detail: { namespace, receiptsMax: this.#bounds.receipts, bytesMax: this.#bounds.bytes }
    })
  }
}

const numberOf = (namespace: string, key: string): number =>
  parseSortableNumber(key.slice(handedInPrefix(namespace).length))

/** What this class wrote. */
function parsed(bytes: Uint8Array): unknown {
  return JSON.parse(Buffer.from(bytes).toString('utf8'))
}
