import { equalBytes, toHex } from '../../protocols/primitives/bytes.ts'
import type { VerifiedEvent } from '../events/verified.ts'
import { AnchormeshError, messageOf } from '../platform/errors.ts'
import type { CheckpointKeeper, StoreCheckpoint } from './checkpoint-file.ts'
import type { ChainPlace, EventPosition } from './event-index.ts'
import { decodePosition, encodePosition, placeOf } from './event-index.ts'
import type { Finding } from './expected-indexes.ts'
import { ExpectedIndexes } from './expected-indexes.ts'
import { ExpectedTree } from './expected-tree.ts'
import { RECORD_PREFIX, idKey, parseSortableNumber } from './keys.ts'
import type { LoggedRecord, SharedRecord } from './log-reader.ts'
import { parseRecord } from './log-reader.ts'
import type { LogRecord } from './record.ts'
import { GENESIS_HASH, decodeRecord, recordHash } from './record.ts'
import type { Store, StoreReader } from './store.ts'
import { prefixRange } from './store.ts'

// One damaged record usually breaks many after it; a hundred show the pattern.
const PROBLEMS_LISTED_MAX = 100
// Enough for one getMany to pay off, little enough to keep 48 KiB events within a few MiB.
const CHUNK_RECORDS = 128
// Of a gap only so much is noted: it merely spares the findings that would follow from it.
const LOST_NOTED_MAX = 1_024

/** What a walk over the whole log found. */
export interface LogVerification {
  readonly ok: boolean
  readonly records: number
  /** Of the last record, hex. */
  readonly headHash: string
  readonly problems: readonly Finding[]
  /** All problems, also those beyond the hundred that are listed. */
  readonly problemCount: number
}

/**
 * Reads every record: are the positions without a gap, does each hash follow from the one before, does each event
 * parse, is it in the id index at its position, is its predecessor in its chain before it, do the other indexes hold
 * just what the records say, does the tree over the log, is the log the one that `store.json` knows. Works on one moment of the store, so a running
 * node can go on.
 */
export async function verifyLog(
  store: Pick<Store, 'snapshot'>,
  checkpoint: Pick<CheckpointKeeper, 'read'>,
  onProgress: (done: number, total: number) => void = () => {}
): Promise<LogVerification> {
  // Before the snapshot: what a running node writes down afterwards may be of a longer log than that moment's.
  const known = await checkpoint.read()
  const snapshot = await store.snapshot()
  try {
    const walk = new LogWalk(snapshot, known)
    const total = await lastPosition(snapshot)
    let chunk: { logSeq: number; bytes: Uint8Array }[] = []
    await walk.noteUnreadable(async () => {
      for await (const [key, bytes] of snapshot.range(prefixRange(RECORD_PREFIX))) {
        chunk.push({ logSeq: positionIn(key), bytes })
        if (chunk.length < CHUNK_RECORDS) continue
        await walk.check(chunk)
        chunk = []
        onProgress(walk.records, total)
      }
      await walk.check(chunk)
      onProgress(walk.records, total)
      await walk.compareIndexes()
    })
    walk.compareLength()
    return walk.findings()
  } finally {
    await snapshot.close()
  }
}

class LogWalk {
  records = 0
  readonly #store: StoreReader
  readonly #checkpoint: StoreCheckpoint | null
  readonly #indexes = new ExpectedIndexes()
  readonly #tree = new ExpectedTree()
  readonly #problems: Finding[] = []
  #problemCount = 0
  /** Positions of records that could not be read: what follows them goes on with their branch. */
  readonly #lost = new Set<number>()
  #logSeq = 0
  #hash: Uint8Array = GENESIS_HASH

  constructor(store: StoreReader, checkpoint: StoreCheckpoint | null) {
    this.#store = store
    this.#checkpoint = checkpoint
  }

  async check(chunk: readonly { readonly logSeq: number; readonly bytes: Uint8Array }[]): Promise<void> {
    const events: SharedRecord[] = []
    for (const { logSeq, bytes } of chunk) {
      this.records += 1
      const record = decodeRecord(logSeq, bytes)
      if (record === null) {
        this.#found(logSeq, 'the record is damaged')
        this.#lost.add(logSeq)
        this.#tree.lose()
        this.#logSeq = logSeq
        continue
      }
      this.#checkHash(record)
      this.#tree.add(logSeq, record.hash)
      const logged = this.#parse(record)
      if (logged?.scope === 'shared') events.push(logged)
      else if (logged?.event.type === 'policy') this.#indexes.addPolicy(logSeq)
    }
    await this.#checkEvents(events)
    for await (const { logSeq, problem } of this.#tree.differences(this.#store)) this.#found(logSeq, problem)
  }

  #checkHash(record: LogRecord): void {
    if (record.logSeq !== this.#logSeq + 1) {
      this.#found(record.logSeq, `it follows record ${this.#logSeq}`)
      this.#tree.lose()
    }
    for (let before = record.logSeq - 1; before > this.#logSeq && this.#lost.size < LOST_NOTED_MAX; before -= 1)
      this.#lost.add(before)
    if (!equalBytes(recordHash(this.#hash, record), record.hash))
      this.#found(record.logSeq, 'its hash does not follow from the record before it and its content')
    const head = this.#checkpoint?.head
    if (record.logSeq === head?.logSeq && toHex(record.hash) !== head.hash)
      this.#found(record.logSeq, 'it is not the record that store.json knows')
    this.#logSeq = record.logSeq
    this.#hash = record.hash
  }

  #parse(record: LogRecord): LoggedRecord | null {
    try {
      return parseRecord(record)
    } catch (error) {
      this.#found(record.logSeq, messageOf(error))
      this.#lost.add(record.logSeq)
      return null
    }
  }

  async #checkEvents(events: readonly SharedRecord[]): Promise<void> {
    const positions = await this.#store.getMany(events.map(({ event }) => idKey(event.id)))
    for (const [index, { record, event }] of events.entries()) {
      const { namespace } = event.envelope
      const position = await this.#place(record.logSeq, event)
      const indexed = positions[index]
      if (indexed === undefined) this.#found(record.logSeq, `event ${event.id} is not in the id index`)
      else if (!equalBytes(indexed, encodePosition(position)))
        this.#found(record.logSeq, `the id index has event ${event.id} elsewhere`)
      this.#indexes.add({ id: event.id, namespace }, position)
    }
  }

  /** The place that follows from the event's predecessor, which is looked at as well. */
  async #place(logSeq: number, event: VerifiedEvent): Promise<EventPosition> {
    const place = placeOf(event, logSeq)
    const { prev } = event.envelope
    const tip = prev === null ? undefined : this.#indexes.follow(prev)
    const before = tip ?? (prev === null ? undefined : await this.#find(prev))
    if (prev !== null && !isBefore(before, place))
      this.#found(logSeq, `its predecessor ${prev} is not before it in its chain`)
    if (tip !== undefined) return { ...place, branch: tip.branch }
    if (before !== undefined && this.#lost.delete(before.logSeq)) return { ...place, branch: before.branch }
    this.#indexes.addBranch(place.chain, logSeq, { parent: before?.branch ?? 0, firstAuthorSeq: place.authorSeq })
    return { ...place, branch: logSeq }
  }

  /** Where the id index has the event; `undefined` where it has nothing that can be read. */
  async #find(eventId: string): Promise<EventPosition | undefined> {
    const bytes = await this.#store.get(idKey(eventId))
    try {
      return bytes === undefined ? undefined : decodePosition(bytes)
    } catch (error) {
      this.#found(null, `the id index can't be read at ${eventId}: ${messageOf(error)}`)
      return undefined
    }
  }

  /** What the disk does not give back is a finding, and the end of that part of the walk. */
  async noteUnreadable(part: () => Promise<void>): Promise<void> {
    try {
      await part()
    } catch (error) {
      if (!(error instanceof AnchormeshError) || error.code !== 'STORE_CORRUPT') throw error
      this.#found(this.#logSeq + 1, error.message)
    }
  }

  async compareIndexes(): Promise<void> {
    for await (const { logSeq, problem } of this.#indexes.differences(this.#store)) this.#found(logSeq, problem)
    for await (const { logSeq, problem } of this.#tree.surplus(this.#store)) this.#found(logSeq, problem)
  }

  compareLength(): void {
    if (this.#checkpoint === null)
      this.#found(null, 'store.json is missing: the length of the log can not be checked from outside')
    else if (this.#checkpoint.head.logSeq > this.#logSeq) {
      this.#found(null, `store.json says ${this.#checkpoint.head.logSeq} records, the log ends at ${this.#logSeq}`)
    }
  }

  findings(): LogVerification {
    return {
      ok: this.#problemCount === 0,
      records: this.records,
      headHash: toHex(this.#hash),
      problems: this.#problems,
      problemCount: this.#problemCount
    }
  }

  #found(logSeq: number | null, problem: string): void {
    this.#problemCount += 1
    if (this.#problems.length < PROBLEMS_LISTED_MAX) this.#problems.push({ logSeq, problem })
  }
}

function isBefore(predecessor: EventPosition | undefined, { logSeq, chain, authorSeq }: ChainPlace): boolean {
  return (
    predecessor !== undefined &&
    predecessor.logSeq < logSeq &&
    predecessor.chain === chain &&
    predecessor.authorSeq === authorSeq - 1
  )
}

function positionIn(key: string): number {
  return parseSortableNumber(key.slice(RECORD_PREFIX.length))
}

/** The position of the last record, for telling how far the walk is; 0 without records. */
async function lastPosition(store: StoreReader): Promise<number> {
  for await (const [key] of store.range({ ...prefixRange(RECORD_PREFIX), reverse: true, limit: 1 }))
    return positionIn(key)
  return 0
}
