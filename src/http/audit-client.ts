import { z } from 'zod'
import type { AuditOperations, AuditQuery, AuditRecord } from '../audit/operations.ts'
import { AnchormeshError } from '../platform/errors.ts'
import type { AdminTransport } from './admin-transport.ts'
import { auditRecord, auditVerification } from './audit-schemas.ts'
import { progress } from './schemas.ts'

/** The audit log of a node that runs in another process. */
export function auditClient(transport: AdminTransport): AuditOperations {
  return {
    audit: (query, signal) => streamRecords(transport, query, signal),
    verifyAudit: async (onProgress) => {
      const line = z.union([z.object({ progress }), z.object({ result: auditVerification })])
      const answered = await transport.send({ method: 'POST', path: 'audit/verify' })
      for await (const told of transport.lines(line, answered)) {
        if ('result' in told) return told.result
        onProgress?.(told.progress)
      }
      throw new AnchormeshError('INTERNAL', 'the answer to audit/verify has no result')
    }
  }
}

async function* streamRecords(
  transport: AdminTransport,
  query: AuditQuery,
  signal: AbortSignal | undefined
): AsyncGenerator<AuditRecord> {
  const request = { method: 'GET', path: 'audit', query: { ...query } } as const
  try {
    const answered = await transport.send(signal === undefined ? request : { ...request, signal })
    yield* transport.lines(auditRecord, answered)
  } catch (error) {
    // The signal is the way to end a stream, not a failure of it.
    if (signal?.aborted !== true) throw error
  }
}
