import type { Clock } from '../../src/platform/clock.ts'
import { sleepOn } from './sleep.ts'

// Caches that store "expires at" beside 0 for "never" misread times near 0, so a run begins at a plausible date.
const START_MS_DEFAULT = 1_750_000_000_000

/** A clock that stands still until it is told to go on. */
export interface VirtualClock extends Clock {
  /**
   * Lets `byMs` milliseconds pass: each timer that comes due runs at its own time, in order of due time and then of
   * setting, and what it started settles before the next one runs. Timers that are set on the way run too when they are
   * due. One `advance` at a time.
   */
  advance(byMs: number): Promise<void>
  /** How many timers are set: neither run nor cancelled. */
  readonly timersSet: number
}

export interface VirtualClockOptions {
  /** Milliseconds since 1970 at which the clock begins. */
  readonly startMs?: number
  /**
   * Resolves when everything has run that waits for no timer: one real turn of the event loop, where all parts are in
   * memory. It is the driver's, because the house keeps real timers out of this folder.
   */
  readonly settle: () => Promise<void>
}

interface Timer {
  readonly dueMs: number
  readonly run: () => void
}

/** A virtual clock. Wall-clock and monotonic time are the same number. */
export function createVirtualClock({ startMs = START_MS_DEFAULT, settle }: VirtualClockOptions): VirtualClock {
  /** In order of due time; among equals, in order of setting. */
  const timers: Timer[] = []
  let nowMs = startMs

  const after = (delayMs: number, run: () => void): (() => void) => {
    const timer = { dueMs: nowMs + Math.max(0, delayMs), run }
    const place = timers.findLastIndex(({ dueMs }) => dueMs <= timer.dueMs) + 1
    timers.splice(place, 0, timer)
    return () => {
      const index = timers.indexOf(timer)
      if (index >= 0) timers.splice(index, 1)
    }
  }

  return {
    now: () => Math.floor(nowMs),
    monotonicMs: () => nowMs,
    after,
    sleep: sleepOn(after),
    async advance(byMs) {
      const untilMs = nowMs + byMs
      await settle()
      for (let timer = timers[0]; timer !== undefined && timer.dueMs <= untilMs; timer = timers[0]) {
        timers.shift()
        nowMs = timer.dueMs
        timer.run()
        await settle()
      }
      nowMs = untilMs
    },
    get timersSet() {
      return timers.length
    }
  }
}
