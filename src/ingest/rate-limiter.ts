import { BoundedMap } from '../platform/bounded-map.ts'
import type { Clock } from '../platform/clock.ts'

// One bucket for each peer and signer that was heard of lately; 10,000 are about 1 MiB. Forgetting one only refills it.
const BUCKETS_MAX = 10_000
const MINUTE_MS = 60_000
const DAY_MS = 86_400_000

interface Bucket {
  tokens: number
  at: number
}

/** Token buckets that fill evenly: `perMinute` events a minute, all of them at once after a quiet minute. */
export class RateLimiter {
  readonly #clock: Clock
  readonly #buckets = new BoundedMap<string, Bucket>(BUCKETS_MAX)

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Takes one event from the bucket `name`; false when there is none left. */
  takePerMinute(name: string, perMinute: number): boolean {
    return this.#take(`m!${name}`, perMinute, MINUTE_MS)
  }

  /** Takes one event from the bucket `name` that holds a day's worth. */
  takePerDay(name: string, perDay: number): boolean {
    return this.#take(`d!${name}`, perDay, DAY_MS)
  }

  #take(name: string, capacity: number, periodMs: number): boolean {
    const now = this.#clock.monotonicMs()
    const known = this.#buckets.get(name)
    const tokens =
      known === undefined ? capacity : Math.min(capacity, known.tokens + ((now - known.at) * capacity) / periodMs)
    const taken = tokens >= 1
    this.#buckets.set(name, { tokens: taken ? tokens - 1 : tokens, at: now })
    return taken
  }
}
