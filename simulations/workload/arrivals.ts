import type { SeededRandom } from '../ports/seeded-random.ts'

/** The shortest and the longest time between two, as parts of the mean: no burst and no beat. */
const GAP_MIN = 0.5
const GAP_RANGE = 1

/** The time to the next of so many a second, in microseconds. */
export function gapUs(perSecond: number, random: SeededRandom): number {
  return Math.round((1_000_000 / perSecond) * (GAP_MIN + GAP_RANGE * random.fraction()))
}
