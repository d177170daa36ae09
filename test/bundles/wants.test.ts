import { expect, test } from 'vitest'
import { Wants } from '../../src/bundles/wants.ts'
import type { Want } from '../../src/bundles/wants.ts'

const want = (state: Want['state'] = 'waiting'): Want => ({ failures: 0, triedAt: null, cancel: null, state })
const keyOf = (owner: string, batch: number, namespace = 'dao:one'): string =>
  `${namespace}!${owner}!batch-${batch}!root`

function filled(wants: Wants, owner: string, count: number): void {
  for (let batch = 0; batch < count; batch += 1) wants.set(keyOf(owner, batch), want())
}

test('who announced without end gives way to others, up to an equal share, and not the other way round', () => {
  const wants = new Wants(10)
  filled(wants, 'greedy', 10)
  const places: string[] = []
  for (let batch = 0; batch < 10; batch += 1) {
    const key = keyOf('modest', batch)
    const given = wants.givesWayTo(key)
    if (given === null) break
    places.push(given)
    wants.delete(given)
    wants.set(key, want())
  }
  expect(places).toEqual([0, 1, 2, 3, 4].map((batch) => keyOf('greedy', batch)))
  expect([wants.size, wants.givesWayTo(keyOf('greedy', 11))]).toEqual([10, null])
})

test('within an organisation what failed gives way, the one that did so longest ago, and nothing that runs', () => {
  const wants = new Wants(3)
  filled(wants, 'owner', 3)
  expect(wants.givesWayTo(keyOf('owner', 9))).toBeNull()
  wants.failed(keyOf('owner', 2))
  wants.failed(keyOf('owner', 1))
  wants.set(keyOf('owner', 2), want('running'))
  expect(wants.givesWayTo(keyOf('owner', 9))).toBe(keyOf('owner', 1))
  wants.delete(keyOf('owner', 1))
  expect(wants.givesWayTo(keyOf('owner', 9))).toBeNull()
})

test('organisations take turns, also those of other namespaces', () => {
  const wants = new Wants(100)
  for (let batch = 0; batch < 3; batch += 1) wants.enqueue(keyOf('greedy', batch))
  wants.enqueue(keyOf('modest', 0))
  wants.enqueue(keyOf('greedy', 0, 'dao:two'))
  const taken: (string | undefined)[] = []
  while (wants.hasQueued) taken.push(wants.dequeue())
  expect(taken).toEqual([
    keyOf('greedy', 0),
    keyOf('modest', 0),
    keyOf('greedy', 0, 'dao:two'),
    keyOf('greedy', 1),
    keyOf('greedy', 2)
  ])
  expect(wants.dequeue()).toBeUndefined()
})
