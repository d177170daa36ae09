import type { AuditBase } from '../../protocols/audit/v1/record.ts'
import { auditRecordKey } from '../log/keys.ts'
import type { StoreReader, WriteOperation } from '../log/store.ts'
import { RETIRED_AT_ONCE_MAX } from './limits.ts'
import { recordIn, storedAfter } from './stored.ts'
import type { StoredRecord } from './stored.ts'

/** How long records are kept, in milliseconds, and how many at most. */
export interface Retention {
  readonly retentionMs: number
  readonly maxRecords: number
}

/** Records that go, and where the chain begins then. */
export interface Retired {
  readonly operations: readonly WriteOperation[]
  readonly base: AuditBase
  /** When the first that stays was recorded; null where none stays, or it can't be read. */
  readonly oldest: number | null
  readonly isMoreDue: boolean
}

/**
 * What has to go from the front of the log; null where nothing has to. Whatever can't be read goes when its place is
 * beyond the number of records, or what follows it is too old.
 */
export async function retire(
  store: StoreReader,
  log: { readonly base: AuditBase; readonly headSeq: number; readonly oldest: number | null },
  { retentionMs, maxRecords }: Retention,
  now: number
): Promise<Retired | null> {
  const { base, headSeq, oldest } = log
  const keepFrom = headSeq - maxRecords + 1
  const isTooMany = base.seq + 1 < keepFrom
  const isTooOld = oldest !== null && oldest < now - retentionMs
  if (!isTooMany && !isTooOld) return null
  const due: StoredRecord[] = []
  /** Can't be read: whether they go, the next that can be read says. */
  let unread: StoredRecord[] = []
  let after: number | null = null
  for await (const stored of storedAfter(store, base.seq, headSeq, { limit: RETIRED_AT_ONCE_MAX + 1 })) {
    const record = recordIn(stored.bytes)
    if (record === null && stored.seq >= keepFrom) {
      unread.push(stored)
      continue
    }
    const goes = stored.seq < keepFrom || (record !== null && record.at < now - retentionMs)
    if (!goes || due.length + unread.length >= RETIRED_AT_ONCE_MAX) {
      after = record?.at ?? null
      break
    }
    due.push(...unread, stored)
    unread = []
  }
  const last = due.at(-1)
  if (last === undefined) return null
  return {
    operations: due.map(({ seq }) => ({ type: 'del', key: auditRecordKey(seq) })),
    base: { seq: last.seq, hash: recordIn(last.bytes)?.hash ?? '0'.repeat(64) },
    oldest: after,
    isMoreDue: due.length >= RETIRED_AT_ONCE_MAX
  }
}
