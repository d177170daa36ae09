import { systemClock } from '../../src/platform/clock.ts'
import type { Clock } from '../../src/platform/clock.ts'

/** A real clock that runs `times` as fast, for what takes minutes between real nodes. */
export function createFastClock(times: number): Clock {
  const startMs = systemClock.now()
  return {
    now: () => startMs + (systemClock.now() - startMs) * times,
    monotonicMs: () => systemClock.monotonicMs() * times,
    after: (delayMs, run) => systemClock.after(delayMs / times, run),
    sleep: (delayMs, signal) => systemClock.sleep(delayMs / times, signal)
  }
}
