import fc from 'fast-check'
import { encodeCanonical } from '../../../protocols/canonical-json/v1/codec.ts'
import type { JsonObject } from '../../../protocols/canonical-json/v1/json.ts'
import { parseAnnounce } from '../../../protocols/event/v1/announce.ts'
import type { Attestation } from '../../../protocols/event/v1/attestation.ts'
import { parseAttestation } from '../../../protocols/event/v1/attestation.ts'
import type { Candidate } from '../../../protocols/winner/v1/winner.ts'
import { selectWinner } from '../../../protocols/winner/v1/winner.ts'
import { viewPolicy } from '../../../src/policy/policy-view.ts'
import type { PolicyView } from '../../../src/policy/policy-view.ts'
import type { EffectivePolicy } from '../../../src/policy/policy.ts'
import type { EvidenceIdentity, Finding, Verdict } from '../../../src/timestamps/verdict.ts'
import type { SignedEvent } from '../../support/events.ts'
import { evidenceIn, identityName } from './evidence.ts'
import { keyModel } from './key-model.ts'

/** Verdicts, and the winners that have to follow from them, worked out from whole sets without a look at the folds. */

export const verified = (position: number, provenTime: number = position): Finding => ({
  outcome: 'verified',
  code: null,
  provenTime,
  position,
  evidence: {}
})

export const otherwise = (outcome: 'pending' | 'invalid' | 'unreachable', code: Finding['code'] = null): Finding => ({
  outcome,
  code,
  provenTime: null,
  position: null,
  evidence: {}
})

export const verdictOn = (identity: EvidenceIdentity, finding: Finding, policy: EffectivePolicy): Verdict => ({
  ...identity,
  ...finding,
  policyDigest: viewPolicy(policy).policyDigest(identity.namespace)
})

/** What a node finds, on some piece of evidence. */
export interface Judgement {
  readonly pick: number
  readonly finding: Finding
}

/** Mostly what the attestations of `someActs` say, too. */
export const someJudgement: fc.Arbitrary<Judgement> = fc.record({
  pick: fc.nat(1_000),
  finding: fc.oneof(
    { arbitrary: fc.nat(3).map((position) => verified(position, 1_700_000_000_000 + position)), weight: 2 },
    { arbitrary: fc.constant(verified(1, 1_700_000_000_001)), weight: 3 },
    {
      arbitrary: fc.constantFrom(
        otherwise('pending'),
        otherwise('unreachable', 'PROVIDER_TIMEOUT'),
        otherwise('invalid', 'TSA_CHAIN')
      ),
      weight: 1
    }
  )
})

/** One verdict after another on each piece of evidence, the last of which counts. */
export function verdictsOf(
  events: readonly SignedEvent[],
  judgements: readonly Judgement[],
  policy: EffectivePolicy
): Verdict[] {
  const view = viewPolicy(policy)
  const orgOf = (did: string): string | undefined => view.orgOf(did)
  const known = new Map(
    events.flatMap((event) => evidenceIn(event, orgOf)).map((identity) => [identityName(identity), identity])
  )
  const identities = [...known.values()]
  return judgements.flatMap(({ pick, finding }) => {
    const identity = identities[pick % Math.max(1, identities.length)]
    return identity === undefined ? [] : [verdictOn(identity, finding, policy)]
  })
}

/** The JCS lines of the shared fields, sorted. */
export function expectedWinnerLines(
  all: readonly SignedEvent[],
  verdicts: readonly Verdict[],
  policy: EffectivePolicy
): string[] {
  const view = viewPolicy(policy)
  const { cutOff, validUntil } = keyModel(all, policy)
  const events = all.filter(({ id }) => !cutOff.has(id))
  const roots = Object.groupBy(countingRoots(events, view), ({ batch }) => batch)
  return Object.entries(roots)
    .map(([batch, counting = []]) => {
      const candidates = candidatesOf(events, verdicts, view).filter(
        (candidate) => candidate.batch === batch && counting.some(({ root }) => root === candidate.batchRoot)
      )
      return encodeCanonical(winnerRow(batch, candidates, events, { view, validUntil }))
    })
    .sort()
}

/** Whether policy puts the key that signed into the key domain of another tenant than the namespace's. */
function isForeignKey({ namespace, signer, kid }: SignedEvent['envelope'], view: PolicyView): boolean {
  const tenant = view.boundKeys(signer).find((key) => key.kid === kid)?.tenant
  return tenant !== undefined && tenant !== view.settings(namespace)?.tenant
}

function mayTimestamp(signer: string, owner: string, view: PolicyView): boolean {
  const orgId = view.orgOf(signer)
  return (
    orgId === owner ||
    view.policy.crossOrg.some(
      ({ from, to, operations }) =>
        ['*', orgId].includes(from) &&
        ['*', owner].includes(to) &&
        operations.some((one) => ['*', 'timestamp'].includes(one))
    )
  )
}

type Found = Candidate & { readonly batch: string }

const batchName = (namespace: string, owner: string, batchId: string): string =>
  JSON.stringify([namespace, owner, batchId])

function countingRoots(events: readonly SignedEvent[], view: PolicyView): { batch: string; root: string }[] {
  return events.flatMap(({ envelope }) => {
    const { type, namespace, signer, body } = envelope
    const reading = type === 'announce' && namespace !== '_trust' ? parseAnnounce(body) : null
    const orgId = view.orgOf(signer)
    if (reading?.ok !== true || orgId === undefined || !view.hasRole(namespace, signer, 'announce')) return []
    const { owner = orgId, batchId, batchRoot } = reading.announce
    if (isForeignKey(envelope, view)) return []
    return owner === orgId ? [{ batch: batchName(namespace, orgId, batchId), root: batchRoot }] : []
  })
}

function candidatesOf(events: readonly SignedEvent[], verdicts: readonly Verdict[], view: PolicyView): Found[] {
  const last = new Map(verdicts.map((verdict) => [identityName(verdict), verdict]))
  const found = new Map<string, Found>()
  for (const event of events.toSorted((left, right) => (left.id < right.id ? -1 : 1))) {
    for (const identity of evidenceIn(event, (did) => view.orgOf(did))) {
      if (isForeignKey(event.envelope, view) || !mayTimestamp(event.envelope.signer, identity.owner, view)) continue
      const name = identityName(identity)
      const verdict = last.get(name)
      const { namespace, owner, batchId, chainId, evidenceId, evidenceHash, batchRoot } = identity
      if (verdict?.outcome !== 'verified' || found.has(name) || view.finality(namespace, chainId) === undefined)
        continue
      const { provenTime, position } = verdict
      const batch = batchName(namespace, owner, batchId)
      const candidate = { chainId, evidenceId, evidenceHash, batchRoot, eventId: event.id, provenTime, position }
      found.set(name, { ...candidate, batch })
    }
  }
  return [...found.values()]
}

function winnerRow(
  batch: string,
  candidates: readonly Found[],
  events: readonly SignedEvent[],
  { view, validUntil }: { readonly view: PolicyView; readonly validUntil: ReadonlyMap<string, number> }
): JsonObject {
  const [namespace, owner, batchId] = JSON.parse(batch) as [string, string, string]
  const selected = selectWinner(candidates.map(({ batch: _batch, ...candidate }) => candidate))
  const row = { namespace, owner, batchId, batchRoot: null, winner: null, losers: [], loserCount: 0, quorum: null }
  if (selected === null) return { ...row, status: 'proposed', earliestProvenTime: null }
  const { batchRoot, ...winner } = selected.winner
  const rule = view.settings(namespace)?.quorum
  const inTime = ({ ts }: Statement): boolean => ts <= (validUntil.get(owner) ?? Infinity)
  const isSame = ({ says }: Statement): boolean =>
    says.outcome === 'verified' && says.provenTime === winner.provenTime && says.position === winner.position
  const standings = (rule?.of ?? []).map((did) => {
    const said = saidOf(did, { namespace, owner, batchId, batchRoot, chainId: winner.chainId }, events, view)
    const own = said.find(
      ({ says }) => says.evidenceId === winner.evidenceId && says.evidenceHash === winner.evidenceHash
    )
    if (own !== undefined && !isSame(own)) return { did, list: 'contradicting' }
    return { did, list: said.some((one) => isSame(one) && inTime(one)) ? 'attested' : 'missing' }
  })
  const didsIn = (name: string): string[] =>
    standings
      .filter(({ list }) => list === name)
      .map(({ did }) => did)
      .sort()
  const attested = didsIn('attested')
  const quorum =
    rule === undefined
      ? null
      : {
          k: rule.k,
          of: rule.of.length,
          attested,
          contradicting: didsIn('contradicting'),
          missing: didsIn('missing')
        }
  return {
    ...row,
    batchRoot,
    winner,
    losers: selected.losers,
    loserCount: selected.losers.length,
    quorum,
    status: rule !== undefined && attested.length >= rule.k ? 'settled' : 'verified',
    earliestProvenTime: Math.min(...candidates.map(({ provenTime }) => provenTime))
  }
}

interface Statement {
  readonly says: Attestation
  readonly ts: number
}

/** What the DID said last of each piece of evidence for a root on a chain. */
function saidOf(
  did: string,
  of: Omit<EvidenceIdentity, 'evidenceId' | 'evidenceHash'>,
  events: readonly SignedEvent[],
  view: PolicyView
): Statement[] {
  const made = events.flatMap((event) => {
    const { type, namespace, signer, body } = event.envelope
    if (isForeignKey(event.envelope, view)) return []
    const reading = type === 'attestation' && signer === did && namespace !== '_trust' ? parseAttestation(body) : null
    if (reading?.ok !== true) return []
    const { owner, batchId, batchRoot, chainId, evidenceId, evidenceHash } = reading.attestation
    const isOf =
      namespace === of.namespace &&
      owner === of.owner &&
      batchId === of.batchId &&
      batchRoot === of.batchRoot &&
      chainId === of.chainId
    return isOf ? [{ event, says: reading.attestation, evidence: `${evidenceId} ${evidenceHash}` }] : []
  })
  return Object.values(Object.groupBy(made, ({ evidence }) => evidence)).flatMap((all = []) => {
    const [newest] = all.toSorted(({ event: left }, { event: right }) => {
      const later = right.envelope.ts - left.envelope.ts || right.envelope.authorSeq - left.envelope.authorSeq
      return later || (left.id < right.id ? -1 : 1)
    })
    return newest === undefined ? [] : [{ says: newest.says, ts: newest.event.envelope.ts }]
  })
}
