import type { ProvenLeaf } from '../../protocols/bundle/v1/page.ts'
import type { LocalEventType } from '../events/local.ts'
import { localEvent } from '../events/local.ts'
import type { BlobStore } from '../log/blob-store.ts'
import type { EventLog } from '../log/event-log.ts'
import { ERASURE_PREFIX, erasureKey } from '../log/keys.ts'
import type { Store } from '../log/store.ts'
import { prefixRange } from '../log/store.ts'
import type { Clock } from '../platform/clock.ts'
import { AnchormeshError } from '../platform/errors.ts'
import { InTurn } from '../platform/in-turn.ts'
import { LEAVES_PER_RECORD } from '../projections/batch-sealed.ts'
import type { ProjectionEngine } from '../projections/engine.ts'
import type { BundleImported, Forgotten, ReceiptPlace } from '../projections/receipt-records.ts'
import { forgottenKey, receiptKey } from '../projections/receipts.ts'
import type { ReceiptRow, RootedBatch } from '../projections/receipts.ts'
import { viewRows } from '../projections/rows-view.ts'
import type { WriteToStore } from '../log/store-writer.ts'

// Receipts of others must not take the room that the log needs (64 MiB), nor that of what is sealed here.
const IMPORT_FREE_BYTES_MIN = 512 * 1024 * 1024
// 64 places of the longest names are 30 KiB, below the size of an event; more take further records.
const PLACES_PER_RECORD = 64
// A sentence or two, kept in the log for ever.
export const REASON_CHARACTERS_MAX = 1_000
/** A leaf hash, as `forget` takes it. */
export const RECEIPT_HASH_PATTERN = /^[0-9a-f]{64}$/

export interface ReceiptKeeperPorts {
  readonly log: EventLog
  readonly engine: ProjectionEngine
  readonly store: Store
  readonly write: WriteToStore
  readonly blobs: BlobStore
  readonly queued: QueuedReceipts
  readonly clock: Clock
}

/** Receipts that this node was handed, and has not sealed yet. */
export interface QueuedReceipts {
  /** Does the work while none of them is being sealed. */
  undisturbed<Result>(work: () => Promise<Result>): Promise<Result>
  /** The receipt, by its leaf hash, is not to be sealed; durable when it resolves. */
  drop(receipt: string): Promise<void>
}

/** What an import added. */
export interface Imported {
  /** Receipts that are held now and were not. */
  readonly held: number
  /** Leaves of which only the hash is known, because the server had erased the receipt. */
  readonly erased: number
  /** Leaves that this node was told to forget before they came. */
  readonly forgotten: number
}

/** What `forget` did. */
export interface ForgottenReceipt {
  /** The leaf hash, hex. */
  readonly receipt: string
  /** In how many batches it stood until now; 0 where it was forgotten before, or never was in the log. */
  readonly places: number
}

type LeafChange = ProvenLeaf & { readonly status: ReceiptRow['status']; readonly renewed: boolean }

/**
 * Takes receipts in and erases them, one after another: what is forgotten must not come back by an import that is under
 * way.
 */
export class ReceiptKeeper {
  readonly #ports: ReceiptKeeperPorts
  readonly #line = new InTurn()

  constructor(ports: ReceiptKeeperPorts) {
    this.#ports = ports
  }

  /**
   * Keeps consecutive leaves of a batch that were proven to stand under its root: first the receipts as blobs, synced;
   * then the log says so. What is held or forgotten already stays as it is. Throws `STORE_FULL`, `PROJECTION_HALTED`.
   */
  async keep(batch: RootedBatch, receiptCount: number, leaves: readonly ProvenLeaf[]): Promise<Imported> {
    return await this.#line.run(async () => {
      const changes = await this.#changes(batch, leaves)
      const held = changes.filter(({ status }) => status === 'held')
      await this.#assureRoom()
      const blobs = held.map(({ leafHash, record }) => ({ hash: leafHash, bytes: record ?? new Uint8Array() }))
      // Receipts must be as durable as the log that names them, before it does.
      if (blobs.length > 0) await this.#ports.blobs.put(blobs, { sync: true })
      const { namespace, owner, batchId, batchRoot } = batch
      const named = { namespace, owner, batchId, batchRoot, receiptCount }
      await this.#log(
        'bundle-imported',
        runsOf(changes).map((run) => importedBody(named, run))
      )
      const count = (of: LeafChange['status']): number => changes.filter(({ status }) => status === of).length
      return { held: held.length, erased: count('erased'), forgotten: count('forgotten') }
    })
  }

  /**
   * Erases a receipt by its leaf hash: first the log says so, with the reason (at most 1,000 characters), then the blob
   * goes. One that waits to be sealed is not sealed any more. Throws `RECEIPT_UNKNOWN`, `STORE_FULL`, `PROJECTION_HALTED`, and `RangeError` for a reason that is too long.
   */
  async forget(receipt: string, reason: string): Promise<ForgottenReceipt> {
    if (reason.length > REASON_CHARACTERS_MAX) throw new RangeError(`a reason of ${reason.length} characters`)
    const { blobs, queued, write } = this.#ports
    const erase = async (): Promise<ForgottenReceipt> => {
      const isForgotten = (await this.#forgotten([receipt]))[0] === true
      const places = await this.#places(receipt)
      const [blob] = await blobs.getMany([receipt])
      if (places.length === 0 && blob === undefined && !isForgotten)
        throw new AnchormeshError('RECEIPT_UNKNOWN', `there is no receipt ${receipt} here`, {
          hint: 'anchormesh query receipts --json shows the receipts by their leafHash'
        })
      // Found at the next start, if this one ends in between.
      await write([{ type: 'put', key: erasureKey(receipt), value: '' }], { sync: true })
      // Also without a place: a blob that an interrupted import left behind must not be taken in again.
      if (places.length > 0 || !isForgotten) {
        const bodies: Forgotten[] = []
        for (let from = 0; from === 0 || from < places.length; from += PLACES_PER_RECORD)
          bodies.push({ receipt, reason, places: places.slice(from, from + PLACES_PER_RECORD) })
        await this.#log('forgotten', bodies)
      }
      await this.#erase(receipt)
      return { receipt, places: places.length }
    }
    return await this.#line.run(() => queued.undisturbed(erase))
  }

  /** Finishes erasures that a crash interrupted; call it before anything is served. Returns how many there were. */
  async finishErasures(): Promise<number> {
    return await this.#line.run(async () => {
      const { store, write } = this.#ports
      const begun: string[] = []
      for await (const [key] of store.range(prefixRange(ERASURE_PREFIX))) begun.push(key.slice(ERASURE_PREFIX.length))
      if (begun.length === 0) return 0
      const logged = await this.#forgotten(begun)
      for (const [index, receipt] of begun.entries()) {
        if (logged[index] === true) await this.#erase(receipt)
        // The log never said so: whoever asked for it was told that it failed.
        else await write([{ type: 'del', key: erasureKey(receipt) }], { sync: false })
      }
      return begun.length
    })
  }

  /** Waits for what is under way. */
  async idle(): Promise<void> {
    await this.#line.idle()
  }

  /** Throws `STORE_FULL`. */
  async #assureRoom(): Promise<void> {
    const free = await this.#ports.store.freeBytes()
    if (free < IMPORT_FREE_BYTES_MIN)
      throw new AnchormeshError(
        'STORE_FULL',
        `${free} bytes are free; receipts of others need ${IMPORT_FREE_BYTES_MIN}`,
        {
          hint: 'free disk space; the node tries again by itself'
        }
      )
  }

  async #erase(receipt: string): Promise<void> {
    await this.#ports.queued.drop(receipt)
    await this.#ports.blobs.delete([receipt], { sync: true })
    await this.#ports.write([{ type: 'del', key: erasureKey(receipt) }], { sync: false })
  }

  /** Which leaves become something else than they are, and what. */
  async #changes(batch: RootedBatch, leaves: readonly ProvenLeaf[]): Promise<LeafChange[]> {
    const { engine, store } = this.#ports
    await this.#upToDate()
    const forgotten = await this.#forgotten(leaves.map(({ leafHash }) => leafHash))
    const keys = leaves.map(({ index }) => receiptKey(batch, index))
    const rows = await viewRows(engine, store, 'receipts', (view) => view.rows(keys))
    const changes: LeafChange[] = []
    for (const [offset, leaf] of leaves.entries()) {
      const before = (rows[offset] as ReceiptRow | undefined)?.status
      const status = forgotten[offset] === true ? 'forgotten' : leaf.record === null ? 'erased' : 'held'
      if (before === 'held' || before === 'forgotten' || before === status) continue
      changes.push({ ...leaf, status, renewed: before !== undefined })
    }
    return changes
  }

  /** Whether each was told to be forgotten. */
  async #forgotten(leafHashes: readonly string[]): Promise<boolean[]> {
    const { engine, store } = this.#ports
    await this.#upToDate()
    const facts = await viewRows(engine, store, 'receipts', (view) => view.facts(leafHashes.map(forgottenKey)))
    return facts.map((fact) => fact !== undefined)
  }

  /**
   * Every batch in which the receipt stands and is not forgotten yet. Reads all receipts: an index by leaf hash would
   * cost every seal and import what few erasures need.
   */
  async #places(receipt: string): Promise<ReceiptPlace[]> {
    const { engine, store } = this.#ports
    return await viewRows(engine, store, 'receipts', async (view) => {
      const places: ReceiptPlace[] = []
      for await (const [, found] of view.range('')) {
        const { leafHash, status, namespace, owner, batchId, batchRoot, index, receiptCount } = found as ReceiptRow
        if (leafHash !== receipt || status === 'forgotten') continue
        places.push({ namespace, owner, batchId, batchRoot, index, receiptCount, was: status })
      }
      return places
    })
  }

  async #log(type: LocalEventType, bodies: readonly (BundleImported | Forgotten)[]): Promise<void> {
    if (bodies.length === 0) return
    const { log, clock } = this.#ports
    const ts = clock.now()
    await log.append(bodies.map((body) => ({ scope: 'local', event: localEvent(type, ts, body) })))
  }

  /** What was logged by an earlier turn must show in the rows before they decide. */
  async #upToDate(): Promise<void> {
    const { log, engine } = this.#ports
    // A write that seemed to fail may have logged something.
    await log.recover()
    await engine.reached(log.head.logSeq, null, 'receipts')
  }
}

/** Changes of consecutive leaves, at most as many as one record holds. */
function runsOf(changes: readonly LeafChange[]): LeafChange[][] {
  const runs: LeafChange[][] = []
  for (const change of changes) {
    const run = runs.at(-1)
    const last = run?.at(-1)
    if (run !== undefined && last?.index === change.index - 1 && run.length < LEAVES_PER_RECORD) run.push(change)
    else runs.push([change])
  }
  return runs
}

function importedBody(
  named: RootedBatch & { readonly receiptCount: number },
  run: readonly LeafChange[]
): BundleImported {
  const offsets = (is: (change: LeafChange) => boolean): number[] =>
    run.flatMap((change, offset) => (is(change) ? [offset] : []))
  return {
    ...named,
    firstIndex: run[0]?.index ?? 0,
    leaves: run.map(({ leafHash }) => leafHash),
    erased: offsets(({ status }) => status === 'erased'),
    forgotten: offsets(({ status }) => status === 'forgotten'),
    renewed: offsets(({ renewed }) => renewed)
  }
}
