/** A timestamp anchor that was verified here and counts for its batch (SPEC WIN-1, WIN-2). */
export type Candidate = {
  readonly chainId: string
  readonly evidenceId: string
  readonly evidenceHash: string
  readonly batchRoot: string
  /** The smallest id among the events that announced it. */
  readonly eventId: string
  /** Milliseconds since 1970. */
  readonly provenTime: number
  /** The block's height; for a time-stamping authority its genTime in milliseconds. */
  readonly position: number
}

/** What decided between two candidates, in the order in which it is asked (SPEC WIN-3). */
export type WinnerRule =
  'rail' | 'chain-id' | 'block-height' | 'gen-time' | 'evidence-id' | 'batch-root' | 'event-id' | 'evidence-hash'

/** Why a candidate did not win. */
export type Superseded = {
  /** The winner's evidence hash. */
  readonly supersededBy: string
  readonly rule: WinnerRule
}

export type Loser<Kind extends Candidate = Candidate> = Kind & Superseded

/** Strongest first. */
const RAILS = ['btc', 'eip155', 'rfc3161'] as const

/**
 * The total order of candidates (SPEC WIN-3) as text that sorts like it: the stronger candidate has the smaller text.
 * Only one and the same candidate has an equal one. Throws for a chain on no rail, and for a position that is no
 * integer from 0 to 2^53 − 1.
 */
export function rankOf(candidate: Candidate): string {
  // `!` sorts before every character of a chain id, and the other parts have one width each.
  return rankParts(candidate)
    .map(([, part]) => part)
    .join('!')
}

/**
 * The winner and, in the order of their strength, the others with what decided against each (SPEC WIN-4, WIN-5); `null`
 * without candidates. Throws where one candidate is there twice.
 */
export function selectWinner<Kind extends Candidate>(
  candidates: readonly Kind[]
): { readonly winner: Kind; readonly losers: readonly Loser<Kind>[] } | null {
  const ranked = candidates.map((candidate) => ({ candidate, rank: rankOf(candidate) }))
  const [winner, ...others] = ranked
    .toSorted((left, right) => (left.rank < right.rank ? -1 : 1))
    .map(({ candidate }) => candidate)
  if (winner === undefined) return null
  return {
    winner,
    losers: others.map((loser) => ({ ...loser, supersededBy: winner.evidenceHash, rule: decidingRule(winner, loser) }))
  }
}

/** The first rule by which the two differ (SPEC WIN-5). Throws where they don't. */
export function decidingRule(stronger: Candidate, weaker: Candidate): WinnerRule {
  const theirs = rankParts(weaker)
  const deciding = rankParts(stronger).find(([, part], index) => part !== theirs[index]?.[1])
  if (deciding === undefined) throw new Error(`${stronger.evidenceHash} is there twice`)
  return deciding[0]
}

function rankParts({
  chainId,
  position,
  evidenceId,
  batchRoot,
  eventId,
  evidenceHash
}: Candidate): readonly (readonly [WinnerRule, string])[] {
  const rail = RAILS.findIndex((name) => chainId.startsWith(`${name}:`))
  if (rail < 0) throw new Error(`${chainId} is on no rail`)
  if (!Number.isSafeInteger(position) || position < 0) throw new Error(`${position} is no position`)
  return [
    ['rail', String(rail)],
    ['chain-id', chainId],
    // A later block has less of the chain to be dug out with; an authority's earlier word is the better one.
    RAILS[rail] === 'rfc3161'
      ? ['gen-time', fixedWidth(position)]
      : ['block-height', fixedWidth(Number.MAX_SAFE_INTEGER - position)],
    ['evidence-id', evidenceId],
    ['batch-root', batchRoot],
    ['event-id', eventId],
    ['evidence-hash', evidenceHash]
  ]
}

/** Sixteen digits hold every safe integer. */
const fixedWidth = (value: number): string => String(value).padStart(16, '0')
