/** The forms of requests and answers about evidence that the node makes (see `schemas.ts`). */
import { z } from 'zod'
import { isBase64url } from '../../protocols/primitives/bytes.ts'
import { PROOF_CHARACTERS_MAX } from '../anchoring/node-anchoring.ts'
import type {
  AnchorRequest,
  AnchoringResult,
  AnchoringStatus,
  HandInResult,
  ImportProofRequest,
  SplitAnchorsRequest
} from '../operations.ts'
import { batchId, namespace } from '../api/values.ts'

// The short form of a chain id is that without the name of its rail.
const chainName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,95}$/, 'is no chain')

export const anchorRequest: z.ZodType<AnchorRequest> = z.strictObject({
  namespace,
  batchId,
  rail: z.enum(['tsa', 'btc', 'evm'], 'is none of tsa, btc, evm'),
  chainId: chainName.exactOptional()
})

export const splitAnchorsRequest: z.ZodType<SplitAnchorsRequest> = z.strictObject({
  namespace,
  batchId,
  chainId: chainName
})

export const importProofRequest: z.ZodType<ImportProofRequest> = z.strictObject({
  namespace,
  batchId,
  proof: z.string().min(1).max(PROOF_CHARACTERS_MAX).refine(isBase64url, 'is no base64url')
})

export const anchoringResult: z.ZodType<AnchoringResult> = z.object({
  namespace: z.string(),
  batchId: z.string(),
  batchRoot: z.string(),
  chainId: z.string(),
  state: z.enum(['announced', 'under-way', 'failed']),
  evidenceId: z.string().nullable(),
  eventId: z.string().nullable(),
  code: z.string().nullable(),
  detail: z.string().nullable(),
  lookAgainAt: z.number().nullable(),
  together: z.array(z.string())
})
export const anchoringResults: z.ZodType<readonly AnchoringResult[]> = z.array(anchoringResult)

export const handInResult: z.ZodType<HandInResult> = z.object({
  namespace: z.string(),
  receiptHashes: z.array(z.string()),
  queued: z.int(),
  nextSealAt: z.number().nullable()
})

export const anchoringStatus: z.ZodType<AnchoringStatus> = z.object({
  underWay: z.int(),
  failed: z.int(),
  jobs: z.array(anchoringResult),
  sealing: z.array(
    z.object({
      namespace: z.string(),
      receipts: z.int(),
      bytes: z.int(),
      nextSealAt: z.number().nullable(),
      problem: z.string().nullable()
    })
  )
})
