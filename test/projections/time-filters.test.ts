import { expect, test } from 'vitest'
import { deliveries } from '../../src/projections/deliveries.ts'
import { feedback } from '../../src/projections/feedback.ts'
import { findings } from '../../src/projections/findings.ts'

test.each([
  [deliveries, { ts: 1_000 }],
  [findings, { timestamp: 1_000 }],
  [feedback, { signedAt: 1_000 }]
] as const)('a span of time holds both of its ends: %o', ({ filters }, row) => {
  expect([999, 1_000, 1_001].map((ms) => filters.fromTs?.(row, ms))).toEqual([true, true, false])
  expect([999, 1_000, 1_001].map((ms) => filters.toTs?.(row, ms))).toEqual([false, true, true])
})
