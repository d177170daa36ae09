import type { LogReader, LoggedRecord } from '../log/log-reader.ts'
import { parseRecord } from '../log/log-reader.ts'
import { AnchormeshError } from '../platform/errors.ts'

/**
 * The parsed records with `after < logSeq <= upTo`, every one of them. Throws `STORE_CORRUPT` at one that is missing or damaged: a fold that
 * went on would skip it.
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
    hint: 'run `anchormesh log verify`, then restore a backup, or let the mesh fill a new store'
  })
}
