import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MapEdit, emptyMap, entriesIn, valueIn } from '../../../simulations/disk/ordered-map.ts'
import type { Bounds, OrderedMap } from '../../../simulations/disk/ordered-map.ts'

const key = fc.integer({ min: 0, max: 400 }).map((number) => `k${number.toString(36)}`)
const change = fc.record({ key, value: fc.option(fc.nat(9), { nil: undefined }) })
const bound = fc.option(fc.record({ key, inclusive: fc.boolean() }), { nil: null })

type Model = ReadonlyMap<string, number>

function within(model: Model, { low, high }: Bounds): [string, number][] {
  return [...model]
    .filter(([at]) => low === null || at > low.key || (low.inclusive && at === low.key))
    .filter(([at]) => high === null || at < high.key || (high.inclusive && at === high.key))
    .sort(([left], [right]) => (left < right ? -1 : 1))
}

const ALL: Bounds = { low: null, high: null }
const EVERYTHING = { reverse: false, max: Infinity }

test('is the map that a plain one would be, in order, and stays what it was before each edit', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(change, { maxLength: 120 }), { maxLength: 8 }),
      fc.record({ low: bound, high: bound }),
      fc.boolean(),
      fc.integer({ min: 0, max: 500 }),
      (edits, bounds, reverse, max) => {
        let map: OrderedMap<number> = emptyMap()
        const states: { readonly map: OrderedMap<number>; readonly model: Model }[] = [{ map, model: new Map() }]
        for (const changes of edits) {
          const model = new Map(states.at(-1)?.model)
          const edit = new MapEdit(map)
          for (const { key: at, value } of changes) {
            if (value === undefined) {
              edit.delete(at)
              model.delete(at)
            } else {
              edit.set(at, value)
              model.set(at, value)
            }
          }
          map = edit.done()
          states.push({ map, model })
        }
        for (const state of states) {
          expect(state.map.size).toBe(state.model.size)
          expect(entriesIn(state.map, ALL, EVERYTHING)).toEqual(within(state.model, ALL))
          const expected = within(state.model, bounds)
          if (reverse) expected.reverse()
          expect(entriesIn(state.map, bounds, { reverse, max })).toEqual(expected.slice(0, max))
          for (const [at, value] of state.model) expect(valueIn(state.map, at)).toBe(value)
          expect(valueIn(state.map, 'none')).toBeUndefined()
        }
      }
    ),
    { numRuns: 150 }
  )
})

test('holds many keys that come in order, as those of a log do, and lets go of the oldest', () => {
  let map: OrderedMap<number> = emptyMap()
  const name = (number: number): string => String(number).padStart(6, '0')
  for (let number = 0; number < 5_000; number += 1) {
    const edit = new MapEdit(map)
    edit.set(name(number), number)
    if (number >= 500) edit.delete(name(number - 500))
    map = edit.done()
  }
  expect(entriesIn(map, ALL, EVERYTHING).map(([, number]) => number)).toEqual(
    Array.from({ length: 500 }, (_, index) => 4_500 + index)
  )
})
