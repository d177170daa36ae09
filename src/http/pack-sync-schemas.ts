/** The forms of requests and answers about packs beside the mesh (see `schemas.ts`). */
import { z } from 'zod'
import { NAME_PATTERN } from '../../protocols/event/v1/announce.ts'
import { PUSH_OUTCOMES } from '../../protocols/pack-sync/v1/message.ts'
import { LIMIT_MAX, TOKEN_PATTERN } from '../../protocols/pack-sync/v1/request.ts'
import type { PackPullQuery, PackPushQuery, PackPushResult, PackSyncResult, SyncPlan } from '../operations.ts'

export const PACK_LIMIT_DEFAULT = 64

// A path, a URL or a DID; longer ones are typing slips.
const SOURCE_CHARACTERS_MAX = 4_096

const orgId = z.string().regex(NAME_PATTERN, 'is no organisation id')
const source = z.string().min(1).max(SOURCE_CHARACTERS_MAX)
const integer = (least: number, most: number): z.ZodType<number, string> => {
  const message = `is no integer from ${least} to ${most}`
  const text = z.string().regex(/^(?:0|[1-9][0-9]{0,15})$/, message)
  return text.transform(Number).refine((value) => value >= least && value <= most, message)
}

export const noPackQuery = z.strictObject({})
export const packParams = z.strictObject({ orgId })
export const packQuery = z.strictObject({
  after: integer(0, Number.MAX_SAFE_INTEGER).exactOptional(),
  limit: integer(1, LIMIT_MAX).exactOptional(),
  pageToken: z.string().regex(TOKEN_PATTERN, 'is no page token').exactOptional(),
  links: z
    .literal('true', 'is not true')
    .transform(() => true as const)
    .exactOptional()
})

export const packSyncQuery: z.ZodType<PackPullQuery> = z.strictObject({
  orgId: orgId.exactOptional(),
  from: source.exactOptional()
})
export const packPushQuery: z.ZodType<PackPushQuery> = z.strictObject({
  orgId: orgId.exactOptional(),
  to: source.exactOptional()
})

export const syncPlan: z.ZodType<SyncPlan> = z.object({
  entries: z.array(
    z.object({
      orgId: z.string(),
      source: z.string().nullable(),
      afterPackSeq: z.int(),
      resumes: z.boolean(),
      reason: z.enum(['NO_SOURCE', 'CROSS_ORG_DENIED', 'FROZEN', 'SOURCE_UNKNOWN', 'SOURCE_REFUSED']).nullable(),
      detail: z.string().nullable()
    })
  )
})

const warning = z.object({
  code: z.enum(['SERVED_AT_SKEW', 'PACK_TS_SKEW', 'SOURCE_BEHIND', 'SOURCE_OTHER_SIDE']),
  detail: z.string()
})

export const syncResults: z.ZodType<readonly PackSyncResult[]> = z.array(
  z.object({
    orgId: z.string(),
    source: z.string(),
    outcome: z.enum(['done', 'frozen', 'refused', 'unreachable', 'undecided']),
    code: z.string().nullable(),
    detail: z.string().nullable(),
    from: z.int(),
    to: z.int(),
    resumed: z.boolean(),
    pages: z.int(),
    applied: z.int(),
    known: z.int(),
    waiting: z.int(),
    warnings: z.array(warning),
    disagreesAt: z.int().nullable()
  })
)

export const pushResults: z.ZodType<readonly PackPushResult[]> = z.array(
  z.object({
    target: z.string(),
    orgId: z.string(),
    outcome: z.enum(['done', 'refused', 'unreachable', 'undecided']),
    code: z.string().nullable(),
    detail: z.string().nullable(),
    headPackSeq: z.int(),
    outcomes: z.partialRecord(z.enum(PUSH_OUTCOMES), z.int())
  })
)
