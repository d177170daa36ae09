import type { Clock } from '../../src/platform/clock.ts'
import type { SimulatedProcess } from '../world/simulated-process.ts'
import { timerMs } from '../world/timers.ts'
import type { VirtualTime } from '../world/virtual-time.ts'

/** The clock port of a node: what the clock of its machine shows, and timers that end with its process. */
export function nodeClock(time: VirtualTime, process: SimulatedProcess): Clock {
  return {
    now: () => Math.floor(time.shownMs(process)),
    monotonicMs: () => time.monotonicMs(process),
    after: (delayMs, run) => time.afterMs(timerMs(delayMs), process, run),
    sleep: (delayMs, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted === true) {
          reject(signal.reason as Error)
          return
        }
        const onAbort = (): void => {
          cancel()
          reject(signal?.reason as Error)
        }
        const cancel = time.afterMs(timerMs(delayMs), process, () => {
          signal?.removeEventListener('abort', onAbort)
          resolve()
        })
        signal?.addEventListener('abort', onAbort, { once: true })
      })
  }
}
