import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import { AnchormeshError, messageOf } from '../../src/platform/errors.ts'
import { suggestion } from '../../src/policy/explain.ts'
import type { SimulationExtension } from '../model/simulation.ts'
import type { ModuleMark } from '../results/run-record.ts'
import type { Scenario } from '../scenario/schema.ts'

/** The extension that a module exports. Throws `USAGE` with what is wrong with it. */
export async function extensionAt(url: string): Promise<SimulationExtension> {
  const module = await moduleAt(url)
  const { simulation } = module
  if (simulation === undefined) {
    const exported = Object.keys(module)
    const instead = exported.length === 0 ? 'nothing' : exported.join(', ')
    throw wrong(url, `exports no \`simulation\`, but ${instead}`, FORM)
  }
  const problem = problemOf(simulation)
  if (problem !== null) throw wrong(url, problem, FORM)
  return simulation as SimulationExtension
}

/** Throws `USAGE` unless all modules are extensions and one of them has each workload that the scenario names. */
export async function assertExtensions(urls: readonly string[], { workload }: Scenario): Promise<void> {
  const extensions = await Promise.all(urls.map(extensionAt))
  const there = extensions.flatMap(({ workloads = {} }) => Object.keys(workloads))
  for (const [index, load] of workload.entries()) {
    if (load.kind !== 'own' || there.includes(load.name)) continue
    const { didYouMean } = suggestion(load.name, there)
    const known = there.length === 0 ? 'Name the module that has it by --extension.' : `There are ${there.join(', ')}.`
    throw new AnchormeshError('USAGE', `workload[${index}].name: no extension has a workload named ${load.name}`, {
      hint: didYouMean === undefined ? known : `Did you mean ${didYouMean}?`
    })
  }
}

/** Which modules these are, by their URLs. */
export async function marksOf(urls: readonly string[]): Promise<readonly ModuleMark[]> {
  return await Promise.all(
    urls.map(async (url) => {
      // Others, as `data:`, are all that they hold.
      const { protocol } = new URL(url)
      if (protocol !== 'file:') return { name: protocol, sha256: sha256Hex(url) }
      const path = fileURLToPath(url)
      return { name: basename(path), sha256: sha256Hex(await readFile(path)) }
    })
  )
}

const FORM =
  'It exports `simulation`: an object with `checks`, `workloads` or both; simulations/README.md shows an example.'

async function moduleAt(url: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return (await import(url)) as Readonly<Record<string, unknown>>
  } catch (error) {
    const place = error instanceof Error ? placeIn(url, error) : ''
    const hint =
      error instanceof SyntaxError ? `node --check ${nameOf(url)} shows where.` : 'It has to load by itself in Node.'
    throw wrong(url, `${place}can't be loaded: ${messageOf(error)}`, hint)
  }
}

/** Line and column, where the module itself threw. */
function placeIn(url: string, { stack = '' }: Error): string {
  const [, rest = ''] = stack.split(`${nameOf(url)}:`)
  const [place = ''] = /^\d+:\d+/.exec(rest) ?? []
  return place === '' ? '' : `:${place} `
}

/** What keeps a value from being an extension; `null`: nothing. */
function problemOf(simulation: unknown): string | null {
  if (!isObject(simulation)) return '`simulation` is no object'
  const { checks = [], workloads = {}, ...others } = simulation
  const [other] = Object.keys(others)
  if (other !== undefined) return `\`simulation\` has ${other}, but only checks and workloads are known`
  if (!Array.isArray(checks)) return '`checks` is no list'
  const nameless = checks.findIndex((check) => !isObject(check) || typeof check['name'] !== 'string')
  if (nameless >= 0) return `\`checks[${nameless}]\` is no object with a name`
  if (!isObject(workloads)) return '`workloads` is no object'
  const idle = Object.keys(workloads).find((name) => typeof workloads[name] !== 'function')
  return idle === undefined ? null : `the workload ${idle} is no function`
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null

const nameOf = (url: string): string => (url.startsWith('file:') ? fileURLToPath(url) : url)

function wrong(url: string, problem: string, hint: string): AnchormeshError {
  return new AnchormeshError('USAGE', `${nameOf(url)}${problem.startsWith(':') ? '' : ' '}${problem}`, { hint })
}
