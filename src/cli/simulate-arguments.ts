import { existsSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { resolve } from 'node:path'
import { InvalidArgumentError } from 'commander'
import type { Command } from 'commander'
import { SEED_PATTERN } from '../../simulations/run/seed.ts'
import { loadScenario, settingOf } from '../../simulations/run/load.ts'
import type { LoadedScenario } from '../../simulations/run/load.ts'
import type { Scenario } from '../../simulations/scenario/schema.ts'
import { AnchormeshError } from '../platform/errors.ts'
import type { ConfigOverride } from '../policy/yaml.ts'
import { countArgument, listArgument } from './arguments.ts'

/** What of a scenario the command line changes, and what it adds. */
export interface ScenarioOptions {
  readonly nodes?: number
  readonly level?: 'full' | 'gossip'
  readonly set?: readonly string[]
  readonly extension?: readonly string[]
}

export function addScenarioOptions(command: Command): Command {
  command
    .option('--nodes <count>', 'so many nodes', countArgument)
    .option('--level <level>', 'how much of libp2p: full or gossip', levelArgument)
    .option('--set <key=value>', 'another value of the scenario, as link.loss=0.01 (again for more)', listArgument)
  return addExtensionOption(command)
}

export function addExtensionOption(command: Command): Command {
  return command.option(
    '--extension <module>',
    'a module with checks and workloads of one’s own (again for more)',
    listArgument
  )
}

export function seedArgument(text: string): string {
  if (SEED_PATTERN.test(text)) return text
  throw new InvalidArgumentError('A seed has letters, digits, . _ and -, at most 64.')
}

/** Loads the scenario as the options have it. Throws `CONFIG_INVALID`, `USAGE`. */
export async function loadWith(scenario: string, options: ScenarioOptions): Promise<LoadedScenario> {
  return await loadScenario(scenario, overridesOf(options))
}

/** The modules as URLs. Throws `USAGE` where there is none. */
export function modulesOf({ extension = [] }: Pick<ScenarioOptions, 'extension'>): readonly string[] {
  return extension.map((module) => {
    const path = resolve(module)
    if (existsSync(path)) return pathToFileURL(path).href
    throw new AnchormeshError('USAGE', `there is no module ${path}`, { hint: 'Give the path of a file.' })
  })
}

/** The modules as URLs. Throws `USAGE` where there is none, or it is not what the scenarios need. */
export async function extensionsOf(
  options: Pick<ScenarioOptions, 'extension'>,
  scenarios: readonly Scenario[]
): Promise<readonly string[]> {
  const urls = modulesOf(options)
  const { assertExtensions } = await import('../../simulations/run/extensions.ts')
  for (const scenario of scenarios) await assertExtensions(urls, scenario)
  return urls
}

/** The command that shows the run with this seed again, as somebody would type it. */
export function againText(scenario: string, seed: string, options: ScenarioOptions): string {
  const { nodes, level, set = [], extension = [] } = options
  return [
    `anchormesh simulate ${quoted(scenario)} --seed ${seed}`,
    ...(nodes === undefined ? [] : [`--nodes ${nodes}`]),
    ...(level === undefined ? [] : [`--level ${level}`]),
    ...set.map((setting) => `--set ${quoted(setting)}`),
    ...extension.map((module) => `--extension ${quoted(module)}`)
  ].join(' ')
}

function overridesOf({ nodes, level, set = [] }: ScenarioOptions): readonly ConfigOverride[] {
  const flag = (key: string, value: string | number | undefined): readonly ConfigOverride[] =>
    value === undefined ? [] : [{ path: [key], value, source: 'command line', name: `--${key}` }]
  return [...set.map(settingOf), ...flag('nodes', nodes), ...flag('level', level)]
}

function levelArgument(text: string): 'full' | 'gossip' {
  if (text === 'full' || text === 'gossip') return text
  throw new InvalidArgumentError('It is full or gossip.')
}

const quoted = (text: string): string => (/^[\w./:=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`)
