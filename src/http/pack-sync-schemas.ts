/** The forms of requests and answers about packs beside the mesh (see `schemas.ts`). */
import { z } from 'zod'
import { NAME_PATTERN } from '../../protocols/event/v1/announce.ts'
import { PUSH_OUTCOMES } from '../../protocols/pack-sync/v1/message.ts'
import type { PushOutcome } from '../../protocols/pack-sync/v1/message.ts'
import { LIMIT_MAX, TOKEN_PATTERN } from '../../protocols/pack-sync/v1/request.ts'
import { integer } from '../api/values.ts'
import type { PackPullQuery, PackPushQuery, PackPushResult, PackSyncResult, SyncPlan } from '../operations.ts'

export const PACK_LIMIT_DEFAULT = 64

// A path, a URL or a DID; longer ones are typing slips.
const SOURCE_CHARACTERS_MAX = 4_096

const orgId = z.string().regex(NAME_PATTERN, 'is no organisation id')
const source = z.string().min(1).max(SOURCE_CHARACTERS_MAX)
export const noPackQuery = z.strictObject({})
export const packParams = z.strictObject({
  orgId: orgId.describe('The organisation.').meta({ example: 'vaultmesh' })
})
export const packQuery = z.strictObject({
  after: integer(0).describe('Only packs after this number.').meta({ example: 0 }).exactOptional(),
  limit: integer(1, LIMIT_MAX)
    .describe(`At most so many packs; ${PACK_LIMIT_DEFAULT} when nothing is said.`)
    .meta({ example: 64 })
    .exactOptional(),
  pageToken: z
    .string()
    .regex(TOKEN_PATTERN, 'is no page token')
    .describe('Of the page before.')
    .meta({ example: 'AAAA' })
    .exactOptional(),
  links: z
    .literal('true', 'is not true')
    .transform(() => true as const)
    .describe('Also the events between packs.')
    .meta({ example: 'true' })
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

/** What is answered with a status below 400. */
export const pushOutcome: z.ZodType<PushOutcome> = z.object({
  outcome: z.enum(PUSH_OUTCOMES),
  code: z.string(),
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
