import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type {
  Attestation,
  AttestationPlace,
  AttestationReading,
  AttestedFinality
} from '../../protocols/event/v1/attestation.ts'
import { ATTESTATION_TYPE, parseAttestation } from '../../protocols/event/v1/attestation.ts'
import type { EvidenceFinding } from '../../protocols/winner/v1/quorum.ts'
import type { VerifiedEvent } from '../events/verified.ts'
import type { LoggedRecord, SharedRecord } from '../log/log-reader.ts'
import { TRUST_NAMESPACE } from '../policy/names.ts'
import type { EvidenceIdentity, Verdict } from '../timestamps/verdict.ts'

/** How an attestation stands to this node's newest verdict. */
export type AttestationStanding = 'agrees' | 'contradicts' | 'unchecked'

export type AttestationRow = EvidenceIdentity & {
  readonly signer: string
  readonly outcome: 'verified' | 'refuted'
  /** Why it was refuted. */
  readonly code: string | null
  /** Milliseconds since 1970. */
  readonly provenTime: number | null
  readonly position: number | null
  readonly finality: AttestedFinality | null
  /** The attestation that counts, by SPEC EV-53. */
  readonly eventId: string
  readonly kid: string
  readonly authorSeq: number
  readonly ts: number
  /** How many the signer has made on this evidence. */
  readonly statements: number
  /** Local: `unchecked` while this node has neither verified the evidence nor found it invalid. */
  readonly standing: AttestationStanding
  /** Local: came here when the evidence was verified, and attested by as many as the quorum asks for, without it. */
  readonly late: boolean
  /** Local: where this node first saw the signer attest the evidence. */
  readonly firstSeenLogSeq: number
}

/** What of a verdict attestations are held against, and made from. */
export type KnownVerdict = Pick<Verdict, 'outcome' | 'code' | 'provenTime' | 'position'> & {
  readonly finality: JsonObject | null
}

/** An attestation as the folds see it. */
export interface FoldedAttestation {
  readonly signer: string
  readonly kid: string
  readonly identity: EvidenceIdentity
  readonly attestation: Attestation
  readonly place: AttestationPlace
}

/** The folds that ask share the reading. */
const readings = new WeakMap<VerifiedEvent, AttestationReading>()

/** Whether the record is an attestation in a namespace of announces. */
export function isAttestation({ event: { envelope } }: SharedRecord): boolean {
  return envelope.type === ATTESTATION_TYPE && envelope.namespace !== TRUST_NAMESPACE
}

/** The body of a record that `isAttestation`. */
export function attestationReadingIn({ event }: SharedRecord): AttestationReading {
  const known = readings.get(event)
  if (known !== undefined) return known
  const reading = parseAttestation(event.envelope.body)
  readings.set(event, reading)
  return reading
}

/** The attestation in a record; `null` where it holds none that is well formed. */
export function attestationIn(record: LoggedRecord): FoldedAttestation | null {
  if (record.scope === 'local' || !isAttestation(record)) return null
  const reading = attestationReadingIn(record)
  if (!reading.ok) return null
  const { attestation } = reading
  const { id, envelope } = record.event
  const { namespace, signer, kid, ts, authorSeq } = envelope
  const { owner, batchId, batchRoot, chainId, evidenceId, evidenceHash } = attestation
  const identity = { namespace, owner, batchId, batchRoot, chainId, evidenceId, evidenceHash }
  return { signer, kid, identity, attestation, place: { ts, authorSeq, id } }
}

/** What the attestation says, to be held against a verdict or another. */
export function findingOf(attestation: Attestation): EvidenceFinding {
  if (attestation.outcome === 'refuted') return { outcome: 'refuted', provenTime: null, position: null }
  const { provenTime, position } = attestation
  return { outcome: 'verified', provenTime, position }
}
