import { BoundedMap } from '../platform/bounded-map.ts'
import type { Clock } from '../platform/clock.ts'

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000

interface Filled {
  tokens: number
  at: number
}

/** A bucket that fills evenly: `capacity` tokens in `periodMs`, all of them at once after a quiet period. */
export interface Bucket {
  readonly name: string
  readonly capacity: number
  readonly periodMs: number
}

export const perMinute = (name: string, capacity: number): Bucket => ({
  name: `m!${name}`,
  capacity,
  periodMs: MINUTE_MS
})
export const perDay = (name: string, capacity: number): Bucket => ({ name: `d!${name}`, capacity, periodMs: DAY_MS })

/** Token buckets by name. Time is monotonic: a wall clock that is set gives nobody anything. */
export class RateLimiter {
  readonly #clock: Clock
  readonly #filled: BoundedMap<string, Filled>

  /** `bucketsMax`: how many are kept, about 100 bytes each; say above it why. Forgetting one only fills it. */
  constructor(clock: Clock, bucketsMax: number) {
    this.#clock = clock
    this.#filled = new BoundedMap(bucketsMax)
  }

  /** Takes a token from each of these buckets, or from none where one of them is empty. */
  take(...buckets: readonly Bucket[]): boolean {
    const now = this.#clock.monotonicMs()
    const found = buckets.map((bucket) => ({ name: bucket.name, tokens: this.#tokens(bucket, now) }))
    const taken = found.every(({ tokens }) => tokens >= 1) ? 1 : 0
    for (const { name, tokens } of found) this.#filled.set(name, { tokens: tokens - taken, at: now })
    return taken === 1
  }

  /** Whether there is a token in the bucket. */
  has(bucket: Bucket): boolean {
    return this.#tokens(bucket, this.#clock.monotonicMs()) >= 1
  }

  /** Fills a bucket at once. */
  refill({ name }: Bucket): void {
    this.#filled.delete(name)
  }

  #tokens({ name, capacity, periodMs }: Bucket, now: number): number {
    const known = this.#filled.get(name)
    return known === undefined ? capacity : Math.min(capacity, known.tokens + ((now - known.at) * capacity) / periodMs)
  }
}
