import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { AttestationPlace } from '../../protocols/event/v1/attestation.ts'
import { countsBefore } from '../../protocols/event/v1/attestation.ts'
import type { EvidenceFinding } from '../../protocols/winner/v1/quorum.ts'
import { agrees } from '../../protocols/winner/v1/quorum.ts'
import type { SharedRecord } from '../log/log-reader.ts'
import { attestationEffect } from '../policy/effect-rules.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { Verdict } from '../timestamps/verdict.ts'
import { verdictOf } from '../timestamps/verdict.ts'
import type { AttestationRow, AttestationStanding, KnownVerdict } from './attested.ts'
import { attestationIn, findingOf } from './attested.ts'
import { dueStatement, putDue } from './due-attestations.ts'
import { attestedEvidenceKey } from './evidence.ts'
import { NO_KEYS } from './projection.ts'
import type { FoldContext, Projection } from './projection.ts'

/** What this node knows of a piece of evidence. */
type EvidenceFact = {
  /** The newest verdict; `null` before the first. */
  readonly verdict: KnownVerdict | null
  readonly signers: number
  /** How many members of the quorum say the same as a verdict that verified. */
  readonly agreed: number
}

const UNKNOWN: EvidenceFact = { verdict: null, signers: 0, agreed: 0 }

/**
 * What each member says of each piece of evidence, and how that stands to what this node found itself: who lies, and who
 * comes late, is seen here. Whose attestations count towards a quorum is decided in `winners`. Its facts hold what this
 * node has to attest itself (`dueAttestations`).
 */
export const attestations: Projection = {
  name: 'attestations',
  version: 3,
  layout: {
    key: ['namespace', 'owner', 'batchId', 'chainId', 'evidenceId', null, 'signer'],
    columns: [
      'batchRoot',
      'evidenceHash',
      'outcome',
      'code',
      'provenTime',
      'position',
      'finality',
      'eventId',
      'kid',
      'authorSeq',
      'ts',
      'statements',
      'standing',
      'late',
      'firstSeenLogSeq'
    ],
    // Those who attest a batch are many, its owners few.
    listed: 3
  },
  // Who is late, and what this node is asked for, goes by the quorum; the shared columns go by the events alone.
  dependsOnPolicy: true,
  dependsOnTrust: true,
  rowsChangeOften: false,
  namespacePrefix: (namespace) => `${namespace}!`,
  filters: {
    batchId: (row, value) => row['batchId'] === value,
    signer: (row, value) => row['signer'] === value,
    status: (row, value) => row['standing'] === value,
    fromTs: (row, value) => (row as AttestationRow).ts >= Number(value),
    toTs: (row, value) => (row as AttestationRow).ts <= Number(value)
  },

  reads(record, _policy, trust) {
    const attested = attestationIn(record, trust)
    return attested === null ? NO_KEYS : [`${attestedEvidenceKey(attested.identity)}!${attested.signer}`]
  },

  fold(record, context) {
    if (record.scope === 'shared') return foldAttestation(record, context)
    const verdict = verdictOf(record.event)
    return verdict === null ? undefined : foldVerdict(verdict, context)
  },

  shared(row) {
    const { standing: _standing, late: _late, firstSeenLogSeq: _seen, ...shared } = row as AttestationRow
    return shared
  }
}

function foldAttestation(record: SharedRecord, context: FoldContext): Promise<void> | void {
  const attested = attestationIn(record, context.trust)
  if (attested === null) return undefined
  const { identity, signer, kid, attestation, place } = attested
  const key = attestedEvidenceKey(identity)
  const before = context.rows.at(`${key}!${signer}`) as AttestationRow | undefined
  const statements = (before?.statements ?? 0) + 1
  if (before !== undefined && !countsBefore(place, placeOf(before))) {
    context.rows.put(`${key}!${signer}`, { ...before, statements })
    return undefined
  }
  const { outcome, provenTime, position } = findingOf(attestation)
  const said = {
    ...identity,
    signer,
    outcome,
    code: attestation.outcome === 'refuted' ? attestation.code : null,
    provenTime,
    position,
    finality: attestation.outcome === 'verified' ? (attestation.finality ?? null) : null,
    eventId: place.id,
    kid,
    authorSeq: place.authorSeq,
    ts: place.ts,
    statements,
    firstSeenLogSeq: before?.firstSeenLogSeq ?? record.record.logSeq
  }
  return putStatement(key, before, said, context)
}

async function putStatement(
  key: string,
  before: AttestationRow | undefined,
  said: Omit<AttestationRow, 'standing' | 'late'>,
  { rows, facts, policy }: FoldContext
): Promise<void> {
  const fact = ((await facts.get(factKey(key))) as EvidenceFact | undefined) ?? UNKNOWN
  const rule = policy.settings(said.namespace)?.quorum
  const others = fact.agreed - Number(before !== undefined && isCounted(before, fact.verdict, policy))
  const late = rule !== undefined && others >= rule.k
  const row: AttestationRow = { ...said, standing: standingOf(said, fact.verdict), late }
  rows.put(`${key}!${said.signer}`, row)
  const agreed = others + Number(isCounted(row, fact.verdict, policy))
  const signers = fact.signers + Number(before === undefined)
  if (agreed !== fact.agreed || signers !== fact.signers) facts.put(factKey(key), { ...fact, signers, agreed })
  if (said.signer === policy.self.did) await putDue(facts, key, dueStatement(row, fact.verdict, row, policy))
}

async function foldVerdict(verdict: Verdict, { rows, facts, policy }: FoldContext): Promise<void> {
  const key = attestedEvidenceKey(verdict)
  const fact = ((await facts.get(factKey(key))) as EvidenceFact | undefined) ?? UNKNOWN
  const known = knownVerdict(verdict)
  let agreed = 0
  let own: AttestationRow | undefined
  // As many rows as members have attested it.
  for (const [rowKey, found] of fact.signers === 0 ? [] : await rows.range(`${key}!`)) {
    const row = found as AttestationRow
    const standing = standingOf(row, known)
    const after = { ...row, standing }
    agreed += Number(isCounted(after, known, policy))
    if (row.signer === policy.self.did) own = row
    if (standing === row.standing) continue
    // What is written must have been read by its key.
    await rows.get(rowKey)
    rows.put(rowKey, after)
  }
  facts.put(factKey(key), { verdict: known, signers: fact.signers, agreed })
  await putDue(facts, key, dueStatement(verdict, known, own, policy))
}

function knownVerdict({ outcome, code, provenTime, position, evidence }: Verdict): KnownVerdict {
  const finality = evidence['finality'] ?? null
  const isObject = typeof finality === 'object' && !Array.isArray(finality)
  return { outcome, code, provenTime, position, finality: isObject ? (finality as JsonObject | null) : null }
}

function standingOf(
  { outcome, provenTime, position }: Pick<AttestationRow, 'outcome' | 'provenTime' | 'position'>,
  verdict: KnownVerdict | null
): AttestationStanding {
  const found = verdict === null ? null : foundHere(verdict)
  if (found === null) return 'unchecked'
  return agrees(found, { outcome, provenTime, position } as EvidenceFinding) ? 'agrees' : 'contradicts'
}

/** `null` while nothing is decided. */
function foundHere({ outcome, provenTime, position }: KnownVerdict): EvidenceFinding | null {
  if (outcome === 'invalid') return { outcome: 'refuted', provenTime: null, position: null }
  return outcome === 'verified' ? ({ outcome, provenTime, position } as EvidenceFinding) : null
}

/** Whether it is one of those that the quorum on its evidence is made of. */
function isCounted(row: AttestationRow, verdict: KnownVerdict | null, policy: PolicyView): boolean {
  if (verdict?.outcome !== 'verified' || row.standing !== 'agrees' || attestationEffect(row, policy) !== null)
    return false
  return policy.settings(row.namespace)?.quorum?.of.includes(row.signer) ?? false
}

const placeOf = ({ ts, authorSeq, eventId }: AttestationRow): AttestationPlace => ({ ts, authorSeq, id: eventId })

const factKey = (evidence: string): string => `evidence!${evidence}`
