import { z } from 'zod'
import { EPOCH_PATTERN, PROOF_HASHES_MAX } from '../../protocols/event/v1/checkpoint.ts'
import { HASH_PATTERN } from '../../protocols/event/v1/envelope.ts'

const hash = z.string().regex(HASH_PATTERN, 'is no hash')
const proof = z.array(hash).max(PROOF_HASHES_MAX).readonly()
const size = z.int().nonnegative()
const logName = { origin: z.string(), epoch: z.string().regex(EPOCH_PATTERN, 'is no epoch') }

/** `GET /v1/log/inclusion`: that a record stands in the log at its place (checkpoint/v1 CHK-14). */
export const logInclusion = z.object({
  ...logName,
  logSeq: size,
  size,
  root: hash,
  leafHash: hash,
  recordHash: hash,
  proof,
  record: z
    .object({ previousHash: hash, scope: z.literal(1), recordedAt: z.int().nonnegative(), bytes: z.base64url() })
    .nullable()
})
export type LogInclusionAnswer = z.output<typeof logInclusion>

/** `GET /v1/log/consistency`: that a log begins with what it was. */
export const logConsistency = z.object({
  ...logName,
  from: size,
  fromRoot: hash,
  to: size,
  toRoot: hash,
  proof
})
export type LogConsistencyAnswer = z.output<typeof logConsistency>
