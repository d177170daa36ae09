import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { JsonValue } from '../../protocols/canonical-json/v1/json.ts'
import { editSettings } from '../../src/cli/data-folder/config-edit.ts'
import { readKeystore, signingKeys } from '../../src/cli/data-folder/keystore.ts'
import { dataPaths } from '../../src/cli/data-folder/paths.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { systemRandom } from '../../src/platform/random.ts'
import { startDevelopmentTsa } from '../../src/timestamps/clients/development-tsa.ts'
import type { DevelopmentTsa } from '../../src/timestamps/clients/development-tsa.ts'
import { newFolder } from './cli.ts'
import { admit, entryOf, meshPortOf } from './mesh-folders.ts'
import { init, startNode } from './nodes.ts'
import type { ServingNode } from './nodes.ts'

/** The organisation that has three of the five machines. */
export const GUILD = 'guild'
const NAMES = ['amy', 'bob', 'cat', 'dan', 'eve'] as const

/** Whoever stole it has the whole folder of cat's machine, from before it first ran. */
export type MachineName = (typeof NAMES)[number] | 'thief'

/** A machine with a data folder, and its node while one runs. */
export interface Machine {
  readonly name: MachineName
  readonly folder: string
  /** The key that it began with. */
  readonly kid: string
  readonly publicKey: string
  node: ServingNode | null
}

export type Machines = Readonly<Record<MachineName, Machine>>

/**
 * Five nodes that run: amy, bob and cat of one organisation, of whose keys two must sign its packs, and dan and eve of
 * one each. Everybody dials who was there before, but for bob and dan, and cat and eve. All can have timestamps of one
 * authority.
 */
export async function fiveNodes(): Promise<Machines> {
  const tsa = await startDevelopmentTsa({ clock: systemClock, random: systemRandom })
  onTestFinished(() => tsa.close())
  const folders = Object.fromEntries(NAMES.map((name) => [name, join(newFolder(), name)]))
  const orgOf = (name: string): string => (name === 'dan' || name === 'eve' ? `${name}-org` : GUILD)
  for (const name of NAMES) {
    await init(folders[name] ?? '', orgOf(name))
    configure(folders[name] ?? '', tsa)
  }
  const machines = {} as Record<MachineName, Machine>
  const ports = new Map<string, number>()
  const ready = async (name: (typeof NAMES)[number]): Promise<void> => {
    const folder = folders[name] ?? ''
    const others = NAMES.filter((other) => other !== name)
    await admit(folder, await Promise.all(others.map((other) => entryOf(folders[other] ?? '', ports.get(other)))))
    machines[name] = await machineOf(name, folder)
    if (name !== 'cat') return
    const stolen = join(newFolder(), 'stolen')
    cpSync(folder, stolen, { recursive: true })
    machines.thief = await machineOf('thief', stolen)
  }
  for (const wave of [['amy'], ['bob', 'dan'], ['cat', 'eve']] as const) {
    for (const name of wave) await ready(name)
    const started = await Promise.all(wave.map((name) => start(machines[name])))
    for (const [index, node] of started.entries()) ports.set(wave[index] ?? '', meshPortOf(node))
  }
  return machines
}

/** Starts the node of a machine. */
export async function start(machine: Machine): Promise<ServingNode> {
  const node = await startNode(machine.folder)
  machine.node = node
  return node
}

/** Ends the node of a machine, and waits until it is gone. */
export async function end(machine: Machine, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  machine.node?.process.kill(signal)
  await machine.node?.ended
  machine.node = null
}

/** Changes settings of a file of the configuration, as a person does with an editor. */
export function edit(
  { folder }: Pick<Machine, 'folder'>,
  file: 'federation' | 'peers',
  path: readonly string[],
  value: JsonValue
): void {
  const name = dataPaths(folder)[file]
  writeFileSync(name, editSettings(readFileSync(name, 'utf8'), [{ path, value }]))
}

function configure(folder: string, tsa: DevelopmentTsa): void {
  const { tsaRoots } = dataPaths(folder)
  mkdirSync(tsaRoots, { recursive: true })
  writeFileSync(join(tsaRoots, 'dev.pem'), tsa.rootCertificatePem)
  edit({ folder }, 'federation', ['rails'], { rfc3161: { dev: { url: tsa.url, roots: ['dev.pem'] } } })
  edit({ folder }, 'peers', ['organisations'], [{ orgId: GUILD, threshold: 2 }])
}

async function machineOf(name: MachineName, folder: string): Promise<Machine> {
  const [own] = signingKeys(await readKeystore(dataPaths(folder).keystore))
  if (own === undefined) throw new Error(`${name} has no key`)
  return { name, folder, kid: own.kid, publicKey: own.publicKey, node: null }
}
