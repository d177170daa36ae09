import { expect, test } from 'vitest'
import { tablesWithinBounds } from '../../../simulations/checks/bounded-tables.ts'
import { PARTS_MAX, tablesOf } from '../../../simulations/checks/tables.ts'
import type { AnchormeshNode } from '../../../src/anchormesh-node.ts'
import { BoundedMap } from '../../../src/platform/bounded-map.ts'
import { fakeSimulation } from './fakes.ts'

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

test('each fold looks into the next node, and samples measure what was found there', async () => {
  const fake = await fakeSimulation()
  const tables = fake.nodes.map(({ seen }) => {
    const open = new Set<number>()
    seen.node = { open } as unknown as AnchormeshNode
    return open
  })
  const check = tablesWithinBounds()
  expect(await fake.look(check, 'onFold')).toEqual([])
  expect(await fake.look(check, 'onFold')).toEqual([])
  for (const table of tables) for (let entry = 0; entry < 70_000; entry += 1) table.add(entry)
  const known = await fake.look(check, 'onSample')
  expect(known).toHaveLength(2)
  const last = await fake.look(check, 'onFold')
  expect(last).toHaveLength(1)
  expect([...known, ...last].map((line) => line.slice(0, 2)).sort()).toEqual(['n0', 'n1', 'n2'])
  expect(last[0]).toMatch(/open holds 70000, and may hold 65536$/)
})
