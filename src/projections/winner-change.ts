import type { Loser, WinnerRule } from '../../protocols/winner/v1/winner.ts'
import { decidingRule, rankOf } from '../../protocols/winner/v1/winner.ts'
import type { SeenCandidate } from './candidates.ts'

/** That a batch has another winner than before. Derived for readers, never logged. */
export type WinnerChange = {
  /** `null`: there was none. */
  readonly previous: SeenCandidate | null
  /** `null`: there is none any more. */
  readonly winner: SeenCandidate | null
  /**
   * `first`: there was none; `displaced`: a stronger one came, and `rule` says by what it is stronger; `withdrawn`: the
   * previous one counts no more, because a verdict was revised or policy lists its chain no longer.
   */
  readonly cause: 'first' | 'displaced' | 'withdrawn'
  readonly rule: WinnerRule | null
}

/** What of a row of `winners` decides whether its winner is another one. */
export interface WonBatch {
  readonly batchRoot: string | null
  readonly winner: Omit<SeenCandidate, 'batchRoot'> | null
  /** The strongest of them, strongest first. */
  readonly losers: readonly Loser<SeenCandidate>[]
  readonly loserCount: number
}

/**
 * How the winner of a batch differs between what it was (`null`: there was none) and a state of its row (`null`: no
 * row); `null` where it is the same evidence for the same root.
 */
export function winnerChange(previous: SeenCandidate | null, after: WonBatch | null): WinnerChange | null {
  const winner = after === null ? null : winnerOf(after)
  if (previous === null) return winner === null ? null : { previous, winner, cause: 'first', rule: null }
  if (after === null || winner === null) return { previous, winner, cause: 'withdrawn', rule: null }
  if (isSame(previous, winner)) return null
  const loser = after.losers.find((candidate) => isSame(candidate, previous))
  if (loser !== undefined) return { previous, winner, cause: 'displaced', rule: loser.rule }
  return mayBeHidden(previous, after)
    ? { previous, winner, cause: 'displaced', rule: decidingRule(winner, previous) }
    : { previous, winner, cause: 'withdrawn', rule: null }
}

/** The winner of a batch with its root; `null` where nothing won. */
export function winnerOf({ winner, batchRoot }: WonBatch): SeenCandidate | null {
  return winner === null || batchRoot === null ? null : { ...winner, batchRoot }
}

function isSame(one: SeenCandidate, other: SeenCandidate): boolean {
  return (
    one.evidenceHash === other.evidenceHash &&
    one.evidenceId === other.evidenceId &&
    one.chainId === other.chainId &&
    one.batchRoot === other.batchRoot
  )
}

/** Whether it is weaker than all losers that are shown, and there are others. */
function mayBeHidden(candidate: SeenCandidate, { losers, loserCount }: WonBatch): boolean {
  const last = losers.at(-1)
  return last !== undefined && loserCount > losers.length && rankOf(candidate) > rankOf(last)
}
