import { constants } from 'node:fs'
import { access, mkdir, readFile, readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { errnoOf } from '../../src/platform/atomic-file.ts'
import { AnchormeshError } from '../../src/platform/errors.ts'
import { EXPERIMENT_FILES, writeExperimentFiles } from '../results/experiment-files.ts'
import type { ExperimentSummary } from '../results/experiment.ts'
import type { SweepSummary } from '../results/sweep.ts'
import type { Scenario } from '../scenario/schema.ts'
import { writtenScenario } from '../scenario/written.ts'
import type { EndedRun } from './spawn-runs.ts'

/** What results are of: a scenario as it was run, or a sweep by its name. */
export type ResultsOf =
  { readonly kind: 'experiment'; readonly scenario: Scenario } | { readonly kind: 'sweep'; readonly name: string }

/** Holds a folder for each run. */
const RUNS = 'runs'

/** The folder of the run with this seed among the results of an experiment. */
export function runFolder(folder: string, seed: string): string {
  return join(folder, RUNS, `seed-${seed}`)
}

/** The folder of the run with this seed at a point of a sweep. */
export function sweptRunFolder(folder: string, point: string, seed: string): string {
  return join(folder, RUNS, point, `seed-${seed}`)
}

/**
 * Makes the folder, where there is none. Throws `USAGE` unless results may and can be written to it: it is empty, or
 * holds results of the same.
 */
export async function prepareResultFolder(folder: string, results: ResultsOf): Promise<void> {
  await assertFree(folder, results)
  try {
    await make(folder)
    await access(folder, constants.W_OK)
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === undefined) throw error
    throw taken(folder, `can't be written: ${errno}`)
  }
}

/** Writes what came of runs of one scenario together. Answers whether any of them left files to make that from. */
export function writeReport(folder: string, runs: readonly EndedRun[]): boolean {
  const written = runs.flatMap(({ job, end }) => (end.kind === 'done' ? (job.outDir ?? []) : []))
  if (written.length > 0) writeExperimentFiles(folder, written)
  return written.length > 0
}

/** One after the other: in `/proc`, where nothing can be made, making all at once never ends. */
async function make(folder: string): Promise<void> {
  try {
    await mkdir(folder)
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'EEXIST') return
    if (errno !== 'ENOENT' || (await isThere(dirname(folder)))) throw error
    await make(dirname(folder))
    await mkdir(folder)
  }
}

async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    (error: unknown) => {
      if (errnoOf(error) === undefined) throw error
      return false
    }
  )
}

async function assertFree(folder: string, results: ResultsOf): Promise<void> {
  const entries = await entriesOf(folder)
  if (entries.length === 0 || (entries.length === 1 && entries[0] === RUNS)) return
  const summary = entries.includes(EXPERIMENT_FILES.summary)
    ? summaryIn(await readFile(join(folder, EXPERIMENT_FILES.summary), 'utf8'))
    : null
  if (summary?.kind !== 'experiment' && summary?.kind !== 'sweep')
    throw taken(folder, 'holds something else than results of simulations')
  if (!isOfSame(summary, results)) throw taken(folder, `holds results of another ${summary.kind}`)
}

function isOfSame(summary: ExperimentSummary | SweepSummary, results: ResultsOf): boolean {
  if (results.kind === 'sweep') return summary.kind === 'sweep' && summary.name === results.name
  // Members without a value are none in a file.
  const scenario: unknown = JSON.parse(JSON.stringify(writtenScenario(results.scenario)))
  return summary.kind === 'experiment' && isDeepStrictEqual(summary.configuration, scenario)
}

async function entriesOf(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'ENOENT') return []
    if (errno === 'ENOTDIR') throw taken(folder, 'is no folder')
    throw error
  }
}

/** `null` for what is none. */
function summaryIn(text: string): ExperimentSummary | SweepSummary | null {
  try {
    return JSON.parse(text) as ExperimentSummary | SweepSummary | null
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}

function taken(folder: string, why: string): AnchormeshError {
  return new AnchormeshError('USAGE', `${folder} ${why}`, { hint: 'Choose another folder for these results.' })
}
