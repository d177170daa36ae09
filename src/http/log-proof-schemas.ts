import { z } from 'zod'
import { NOTE_BYTES_MAX } from '../../protocols/checkpoint/v1/note.ts'
import { EPOCH_PATTERN, PROOF_HASHES_MAX } from '../../protocols/event/v1/checkpoint.ts'
import { HASH_PATTERN } from '../../protocols/event/v1/envelope.ts'
import * as answers from '../api/log-proofs.ts'
import { integer } from '../api/values.ts'
import type {
  CheckpointCheck,
  CheckpointCheckRequest,
  LogCheckpoint,
  LogConsistency,
  LogInclusion
} from '../transparency/log-proof-operations.ts'

const hash = z.string().regex(HASH_PATTERN, 'is no hash')
const proof = z.array(hash).max(PROOF_HASHES_MAX)
const size = z.int().nonnegative()
const logName = { origin: z.string(), epoch: z.string().regex(EPOCH_PATTERN, 'is no epoch') }

const position = (what: string): z.ZodType<number, string> => integer(1).describe(what).meta({ example: 1 })

export const inclusionQuery = z.strictObject({
  logSeq: position('The position of the record.'),
  size: position('Of the log, in records; as it is now when nothing is said.').exactOptional()
})
export const consistencyQuery = z.strictObject({
  from: position('The size of the earlier log, in records.'),
  to: position('The size of the later log.')
})

export const logCheckpoint: z.ZodType<LogCheckpoint> = z.object({
  ...logName,
  note: z.string(),
  size,
  root: hash,
  verifierKey: z.string()
})

export const logInclusion: z.ZodType<LogInclusion> = answers.logInclusion
export const logConsistency: z.ZodType<LogConsistency> = answers.logConsistency

export const checkRequest: z.ZodType<CheckpointCheckRequest> = z.strictObject({
  note: z.string().max(NOTE_BYTES_MAX),
  proof: proof.exactOptional()
})

export const checkpointCheck: z.ZodType<CheckpointCheck> = z.object({
  ...logName,
  size,
  root: hash,
  outcome: z.enum(['consistent', 'contradiction', 'undecided', 'unsigned']),
  code: z
    .enum(['LOG_ROLLED_BACK', 'LOG_REWRITTEN', 'LOG_FORKED', 'EPOCH_UNEXPLAINED', 'SIGNATURE_INVALID', 'KEY_UNKNOWN'])
    .nullable(),
  detail: z.string(),
  keptSize: size.nullable()
})
