import { expect, test } from 'vitest'
import { SharedSets } from '../../../simulations/results/reach.ts'
import { spreadOf } from '../../../simulations/results/spread.ts'
import { FakeRun } from './fake-run.ts'

test('of events before the start nothing is kept of who could be reached; those of later share what is equal', () => {
  const run = new FakeRun('1', 4)
  for (const node of [0, 1, 2, 3]) run.record('boot', node)
  run.connectAll()
  const [, , , off] = run.nodes
  if (off !== undefined) off.state = 'off'
  // As late as an event of before can come: at the very moment of the start.
  run.at(1).record('accept', 0, { id: 'history' }).record('started', null)
  for (const [place, id] of ['a', 'b', 'c'].entries()) run.at(2 + place).record('accept', place, { id })
  run.cuts.add('n0 n2').add('n1 n2')
  run.at(6).record('accept', 0, { id: 'd' })
  run.cuts.clear()
  run.at(7).record('accept', 0, { id: 'e' })
  const { events } = run.finish().record
  expect(events.map(({ apart }) => (apart === null ? null : [...apart]))).toEqual([null, [3], [3], [3], [2, 3], [3]])
  expect(new Set(events.map(({ apart }) => apart)).size).toBe(3)
})

test('an event of before the start does not spread, though it came at the same moment', () => {
  const run = new FakeRun('1', 2)
  run.record('boot', 0).record('boot', 1).connectAll()
  run.at(1).record('accept', 0, { id: 'history' }).record('started', null)
  run.record('accept', 0, { id: 'new' })
  run.at(3).record('accept', 1, { id: 'history' }).record('accept', 1, { id: 'new' })
  expect(spreadOf(run.finish().record)).toMatchObject({ propagationUs: [2_000_000], pairs: 1, delivered: 1 })
})

test('of shared sets those are forgotten that were not asked for the longest', () => {
  const shared = new SharedSets(2)
  const first = shared.share([1, 2])
  const second = shared.share([1])
  expect(shared.share([1, 2])).toBe(first)
  shared.share([12])
  expect(shared.share([1, 2])).toBe(first)
  expect(shared.share([1])).not.toBe(second)
  expect([...shared.share([1])]).toEqual([1])
})
