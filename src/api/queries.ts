import { z } from 'zod'
import { PROJECTION_NAMES } from './rows.ts'
import { batchId, did, eventType, integer, namespace, organisation, hash, status, wordsOf } from './values.ts'

/** Most rows or events on a page, and how many there are when nothing is said. */
export const PAGE_LENGTH_MAX = 500
export const PAGE_LENGTH_DEFAULT = 100

/** What rows of `receipts` show on request, beside their columns. */
const RECEIPT_PARTS = ['record', 'proof', 'evidence'] as const
export type ReceiptPart = (typeof RECEIPT_PARTS)[number]

const NAMESPACE = namespace.describe('Only what belongs to this namespace.').meta({ example: 'dao:vaultmesh' })
const SIGNER = did.describe('Only what this DID signed.').meta({ example: 'did:web:vaultmesh.org' })
const LIMIT = integer(1, PAGE_LENGTH_MAX)
  .describe(`At most so many on the page; ${PAGE_LENGTH_DEFAULT} when nothing is said.`)
  .meta({ example: 100 })

/** For routes without query parameters. */
export const noQuery = z.strictObject({})

export const namespaceQuery = z.strictObject({ namespace: NAMESPACE })

export const eventFilters = {
  namespace: NAMESPACE.exactOptional(),
  signer: SIGNER.exactOptional(),
  type: eventType.describe('Only events of this type.').meta({ example: 'announce' }).exactOptional(),
  scope: z
    .enum(['shared', 'local', 'all'], 'is none of shared, local, all')
    .describe('`shared` (the default): what is gossiped; `local`: what this node learned or was told.')
    .meta({ example: 'shared' })
    .exactOptional(),
  after: integer(0).describe('Only events after this position of the log.').meta({ example: 0 }).exactOptional()
}

/** `GET /v1/events`: a page. */
export const eventsPageQuery = z.strictObject({ ...eventFilters, limit: LIMIT.exactOptional() })

/** Rows of a projection: which, and as of when. */
const projectionFilters = {
  namespace: NAMESPACE.exactOptional(),
  batchId: batchId.describe('Only rows of the batch of this name.').meta({ example: 'batch-2026-07' }).exactOptional(),
  signer: SIGNER.exactOptional(),
  status: status
    .describe('Only rows of this status, whichever column of the projection says it.')
    .meta({ example: 'verified' })
    .exactOptional(),
  fromTs: integer(0)
    .describe('Only rows of this time or later, milliseconds since 1970.')
    .meta({ example: 1_767_225_600_000 })
    .exactOptional(),
  toTs: integer(0)
    .describe('Only rows of this time or earlier, milliseconds since 1970.')
    .meta({ example: 1_798_761_600_000 })
    .exactOptional()
}

/** `GET /v1/projections/{name}`. */
export const projectionQuery = z.strictObject({
  ...projectionFilters,
  limit: LIMIT.exactOptional(),
  // A key of a row in base64url; the longest keys hold two names and a DID.
  cursor: z
    .string()
    .min(1)
    .max(4_096)
    .describe('The `nextCursor` of the page before; it is opaque, and of one projection of one node.')
    .meta({ example: 'WyJwYWdlIiwiMDEyMyIsIndpbm5lcnMiLCJkYW86eCEiXQ' })
    .exactOptional(),
  at: integer(0)
    .describe('The state at exactly this position of the log; the last 1,000 positions at least are kept.')
    .meta({ example: 1 })
    .exactOptional(),
  waitFor: integer(0)
    .describe('Answers once the projection has reached this position, or with `NOT_YET` after 5 s.')
    .meta({ example: 1 })
    .exactOptional(),
  include: wordsOf(RECEIPT_PARTS)
    .describe(
      'Of `receipts` alone, by commas: `record` (the receipt itself), `proof` (its way to the root), `evidence` (what ' +
        'won for the root). A page then holds at most 16 rows.'
    )
    .meta({ example: 'proof,evidence' })
    .exactOptional()
})
/** What to ask of a projection, in numbers and words. */
export type RowsQuery = z.output<typeof projectionQuery>

export const projectionParams = z.strictObject({
  name: z
    .string()
    .max(64)
    .describe('The name of a projection.')
    .meta({ enum: [...PROJECTION_NAMES], example: 'winners' })
})
export const eventParams = z.strictObject({
  id: z
    .string()
    .max(64)
    .describe('The id of a shared event.')
    .meta({ example: '5f'.repeat(32) })
})

export const receiptParams = z.strictObject({
  leafHash: hash.describe('The hash of the leaf, as rows show it.').meta({ example: '5f'.repeat(32) })
})

/** Which place of a receipt is to be proven: the same record can be a leaf of several batches. */
export const receiptProofQuery = z.strictObject({
  namespace: NAMESPACE,
  batchId: batchId.describe('The batch.').meta({ example: 'batch-2026-07' }),
  owner: organisation.describe('Tells apart batches of one name.').meta({ example: 'vaultmesh' }).exactOptional(),
  batchRoot: hash
    .describe('Tells apart roots that were claimed for one batch.')
    .meta({ example: '5f'.repeat(32) })
    .exactOptional()
})
