import { z } from 'zod'
import { NAME_PATTERN } from '../../protocols/event/v1/announce.ts'
import { HASH_PATTERN } from '../../protocols/event/v1/envelope.ts'
import { receiptProofDocument } from '../api/answers.ts'
import { RECEIPT_HASH_PATTERN } from '../bundles/receipt-keeper.ts'
import type { BuiltProof, ProofRequest } from '../operations.ts'
import { STANDING_REASONS } from '../projections/standing.ts'
import { batchId, namespace } from '../api/values.ts'

/** Which receipt is to be proven. */
export const proofRequest: z.ZodType<ProofRequest> = z.strictObject({
  namespace,
  batchId,
  leafHash: z.string().regex(RECEIPT_HASH_PATTERN, 'is no leaf hash'),
  owner: z.string().regex(NAME_PATTERN, 'is no organisation id').exactOptional(),
  batchRoot: z.string().regex(HASH_PATTERN, 'is no root').exactOptional()
})

/** As the public listener answers it. The node behind the admin listener is of this release, so its reasons are known. */
export const builtProof: z.ZodType<BuiltProof> = receiptProofDocument.extend({ reason: z.enum(STANDING_REASONS) })
