import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Bootstrap, STATISTICS, quantile, quantiles } from '../../../simulations/results/statistics.ts'

const numbers = fc.array(fc.integer({ min: -1_000_000, max: 1_000_000 }), { minLength: 1, maxLength: 40 })
const ascending = (values: readonly number[]): number[] => values.toSorted((left, right) => left - right)

describe('quantiles', () => {
  test('known values: type 7 of R', () => {
    // quantile(c(1, 2, 4, 8, 16, 32), c(0, .1, .25, .5, .9, 1), type = 7)
    const values = [1, 2, 4, 8, 16, 32]
    const found = [0, 0.1, 0.25, 0.5, 0.9, 1].map((share) => quantile(values, share) ?? Number.NaN)
    for (const [place, value] of [1, 1.5, 2.5, 6, 24, 32].entries()) expect(found[place]).toBeCloseTo(value, 12)
  })

  test('of nothing there is none, of one value all are it', () => {
    expect(quantile([], 0.5)).toBeNull()
    expect(quantiles([], 100)).toEqual([])
    expect(quantiles([7], 4)).toEqual([7, 7, 7, 7, 7])
  })

  test('they ascend from the least to the most, whatever the order of the values', () => {
    fc.assert(
      fc.property(numbers, fc.integer({ min: 1, max: 200 }), (values, steps) => {
        const found = quantiles(values, steps)
        expect(found).toHaveLength(steps + 1)
        expect(found[0]).toBe(Math.min(...values))
        expect(found.at(-1)).toBe(Math.max(...values))
        expect(found).toEqual(ascending(found))
        expect(quantiles(values.toReversed(), steps)).toEqual(found)
      })
    )
  })
})

describe('the bootstrap', () => {
  test('its interval lies within the values and around most of them, and is the same each time', () => {
    fc.assert(
      fc.property(numbers, (values) => {
        const estimate = new Bootstrap(values.length).mean(values)
        expect(new Bootstrap(values.length).mean(values)).toEqual(estimate)
        if (estimate === null) throw new Error('there are values')
        const { mean, low, high, runs } = estimate
        expect(runs).toBe(values.length)
        expect(mean).toBeCloseTo(values.reduce((sum, value) => sum + value, 0) / values.length, 6)
        expect(low === null).toBe(values.length === 1)
        expect(high === null).toBe(values.length === 1)
        expect(low ?? mean).toBeLessThanOrEqual(high ?? mean)
        expect(low ?? mean).toBeGreaterThanOrEqual(Math.min(...values))
        expect(high ?? mean).toBeLessThanOrEqual(Math.max(...values))
      }),
      { numRuns: 30 }
    )
  })

  test('it agrees with the normal interval where that holds', () => {
    // 60 values of mean 29.5 and standard deviation 17.46: 1.96 standard errors are 4.38 on either side.
    const { low, high } = new Bootstrap(60).mean(Array.from({ length: 60 }, (_, value) => value)) ?? {}
    expect(low).toBeGreaterThan(29.5 - 4.38 - 0.5)
    expect(low).toBeLessThan(29.5 - 4.38 + 0.5)
    expect(high).toBeGreaterThan(29.5 + 4.38 - 0.5)
    expect(high).toBeLessThan(29.5 + 4.38 + 0.5)
  })

  test('equal values have no width, one value no interval, none no estimate', () => {
    expect(new Bootstrap(5).mean([3, 3, 3, 3, 3])).toEqual({ runs: 5, mean: 3, low: 3, high: 3 })
    expect(new Bootstrap(1).mean([3])).toEqual({ runs: 1, mean: 3, low: null, high: null })
    expect(new Bootstrap(3).mean([null, 3, null])).toEqual({ runs: 1, mean: 3, low: null, high: null })
    expect(new Bootstrap(2).mean([null, null])).toBeNull()
  })

  test('runs without a value are left out', () => {
    const { runs, mean, low, high } = new Bootstrap(4).mean([1, null, 3, null]) ?? {}
    expect({ runs, mean }).toEqual({ runs: 2, mean: 2 })
    expect(low).toBeGreaterThanOrEqual(1)
    expect(high).toBeLessThanOrEqual(3)
  })

  test('its name says what it does', () => {
    expect(STATISTICS).toMatchObject({ confidence: 0.95, resamples: 2_000 })
  })
})
