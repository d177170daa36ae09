import { expect, test } from 'vitest'
import { PARTS_MAX, tablesOf } from '../../../simulations/checks/tables.ts'
import { BoundedMap } from '../../../src/platform/bounded-map.ts'

class Keeper {
  readonly #kept = new BoundedMap<string, { readonly names: Set<string> }>(2)
  readonly open: string[] = []
  readonly count: () => number

  constructor() {
    const counted = new Map<string, number>()
    this.count = () => counted.size
    this.#kept.set('one', { names: new Set(['a', 'b', 'c']) })
    counted.set('x', 1)
  }

  get size(): number {
    return this.#kept.size
  }
}

test('tables are found in private fields, in each other and in closures, with what they may hold', () => {
  const keeper = new Keeper()
  const tables = tablesOf(keeper).tables.map(({ name, size, max }) => [name, size(), max])
  expect(tables).toContainEqual(['Keeper.#kept', keeper.size, 2])
  expect(tables).toContainEqual(['Keeper.open', 0, null])
  expect(tables).toContainEqual(['BoundedMap.each.names', 3, null])
  expect(tables.filter(([name, size]) => String(name).endsWith('.counted') && size === keeper.count())).toHaveLength(1)
})

test('a table is seen to grow without being looked for again', () => {
  const keeper = new Keeper()
  const open = tablesOf(keeper).tables.find(({ name }) => name === 'Keeper.open')
  keeper.open.push('one')
  expect(open?.size()).toBe(1)
})

test('that there was more than was looked at is told', () => {
  const many = Array.from({ length: PARTS_MAX }, (_, at) => [`part${at}`, {}] as const)
  expect(tablesOf(Object.fromEntries(many.slice(1))).areAll).toBe(true)
  expect(tablesOf(Object.fromEntries(many)).areAll).toBe(false)
})
