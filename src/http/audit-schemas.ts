import { z } from 'zod'
import { ACTION_PATTERN, ACTOR_BYTES_MAX, AUDIT_OUTCOMES } from '../../protocols/audit/v1/record.ts'
import type { AuditQuery, AuditRecord, AuditStatus, AuditVerification } from '../audit/operations.ts'
import { integer } from '../api/values.ts'

/** `GET /v1/admin/audit`: a stream, as long as the audit log. */
export const auditQuery: z.ZodType<AuditQuery> = z.strictObject({
  since: integer(0).exactOptional(),
  after: integer(0).exactOptional(),
  action: z.string().regex(ACTION_PATTERN, 'is no action').exactOptional(),
  actor: z.string().min(1).max(ACTOR_BYTES_MAX).exactOptional(),
  outcome: z.enum(AUDIT_OUTCOMES, `is none of ${AUDIT_OUTCOMES.join(', ')}`).exactOptional(),
  limit: integer(1).exactOptional(),
  follow: z
    .enum(['true', 'false'], 'is neither true nor false')
    .transform((text) => text === 'true')
    .exactOptional()
})

export const auditRecord: z.ZodType<AuditRecord> = z.object({
  seq: z.int(),
  at: z.int(),
  requestId: z.string(),
  action: z.string(),
  actor: z.string(),
  subject: z.string(),
  outcome: z.enum(AUDIT_OUTCOMES),
  code: z.string().nullable(),
  detail: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
  prev: z.string(),
  hash: z.string()
})

/** `POST /v1/admin/audit/verify`. */
export const auditVerification: z.ZodType<AuditVerification> = z.object({
  ok: z.boolean(),
  records: z.int(),
  baseSeq: z.int(),
  headSeq: z.int(),
  headHash: z.string(),
  problems: z.array(z.object({ seq: z.int(), problem: z.string() })),
  problemCount: z.int()
})

/** In `status`. */
export const auditStatus: z.ZodType<AuditStatus> = z.object({
  records: z.int(),
  oldest: z.number().nullable(),
  newest: z.number().nullable(),
  queue: z.int(),
  lost: z.int(),
  fault: z.string().nullable(),
  damage: z.string().nullable(),
  syslog: z
    .object({
      collector: z.string(),
      state: z.enum(['off', 'idle', 'sending', 'waiting']),
      behind: z.int(),
      missed: z.int(),
      lastError: z.string().nullable()
    })
    .nullable()
})
