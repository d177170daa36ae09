import { constants } from 'node:fs'
import type { Dirent } from 'node:fs'
import { access, mkdir, readFile, readdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { errnoOf } from '../../src/platform/atomic-file.ts'
import { AnchormeshError } from '../../src/platform/errors.ts'
import { EXPERIMENT_FILES, writeExperimentFiles } from '../results/experiment-files.ts'
import type { ExperimentSummary } from '../results/experiment.ts'
import type { SweepSummary } from '../results/sweep.ts'
import { configurationOf, differenceFrom, finishedRunsIn, makingOf } from './finished-runs.ts'
import type { FinishedRun, MadeOf, Making } from './finished-runs.ts'
import { SEED_PATTERN } from './seed.ts'
import { UNFINISHED } from './spawn-runs.ts'
import type { EndedRun } from './spawn-runs.ts'
import { POINT_FOLDER_PATTERN } from './sweep-file.ts'

/** What results are of: what is run, or a sweep by its name. */
export type ResultsOf = ({ readonly kind: 'experiment' } & MadeOf) | { readonly kind: 'sweep'; readonly name: string }

/** Holds a folder for each run. */
const RUNS = 'runs'
const SEED_PREFIX = 'seed-'

// So that what is wrong fits on a line or two, however many runs there are.
const NAMED_SEEDS_MAX = 10

/** The folder of the run with this seed among the results of an experiment. */
export function runFolder(folder: string, seed: string): string {
  return join(folder, RUNS, `${SEED_PREFIX}${seed}`)
}

/** The folder of the run with this seed at a point of a sweep. */
export function sweptRunFolder(folder: string, point: string, seed: string): string {
  return join(folder, RUNS, point, `${SEED_PREFIX}${seed}`)
}

/**
 * Makes the folder, where there is none. Throws `USAGE` unless results may and can be written to it: it is empty, or
 * holds results of the same.
 */
export async function prepareResultFolder(folder: string, results: ResultsOf): Promise<void> {
  await assertFree(folder, results)
  if (results.kind === 'experiment') await assertSameRuns(folder, results)
  try {
    await make(folder)
    await access(folder, constants.W_OK)
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === undefined) throw error
    throw taken(folder, `can't be written: ${errno}`)
  }
}

/** Of how many runs a report is, and how many of them were there before those that were just made. */
export interface Reported {
  readonly runs: number
  readonly before: number
}

/**
 * Writes what came of runs of one scenario together, and of those like them that are in the folder already. `null` where
 * none of them left files to make that from.
 */
export function writeReport(folder: string, runs: readonly EndedRun[]): Reported | null {
  const made = new Map<string | null, Making>()
  for (const { job, end } of runs) if (end.kind === 'done') made.set(job.outDir, end.summary)
  const [making] = made.values()
  if (making === undefined) return null
  const there = finishedRuns(folder).filter((run) => differenceFrom(making, run) === null)
  writeExperimentFiles(
    folder,
    there.map((run) => run.folder)
  )
  return { runs: there.length, before: there.filter((run) => !made.has(run.folder)).length }
}

function finishedRuns(folder: string): readonly FinishedRun[] {
  return finishedRunsIn(join(folder, RUNS), (seed) => basename(runFolder(folder, seed)))
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
  const entries = (await entriesOf(folder, folder)).map(({ name }) => name)
  if (entries.length === 0) return
  if (entries.length === 1 && entries[0] === RUNS) return await assertOwnRuns(folder, results)
  const summary = entries.includes(EXPERIMENT_FILES.summary)
    ? summaryIn(await readFile(join(folder, EXPERIMENT_FILES.summary), 'utf8'))
    : null
  if (summary?.kind !== 'experiment' && summary?.kind !== 'sweep')
    throw taken(folder, 'holds something else than results of simulations')
  if (!isOfSame(summary, results)) throw taken(folder, `holds results of another ${summary.kind}`)
}

/** Where no run was finished `runs` stands alone, as it may in a folder of anybody's. */
async function assertOwnRuns(folder: string, { kind }: ResultsOf): Promise<void> {
  const entries = await entriesOf(folder, join(folder, RUNS))
  if (kind === 'experiment') {
    if (!entries.every(isOfRun)) throw taken(folder, 'holds something else than runs of a scenario')
    return
  }
  for (const point of entries) {
    const isPoint = point.isDirectory() && POINT_FOLDER_PATTERN.test(point.name)
    if (!isPoint || !(await entriesOf(folder, join(folder, RUNS, point.name))).every(isOfRun))
      throw taken(folder, 'holds something else than runs of a sweep')
  }
}

function isOfRun(entry: Dirent): boolean {
  const { name } = entry
  const whole = name.endsWith(UNFINISHED) ? name.slice(0, -UNFINISHED.length) : name
  return entry.isDirectory() && name.startsWith(SEED_PREFIX) && SEED_PATTERN.test(whole.slice(SEED_PREFIX.length))
}

function isOfSame(summary: ExperimentSummary | SweepSummary, results: ResultsOf): boolean {
  if (results.kind === 'sweep') return summary.kind === 'sweep' && summary.name === results.name
  return summary.kind === 'experiment' && isDeepStrictEqual(summary.configuration, configurationOf(results.scenario))
}

/** Runs that were made otherwise say something else: no mean may be of both. */
async function assertSameRuns(folder: string, made: MadeOf): Promise<void> {
  const there = finishedRuns(folder)
  if (there.length === 0) return
  const making = await makingOf(made)
  const others = Map.groupBy(there, (run) => differenceFrom(making, run))
  for (const [difference, runs] of others) {
    if (difference === null) continue
    throw taken(folder, `holds runs ${difference}: ${seedsText(runs.map(({ seed }) => seed))}`)
  }
}

function seedsText(seeds: readonly string[]): string {
  const named = seeds.slice(0, NAMED_SEEDS_MAX).join(', ')
  const more = seeds.length - NAMED_SEEDS_MAX
  return `${seeds.length === 1 ? 'seed' : 'seeds'} ${named}${more > 0 ? ` and ${more} more` : ''}`
}

async function entriesOf(folder: string, path: string): Promise<readonly Dirent[]> {
  try {
    return await readdir(path, { withFileTypes: true })
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
