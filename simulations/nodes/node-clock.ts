import type { Clock } from '../../src/platform/clock.ts'
import { sleepOn } from '../ports/sleep.ts'
import type { SimulatedProcess } from '../world/simulated-process.ts'
import { timerMs } from '../world/timers.ts'
import type { VirtualTime } from '../world/virtual-time.ts'

/** The clock port of a node: what the clock of its machine shows, and timers that end with its process. */
export function nodeClock(time: VirtualTime, process: SimulatedProcess): Clock {
  const after: Clock['after'] = (delayMs, run) => time.afterMs(timerMs(delayMs), process, run)
  return {
    now: () => Math.floor(time.shownMs(process)),
    monotonicMs: () => time.monotonicMs(process),
    after,
    sleep: sleepOn(after)
  }
}
