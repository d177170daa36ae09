import { Signal } from '../platform/signal.ts'

/** What copies and successors of an event look at, and wait for, while it is judged. */
export interface Judging {
  /** The event is neither in the log nor waits to be written, and so nothing that follows it is. `false` says nothing. */
  isNew: boolean
  /** The event waits to be written, or was refused. */
  readonly queued: Signal
  readonly ended: Signal
}

/** The state of an event of which nothing is known yet. */
export function startJudging(): Judging {
  return { isNew: false, queued: new Signal(), ended: new Signal() }
}
