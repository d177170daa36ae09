import { pathToFileURL } from 'node:url'
import { resolve } from 'node:path'
import { prepareResultFolder, runFolder, writeReport } from './run/result-folder.ts'
import { inOrder, jobOf, seedsOf, spawnRuns } from './run/spawn-runs.ts'
import type { EndedRun } from './run/spawn-runs.ts'
import type { RunProgress } from './run/spawn.ts'
import { loadScenario, scenarioOf } from './run/load.ts'
import type { LoadedScenario } from './run/load.ts'
import type { ScenarioFile } from './scenario/schema.ts'

/**
 * `anchormesh/simulations`: runs of whole nodes in virtual time, for experiments of one's own. Each run has a process of
 * its own, which loads `extensions` by itself.
 */

export type { JsonObject, JsonValue } from '../protocols/canonical-json/v1/json.ts'
export type { RunSummary } from './results/run-summary.ts'
export type { FailureAt } from './run/jobs.ts'
export type {
  Check,
  Failure,
  Ledger,
  SimulatedNode,
  Simulation,
  SimulationExtension,
  Trace,
  WorkloadDriver
} from './model/simulation.ts'
export type { RunEnd, RunProgress } from './run/spawn.ts'
export type { ScenarioFile } from './scenario/schema.ts'
export { runTwice } from './run/compare.ts'

export interface SimulateOptions {
  /** Of the first run, default `1`: letters, digits, `.`, `_` and `-`, at most 64. */
  readonly seed?: string
  /** Default 1; each has another seed. */
  readonly runs?: number
  /** How many run side by side; default: as many as there are cores. */
  readonly jobs?: number
  /** Modules that `export const simulation: SimulationExtension`, by URL (`import.meta.url`) or path. */
  readonly extensions?: readonly string[]
  /** Where traces, figures and the report are written: a new folder, or that of the same scenario; default: nowhere. */
  readonly out?: string
  readonly traceFrames?: boolean
  /** Ends the runs; those that are finished stay, with their report. */
  readonly signal?: AbortSignal
  readonly onProgress?: (seed: string, progress: RunProgress) => void
}

/** A run by its seed, and how it ended: `done` with its failures, or `broken`. */
export interface SimulatedRun {
  readonly seed: string
  readonly end: EndedRun['end']
}

/**
 * Runs a scenario: as an object, as a file by its path, or by the name of one that comes with Anchormesh. Throws
 * `CONFIG_INVALID` with every problem of it, `USAGE` for an option, file or folder that can't be, and the reason of the
 * signal.
 */
export async function simulate(
  scenario: ScenarioFile | string,
  options: SimulateOptions = {}
): Promise<readonly SimulatedRun[]> {
  const { seed = '1', runs = 1, jobs: parallel, out, traceFrames = false, signal, onProgress = () => {} } = options
  const seeds = seedsOf(seed, runs)
  const extensions = (options.extensions ?? []).map(urlOf)
  const loaded = await load(scenario)
  const folder = out === undefined ? null : resolve(out)
  const jobs = seeds.map((own) =>
    jobOf(loaded, own, { extensions, traceFrames, outDir: folder === null ? null : runFolder(folder, own) })
  )
  const report = (job: { readonly seed: string }, progress: RunProgress): void => onProgress(job.seed, progress)
  const ending = spawnRuns(jobs, { parallel, signal, onProgress: report })
  if (folder !== null) await prepareResultFolder(folder, { kind: 'experiment', ...loaded, extensions })
  const ended: EndedRun[] = []
  try {
    for await (const each of ending) ended.push(each)
  } finally {
    // What is finished stays, also where the rest was interrupted.
    if (folder !== null) writeReport(folder, inOrder(jobs, ended))
  }
  return inOrder(jobs, ended).map(({ job, end }) => ({ seed: job.seed, end }))
}

async function load(scenario: ScenarioFile | string): Promise<LoadedScenario> {
  if (typeof scenario === 'string') return await loadScenario(scenario)
  // JSON is YAML, and problems are found as in a file.
  return await scenarioOf(JSON.stringify(scenario, null, 2), { file: 'the scenario', folder: process.cwd() })
}

function urlOf(module: string): string {
  return URL.canParse(module) ? module : pathToFileURL(resolve(module)).href
}
