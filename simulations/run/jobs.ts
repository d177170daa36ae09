import type { ScenarioFile } from '../scenario/schema.ts'
import type { Failure } from '../model/simulation.ts'

/** What the process of a run is told by the one that starts it: JSON over the IPC channel. */

/** One run: everything that decides what happens in it. */
export interface RunJob {
  /** As written, defaults included or not. */
  readonly scenario: ScenarioFile
  /** The texts of the files that the scenario names (topology, matrix of links), by the names that it has for them. */
  readonly files: Readonly<Record<string, string>>
  readonly seed: string
  /** The folder, made already, for the result files of this run; `null` where none are wanted. */
  readonly outDir: string | null
  /** Whether the trace holds each frame. */
  readonly traceFrames: boolean
  /** Modules that export a `simulation: SimulationExtension`, by URL. */
  readonly extensions: readonly string[]
}

/** What is wrong, and when. */
export interface FailureAt extends Failure {
  /** Virtual milliseconds since the nodes ran. */
  readonly atMs: number
}

/**
 * The job of this process; it comes as its first message. From now on the process lives for as long as the one that
 * started it wants it: Ctrl-C in a terminal reaches both, and nobody asks for a run whose parent has gone.
 */
export function receiveJob(): Promise<RunJob> {
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => {})
  process.once('disconnect', () => process.exit(1))
  return new Promise((resolve) => process.once('message', (job) => resolve(job as RunJob)))
}
