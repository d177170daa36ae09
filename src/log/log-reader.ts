import { canonicalOfWire, decodeEvent } from '../../protocols/event/v1/codec.ts'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { LocalEvent } from '../events/local.ts'
import { decodeLocalEvent } from '../events/local.ts'
import type { VerifiedEvent } from '../events/verified.ts'
import { fromOwnLog } from '../events/verified.ts'
import { AnchormeshError, messageOf } from '../platform/errors.ts'
import type { ChainPath, PathEnd, PathEvent } from './chain-path.ts'
import { eventsOnPath, idsOnPath, pathOf } from './chain-path.ts'
import type { EventPosition, TipPlace } from './event-index.ts'
import { decodePosition, decodeRun, decodeTip } from './event-index.ts'
import { GROUP_RECORDS_MAX } from './limits.ts'
import {
  NAMESPACE_COUNT_PREFIX,
  POLICY_PREFIX,
  RECORD_PREFIX,
  branchPrefix,
  chainPrefix,
  chainRunKey,
  idKey,
  namespaceCountKey,
  parseSortableNumber,
  policyKey,
  recordKey,
  tipPrefix
} from './keys.ts'
import type { LogRecord } from './record.ts'
import { GENESIS_HASH, decodeRecord } from './record.ts'
import type { StoreReader } from './store.ts'
import { fewValues, prefixRange } from './store.ts'

/** A record with its parsed content: what folds and listeners see. */
export type LoggedRecord =
  | { readonly scope: 'shared'; readonly record: LogRecord; readonly event: VerifiedEvent }
  | { readonly scope: 'local'; readonly record: LogRecord; readonly event: LocalEvent }

/** A logged event. */
export type SharedRecord = Extract<LoggedRecord, { readonly scope: 'shared' }>
/** A logged local event. */
export type LocalRecord = Extract<LoggedRecord, { readonly scope: 'local' }>

/** Reads a log, as it is now or (over a snapshot of the store) as it was at one moment. */
export class LogReader {
  readonly #reader: StoreReader

  constructor(reader: StoreReader) {
    this.#reader = reader
  }

  /** Where the event stands in the log and in its chain, once it is durable. */
  async find(eventId: string): Promise<EventPosition | undefined> {
    const bytes = await this.#reader.get(idKey(eventId))
    return bytes === undefined ? undefined : decodePosition(bytes)
  }

  /** Looks for many events in one read; the answers stand in their order. */
  async findMany(eventIds: readonly string[]): Promise<(EventPosition | undefined)[]> {
    const found = await this.#reader.getMany(eventIds.map(idKey))
    return found.map((bytes) => (bytes === undefined ? undefined : decodePosition(bytes)))
  }

  /** The last record's position and hash; position 0 before the first. */
  async readHead(): Promise<LogHead> {
    for await (const [key, bytes] of this.#reader.range({ ...prefixRange(RECORD_PREFIX), reverse: true, limit: 1 })) {
      const logSeq = parseSortableNumber(key.slice(RECORD_PREFIX.length))
      return { logSeq, hash: mustDecode(logSeq, bytes).hash }
    }
    return { logSeq: 0, hash: GENESIS_HASH }
  }

  async read(logSeq: number): Promise<LogRecord | undefined> {
    const bytes = await this.#reader.get(recordKey(logSeq))
    return bytes === undefined ? undefined : mustDecode(logSeq, bytes)
  }

  /** The record of one event, once it is durable, for those who ask for this one alone. */
  async readEvent(eventId: string): Promise<LogRecord | undefined> {
    const [place] = await fewValues(this.#reader, [idKey(eventId)])
    if (place === undefined) return undefined
    const { logSeq } = decodePosition(place)
    const [bytes] = await fewValues(this.#reader, [recordKey(logSeq)])
    return bytes === undefined ? undefined : mustDecode(logSeq, bytes)
  }

  /** Records with `after < logSeq <= upTo`, in order. */
  async *records(after: number, upTo: number): AsyncGenerator<LogRecord> {
    if (upTo <= after) return
    for await (const [key, bytes] of this.#reader.range({ gt: recordKey(after), lte: recordKey(upTo) })) {
      yield mustDecode(parseSortableNumber(key.slice(RECORD_PREFIX.length)), bytes)
    }
  }

  /** The position of the newest policy at or before `upTo`; `undefined` in a log without one. */
  async policyPosition(upTo: number): Promise<number | undefined> {
    for await (const [key] of this.#reader.range({
      gte: POLICY_PREFIX,
      lte: policyKey(upTo),
      reverse: true,
      limit: 1
    })) {
      return parseSortableNumber(key.slice(POLICY_PREFIX.length))
    }
    return undefined
  }

  /** The body of the newest policy at or before `upTo`. */
  async lastPolicy(upTo: number): Promise<JsonObject | undefined> {
    const position = await this.policyPosition(upTo)
    const record = position === undefined ? undefined : await this.read(position)
    const logged = record === undefined ? undefined : parseRecord(record)
    return logged?.scope === 'local' ? logged.event.body : undefined
  }

  /** Every namespace that has shared events, carried now or not. */
  async *namespaces(): AsyncGenerator<string> {
    for await (const [key] of this.#reader.range(prefixRange(NAMESPACE_COUNT_PREFIX)))
      yield key.slice(NAMESPACE_COUNT_PREFIX.length)
  }

  /** How many shared events the namespace has. */
  async count(namespace: string): Promise<number> {
    const bytes = await this.#reader.get(namespaceCountKey(namespace))
    return bytes === undefined ? 0 : Number(Buffer.from(bytes).toString())
  }

  /** The tips of the namespace (of one chain of it) in store order. */
  async *tips(namespace: string, chain?: string): AsyncGenerator<Tip> {
    for await (const [key, bytes] of this.#reader.range(prefixRange(tipPrefix(namespace, chain)))) {
      const [, , chainId, id] = key.split('!')
      if (chainId === undefined || id === undefined) throw new Error(`a tip key without a chain: ${key}`)
      yield { chain: chainId, id, ...decodeTip(bytes) }
    }
  }

  /** The log positions of a chain's events at `authorSeq` (several after a fork), ascending, at most `limit`. */
  async positionsAt(chain: string, authorSeq: number, limit: number): Promise<number[]> {
    const first = Math.max(1, authorSeq - GROUP_RECORDS_MAX + 1)
    const runs = { gte: chainRunKey(chain, first, 0), lt: chainRunKey(chain, authorSeq + 1, 0) }
    const prefix = chainPrefix(chain)
    const found: number[] = []
    const look = (key: string, bytes: Uint8Array): void => {
      const start = parseSortableNumber(key.slice(prefix.length, prefix.length + 16))
      const logSeq = decodeRun(bytes).logSeqs[authorSeq - start]
      if (logSeq !== undefined) found.push(logSeq)
    }
    // In a chain that has not forked only the newest can hold the position. Whether it has is asked afterwards: a fork
    // that comes in between must not hide what was there before it.
    for await (const [key, bytes] of this.#reader.range({ ...runs, reverse: true, limit: 1 })) look(key, bytes)
    if (!(await this.#isForked(chain))) return found.slice(0, limit)
    found.length = 0
    for await (const [key, bytes] of this.#reader.range(runs)) look(key, bytes)
    return found.sort((a, b) => a - b).slice(0, limit)
  }

  /** The path that ends in a tip, or in any event of which the branch is known. One look-up for each branch on it. */
  async pathOf(end: PathEnd): Promise<ChainPath> {
    return await pathOf(this.#reader, end)
  }

  /**
   * The ids (hex) of the events at `positions` of the path, which ascend. Throws `RangeError` for one that is not on
   * it.
   */
  async idsOnPath(path: ChainPath, positions: readonly number[]): Promise<string[]> {
    return await idsOnPath(this.#reader, path, positions)
  }

  /** The events at the positions `from` to `to` of the path, in order, in batches of about a mebibyte at most. */
  eventsOnPath(path: ChainPath, from: number, to: number): AsyncGenerator<readonly PathEvent[]> {
    return eventsOnPath(this.#reader, path, from, to)
  }

  async #isForked(chain: string): Promise<boolean> {
    const branches = new Set<string>()
    for await (const [key] of this.#reader.range({ ...prefixRange(branchPrefix(chain)), limit: 2 })) branches.add(key)
    return branches.size > 1
  }
}

export interface LogHead {
  readonly logSeq: number
  /** 32 bytes. */
  readonly hash: Uint8Array
}

export interface Tip extends TipPlace {
  readonly chain: string
  readonly id: string
}

/**
 * Parses the content of a record of the own log, which was checked on its way in. Throws `STORE_CORRUPT` when it is
 * damaged.
 */
export function parseRecord(record: LogRecord): LoggedRecord {
  if (record.scope === 'local') return { scope: 'local', record, event: decodeLocalEvent(record.payload) }
  const decoded = decodeEvent(record.payload)
  if (!decoded.ok) {
    throw new AnchormeshError(
      'STORE_CORRUPT',
      `record ${record.logSeq} is no event: ${decoded.code}: ${decoded.detail}`
    )
  }
  return { scope: 'shared', record, event: fromOwnLog(decoded.event) }
}

/** The event of a shared record for those who only show it: it was checked on its way in. Throws `STORE_CORRUPT`. */
export function eventAsLogged({ logSeq, payload }: LogRecord): JsonObject {
  const canonical = canonicalOfWire(payload)
  if (canonical === null) throw new AnchormeshError('STORE_CORRUPT', `record ${logSeq} is no event`)
  const text = Buffer.from(canonical.buffer, canonical.byteOffset, canonical.byteLength).toString('utf8')
  try {
    return JSON.parse(text) as JsonObject
  } catch (cause) {
    throw new AnchormeshError('STORE_CORRUPT', `record ${logSeq} is no event: ${messageOf(cause)}`, { cause })
  }
}

function mustDecode(logSeq: number, bytes: Uint8Array): LogRecord {
  const record = decodeRecord(logSeq, bytes)
  if (record === null) throw new AnchormeshError('STORE_CORRUPT', `record ${logSeq} is damaged`)
  return record
}
