import fc from 'fast-check'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Candidate } from '../../protocols/winner/v1/winner.ts'
import { rankOf, selectWinner } from '../../protocols/winner/v1/winner.ts'
import { PROTOCOLS } from './make-vectors.ts'
import { readJson } from './third-party.ts'

interface Decision {
  readonly winner: number | null
  readonly losers: readonly { readonly candidate: number; readonly rule: string; readonly supersededBy: string }[]
  readonly earliestProvenTime: number | null
}
type WinnerVector = Decision & { readonly candidates: readonly Candidate[] }
interface QuorumVector {
  readonly quorum: unknown
  readonly state: string
}

const vectorsOf = (name: string): readonly unknown[] =>
  (readJson(PROTOCOLS, 'winner', 'v1', 'vectors', name) as { vectors: readonly unknown[] }).vectors

const hash = fc.nat(1).map((index) => 'ab'.charAt(index).repeat(64))

/** Few values of each, so that every rule gets to decide. */
const someBatch = fc.uniqueArray(
  fc.record({
    chainId: fc.oneof(
      fc.constant('btc:mainnet'),
      fc.constantFrom('btc:testnet', 'eip155:1', 'eip155:10', 'eip155:9', 'rfc3161:a', 'rfc3161:a.b')
    ),
    position: fc.constantFrom(9, 9, 9, 10, 0, Number.MAX_SAFE_INTEGER),
    evidenceId: hash,
    batchRoot: hash,
    eventId: hash,
    evidenceHash: hash,
    provenTime: fc.nat(5)
  }),
  { selector: rankOf, maxLength: 12, size: 'max' }
)

const hasPython = spawnSync('python3', ['--version']).status === 0
if (!hasPython) console.log('skipped: the second implementation of winner needs python3')

describe.skipIf(!hasPython)('winner, written from its SPEC in Python', () => {
  const winners = vectorsOf('winners.json') as readonly WinnerVector[]
  const quorums = vectorsOf('quorum.json') as readonly QuorumVector[]
  const samples = fc.sample(someBatch, { numRuns: 500, seed: 20_260_101 })
  let answer: { readonly batches: readonly Decision[]; readonly quorums: readonly QuorumVector[] }

  beforeAll(() => {
    const input = JSON.stringify({ batches: [...winners.map(({ candidates }) => candidates), ...samples], quorums })
    const { status, stdout, stderr } = spawnSync('python3', [join(import.meta.dirname, 'second_winner.py')], {
      input,
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024
    })
    if (status !== 0) throw new Error(stderr)
    answer = JSON.parse(stdout) as typeof answer
  })

  test('comes to the winners, losers and rules of the vectors', () => {
    const expected = winners.map(({ winner, losers, earliestProvenTime }) => ({ winner, losers, earliestProvenTime }))
    expect(answer.batches.slice(0, winners.length)).toEqual(expected)
  })

  test('comes to those of this node for batches made at random', () => {
    const decided = samples.map((candidates) => {
      const selected = selectWinner(candidates.map((candidate, index) => ({ ...candidate, index })))
      return {
        winner: selected?.winner.index ?? null,
        losers: (selected?.losers ?? []).map(({ index, rule, supersededBy }) => ({
          candidate: index,
          rule,
          supersededBy
        })),
        earliestProvenTime: candidates.length === 0 ? null : Math.min(...candidates.map(({ provenTime }) => provenTime))
      }
    })
    expect(answer.batches.slice(winners.length)).toEqual(decided)
    expect(new Set(decided.flatMap(({ losers }) => losers.map(({ rule }) => rule))).size).toBe(8)
  })

  test('comes to the lists and states of the vectors', () => {
    expect(answer.quorums).toEqual(quorums.map(({ quorum, state }) => ({ quorum, state })))
  })
})
