import type { EventLog } from '../log/event-log.ts'
import type { LoggedRecord } from '../log/log-reader.ts'
import { FOLD_RECORDS_MAX, FoldGroup, everyRecord } from './log-records.ts'

// Records that came in while a fold ran are kept parsed up to this many, and this much payload, so that large events
// don't make them 192 MiB. What comes after them is read from the log again.
const RECORDS_MAX = 4_096
const BYTES_MAX = 16 * 1024 * 1024

/** The newest records as the log hands them out, so that folds that keep up need not read and parse them again. */
export class RecordFeed {
  #records: LoggedRecord[] = []
  #bytes = 0

  /** Takes records that follow those it has; others, and those that find no room, are left to the log. */
  take(records: readonly LoggedRecord[]): void {
    const last = this.#records.at(-1)?.record.logSeq
    if (last !== undefined && last + 1 !== records[0]?.record.logSeq) return
    const bytes = records.reduce((sum, { record }) => sum + record.payload.length, this.#bytes)
    if (this.#records.length + records.length > RECORDS_MAX || bytes > BYTES_MAX) return
    this.#records.push(...records)
    this.#bytes = bytes
  }

  /** The records after position `logSeq`, as long as they are here. Ask `has` first. */
  *after(logSeq: number): Generator<LoggedRecord> {
    const first = this.#first()
    for (let index = logSeq + 1 - first; index < this.#records.length; index += 1)
      yield this.#records[index] as LoggedRecord
  }

  /** Whether it has the record at the position. */
  has(logSeq: number): boolean {
    const first = this.#first()
    return logSeq >= first && logSeq < first + this.#records.length
  }

  /** Drops what every projection has folded. */
  forget(upTo: number): void {
    const dropped = this.#records.splice(0, Math.max(0, upTo + 1 - this.#first()))
    this.#bytes = dropped.reduce((bytes, { record }) => bytes - record.payload.length, this.#bytes)
  }

  /** The position of the first; in an empty feed no position comes near it. */
  #first(): number {
    return this.#records[0]?.record.logSeq ?? Infinity
  }
}

/** The next records after a position, from the feed where it has them: at most one group, and a policy always alone. */
export async function recordsAfter(cursor: number, log: EventLog, feed: RecordFeed): Promise<readonly LoggedRecord[]> {
  const group = new FoldGroup()
  if (feed.has(cursor + 1)) {
    group.fill(feed.after(cursor))
  } else {
    const upTo = Math.min(log.head.logSeq, cursor + FOLD_RECORDS_MAX)
    for await (const record of everyRecord(log, cursor, upTo)) if (group.add(record)) break
  }
  const { records } = group
  const policyAt = records.findIndex((record) => record.scope === 'local' && record.event.type === 'policy')
  return policyAt < 0 ? records : records.slice(0, Math.max(1, policyAt))
}
