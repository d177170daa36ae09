import { seededRandom } from '../ports/seeded-random.ts'
import type { SeededRandom } from '../ports/seeded-random.ts'

/**
 * How figures over several runs are stated. A run is one observation: what happens within one (events, nodes) is not
 * independent. The percentile bootstrap asks for no distribution: healing times are skewed, shares end at 0 and 1, and
 * an interval by Student's t would reach past them.
 */
export const STATISTICS = {
  quantile: 'linear interpolation between order statistics (type 7 of R, the default of NumPy)',
  interval: 'percentile bootstrap of the mean over runs (seeds)',
  confidence: 0.95,
  resamples: 2_000,
  /** The generator is that of `simulations/ports/seeded-random.ts`. */
  seed: 'anchormesh-bootstrap'
} as const

/** The quantile of values in ascending order; `null` where there are none. */
export function quantile(ascending: ArrayLike<number>, share: number): number | null {
  if (ascending.length === 0) return null
  const place = share * (ascending.length - 1)
  const below = Math.floor(place)
  const low = ascending[below] ?? Number.NaN
  const high = ascending[Math.min(below + 1, ascending.length - 1)] ?? Number.NaN
  return low + (high - low) * (place - below)
}

/** Quantiles at equal steps from the least to the most. */
export function quantiles(values: Iterable<number>, steps: number): number[] {
  const ascending = Float64Array.from(values).sort()
  if (ascending.length === 0) return []
  return Array.from({ length: steps + 1 }, (_, step) => quantile(ascending, step / steps) ?? Number.NaN)
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** A mean over runs; `low` and `high` are `null` where one run gives no interval. */
export type Estimate = {
  readonly runs: number
  readonly mean: number
  readonly low: number | null
  readonly high: number | null
}

/**
 * Draws runs again, with repetition, the same way for every figure of an experiment: its intervals belong together, and
 * whoever draws once more gets the same.
 */
export class Bootstrap {
  readonly #draws: readonly Uint32Array[]
  readonly #runs: number

  constructor(runs: number) {
    const random = seededRandom(`${STATISTICS.seed}/${runs}`)
    this.#runs = runs
    this.#draws = runs < 2 ? [] : Array.from({ length: STATISTICS.resamples }, () => drawRuns(random, runs))
  }

  /**
   * Of one value for each run; those that are `null` (what never happened in a run) are left out. `null` where none is
   * left.
   */
  mean(values: readonly (number | null)[]): Estimate | null {
    if (values.length !== this.#runs) throw new Error(`${values.length} values for ${this.#runs} runs`)
    const there = values.filter((value) => value !== null)
    if (there.length === 0) return null
    const mean = meanOf(there)
    if (there.length === 1) return { runs: 1, mean, low: null, high: null }
    const means = new Float64Array(this.#draws.length)
    let drawn = 0
    for (const draw of this.#draws) {
      const found = meanOfDraw(values, draw)
      // All that was drawn may be runs without a value.
      if (found !== null) means[drawn++] = found
    }
    const ascending = means.subarray(0, drawn).sort()
    const tail = (1 - STATISTICS.confidence) / 2
    return { runs: there.length, mean, low: quantile(ascending, tail), high: quantile(ascending, 1 - tail) }
  }
}

/** So many runs, each with the same probability: 32 bits for each draw, so that the bias is below one in a million. */
function drawRuns(random: SeededRandom, runs: number): Uint32Array {
  const drawn = new DataView(random.bytes(4 * runs).buffer)
  return Uint32Array.from({ length: runs }, (_, place) => Math.floor((drawn.getUint32(4 * place) / 2 ** 32) * runs))
}

function meanOfDraw(values: readonly (number | null)[], draw: Uint32Array): number | null {
  let sum = 0
  let count = 0
  for (const place of draw) {
    const value = values[place] ?? null
    if (value === null) continue
    sum += value
    count += 1
  }
  return count === 0 ? null : sum / count
}
