import type { AttestationPlace } from '../../protocols/event/v1/attestation.ts'
import { countsBefore } from '../../protocols/event/v1/attestation.ts'
import type { EvidenceFinding, QuorumStatement, QuorumStatements } from '../../protocols/winner/v1/quorum.ts'
import { agrees } from '../../protocols/winner/v1/quorum.ts'
import type { Candidate } from '../../protocols/winner/v1/winner.ts'
import { sortableNumber } from '../log/keys.ts'
import type { EvidenceIdentity } from '../timestamps/verdict.ts'
import type { FoldedAttestation } from './attested.ts'
import { findingOf } from './attested.ts'
import type { Table } from './projection.ts'

/**
 * What the members of the quorum attest, announced or not, as facts of `winners`: `said!` what each said last of a piece
 * of evidence; `shown!` for what block or genTime each said that some evidence verifies, by the time of saying it, so
 * that what is equivalent to a winner is found whatever its bytes are, and however many copies there are.
 */

/** What a member of the quorum said last of a piece of evidence. */
type StatementFact = {
  readonly place: AttestationPlace
  readonly finding: EvidenceFinding
}

type Evidence = Pick<EvidenceIdentity, 'batchRoot' | 'chainId' | 'evidenceId' | 'evidenceHash'>

/** Remembers an attestation on a batch (the key of its row). False: a newer one of the signer counts already. */
export async function rememberStatement(
  facts: Table,
  batch: string,
  { signer, identity, attestation, place }: FoldedAttestation
): Promise<boolean> {
  const key = saidPrefix(batch, identity) + signer
  const before = (await facts.get(key)) as StatementFact | undefined
  if (before !== undefined && !countsBefore(place, before.place)) return false
  const after: StatementFact = { place, finding: findingOf(attestation) }
  if (before !== undefined && before.finding.outcome === 'verified')
    facts.del(shownKey(batch, identity, signer, before.finding, before.place))
  if (after.finding.outcome === 'verified')
    facts.put(shownKey(batch, identity, signer, after.finding, place), { ts: place.ts })
  facts.put(key, after)
  return true
}

/** What the members of the quorum, so many, say of a winner; of other evidence the earliest that agrees of each. */
export async function statementsOn(
  facts: Table,
  batch: string,
  winner: Candidate,
  members: number
): Promise<QuorumStatements> {
  const own = await statementsOfEvidence(facts, saidPrefix(batch, winner), members)
  const { provenTime, position } = winner
  const finding = { outcome: 'verified', provenTime, position } as const
  const agreeing = [...own.values()].filter((statement) => agrees(finding, statement))
  // Where all have said it of the winner's own evidence nothing is left to find.
  const other = agreeing.length === members ? new Map() : await earliestShown(facts, batch, winner, finding)
  return { own, other }
}

async function statementsOfEvidence(
  facts: Table,
  prefix: string,
  members: number
): Promise<ReadonlyMap<string, QuorumStatement>> {
  const found = await facts.range(prefix, members)
  return new Map(
    found.map(([key, fact]) => {
      const { finding, place } = fact as StatementFact
      return [key.slice(prefix.length), { ...finding, ts: place.ts }]
    })
  )
}

/** One look for each signer, not for each copy: those of the facts are of the quorum. */
async function earliestShown(
  facts: Table,
  batch: string,
  winner: Evidence,
  finding: VerifiedFinding
): Promise<ReadonlyMap<string, readonly QuorumStatement[]>> {
  const earliest = new Map<string, readonly QuorumStatement[]>()
  const prefix = shownPrefix(batch, winner, finding)
  for (let from = prefix; ;) {
    const [found] = await facts.range(prefix, 1, from)
    if (found === undefined) return earliest
    const [key, fact] = found
    const signer = key.slice(prefix.length, key.indexOf('!', prefix.length))
    earliest.set(signer, [{ ...finding, ts: (fact as { readonly ts: number }).ts }])
    // `"` is the character after `!`.
    from = `${prefix}${signer}"`
  }
}

type VerifiedFinding = EvidenceFinding & { readonly outcome: 'verified' }

const saidPrefix = (batch: string, { batchRoot, chainId, evidenceId, evidenceHash }: Evidence): string =>
  `said!${batch}!${batchRoot}!${chainId}!${evidenceId}!${evidenceHash}!`

const shownPrefix = (
  batch: string,
  { batchRoot, chainId }: Evidence,
  { position, provenTime }: VerifiedFinding
): string => `shown!${batch}!${batchRoot}!${chainId}!${sortableNumber(position)}!${sortableNumber(provenTime)}!`

const shownKey = (
  batch: string,
  evidence: Evidence,
  signer: string,
  finding: VerifiedFinding,
  { ts }: AttestationPlace
): string =>
  `${shownPrefix(batch, evidence, finding)}${signer}!${sortableNumber(ts)}!${evidence.evidenceId}!${evidence.evidenceHash}`
