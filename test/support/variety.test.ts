import fc from 'fast-check'
import { beforeEach, expect, test } from 'vitest'
import { Variety, assertVaried } from './variety.ts'

/** How many cases a portion has, which is more where more runs are asked for. */
let portion = 0
let cases = 0
const counting = (check: () => boolean) =>
  fc.property(fc.nat(), () => {
    cases += 1
    return check()
  })

beforeEach(async () => {
  cases = 0
  const none = counting(() => true)
  await assertVaried(none, new Variety({}), { numRuns: 10, portions: 5 })
  portion = cases
  cases = 0
})

test('where nothing is missing there is one portion', () => {
  expect(portion).toBe(10 * Number(process.env['ANCHORMESH_PROPERTY_RUNS'] ?? 1))
})

test('a seldom kind is waited for, and no longer than until it comes', async () => {
  const variety = new Variety({ usual: 1, seldom: 2 })
  const property = counting(() => {
    variety.saw('usual')
    variety.saw('seldom', cases === 1 || cases === 2 * portion + 5)
    return true
  })
  await assertVaried(property, variety, { numRuns: 10, portions: 9 })
  expect(cases).toBe(3 * portion)
})

test('a kind that never comes is an error, after all portions', async () => {
  const variety = new Variety({ usual: 1, never: 1 })
  const property = counting(() => {
    variety.saw('usual')
    return true
  })
  await expect(assertVaried(property, variety, { numRuns: 10, portions: 3 })).rejects.toThrow('not among 30 cases')
  expect(variety.missing).toEqual(['never'])
  expect(cases).toBe(3 * portion)
})

test.each([1, 15])('what does not hold is one too: the case of number %i', async (wrong) => {
  const property = counting(() => cases < wrong)
  const varied = assertVaried(property, new Variety({ never: 1 }), { numRuns: 10, portions: 3 })
  await expect(varied).rejects.toThrow('Property failed')
})
