import { z } from 'zod'
import { NAME_PATTERN } from '../../protocols/event/v1/announce.ts'
import { HASH_PATTERN } from '../../protocols/event/v1/envelope.ts'
import { RECEIPT_HASH_PATTERN } from '../bundles/receipt-keeper.ts'
import type { BuiltProof, ProofRequest } from '../operations.ts'
import { STANDING_REASONS } from '../projections/standing.ts'
import { batchId, namespace } from './name-schemas.ts'

/** Which receipt is to be proven. */
export const proofRequest: z.ZodType<ProofRequest> = z.strictObject({
  namespace,
  batchId,
  leafHash: z.string().regex(RECEIPT_HASH_PATTERN, 'is no leaf hash'),
  owner: z.string().regex(NAME_PATTERN, 'is no organisation id').exactOptional(),
  batchRoot: z.string().regex(HASH_PATTERN, 'is no root').exactOptional()
})

/** The content of a proof file, and how the receipt stands. */
export const builtProof: z.ZodType<BuiltProof> = z.object({
  namespace: z.string(),
  owner: z.string(),
  batchId: z.string(),
  batchRoot: z.string(),
  leafHash: z.string(),
  index: z.int(),
  standing: z.enum(['proven', 'unproven']),
  reason: z.enum(STANDING_REASONS),
  provenTime: z.int().nullable(),
  chainId: z.string().nullable(),
  proof: z.string()
})
