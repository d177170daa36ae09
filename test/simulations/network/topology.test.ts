import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { dialsOf, parseDials } from '../../../simulations/network/topology.ts'
import type { Dials } from '../../../simulations/network/topology.ts'
import { seededRandom } from '../../../simulations/ports/seeded-random.ts'

const own = (nodes: number): number[] => [...Array(nodes).keys()]

/** The neighbours of each node, whoever dials. */
function neighboursOf(dials: Dials): Set<number>[] {
  const neighbours = dials.map((known) => new Set(known))
  for (const [from, known] of dials.entries()) for (const to of known) neighbours[to]?.add(from)
  return neighbours
}

function reachable(neighbours: readonly ReadonlySet<number>[]): number {
  const seen = new Set([0])
  for (const node of seen) for (const next of neighbours[node] ?? []) seen.add(next)
  return seen.size
}

/** No loops, and each pair once. */
function expectSimple(dials: Dials): void {
  const pairs = dials.flatMap((known, from) => known.map((to) => `${Math.min(from, to)} ${Math.max(from, to)}`))
  expect(new Set(pairs).size).toBe(pairs.length)
  for (const [from, known] of dials.entries()) expect(known).not.toContain(from)
}

const nodes = fc.integer({ min: 1, max: 80 })
const seed = fc.string()

describe('topologies', () => {
  it('at random: connected, everyone has the degree, and few have more', () => {
    fc.assert(
      fc.property(nodes, fc.integer({ min: 1, max: 12 }), seed, (count, degree, from) => {
        const dials = dialsOf({ kind: 'random', degree }, own(count), seededRandom(from))
        const neighbours = neighboursOf(dials)
        expectSimple(dials)
        expect(reachable(neighbours)).toBe(count)
        const degrees = neighbours.map(({ size }) => size)
        expect(Math.min(...degrees)).toBeGreaterThanOrEqual(Math.min(degree, count - 1))
        const edges = degrees.reduce((sum, size) => sum + size, 0) / 2
        expect(edges).toBeLessThanOrEqual(degree === 1 ? count : Math.ceil((count * degree) / 2) + degree)
      })
    )
  })

  it('by organisation: each is whole, bridges lead from each to others, and all are connected', () => {
    fc.assert(
      fc.property(
        nodes,
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 4 }),
        seed,
        (count, orgs, bridges, from) => {
          const organisations = own(count).map((node) => node % orgs)
          const dials = dialsOf({ kind: 'organisations', bridges }, organisations, seededRandom(from))
          const neighbours = neighboursOf(dials)
          expectSimple(dials)
          expect(reachable(neighbours)).toBe(count)
          for (const [node, org] of organisations.entries())
            for (const [other, otherOrg] of organisations.entries())
              if (org === otherOrg && node !== other) expect(neighbours[node]?.has(other)).toBe(true)
        }
      )
    )
  })

  it('as a ring, a star, or everyone with everyone', () => {
    const sizes = (kind: 'full' | 'ring' | 'star', count: number): number[] =>
      neighboursOf(dialsOf({ kind }, own(count), seededRandom('s'))).map(({ size }) => size)
    expect(sizes('ring', 5)).toEqual([2, 2, 2, 2, 2])
    expect(sizes('star', 4)).toEqual([3, 1, 1, 1])
    expect(sizes('full', 4)).toEqual([3, 3, 3, 3])
    expect([sizes('ring', 1), sizes('ring', 2), sizes('full', 1)]).toEqual([[0], [1, 1], [0]])
  })

  it('are decided by the seed', () => {
    const of = (from: string): Dials => dialsOf({ kind: 'random', degree: 4 }, own(30), seededRandom(from))
    expect(of('one')).toEqual(of('one'))
    expect(of('one')).not.toEqual(of('two'))
  })

  it('from a file, which says the line that is wrong', () => {
    expect(parseDials('from,to\n0,1\n# a bridge\n1,2\n1,2\n', 3)).toEqual({ ok: true, value: [[1], [2], []] })
    expect(parseDials('from,to\n0,3', 3)).toMatchObject({ ok: false, line: 2 })
    expect(parseDials('from,to\n0,1\n1,1', 3)).toMatchObject({ ok: false, line: 3 })
    expect(parseDials('a,b\n0,1', 3)).toMatchObject({ ok: false, line: 1, problem: 'there is no column from, but a,b' })
    expect(parseDials('', 3)).toMatchObject({ ok: false, line: 1 })
  })
})
