import type { Asked } from '../ask-providers.ts'
import type { BlockPlace } from './provider.ts'

/** What the answers of providers, put together, say about a block. */
export type BlockStanding =
  /** As many as are needed see it in the best chain; `depth` is what all of these see on top of it at the least. */
  | { readonly kind: 'in-best-chain'; readonly depth: number; readonly confirmedBy: readonly string[] }
  /** As many as are needed see `hash` in its place; `depth` is what all of these see on top of that at the least. */
  | { readonly kind: 'replaced'; readonly hash: string; readonly depth: number }
  /** Enough answered, but to some the height is still to come; `tipHeight` is the highest of all. */
  | { readonly kind: 'to-come'; readonly tipHeight: number }
  | { readonly kind: 'contradictory' }
  | { readonly kind: 'too-few' }

/**
 * Where a block stands, by at least `k` answers that agree (SPEC bitcoin-evidence/v1, BE-24). A provider whose tip is
 * below the height is behind and contradicts nobody.
 */
export function standingOf(
  { answers }: Asked<BlockPlace>,
  { blockHash, blockHeight }: { readonly blockHash: string; readonly blockHeight: number },
  k: number
): BlockStanding {
  const there = answers.flatMap(({ provider, value: { hashAtHeight, tipHeight } }) =>
    hashAtHeight === null ? [] : [{ provider, hash: hashAtHeight, depth: tipHeight - blockHeight }]
  )
  const hash = there[0]?.hash
  if (there.some((place) => place.hash !== hash)) return { kind: 'contradictory' }
  if (answers.length < k) return { kind: 'too-few' }
  // The k-th largest: as deep as k providers see it.
  const depth = there.map((place) => place.depth).toSorted((left, right) => right - left)[k - 1]
  if (hash === undefined || depth === undefined) {
    return { kind: 'to-come', tipHeight: Math.max(...answers.map(({ value }) => value.tipHeight)) }
  }
  if (hash !== blockHash) return { kind: 'replaced', hash, depth }
  return { kind: 'in-best-chain', depth, confirmedBy: there.map(({ provider }) => provider).toSorted() }
}
