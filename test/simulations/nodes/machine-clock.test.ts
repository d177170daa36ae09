import { expect, test } from 'vitest'
import { MachineClock } from '../../../simulations/world/machine-clock.ts'

const START_US = 1_750_000_000_000_000
const HOUR_US = 3_600_000_000

test('a clock shows true time, its skew, and what it has drifted since it was set', () => {
  const clock = new MachineClock(START_US, { skewMs: -200, driftPpm: 100 })
  expect(clock.wallMs(START_US)).toBe(START_US / 1_000 - 200)
  expect(clock.wallMs(START_US + HOUR_US)).toBeCloseTo((START_US + HOUR_US) / 1_000 - 200 + 360, 3)
  clock.set(START_US + HOUR_US, { skewMs: 50, driftPpm: 0 })
  expect(clock.wallMs(START_US + HOUR_US)).toBe((START_US + HOUR_US) / 1_000 + 50)
  expect(clock.wallMs(START_US + 2 * HOUR_US)).toBe((START_US + 2 * HOUR_US) / 1_000 + 50)
})

test('what measures durations runs as fast, and goes on where the clock is set', () => {
  const clock = new MachineClock(START_US, { skewMs: 5_000, driftPpm: -1_000 })
  const before = clock.monotonicMs(START_US + HOUR_US)
  expect(before - clock.monotonicMs(START_US)).toBeCloseTo(3_600_000 * 0.999, 3)
  clock.set(START_US + HOUR_US, { skewMs: -90_000, driftPpm: 0 })
  expect(clock.monotonicMs(START_US + HOUR_US)).toBeCloseTo(before, 6)
  expect(clock.rate).toBe(1)
})
