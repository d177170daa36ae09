import type { JsonObject, JsonValue } from '../../canonical-json/v1/json.ts'
import { isIntegerBetween, isStringLike, shapeProblem } from '../../canonical-json/v1/shape.ts'
import type { Member, Shape } from '../../canonical-json/v1/shape.ts'
import { KID_PATTERN } from '../../signature/v1/jws.ts'
import { HASH_PATTERN } from './envelope.ts'

export const CHECKPOINT_TYPE = 'checkpoint'

/** A consistency proof between trees of up to 2^53 − 1 leaves has at most 54 hashes. */
export const PROOF_HASHES_MAX = 64

/** Names of a log's epochs. */
export const EPOCH_PATTERN = /^[0-9a-f]{16}$/

/** The checkpoint before, and that the log still begins with what it had then. */
export interface PreviousCheckpoint {
  /** The key whose chain it stands in, where that is another one of the signer. */
  readonly kid?: string
  /** The id of its event. */
  readonly event: string
  readonly size: number
  readonly root: string
  /** From it to this one; absent where the log was restored without all that it had then. */
  readonly consistency?: readonly string[]
}

/** What a restored log goes on from. */
export interface RestoredCheckpoint {
  /** The event of the newest checkpoint of the old epoch that the restored log holds all records of, if it has one. */
  readonly event?: string
  /** The epoch before the restore. */
  readonly epoch: string
  readonly size: number
  readonly root: string
  readonly consistency: readonly string[]
}

/** The body of a `checkpoint`: how long its signer's log is, under which root (SPEC EV-60). */
export interface Checkpoint {
  readonly epoch: string
  readonly size: number
  readonly root: string
  readonly previous?: PreviousCheckpoint
  /** In the first checkpoint of an epoch that a restore began. */
  readonly restored?: RestoredCheckpoint
}

export type CheckpointReading =
  | { readonly ok: true; readonly checkpoint: Checkpoint }
  | { readonly ok: false; readonly code: 'BODY_INVALID'; readonly detail: string }

const HASH: Member = { is: (value) => isStringLike(value, HASH_PATTERN), expected: 'a hash' }
const EPOCH: Member = { is: (value) => isStringLike(value, EPOCH_PATTERN), expected: '16 hex digits' }
const SIZE: Member = {
  is: (value) => isIntegerBetween(value, 0, Number.MAX_SAFE_INTEGER),
  expected: 'an integer from 0'
}
const PROOF: Member = { is: isProof, expected: `a list of at most ${PROOF_HASHES_MAX} hashes` }

const PREVIOUS_SHAPE: Shape = {
  consistency: { ...PROOF, optional: true },
  event: HASH,
  kid: { is: (value) => isStringLike(value, KID_PATTERN), expected: 'a kid', optional: true },
  root: HASH,
  size: SIZE
}
const RESTORED_SHAPE: Shape = {
  consistency: PROOF,
  epoch: EPOCH,
  event: { ...HASH, optional: true },
  root: HASH,
  size: SIZE
}
const CHECKPOINT_SHAPE: Shape = {
  epoch: EPOCH,
  previous: {
    is: (value) => shapeProblem(value, PREVIOUS_SHAPE, 'previous') === null,
    expected: 'event, size, root and perhaps consistency and kid',
    optional: true
  },
  restored: {
    is: (value) => shapeProblem(value, RESTORED_SHAPE, 'restored') === null,
    expected: 'epoch, size, root, consistency and perhaps event',
    optional: true
  },
  root: HASH,
  size: SIZE
}

/** Reads the body of a `checkpoint` (SPEC EV-60, EV-61). Whether its proofs hold is not asked. */
export function parseCheckpointBody(body: JsonObject): CheckpointReading {
  const problem = shapeProblem(body, CHECKPOINT_SHAPE, 'checkpoint')
  if (problem !== null) return { ok: false, code: 'BODY_INVALID', detail: problem }
  return { ok: true, checkpoint: body as unknown as Checkpoint }
}

function isProof(value: JsonValue): boolean {
  return (
    Array.isArray(value) &&
    value.length <= PROOF_HASHES_MAX &&
    value.every((hash: JsonValue) => isStringLike(hash, HASH_PATTERN))
  )
}
