import type { Clock } from '../../src/platform/clock.ts'

/** A clock that moves only when a test moves it. Wall clock and monotonic time are apart, as they are on a machine. */
export interface HandClock extends Clock {
  /**
   * Moves both on and runs what comes due, in order; what waits for nothing but promises runs before the next timer.
   */
  advance(byMs: number): Promise<void>
  /** Sets the wall clock alone, as an operator or NTP does. */
  setNow(nowMs: number): void
  /** How many timers are set. */
  pendingTimers(): number
}

/** A little after the events that `events.ts` makes by default. */
export const HAND_CLOCK_START_MS = 1_700_000_100_000

export function createHandClock(startMs: number = HAND_CLOCK_START_MS): HandClock {
  const timers = new Set<{ readonly dueMs: number; readonly run: () => void }>()
  let monotonicMs = 0
  let wallOffsetMs = startMs

  const nextDue = (untilMs: number): { readonly dueMs: number; readonly run: () => void } | undefined =>
    [...timers].filter(({ dueMs }) => dueMs <= untilMs).sort((left, right) => left.dueMs - right.dueMs)[0]

  const after = (delayMs: number, run: () => void): (() => void) => {
    const timer = { dueMs: monotonicMs + delayMs, run }
    timers.add(timer)
    return () => timers.delete(timer)
  }

  return {
    now: () => wallOffsetMs + monotonicMs,
    monotonicMs: () => monotonicMs,
    after,
    sleep: (delayMs) => new Promise((resolve) => after(delayMs, resolve)),
    async advance(byMs) {
      const untilMs = monotonicMs + byMs
      for (let timer = nextDue(untilMs); timer !== undefined; timer = nextDue(untilMs)) {
        timers.delete(timer)
        monotonicMs = Math.max(monotonicMs, timer.dueMs)
        timer.run()
        await settled()
      }
      monotonicMs = untilMs
      await settled()
    },
    setNow: (nowMs) => {
      wallOffsetMs = nowMs - monotonicMs
    },
    pendingTimers: () => timers.size
  }
}

/** Lets everything run that waits for nothing but promises. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
