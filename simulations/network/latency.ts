import type { SeededRandom } from '../ports/seeded-random.ts'
import type { LatencyRule } from '../scenario/schema.ts'

/** Draws milliseconds. */
export type DrawMs = (random: SeededRandom) => number

/** What a latency of a scenario draws. Numbers count in their own order, however they are written. */
export function drawOf(rule: LatencyRule): DrawMs {
  if ('constantMs' in rule) return () => rule.constantMs
  if ('uniformMs' in rule) return quantiles(rule.uniformMs)
  if ('triangularMs' in rule) return triangular(rule.triangularMs)
  return quantiles(rule.quantilesMs)
}

/** By the inverse of the distribution function. Square roots are exact to the last bit on every processor. */
function triangular(corners: readonly number[]): DrawMs {
  const [least = 0, likeliest = 0, most = 0] = corners.toSorted((left, right) => left - right)
  const width = most - least
  if (width === 0) return () => least
  return (random) => {
    const share = random.fraction()
    const rising = (share * width - (likeliest - least)) * width
    return rising < 0
      ? least + Math.sqrt(share * width * (likeliest - least))
      : most - Math.sqrt((1 - share) * width * (most - likeliest))
  }
}

function quantiles(given: readonly number[]): DrawMs {
  const values = given.toSorted((left, right) => left - right)
  const steps = values.length - 1
  return (random) => {
    const place = random.fraction() * steps
    const step = Math.floor(place)
    const [from = 0, to = from] = values.slice(step, step + 2)
    return from + (to - from) * (place - step)
  }
}
