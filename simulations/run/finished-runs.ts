import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { RUN_FILES } from '../results/run-files.ts'
import { hashesOf } from '../results/run-summary.ts'
import type { RunSummary } from '../results/run-summary.ts'
import type { Scenario } from '../scenario/schema.ts'
import { writtenScenario } from '../scenario/written.ts'
import { marksOf } from './extensions.ts'
import { programVersion } from './program-version.ts'

/** All that decides what happens in a run, but its seed; and how runs that differ in it are told apart. */
const DIFFERENCES = {
  configuration: 'of another scenario',
  versions: 'of another version',
  files: 'with other files',
  extensions: 'with other extensions'
} as const

/** What runs are made of. */
export type Making = Pick<RunSummary, keyof typeof DIFFERENCES>

/** A run that is finished, by what it left in its folder. */
export interface FinishedRun extends Making {
  readonly seed: string
  readonly folder: string
}

/** What is run, as a scenario is loaded, with modules by URL. */
export interface MadeOf {
  readonly scenario: Scenario
  readonly files: Readonly<Record<string, string>>
  readonly extensions: readonly string[]
}

/** The scenario as summaries have it. */
export function configurationOf(scenario: Scenario): Making['configuration'] {
  // Members without a value are none in a file.
  return JSON.parse(JSON.stringify(writtenScenario(scenario))) as Making['configuration']
}

/** What runs are made of that this program makes, as their summaries have it. */
export async function makingOf({ scenario, files, extensions }: MadeOf): Promise<Making> {
  const { version, commit } = await programVersion()
  return {
    configuration: configurationOf(scenario),
    versions: { anchormesh: version, commit, node: process.version },
    files: hashesOf(files),
    extensions: await marksOf(extensions)
  }
}

/** How a run is another than those made of this, in words; `null`: but for the seed it is the same. */
export function differenceFrom(making: Making, run: Making): string | null {
  const isOther = (name: keyof Making): boolean => !isDeepStrictEqual(run[name], making[name])
  const different = (Object.keys(DIFFERENCES) as (keyof Making)[]).find(isOther)
  return different === undefined ? null : DIFFERENCES[different]
}

/** Those that `folder` holds, by their seeds in the order in which one after the other is drawn. */
export function finishedRunsIn(folder: string, nameOf: (seed: string) => string): readonly FinishedRun[] {
  if (!existsSync(folder)) return []
  const found = readdirSync(folder).flatMap((name) => {
    const summary = summaryIn(join(folder, name, RUN_FILES.summary))
    // What was broken off may be whole, but lies beside its place.
    if (summary?.kind !== 'run' || nameOf(summary.seed) !== name) return []
    const { seed, configuration, versions, files, extensions } = summary
    return [{ seed, folder: join(folder, name), configuration, versions, files, extensions }]
  })
  return found.toSorted((one, other) => (placeOf(one.seed) < placeOf(other.seed) ? -1 : 1))
}

/** Seeds in the order of the numbers in them, which are at most as long as a seed; those with equal numbers as texts. */
const placeOf = (seed: string): string => `${seed.replaceAll(/\d+/g, (digits) => digits.padStart(64, '0'))} ${seed}`

/** `null` for what is none. */
function summaryIn(path: string): RunSummary | null {
  if (!existsSync(path)) return null
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as RunSummary | null
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}
