import type { LoggedRecord } from '../log/log-reader.ts'
import type { Clock } from '../platform/clock.ts'

// More than two frames of a sync within a second is a backlog of somebody's that comes in.
export const BUSY_EVENTS = 512
const WINDOW_MS = 1_000
// A check with its verdict costs this processor about as much as taking in three events: so many a second take a
// hundredth or two of its time. They go on however long events come in without rest, so an anchor waits for those
// before it and no longer: the 10,000 that a verifier can have in hand are gone through in 400 s where it answers, those
// of three verifiers in twenty minutes. What comes faster than that, and without end, waits in the projection for as long.
export const CHECKS_PER_SECOND_WHILE_BUSY = 25

/** Spaces checks out while many events come in, so that they take next to nothing of what ingest can do. */
export class Pace {
  readonly #clock: Clock
  #windowMs = Number.NEGATIVE_INFINITY
  #events = 0
  #busyUntilMs = Number.NEGATIVE_INFINITY
  #nextMs = Number.NEGATIVE_INFINITY

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Hears of records that were appended to the log. */
  appended(records: readonly LoggedRecord[]): void {
    let events = 0
    for (const { scope } of records) if (scope === 'shared') events += 1
    if (events === 0) return
    const nowMs = this.#clock.monotonicMs()
    if (nowMs - this.#windowMs > WINDOW_MS) {
      this.#windowMs = nowMs
      this.#events = 0
    }
    this.#events += events
    if (this.#events >= BUSY_EVENTS) this.#busyUntilMs = nowMs + WINDOW_MS
  }

  /** Milliseconds until the next check may begin; 0: at once. */
  waitMs(): number {
    const nowMs = this.#clock.monotonicMs()
    return nowMs < this.#busyUntilMs ? Math.max(0, this.#nextMs - nowMs) : 0
  }

  /** A check begins. */
  begun(): void {
    this.#nextMs = this.#clock.monotonicMs() + 1_000 / CHECKS_PER_SECOND_WHILE_BUSY
  }
}
