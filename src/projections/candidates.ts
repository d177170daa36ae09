import type { Candidate } from '../../protocols/winner/v1/winner.ts'
import { rankOf } from '../../protocols/winner/v1/winner.ts'
import { sortableNumber } from '../log/keys.ts'
import type { EvidenceIdentity, Verdict } from '../timestamps/verdict.ts'
import type { FoldedClaim } from './claims.ts'
import type { Table } from './projection.ts'
import type { SeenCandidate } from './winner-change.ts'

// Other members announced this much evidence for one root before its owner named it: at 16 an announce, 4,096 events.
const EVIDENCE_OF_ROOT_MAX = 65_536

/** Evidence that was announced or verified, and when this node verified it, with what. */
type EvidenceFact = EvidenceIdentity & {
  /** The smallest id among the events that announced it with effect; `null` while none did. */
  readonly eventId: string | null
  readonly firstSeenLogSeq: number | null
  readonly verified: { readonly provenTime: number; readonly position: number } | null
}

/**
 * How much of a batch's evidence is verified: all of it, and that which counts: announced with effect, for a root that the
 * owner announced.
 */
export interface CandidateCounts {
  readonly verified: number
  readonly counting: number
}

/**
 * The evidence of one batch among the facts of `winners`: `root!` the roots that the owner announced, `evidence!` what
 * was announced for any root, `rank!` and `time!` what counts, in the order of strength and of time, so that a winner
 * is found by reading no more than is shown.
 */
export class Candidates {
  readonly #facts: Table
  readonly #batch: string
  #verified: number
  #counting: number
  /** Whether what counts has changed. */
  changed = false

  constructor(facts: Table, batch: string, counts: CandidateCounts) {
    this.#facts = facts
    this.#batch = batch
    this.#verified = counts.verified
    this.#counting = counts.counting
  }

  get counts(): CandidateCounts {
    return { verified: this.#verified, counting: this.#counting }
  }

  /**
   * Remembers an announce that stands at a position of the log; `byOwner` says that it makes its root one of the batch.
   */
  async announced(
    claim: FoldedClaim,
    { eventId, logSeq }: { readonly eventId: string; readonly logSeq: number },
    byOwner: boolean
  ): Promise<void> {
    if (!bringsEvidence(claim)) return
    if (byOwner) await this.#announcedRoot(claim.announce.batchRoot)
    for (const { identity } of claim.evidence) {
      const before = await this.#evidence(identity)
      // Not always in the order of the log: a batch's first announce is remembered when the first verdict comes.
      const after: EvidenceFact = {
        ...identity,
        eventId: smaller(before?.eventId ?? eventId, eventId),
        firstSeenLogSeq: Math.min(before?.firstSeenLogSeq ?? logSeq, logSeq),
        verified: before?.verified ?? null
      }
      const isNews = before?.eventId !== after.eventId || before.firstSeenLogSeq !== after.firstSeenLogSeq
      if (isNews) await this.#replace(before, after)
    }
  }

  /**
   * Takes a verdict; `null` stands for one that does not verify. False: nothing is different by it. One on evidence that
   * was announced only without effect so far is kept for whoever announces it with effect: it is not checked again.
   */
  async judged(verdict: Verdict, verified: EvidenceFact['verified']): Promise<boolean> {
    const before = await this.#evidence(verdict)
    if (isSame(before?.verified ?? null, verified)) return false
    this.#verified += Number(verified !== null) - Number((before?.verified ?? null) !== null)
    await this.#replace(before, { ...(before ?? unannounced(verdict)), verified })
    return true
  }

  /** The strongest that count, at most `limit`, strongest first. */
  async strongest(limit: number): Promise<SeenCandidate[]> {
    const found = await this.#facts.range(`rank!${this.#batch}!`, limit)
    return found.map(([, candidate]) => candidate as SeenCandidate)
  }

  /** The earliest proven time among all that count. */
  async earliestProvenTime(): Promise<number | null> {
    const [earliest] = await this.#facts.range(`time!${this.#batch}!`, 1)
    return earliest === undefined ? null : (earliest[1] as { readonly provenTime: number }).provenTime
  }

  async #announcedRoot(batchRoot: string): Promise<void> {
    const key = `root!${this.#batch}!${batchRoot}`
    if ((await this.#facts.get(key)) !== undefined) return
    this.#facts.put(key, {})
    if (this.#verified === 0) return
    const waiting = await this.#facts.range(`evidence!${this.#batch}!${batchRoot}!`, EVIDENCE_OF_ROOT_MAX)
    for (const [, fact] of waiting) this.#enter(candidateOf(fact as EvidenceFact))
  }

  async #replace(before: EvidenceFact | undefined, after: EvidenceFact): Promise<void> {
    this.#facts.put(this.#evidenceKey(after), after)
    if ((before?.verified ?? null) === null && after.verified === null) return
    if ((await this.#facts.get(`root!${this.#batch}!${after.batchRoot}`)) === undefined) return
    this.#leave(before === undefined ? null : candidateOf(before))
    this.#enter(candidateOf(after))
  }

  #enter(candidate: SeenCandidate | null): void {
    if (candidate === null) return
    const { rank, time } = this.#places(candidate)
    this.#facts.put(rank, candidate)
    this.#facts.put(time, { provenTime: candidate.provenTime })
    this.#counting += 1
    this.changed = true
  }

  #leave(candidate: SeenCandidate | null): void {
    if (candidate === null) return
    const { rank, time } = this.#places(candidate)
    this.#facts.del(rank)
    this.#facts.del(time)
    this.#counting -= 1
    this.changed = true
  }

  #places(candidate: Candidate): { readonly rank: string; readonly time: string } {
    const rank = rankOf(candidate)
    return {
      rank: `rank!${this.#batch}!${rank}`,
      time: `time!${this.#batch}!${sortableNumber(candidate.provenTime)}!${rank}`
    }
  }

  async #evidence(identity: EvidenceIdentity): Promise<EvidenceFact | undefined> {
    return (await this.#facts.get(this.#evidenceKey(identity))) as EvidenceFact | undefined
  }

  #evidenceKey({ batchRoot, chainId, evidenceId, evidenceHash }: EvidenceIdentity): string {
    return `evidence!${this.#batch}!${batchRoot}!${chainId}!${evidenceId}!${evidenceHash}`
  }
}

/**
 * Evidence is worth what it proves, so that of a member without the role counts too; not that of somebody who has no
 * say at all.
 */
export const bringsEvidence = ({ effect }: FoldedClaim): boolean => effect === null || effect === 'ROLE_MISSING'

function isSame(one: EvidenceFact['verified'], other: EvidenceFact['verified']): boolean {
  return one?.provenTime === other?.provenTime && one?.position === other?.position
}

const smaller = (one: string, other: string): string => (one < other ? one : other)

function unannounced({
  namespace,
  owner,
  batchId,
  batchRoot,
  chainId,
  evidenceId,
  evidenceHash
}: EvidenceIdentity): Omit<EvidenceFact, 'verified'> {
  const identity = { namespace, owner, batchId, batchRoot, chainId, evidenceId, evidenceHash }
  return { ...identity, eventId: null, firstSeenLogSeq: null }
}

function candidateOf({
  chainId,
  evidenceId,
  evidenceHash,
  batchRoot,
  eventId,
  firstSeenLogSeq,
  verified
}: EvidenceFact): SeenCandidate | null {
  if (verified === null || eventId === null || firstSeenLogSeq === null) return null
  return { chainId, evidenceId, evidenceHash, batchRoot, eventId, ...verified, firstSeenLogSeq }
}
