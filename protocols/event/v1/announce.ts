import { encodeCanonical } from '../../canonical-json/v1/codec.ts'
import type { JsonObject, JsonValue } from '../../canonical-json/v1/json.ts'
import { isIntegerBetween, isStringLike, shapeProblem } from '../../canonical-json/v1/shape.ts'
import type { Shape } from '../../canonical-json/v1/shape.ts'
import { sha256Hex } from '../../primitives/sha256.ts'
import { HASH_PATTERN } from './envelope.ts'
import { evidenceHash, timestampAnchorProblem } from './timestamp-anchor.ts'
import type { TimestampAnchor } from './timestamp-anchor.ts'

export type {
  BitcoinTimestampAnchor,
  Evidence,
  EvmTimestampAnchor,
  TimestampAnchor,
  TsaTimestampAnchor
} from './timestamp-anchor.ts'

/**
 * Most timestamp anchors in one announce. A batch is anchored on a few rails, each perhaps a few times; more can be
 * added by further announces. 16 leaves 3 KiB of evidence for each within the size of an event.
 */
export const TIMESTAMP_ANCHORS_MAX = 16

/** Names of batches and of organisations. */
export const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._:#-]{0,127}$/

/** The body of an `announce`: that a batch was sealed, and what shows when. */
export interface Announce {
  /** The organisation whose batch it is; the signer's own where absent. */
  readonly owner?: string
  readonly batchId: string
  /** RFC 6962 root over the batch's receipt records, hex. */
  readonly batchRoot: string
  /** Number of leaves under the root. */
  readonly receiptCount: number
  readonly timestampAnchors: readonly TimestampAnchor[]
  /** Measurement (hash, hex) of the software that sealed the batch, where it ran attested. */
  readonly attestationMeasurementHash?: string
}

export type AnnounceReading =
  | { readonly ok: true; readonly announce: Announce }
  | { readonly ok: false; readonly code: 'BODY_INVALID'; readonly detail: string }

const ANNOUNCE_SHAPE: Shape = {
  attestationMeasurementHash: { is: (value) => isStringLike(value, HASH_PATTERN), expected: 'a hash', optional: true },
  batchId: { is: (value) => isStringLike(value, NAME_PATTERN), expected: 'a batch id' },
  batchRoot: { is: (value) => isStringLike(value, HASH_PATTERN), expected: 'a hash' },
  owner: { is: (value) => isStringLike(value, NAME_PATTERN), expected: 'an organisation id', optional: true },
  receiptCount: { is: (value) => isIntegerBetween(value, 1, Number.MAX_SAFE_INTEGER), expected: 'an integer from 1' },
  timestampAnchors: {
    is: (value) => Array.isArray(value) && value.length <= TIMESTAMP_ANCHORS_MAX,
    expected: `a list of at most ${TIMESTAMP_ANCHORS_MAX}`
  }
}

/** Reads the body of an `announce` (SPEC EV-20, EV-22 to EV-26). The evidence itself is not looked into. */
export function parseAnnounce(body: JsonObject): AnnounceReading {
  const problem = shapeProblem(body, ANNOUNCE_SHAPE, 'announce') ?? firstTimestampAnchorProblem(body)
  if (problem !== null) return { ok: false, code: 'BODY_INVALID', detail: problem }
  return { ok: true, announce: body as unknown as Announce }
}

/**
 * What a timestamp anchor is known by within its chain, hex: the transaction's hash, or the SHA-256 of the token. A
 * token that stands by its hash has the same id as the token itself.
 */
export function evidenceIdOf(timestampAnchor: TimestampAnchor): string {
  if ('txid' in timestampAnchor) return timestampAnchor.txid
  return 'txHash' in timestampAnchor ? timestampAnchor.txHash : evidenceHash(timestampAnchor.token)
}

/** SHA-256 of the timestamp anchor's canonical JSON, hex: tells apart two that differ in anything. */
export function evidenceHashOf(timestampAnchor: TimestampAnchor): string {
  return sha256Hex(encodeCanonical(timestampAnchor))
}

function firstTimestampAnchorProblem(body: JsonObject): string | null {
  for (const [index, timestampAnchor] of (body['timestampAnchors'] as readonly JsonValue[]).entries()) {
    const problem = timestampAnchorProblem(timestampAnchor, `announce.timestampAnchors[${index}]`)
    if (problem !== null) return problem
  }
  return null
}
