import type { Clock } from '../../src/platform/clock.ts'

/** A clock that moves only when a test moves it. */
export interface HandClock extends Clock {
  /** Moves time on and runs what comes due, in order; promises that it resolves run before the next timer does. */
  advance(byMs: number): Promise<void>
  /** How many timers are set. */
  pending(): number
}

interface Timer {
  readonly dueMs: number
  readonly order: number
  readonly run: () => void
}

/** A clock at 1,000,000 ms. */
export function createHandClock(): HandClock {
  const timers = new Set<Timer>()
  let nowMs = 1_000_000
  let order = 0

  const next = (untilMs: number): Timer | undefined =>
    [...timers].filter(({ dueMs }) => dueMs <= untilMs).sort((a, b) => a.dueMs - b.dueMs || a.order - b.order)[0]

  const after = (delayMs: number, run: () => void): (() => void) => {
    const timer = { dueMs: nowMs + delayMs, order: (order += 1), run }
    timers.add(timer)
    return () => timers.delete(timer)
  }

  return {
    now: () => Math.round(nowMs),
    monotonicMs: () => nowMs,
    after,
    sleep: (delayMs) => new Promise((resolve) => after(delayMs, resolve)),
    async advance(byMs) {
      const untilMs = nowMs + byMs
      await settled()
      for (let timer = next(untilMs); timer !== undefined; timer = next(untilMs)) {
        timers.delete(timer)
        nowMs = Math.max(nowMs, timer.dueMs)
        timer.run()
        await settled()
      }
      nowMs = untilMs
    },
    pending: () => timers.size
  }
}

/** Lets everything run that waits for nothing but promises. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
