import { expect, test } from 'vitest'
import { selectWinner } from '../../protocols/winner/v1/winner.ts'
import type { SeenCandidate, WonBatch } from '../../src/projections/winner-change.ts'
import { winnerChange, winnerOf } from '../../src/projections/winner-change.ts'

const candidate = (chainId: string, position: number, changes: Partial<SeenCandidate> = {}): SeenCandidate => ({
  chainId,
  evidenceId: `id ${chainId} ${position}`,
  evidenceHash: `hash ${chainId} ${position}`,
  batchRoot: 'root',
  eventId: 'event',
  provenTime: 1_000 + position,
  position,
  firstSeenLogSeq: position,
  ...changes
})

/** The row of a batch with these candidates, of which at most so many losers are shown. */
function rowOf(candidates: readonly SeenCandidate[], shown: number = 64): WonBatch {
  const selected = selectWinner(candidates)
  if (selected === null) return { batchRoot: null, winner: null, losers: [], loserCount: 0 }
  const { batchRoot, ...winner } = selected.winner
  return { batchRoot, winner, losers: selected.losers.slice(0, shown), loserCount: selected.losers.length }
}

const [btc, evm, tsa] = [candidate('btc:mainnet', 7), candidate('eip155:1', 9), candidate('rfc3161:tsa', 3)]
const higher = candidate('eip155:1', 10)

test('the first winner, and none', () => {
  expect(winnerChange(null, rowOf([evm]))).toEqual({ previous: null, winner: evm, cause: 'first', rule: null })
  expect(winnerChange(null, rowOf([]))).toBeNull()
  expect(winnerChange(null, null)).toBeNull()
})

test('the same evidence is the same winner, whatever else is said of it', () => {
  expect(winnerChange(evm, rowOf([evm, tsa]))).toBeNull()
  expect(winnerChange(evm, rowOf([{ ...evm, eventId: 'a smaller one', provenTime: 5, position: 8 }]))).toBeNull()
  for (const other of [
    { evidenceHash: 'other' },
    { evidenceId: 'other' },
    { batchRoot: 'other' },
    { chainId: 'eip155:2' }
  ])
    expect(winnerChange(evm, rowOf([{ ...evm, ...other }]))).toMatchObject({ cause: 'withdrawn' })
})

test('a stronger one displaces it, by the rule that the loser has', () => {
  expect(winnerChange(evm, rowOf([tsa, evm, btc]))).toEqual({
    previous: evm,
    winner: btc,
    cause: 'displaced',
    rule: 'rail'
  })
  expect(winnerChange(evm, rowOf([evm, higher]))).toMatchObject({ winner: higher, rule: 'block-height' })
})

test('what counts no more is withdrawn, with or without a successor', () => {
  expect(winnerChange(btc, rowOf([tsa, evm]))).toEqual({ previous: btc, winner: evm, cause: 'withdrawn', rule: null })
  expect(winnerChange(evm, rowOf([btc]))).toEqual({ previous: evm, winner: btc, cause: 'withdrawn', rule: null })
  expect(winnerChange(evm, rowOf([]))).toEqual({ previous: evm, winner: null, cause: 'withdrawn', rule: null })
  expect(winnerChange(evm, null)).toEqual({ previous: evm, winner: null, cause: 'withdrawn', rule: null })
})

test('a loser that is not shown any more was displaced, not withdrawn', () => {
  expect(winnerChange(tsa, rowOf([tsa, evm, higher, btc], 2))).toEqual({
    previous: tsa,
    winner: btc,
    cause: 'displaced',
    rule: 'rail'
  })
  // It would be among those that are shown.
  expect(winnerChange(higher, rowOf([tsa, evm, btc, candidate('eip155:1', 8)], 2))).toMatchObject({
    cause: 'withdrawn'
  })
})

test('what is remembered of a row is its winner, with its root', () => {
  expect(winnerOf(rowOf([evm, btc]))).toEqual(btc)
  expect(winnerOf(rowOf([]))).toBeNull()
})
