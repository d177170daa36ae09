import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { z } from 'zod'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import { errnoOf } from '../../src/platform/atomic-file.ts'
import { AnchormeshError } from '../../src/platform/errors.ts'
import { count, text } from '../../src/policy/schema-values.ts'
import { parseConfig, problemText } from '../../src/policy/yaml.ts'
import type { ConfigProblem } from '../../src/policy/yaml.ts'
import type { ModuleMark } from '../results/run-record.ts'
import type { Parameters } from '../results/sweep.ts'
import { marksOf } from './extensions.ts'
import { programVersion } from './program-version.ts'
import type { ProgramVersion } from './program-version.ts'
import { SEED_PATTERN } from './seed.ts'
import { loadScenario, settingOf } from './load.ts'
import type { LoadedScenario } from './load.ts'
import { writtenScenario } from '../scenario/written.ts'

const parameter = z.union([z.string(), z.number(), z.boolean()], 'is no text, number, true or false')

/** What a sweep file says. Keys of `set` and `grid` are those of `--set`. */
const sweepSchema = z.strictObject({
  v: z.literal(1),
  name: text.regex(/^[a-z0-9-]+$/, 'is not a name (lower-case letters, digits and -)'),
  /** A file, from this one's folder, or the name of one that comes with Anchormesh. */
  scenario: text,
  firstSeed: z
    .union([z.string(), z.int()])
    .refine((seed) => SEED_PATTERN.test(String(seed)), 'is no seed (letters, digits, . _ and -, at most 64)')
    .default('1'),
  runs: count(1, 10_000).default(10),
  /** The same at all points. */
  set: z.record(z.string(), parameter).default({}),
  /** Each value of each with each of the others. */
  grid: z
    .record(z.string(), z.array(parameter).min(1, 'is empty').superRefine(noneTwice))
    .refine((grid) => Object.keys(grid).length > 0, 'is empty: give a key and its values, such as link.loss: [0, 0.05]')
})

/** The same point twice would be the same runs in the same folders. */
function noneTwice(values: readonly unknown[], context: z.RefinementCtx): void {
  for (const [index, one] of values.entries()) {
    const message = `is ${String(one)} a second time`
    if (values.indexOf(one) < index) context.addIssue({ code: 'custom', path: [index], message })
  }
}

/** A place in the grid of a sweep. */
export interface GridPoint {
  readonly parameters: Parameters
  /** What of the scenario is otherwise there, in the form of `--set`. */
  readonly settings: readonly string[]
  readonly loaded: LoadedScenario
  /** A name for its folder: another one for whatever else is run. */
  readonly folder: string
}

export interface Sweep {
  readonly name: string
  /** The scenario: its file, or its name. */
  readonly source: string
  readonly firstSeed: string
  readonly runs: number
  readonly points: readonly GridPoint[]
}

const POINTS_MAX = 10_000

/** Reads a sweep with the scenario at each of its points, to be run with these modules. Throws `CONFIG_INVALID`, `USAGE`. */
export async function loadSweep(file: string, extensions: readonly string[] = []): Promise<Sweep> {
  const path = resolve(file)
  const parsed = parseConfig(await textOf(path), path, sweepSchema)
  if (!parsed.ok) throw invalid(parsed.problems.map(problemText).join('\n'))
  const { name, scenario, firstSeed, runs, set, grid } = parsed.value
  const places = product(grid)
  if (places.length > POINTS_MAX) throw invalid(`${path} grid: has ${places.length} points, more than ${POINTS_MAX}`)
  const source = /[/\\.]/.test(scenario) ? resolve(dirname(path), scenario) : scenario
  const by = { program: await programVersion(), extensions: await marksOf(extensions) }
  const points: GridPoint[] = []
  for (const parameters of places) {
    const settings = Object.entries({ ...set, ...parameters }).map(([key, to]) => `${key}=${String(to)}`)
    const loaded = await loadScenario(source, settings.map(settingOf)).catch((error: unknown) => {
      throw inSweep(error, (key, message) => {
        const [values, value] = [grid[key], parameters[key]]
        const isInGrid = values !== undefined && value !== undefined
        return parsed.problemAt(isInGrid ? ['grid', key, values.indexOf(value)] : ['set', key], message)
      })
    })
    points.push({ parameters, settings, loaded, folder: folderOf(parameters, loaded, by) })
  }
  return { name, source, firstSeed: String(firstSeed), runs, points }
}

/** Every choice of one value for each key, the last key changing fastest. */
function product(grid: Readonly<Record<string, readonly (string | number | boolean)[]>>): readonly Parameters[] {
  return Object.entries(grid).reduce<readonly Parameters[]>(
    (chosen, [key, values]) => chosen.flatMap((before) => values.map((next) => ({ ...before, [key]: next }))),
    [{}]
  )
}

/** What runs are made by. */
interface MadeBy {
  readonly program: ProgramVersion
  readonly extensions: readonly ModuleMark[]
}

/** How all names that `folderOf` gives look. */
export const POINT_FOLDER_PATTERN = /^[\w.=,-]{1,100}-[\da-f]{12}$/

/** Runs that are made by something else do not belong to the same sweep. */
function folderOf(parameters: Parameters, { scenario, files }: LoadedScenario, by: MadeBy): string {
  const shown = Object.entries(parameters).map(([key, to]) => `${key}=${String(to)}`)
  const readable = shown
    .join(',')
    .replaceAll(/[^\w.=,-]/g, '_')
    .slice(0, 100)
  const digest = sha256Hex(JSON.stringify([writtenScenario(scenario), files, by]))
  return `${readable}-${digest.slice(0, 12)}`
}

/** What is wrong with a scenario by what the sweep sets, at its place in the sweep. */
function inSweep(error: unknown, problemAt: (key: string, message: string) => ConfigProblem): unknown {
  if (!(error instanceof AnchormeshError) || error.code !== 'CONFIG_INVALID') return error
  const { problems } = error.detail as { readonly problems: readonly ConfigProblem[] }
  const texts = problems.map((problem) => {
    const [, key] = /^--set (.*)$/.exec(problem.line === null ? problem.key : '') ?? []
    return problemText(key === undefined ? problem : { ...problem, ...problemAt(key, problem.message) })
  })
  return invalid(texts.join('\n'))
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === undefined) throw error
    throw new AnchormeshError('USAGE', `${path} can't be read: ${errno}`, {
      hint: 'It must be the YAML file of a sweep.'
    })
  }
}

function invalid(message: string): AnchormeshError {
  return new AnchormeshError('CONFIG_INVALID', message, {
    hint: 'simulations/README.md explains sweeps and their keys.'
  })
}
