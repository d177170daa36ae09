import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { RUN_FILES, readRunSummary } from '../results/run-files.ts'
import type { Parameters } from '../results/sweep.ts'
import type { RunJob } from './jobs.ts'
import { sweptRunFolder } from './result-folder.ts'
import { jobOf, seedsOf, spawnRuns } from './spawn-runs.ts'
import type { EndedRun, RunsOptions } from './spawn-runs.ts'
import type { RunEnd } from './spawn.ts'
import type { GridPoint, Sweep } from './sweep-file.ts'

export interface SweepOptions extends RunsOptions {
  /** What has been finished there is not run again. */
  readonly folder: string
  readonly extensions?: readonly string[]
}

/** A point of the grid with the folders of its runs that are finished. */
export interface SweptPoint {
  readonly parameters: Parameters
  readonly runFolders: readonly string[]
}

/** A run of a sweep, and the point of the grid where it belongs. */
export interface PlannedRun {
  readonly point: GridPoint
  readonly job: RunJob
}

export type SweptRun = PlannedRun & EndedRun

/** The runs of a sweep: those that were finished before, and those that are to be made. */
export interface SweepPlan {
  readonly finished: readonly PlannedRun[]
  readonly left: readonly PlannedRun[]
}

/** What is left to do of the sweep. */
export function planSweep(sweep: Sweep, { folder, extensions = [] }: SweepOptions): SweepPlan {
  const all = sweep.points.flatMap((point) =>
    seedsOf(sweep.firstSeed, sweep.runs).map((seed) => {
      const outDir = sweptRunFolder(folder, point.folder, seed)
      return { point, job: jobOf(point.loaded, seed, { extensions, outDir }), isFinished: isFinished(outDir) }
    })
  )
  return { finished: all.filter((run) => run.isFinished), left: all.filter((run) => !run.isFinished) }
}

/** The runs that were finished before, and how they ended, by what they left in their folders. */
export function* finishedRuns({ finished }: SweepPlan): Generator<SweptRun> {
  for (const planned of finished) {
    const { outDir } = planned.job
    if (outDir !== null) yield { ...planned, end: endIn(outDir) }
  }
}

/** Makes the runs that are left of a plan; see `spawnRuns`. */
export async function* runSweep({ left }: SweepPlan, options: SweepOptions): AsyncGenerator<SweptRun> {
  const planned = new Map(left.map((run) => [run.job, run]))
  for await (const { job, end } of spawnRuns([...planned.keys()], options)) {
    const run = planned.get(job)
    if (run === undefined) throw new Error('a run has ended that was not planned')
    yield { ...run, end }
  }
}

/** The points that have a finished run, with all of theirs. */
export function sweptPoints({ points, firstSeed, runs }: Sweep, folder: string): readonly SweptPoint[] {
  return points
    .map(({ parameters, folder: name }) => ({
      parameters,
      runFolders: seedsOf(firstSeed, runs)
        .map((seed) => sweptRunFolder(folder, name, seed))
        .filter(isFinished)
    }))
    .filter(({ runFolders }) => runFolders.length > 0)
}

// A run's folder appears when it is whole.
const isFinished = (folder: string): boolean => existsSync(join(folder, RUN_FILES.summary))

function endIn(folder: string): RunEnd {
  const summary = readRunSummary(folder)
  const failures = summary.failures.map(({ check, node, detail, time_s }) => ({
    check,
    ...(node === null ? {} : { node }),
    detail,
    atMs: Math.round(time_s * 1_000_000) / 1_000
  }))
  return { kind: 'done', traceHash: summary.trace.hash, failures, summary }
}
