import type { AuditRecord } from '../../protocols/audit/v1/record.ts'
import { decodeAuditRecord } from '../../protocols/audit/v1/record.ts'
import type { StoreReader } from '../log/store.ts'
import type { Logger } from '../platform/logger.ts'
import type { AuditLog } from './audit-log.ts'
import type { AuditQuery } from './operations.ts'
import { storedAfter } from './stored.ts'

/**
 * The records that the query lets through, oldest first. What can't be read is passed over and logged: one damaged
 * record must not hide all others, and `verifyAudit` names it.
 */
export async function* listRecords(
  { log, store, logger }: { readonly log: AuditLog; readonly store: StoreReader; readonly logger: Logger },
  query: AuditQuery,
  signal?: AbortSignal
): AsyncGenerator<AuditRecord> {
  let after = query.after ?? 0
  let left = query.limit ?? Infinity
  while (left > 0 && !isAborted(signal)) {
    const head = log.head.seq
    for await (const { seq, bytes } of storedAfter(store, after, head)) {
      if (isAborted(signal)) return
      const decoding = decodeAuditRecord(bytes)
      if (!decoding.ok) {
        logger.warn({ seq, problem: decoding.detail }, 'an audit record can’t be read: anchormesh audit --verify')
        continue
      }
      if (!passes(decoding.record, query)) continue
      yield decoding.record
      left -= 1
      if (left === 0) return
    }
    after = Math.max(after, head)
    if (query.follow !== true) return
    if (log.head.seq > after) continue
    if (log.closed) return
    await untilWritten(log, signal)
  }
}

/** Resolves when there are more records, when there will be none, or when the signal aborts. */
export async function untilWritten(log: Pick<AuditLog, 'onWritten'>, signal?: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const wake = (): void => resolve()
  const stop = log.onWritten(wake)
  signal?.addEventListener('abort', wake, { once: true })
  if (signal?.aborted === true) resolve()
  await promise
  stop()
  signal?.removeEventListener('abort', wake)
}

/** Asked again after every wait: the signal changes meanwhile. */
function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true
}

function passes(record: AuditRecord, { since, action, actor, outcome }: AuditQuery): boolean {
  const fits = (wanted: string | undefined, value: string): boolean => wanted === undefined || wanted === value
  return (
    (since === undefined || record.at >= since) &&
    fits(action, record.action) &&
    fits(actor, record.actor) &&
    fits(outcome, record.outcome)
  )
}
