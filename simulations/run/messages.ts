import type { RunSummary } from '../results/run-summary.ts'
import type { FailureAt } from './jobs.ts'

/** What a run says of itself while it goes on, and when it is over. */
export type RunMessage =
  | {
      readonly kind: 'progress'
      /** Virtual milliseconds since the nodes ran, and at which the run is over. */
      readonly virtualMs: number
      readonly ofMs: number
    }
  | {
      readonly kind: 'done'
      /** SHA-256 of the trace's uncompressed bytes, in hex. */
      readonly traceHash: string
      readonly failures: readonly FailureAt[]
      /** What stands in `summary.json`. */
      readonly summary: RunSummary
    }
  /** There was no run: an extension can't be loaded, or the simulator itself is wrong. */
  | { readonly kind: 'broken'; readonly detail: string }

/** Resolves when the message has left the process, which may end then. */
export function tellParent(message: RunMessage): Promise<void> {
  return new Promise((resolve, reject) => {
    if (process.send === undefined) throw new Error('a run has a process of its own that another one starts')
    process.send(message, undefined, {}, (error) => (error === null ? resolve() : reject(error)))
  })
}
