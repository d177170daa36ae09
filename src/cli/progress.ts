import type { ProgressListener } from '../operations.ts'
import type { Clock } from '../platform/clock.ts'
import type { TextStream } from './output.ts'
import { figure } from './table.ts'

/** Often enough to look alive, seldom enough to cost nothing. */
const REDRAW_MS = 100

/** A line on the terminal that says how far long work is. */
export interface Progress {
  readonly report: ProgressListener
  /** Takes the line away; the answer follows. */
  readonly end: () => void
}

/** Progress of the work that `title` names, drawn only where `stream` is a terminal and `shown` is true. */
export function createProgress(title: string, stream: TextStream, clock: Clock, shown: boolean): Progress {
  if (!shown || stream.isTTY !== true) return { report: () => {}, end: () => {} }
  const startedMs = clock.monotonicMs()
  let drawnMs = Number.NEGATIVE_INFINITY
  let drawn = false
  return {
    report: ({ done, total, unit }) => {
      const nowMs = clock.monotonicMs()
      if (nowMs - drawnMs < REDRAW_MS) return
      drawnMs = nowMs
      drawn = true
      const share = total === null || total === 0 ? '' : ` of ${figure(total)} (${Math.floor((100 * done) / total)} %)`
      const seconds = Math.floor((nowMs - startedMs) / 1000)
      const text = `${title}: ${figure(done)}${share} ${unit}, ${seconds} s`
      stream.write(`\r\x1b[2K${text.slice(0, Math.max(20, (stream.columns ?? 80) - 1))}`)
    },
    end: () => {
      if (drawn) stream.write('\r\x1b[2K')
    }
  }
}
