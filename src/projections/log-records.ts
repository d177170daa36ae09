import { ANCHOR_PACK_TYPE } from '../../protocols/event/v1/codec.ts'
import type { LogReader, LoggedRecord } from '../log/log-reader.ts'
import { parseRecord } from '../log/log-reader.ts'
import { AnchormeshError } from '../platform/errors.ts'

// A fold of this many records is one batch: enough that folding keeps up with the log's groups of 512, few enough to
// stay within some MiB.
export const FOLD_RECORDS_MAX = 1_024
// Usual events stay far below this. What comes to more are events of the greatest size and sealed batches, 256 rows in
// 17 KiB: this is about 16,000 of those.
const FOLD_BYTES_MAX = 1024 * 1024
// However short a pack is, three projections write all keys of its organisation down, at most 48 KiB each.
const PACK_WEIGHT = 64 * 1024

/** Records that are folded at once. */
export class FoldGroup {
  readonly records: LoggedRecord[] = []
  #bytes = 0

  get isFull(): boolean {
    return this.records.length >= FOLD_RECORDS_MAX || this.#bytes >= FOLD_BYTES_MAX
  }

  /** Returns whether it is full now. */
  add(record: LoggedRecord): boolean {
    this.records.push(record)
    const isPack = record.scope === 'shared' && record.event.envelope.type === ANCHOR_PACK_TYPE
    this.#bytes += isPack ? PACK_WEIGHT : record.record.payload.length
    return this.isFull
  }

  /** Takes as many as find room. */
  fill(records: Iterable<LoggedRecord>): void {
    for (const record of records) if (this.add(record)) return
  }
}

/**
 * The parsed records with `after < logSeq <= upTo`, every one of them. Throws `STORE_CORRUPT` at one that is missing or
 * damaged: a fold that went on would skip it.
 */
export async function* everyRecord(log: LogReader, after: number, upTo: number): AsyncGenerator<LoggedRecord> {
  let position = after
  for await (const record of log.records(after, upTo)) {
    position += 1
    if (record.logSeq !== position) throw missing(position)
    yield parseRecord(record)
  }
  if (position < upTo) throw missing(position + 1)
}

function missing(logSeq: number): AnchormeshError {
  return new AnchormeshError('STORE_CORRUPT', `record ${logSeq} of the log is missing`, {
    hint: 'run `anchormesh log verify`, then restore a backup, or fill a new store by `log import` of another node’s `log export`'
  })
}
