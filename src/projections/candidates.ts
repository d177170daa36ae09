import { sortableNumber } from '../log/keys.ts'
import type { EvidenceIdentity, Verdict } from '../timestamps/verdict.ts'
import type { Candidate } from '../../protocols/winner/v1/winner.ts'
import { rankOf } from '../../protocols/winner/v1/winner.ts'
import type { FoldedClaim } from './claims.ts'
import type { Table } from './projection.ts'

// Other members announced this much evidence for one root before its owner named it: at 16 an announce, 4,096 events.
const EVIDENCE_OF_ROOT_MAX = 65_536

/** Evidence that was announced, and when this node verified it, with what. */
type EvidenceFact = EvidenceIdentity & {
  /** The smallest id among the events that announced it. */
  readonly eventId: string
  readonly verified: { readonly provenTime: number; readonly position: number } | null
}

/**
 * How much of a batch's evidence is verified: all of it, and that which counts because the owner announced its root.
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

  /** Remembers an announce; `byOwner` says that it makes its root one of the batch. */
  async announced(claim: FoldedClaim, eventId: string, byOwner: boolean): Promise<void> {
    if (byOwner) await this.#announcedRoot(claim.announce.batchRoot)
    for (const { identity } of claim.evidence) {
      const before = await this.#evidence(identity)
      if (before !== undefined && before.eventId <= eventId) continue
      await this.#replace(before, { ...identity, eventId, verified: before?.verified ?? null })
    }
  }

  /** Takes a verdict; `null` stands for one that does not verify. False: nobody announced such evidence. */
  async judged(verdict: Verdict, verified: EvidenceFact['verified']): Promise<boolean> {
    const before = await this.#evidence(verdict)
    if (before === undefined) return false
    this.#verified += Number(verified !== null) - Number(before.verified !== null)
    await this.#replace(before, { ...before, verified })
    return true
  }

  /** The strongest that count, at most `limit`, strongest first. */
  async strongest(limit: number): Promise<Candidate[]> {
    const found = await this.#facts.range(`rank!${this.#batch}!`, limit)
    return found.map(([, candidate]) => candidate as Candidate)
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

  #enter(candidate: Candidate | null): void {
    if (candidate === null) return
    const { rank, time } = this.#places(candidate)
    this.#facts.put(rank, candidate)
    this.#facts.put(time, { provenTime: candidate.provenTime })
    this.#counting += 1
    this.changed = true
  }

  #leave(candidate: Candidate | null): void {
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

function candidateOf({
  chainId,
  evidenceId,
  evidenceHash,
  batchRoot,
  eventId,
  verified
}: EvidenceFact): Candidate | null {
  return verified === null ? null : { chainId, evidenceId, evidenceHash, batchRoot, eventId, ...verified }
}
