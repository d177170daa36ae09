import type { Clock } from './clock.ts'
import { sleepByTimer } from './clock.ts'
import type { Random } from './random.ts'

/**
 * The clock of whichever runtime this is, browsers too. Other than those of `systemClock`, its timers keep a process of
 * Node alive: an app that waits to connect again has something to do.
 */
export const portableClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs)
    return () => clearTimeout(timer)
  },
  sleep: sleepByTimer
}

/** Web Crypto, which browsers and Node have alike. */
export const portableRandom: Random = {
  bytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
  fraction: () => Math.random()
}
