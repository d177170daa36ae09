import { readFile, readdir } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { errnoOf } from '../../src/platform/atomic-file.ts'
import { AnchormeshError } from '../../src/platform/errors.ts'
import { suggestion } from '../../src/policy/explain.ts'
import { CONFIG_CHARS_MAX, readYaml } from '../../src/policy/yaml-reader.ts'
import type { ConfigPath, PlainValue } from '../../src/policy/yaml-reader.ts'
import { problemText } from '../../src/policy/yaml.ts'
import type { ConfigOverride, ConfigProblem } from '../../src/policy/yaml.ts'
import { parseScenario } from '../scenario/parse.ts'
import type { Scenario } from '../scenario/schema.ts'

/** A scenario with all that it names. */
export interface LoadedScenario {
  readonly scenario: Scenario
  /** The texts of the files that it names, by the names that it has for them. */
  readonly files: Readonly<Record<string, string>>
}

// What is built stands in `dist`; the scenarios are not built.
const LIBRARY = join(import.meta.dirname.replace(/([/\\])dist[/\\](simulations[/\\]run)$/, '$1$2'), '..', 'scenarios')
const EXTENSION = '.yaml'

/**
 * Loads a file, or one of those that come with the project by its name (`split-brain`). Throws `CONFIG_INVALID` with
 * every problem, each as `file:line:column key: message`.
 */
export async function loadScenario(
  fileOrName: string,
  overrides: readonly ConfigOverride[] = []
): Promise<LoadedScenario> {
  const path = await pathOf(fileOrName)
  return await scenarioOf(await textOf(path), { file: path, folder: dirname(path) }, overrides)
}

/** The scenario that a text is, with the files that it names in `folder`. Throws as `loadScenario`. */
export async function scenarioOf(
  text: string,
  { file, folder }: { readonly file: string; readonly folder: string },
  overrides: readonly ConfigOverride[] = []
): Promise<LoadedScenario> {
  const parsed = parseScenario(text, file, overrides)
  if (!parsed.ok) throw scenarioInvalid(parsed.problems)
  const { scenario } = parsed
  const files: Record<string, string> = {}
  const problems: ConfigProblem[] = []
  for (const { name, path, check } of filesOf(scenario)) {
    const place = resolve(folder, name)
    const content = await readText(place)
    if (content === null) problems.push(parsed.problemAt(path, `names ${place}, which can't be read`))
    else {
      files[name] = content
      // Few scenarios name files, and reading theirs needs much that no other command does.
      const checks = await import('./named-files.ts')
      problems.push(...checks[check](content, place, scenario))
    }
  }
  if (problems.length > 0) throw scenarioInvalid(problems)
  return { scenario, files }
}

/** The names of the scenarios that come with the project. */
export async function scenarioNames(): Promise<readonly string[]> {
  const entries = await readdir(LIBRARY)
  return entries
    .filter((name) => name.endsWith(EXTENSION))
    .map((name) => basename(name, EXTENSION))
    .sort()
}

/** What `--set key=value` says: the key's path by dots, numbers of lists among them, and a value as YAML has it. */
export function settingOf(text: string): ConfigOverride {
  const [, key = '', value = ''] = /^([^=]+)=(.*)$/s.exec(text) ?? []
  const source = readYaml(`value: ${value}`)
  const { value: read } = source.value as { readonly value?: PlainValue }
  if (key === '' || source.faults.length > 0 || read === undefined) {
    throw new AnchormeshError('USAGE', `--set ${text} is not key=value`, {
      hint: 'Such as --set link.loss=0.01, --set faults.0.until=90s, --set ablate.antiEntropy=true.'
    })
  }
  const steps = key.split('.').map((step) => (/^\d{1,4}$/.test(step) ? Number(step) : step))
  return { path: steps, value: read, source: 'command line', name: `--set ${key}` }
}

interface NamedFile {
  readonly name: string
  readonly path: ConfigPath
  readonly check: 'topologyFileProblems' | 'linkMatrixProblems'
}

function filesOf({ topology, linkMatrix }: Scenario): readonly NamedFile[] {
  const files: NamedFile[] = []
  if (topology.kind === 'file')
    files.push({ name: topology.path, path: ['topology', 'path'], check: 'topologyFileProblems' })
  if (linkMatrix !== undefined) files.push({ name: linkMatrix, path: ['linkMatrix'], check: 'linkMatrixProblems' })
  return files
}

async function pathOf(fileOrName: string): Promise<string> {
  if (/[/\\.]/.test(fileOrName)) return resolve(fileOrName)
  const names = await scenarioNames()
  if (names.includes(fileOrName)) return join(LIBRARY, `${fileOrName}${EXTENSION}`)
  const { didYouMean } = suggestion(fileOrName, names)
  throw new AnchormeshError('USAGE', `${fileOrName} is neither a file nor a scenario that comes with Anchormesh`, {
    hint: didYouMean === undefined ? `There are ${names.join(', ')}.` : `Did you mean ${didYouMean}?`
  })
}

async function textOf(path: string): Promise<string> {
  const text = await readText(path)
  if (text !== null) return text
  throw new AnchormeshError('USAGE', `${path} can't be read`, {
    hint: 'It must be a YAML file, or the name of a scenario that comes with Anchormesh.'
  })
}

/** `null` where there is no such file, or it is one that nobody reads whole. */
async function readText(path: string): Promise<string | null> {
  try {
    const text = await readFile(path, 'utf8')
    return text.length <= CONFIG_CHARS_MAX * 16 ? text : null
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
    return null
  }
}

function scenarioInvalid(problems: readonly ConfigProblem[]): AnchormeshError {
  return new AnchormeshError('CONFIG_INVALID', problems.map(problemText).join('\n'), {
    hint: 'Each line names the file, line, column and key; simulations/README.md explains every key.',
    detail: { problems }
  })
}
