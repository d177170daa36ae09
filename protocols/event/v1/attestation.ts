import type { JsonObject } from '../../canonical-json/v1/json.ts'
import { isIntegerBetween, isStringLike, shapeProblem } from '../../canonical-json/v1/shape.ts'
import type { Member, Shape } from '../../canonical-json/v1/shape.ts'
import { NAME_PATTERN } from './announce.ts'
import { HASH_PATTERN } from './envelope.ts'
import { isChainId } from './timestamp-anchor.ts'

export const ATTESTATION_TYPE = 'attestation'

/** In which way evidence was final for who verified it: blocks on top of its own, or what the chain itself says. */
export type AttestedFinality = { readonly depth: number } | { readonly tag: string }

interface AttestedEvidence {
  readonly owner: string
  readonly batchId: string
  readonly batchRoot: string
  readonly chainId: string
  readonly evidenceId: string
  readonly evidenceHash: string
}

/** The body of an `attestation`: what its signer found when it checked one timestamp anchor by itself (SPEC EV-50). */
export type Attestation = AttestedEvidence &
  (
    | {
        readonly outcome: 'verified'
        /** When the root existed at the latest; milliseconds since 1970. */
        readonly provenTime: number
        /** The block's height; for a time-stamping authority its genTime in milliseconds. */
        readonly position: number
        readonly finality?: AttestedFinality
      }
    | { readonly outcome: 'refuted'; readonly code: string }
  )

export type AttestationReading =
  | { readonly ok: true; readonly attestation: Attestation }
  | { readonly ok: false; readonly code: 'BODY_INVALID'; readonly detail: string }

/** The code of a refutation of what was verified before and is not deep enough any more (SPEC EV-52). */
export const NOT_FINAL = 'NOT_FINAL'

const HASH: Member = { is: (value) => isStringLike(value, HASH_PATTERN), expected: 'a hash' }
const NAME: Member = { is: (value) => isStringLike(value, NAME_PATTERN), expected: 'a name' }
const INTEGER: Member = {
  is: (value) => isIntegerBetween(value, 0, Number.MAX_SAFE_INTEGER),
  expected: 'an integer from 0'
}
const DEPTH_SHAPE: Shape = { depth: INTEGER }
const TAG_SHAPE: Shape = {
  tag: { is: (value) => isStringLike(value, /^[a-z][a-z0-9-]{0,31}$/), expected: 'the name of a tag' }
}

const EVIDENCE_SHAPE: Shape = {
  batchId: NAME,
  batchRoot: HASH,
  chainId: { is: isChainId, expected: 'btc:…, eip155:… or rfc3161:…' },
  evidenceHash: HASH,
  evidenceId: HASH,
  owner: NAME
}
const VERIFIED_SHAPE: Shape = {
  ...EVIDENCE_SHAPE,
  finality: {
    is: (value) =>
      shapeProblem(value, DEPTH_SHAPE, 'finality') === null || shapeProblem(value, TAG_SHAPE, 'finality') === null,
    expected: 'an object with a depth or a tag',
    optional: true
  },
  outcome: { is: (value) => value === 'verified', expected: 'verified or refuted' },
  position: INTEGER,
  provenTime: INTEGER
}
const REFUTED_SHAPE: Shape = {
  ...EVIDENCE_SHAPE,
  code: { is: (value) => isStringLike(value, /^[A-Z][A-Z0-9_]{0,63}$/), expected: 'a code' },
  outcome: { is: (value) => value === 'refuted', expected: 'refuted' }
}

/** Reads the body of an `attestation` (SPEC EV-50 to EV-52). Whether the evidence was announced is not asked. */
export function parseAttestation(body: JsonObject): AttestationReading {
  const shape = Object.hasOwn(body, 'outcome') && body['outcome'] === 'refuted' ? REFUTED_SHAPE : VERIFIED_SHAPE
  const problem = shapeProblem(body, shape, 'attestation')
  if (problem !== null) return { ok: false, code: 'BODY_INVALID', detail: problem }
  return { ok: true, attestation: body as unknown as Attestation }
}

/** What orders the attestations of one signer on one piece of evidence. `ts`: milliseconds since 1970. */
export type AttestationPlace = {
  readonly ts: number
  readonly authorSeq: number
  readonly id: string
}

/**
 * Whether `one` counts before `other`, two attestations of one signer on one piece of evidence (SPEC EV-53), in whatever
 * order they came and under whichever of the signer's keys.
 */
export function countsBefore(one: AttestationPlace, other: AttestationPlace): boolean {
  if (one.ts !== other.ts) return one.ts > other.ts
  if (one.authorSeq !== other.authorSeq) return one.authorSeq > other.authorSeq
  return one.id < other.id
}
