import type { Clock } from '../../../src/platform/clock.ts'

/** A clock that stands still until it is told to go on. */
export interface ManualClock extends Clock {
  /** Lets time pass and runs what falls due, in order. */
  advance(ms: number): void
  /** How many timers are set and neither due nor cancelled. */
  readonly pendingTimers: number
}

export function manualClock(startMs: number): ManualClock {
  let nowMs = startMs
  const timers = new Set<{ readonly dueMs: number; readonly run: () => void }>()
  const clock: ManualClock = {
    now: () => nowMs,
    monotonicMs: () => nowMs - startMs,
    after: (delayMs, run) => {
      const timer = { dueMs: nowMs + delayMs, run }
      timers.add(timer)
      return () => timers.delete(timer)
    },
    sleep: (delayMs) => new Promise((resolve) => clock.after(delayMs, resolve)),
    advance: (ms) => {
      nowMs += ms
      const due = [...timers].filter((timer) => timer.dueMs <= nowMs).toSorted((left, right) => left.dueMs - right.dueMs)
      for (const timer of due) {
        timers.delete(timer)
        timer.run()
      }
    },
    get pendingTimers() {
      return timers.size
    }
  }
  return clock
}
