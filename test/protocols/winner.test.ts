import fc from 'fast-check'
import { expect, test } from 'vitest'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import type {
  EvidenceFinding,
  QuorumCount,
  QuorumRule,
  QuorumStatement,
  WinnerState
} from '../../protocols/winner/v1/quorum.ts'
import { countQuorum, winnerState } from '../../protocols/winner/v1/quorum.ts'
import type { Candidate, WinnerRule } from '../../protocols/winner/v1/winner.ts'
import { decidingRule, rankOf, selectWinner } from '../../protocols/winner/v1/winner.ts'
import { PROTOCOLS } from './make-vectors.ts'
import { readJson } from './third-party.ts'

const vectorsOf = (file: string): readonly unknown[] =>
  (readJson(PROTOCOLS, 'winner', 'v1', 'vectors', file) as { vectors: readonly unknown[] }).vectors

interface WinnerVector {
  readonly candidates: readonly Candidate[]
  readonly winner: number | null
  readonly losers: readonly { readonly candidate: number; readonly rule: WinnerRule; readonly supersededBy: string }[]
}

test.each(vectorsOf('winners.json') as readonly WinnerVector[])('$description', ({ candidates, winner, losers }) => {
  for (const order of [candidates, candidates.toReversed()]) {
    const selected = selectWinner(order)
    expect(selected?.winner).toEqual(winner === null ? undefined : candidates[winner])
    expect(selected?.losers ?? []).toEqual(
      losers.map(({ candidate, rule, supersededBy }) => ({ ...candidates[candidate], rule, supersededBy }))
    )
  }
})

interface QuorumVector {
  readonly found: EvidenceFinding | null
  readonly rule: QuorumRule | null
  readonly validUntil: number | null
  readonly statements: Readonly<Record<string, QuorumStatement>>
  readonly others: Readonly<Record<string, readonly QuorumStatement[]>>
  readonly quorum: QuorumCount | null
  readonly state: WinnerState
}

test.each(vectorsOf('quorum.json') as readonly QuorumVector[])(
  'quorum: $description',
  ({ found, rule, validUntil, statements, others, quorum, state }) => {
    const said = { own: new Map(Object.entries(statements)), other: new Map(Object.entries(others)) }
    const counted = rule === null || found === null ? null : countQuorum(rule, found, said, validUntil)
    expect(counted).toEqual(quorum)
    expect(winnerState(found !== null, counted)).toBe(state)
  }
)

test('a chain on no rail, a position that is none and one candidate twice are defects', () => {
  expect(() => rankOf({ ...base, chainId: 'roughtime:a' })).toThrow('no rail')
  expect(() => rankOf({ ...base, position: -1 })).toThrow('no position')
  expect(() => decidingRule(base, { ...base })).toThrow('twice')
})

const hash = fc.nat(2).map((index) => sha256Hex(`hash ${index}`))

/** Few values of each, so that every rule gets to decide. */
const someCandidate: fc.Arbitrary<Candidate> = fc.record({
  chainId: fc.constantFrom(
    'btc:mainnet',
    'btc:testnet',
    'eip155:1',
    'eip155:10',
    'eip155:1-a',
    'rfc3161:a',
    'rfc3161:a.b'
  ),
  position: fc.oneof(fc.nat(2), fc.constantFrom(9, 10, Number.MAX_SAFE_INTEGER)),
  evidenceId: hash,
  batchRoot: hash,
  eventId: hash,
  evidenceHash: hash,
  provenTime: fc.nat(5)
})

const base: Candidate = {
  chainId: 'eip155:1',
  position: 100,
  evidenceId: '5'.repeat(64),
  batchRoot: '5'.repeat(64),
  eventId: '5'.repeat(64),
  evidenceHash: '5'.repeat(64),
  provenTime: 1
}
const lower = '4'.repeat(64)

test.each<[rule: WinnerRule, stronger: Partial<Candidate>, weaker?: Partial<Candidate>]>([
  ['rail', { chainId: 'btc:mainnet', position: 1 }],
  ['rail', {}, { chainId: 'rfc3161:tsa', position: 1 }],
  ['chain-id', { chainId: 'eip155:1', position: 1 }, { chainId: 'eip155:10' }],
  ['block-height', { position: 101, evidenceId: 'f'.repeat(64) }],
  ['block-height', { position: 1_000 }, { position: 999 }],
  ['gen-time', { chainId: 'rfc3161:tsa', position: 9 }, { chainId: 'rfc3161:tsa', position: 10 }],
  ['evidence-id', { evidenceId: lower, batchRoot: 'f'.repeat(64) }],
  ['batch-root', { batchRoot: lower, eventId: 'f'.repeat(64) }],
  ['event-id', { eventId: lower, evidenceHash: 'f'.repeat(64) }],
  ['evidence-hash', { evidenceHash: lower }]
])('%s decides', (rule, stronger, weaker = {}) => {
  const [winner, loser] = [
    { ...base, ...stronger },
    { ...base, ...weaker }
  ]
  const selected = selectWinner([loser, winner])
  expect(selected).toEqual({ winner, losers: [{ ...loser, supersededBy: winner.evidenceHash, rule }] })
})

test('the order of candidates is total: of two different ones exactly one is stronger, and strength is transitive', () => {
  fc.assert(
    fc.property(someCandidate, someCandidate, someCandidate, (first, second, third) => {
      const stronger = (left: Candidate, right: Candidate): boolean => rankOf(left) < rankOf(right)
      const same = (left: Candidate, right: Candidate): boolean =>
        JSON.stringify({ ...left, provenTime: 0 }) === JSON.stringify({ ...right, provenTime: 0 })
      if (same(first, second)) expect(rankOf(first)).toBe(rankOf(second))
      else expect(stronger(first, second)).not.toBe(stronger(second, first))
      if (stronger(first, second) && stronger(second, third)) expect(stronger(first, third)).toBe(true)
    }),
    { numRuns: 2_000 }
  )
})

test('the sorting of ranks is the order of the rules, one after another', () => {
  const railOf = ({ chainId }: Candidate): number => ['btc', 'eip155', 'rfc3161'].indexOf(chainId.split(':')[0] ?? '')
  /** Negative where `left` is the stronger. */
  const compare = (left: Candidate, right: Candidate): number => {
    if (railOf(left) !== railOf(right)) return railOf(left) - railOf(right)
    if (left.chainId !== right.chainId) return Buffer.compare(Buffer.from(left.chainId), Buffer.from(right.chainId))
    if (left.position !== right.position)
      return railOf(left) === 2 ? left.position - right.position : right.position - left.position
    for (const column of ['evidenceId', 'batchRoot', 'eventId', 'evidenceHash'] as const) {
      if (left[column] !== right[column]) return left[column] < right[column] ? -1 : 1
    }
    return 0
  }
  fc.assert(
    fc.property(someCandidate, someCandidate, (left, right) => {
      const [rankLeft, rankRight] = [rankOf(left), rankOf(right)]
      expect(Math.sign(compare(left, right))).toBe(rankLeft === rankRight ? 0 : rankLeft < rankRight ? -1 : 1)
    }),
    { numRuns: 5_000 }
  )
})

test('winner, losers and rules do not depend on the order of the candidates', () => {
  const distinct = fc.uniqueArray(someCandidate, { selector: rankOf, maxLength: 12 })
  fc.assert(
    fc.property(
      distinct.chain((candidates) =>
        fc.tuple(fc.constant(candidates), fc.shuffledSubarray(candidates, { minLength: candidates.length }))
      ),
      ([candidates, shuffled]) => {
        expect(selectWinner(shuffled)).toEqual(selectWinner(candidates))
      }
    ),
    { numRuns: 500 }
  )
})

test('without candidates nothing wins', () => {
  expect(selectWinner([])).toBeNull()
})
