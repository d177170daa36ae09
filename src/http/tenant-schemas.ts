import { z } from 'zod'
import { FEEDBACK_ACTIONS } from '../../protocols/feedback/v1/feedback.ts'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { NAME_PATTERN } from '../../protocols/event/v1/announce.ts'
import { SEVERITIES } from '../../protocols/telemetry/v1/finding.ts'
import type { FeedbackAnswer, TelemetryAnswer } from '../findings/findings.ts'
import type { FeedbackQuery, FindingsQuery } from '../findings/queries.ts'
import { TENANT_PATTERN } from '../policy/names.ts'
import { PAGE_LENGTH_MAX } from './limits.ts'
import { did, integer } from '../api/values.ts'

const tenant = z.string().regex(TENANT_PATTERN, 'is no tenant').meta({ description: 'The tenant.', example: 'acme' })
const findingId = z
  .string()
  .regex(NAME_PATTERN, 'is no finding id')
  .meta({ description: 'The finding.', example: 'finding-1' })
const jsonObject = z.looseObject({}) as unknown as z.ZodType<JsonObject>

export const tenantParams = z.strictObject({ tenant })
export const findingParams = z.strictObject({ tenant, findingId })

const moment = {
  at: integer(0).meta({ description: 'The state at exactly this position of the log.', example: 0 }).exactOptional(),
  waitFor: integer(0)
    .meta({ description: 'Answers once the rows have reached this position, at most 5 s.', example: 0 })
    .exactOptional()
}
export const momentQuery = z.strictObject(moment)

const paging = {
  ...moment,
  signer: did.meta({ description: 'Only what this DID signed.', example: 'did:web:vaultmesh.org' }).exactOptional(),
  fromTs: integer(0)
    .meta({ description: 'Only what was signed at or after this time, in milliseconds since 1970.', example: 0 })
    .exactOptional(),
  toTs: integer(0)
    .meta({
      description: 'Only what was signed at or before this time, in milliseconds since 1970.',
      example: 1_790_000_000_000
    })
    .exactOptional(),
  limit: integer(1, PAGE_LENGTH_MAX)
    .meta({ description: 'At most so many on the page.', example: 100 })
    .exactOptional(),
  // A key of a row in base64url: a tenant and names.
  cursor: z
    .string()
    .min(1)
    .max(4_096)
    .meta({ description: 'The `nextCursor` of the page before.', example: 'WyJwYWdlIl0' })
    .exactOptional()
}

/** `GET /v1/tenants/{tenant}/findings` */
export const findingsQuery: z.ZodType<FindingsQuery> = z.strictObject({
  ...paging,
  status: z
    .enum(['open', 'confirmed', 'dismissed'], 'is none of open, confirmed, dismissed')
    .meta({ description: 'Only findings of this status.', example: 'open' })
    .exactOptional(),
  severity: z
    .enum(SEVERITIES, `is none of ${SEVERITIES.join(', ')}`)
    .meta({ description: 'Only findings of this severity.', example: 'high' })
    .exactOptional()
})

/** `GET /v1/tenants/{tenant}/feedback` */
export const feedbackQuery: z.ZodType<FeedbackQuery> = z.strictObject({
  ...paging,
  findingId: findingId.exactOptional(),
  action: z
    .enum(FEEDBACK_ACTIONS, `is none of ${FEEDBACK_ACTIONS.join(', ')}`)
    .meta({ description: 'Only feedback with this action.', example: 'dismiss' })
    .exactOptional()
})

/** Of protocols/telemetry/v1, TM-13. */
export const telemetryAnswer: z.ZodType<TelemetryAnswer> = z.object({
  reportId: z.string(),
  bodyHash: z.string(),
  fingerprint: z.string(),
  findings: z.int(),
  known: z.int(),
  logSeq: z.int()
})

/** Of protocols/feedback/v1, FB-12. */
export const feedbackAnswer: z.ZodType<FeedbackAnswer> = z.object({
  feedbackId: z.string(),
  bodyHash: z.string(),
  findingId: z.string(),
  logSeq: z.int()
})

/** `GET /v1/tenants/{tenant}/findings/{findingId}`; `report` is null where it was erased. */
export const findingView = z.object({
  logSeq: z.int(),
  finding: jsonObject,
  report: z.object({ execution: jsonObject, subject: z.string().nullable(), detail: z.unknown() }).nullable()
})
