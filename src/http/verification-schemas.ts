import { z } from 'zod'
import type { OnlineVerification, VerificationStatus } from '../operations.ts'
import type { UnreachableCode } from '../timestamps/verifier.ts'

// A node of another release may know more codes; they are shown as they are.
const code = <Code extends string>(): z.ZodType<Code> => z.string() as unknown as z.ZodType<Code>

/** `POST /v1/admin/verify-online`. */
export const onlineVerification: z.ZodType<OnlineVerification> = z.object({
  rails: z.array(
    z.object({
      rail: z.enum(['btc', 'eip155', 'rfc3161']),
      checked: z.int(),
      verified: z.int(),
      pending: z.int(),
      invalid: z.int(),
      unreachable: z.int(),
      notChecked: z.int(),
      changed: z.int()
    })
  ),
  lost: z.array(
    z.object({
      namespace: z.string(),
      owner: z.string(),
      batchId: z.string(),
      chainId: z.string(),
      evidenceId: z.string(),
      outcome: z.enum(['pending', 'invalid', 'unreachable']),
      code: code<NonNullable<OnlineVerification['lost'][number]['code']>>().nullable(),
      detail: z.string().nullable()
    })
  ),
  lostCount: z.int(),
  unconfirmed: z.int()
})

/** How timestamp anchors are checked, for `status`. */
export const verificationStatus: z.ZodType<VerificationStatus> = z.object({
  undecided: z.int(),
  waiting: z.int(),
  running: z.int(),
  rechecks: z.int(),
  unconfirmed: z.int(),
  unconfirmedSince: z.number().nullable(),
  isBehind: z.boolean(),
  providers: z.array(
    z.object({
      verifier: z.string(),
      name: z.string(),
      asked: z.int(),
      failed: z.int(),
      failure: z
        .object({
          code: code<UnreachableCode>(),
          detail: z.string(),
          at: z.number(),
          since: z.number()
        })
        .nullable()
    })
  )
})
