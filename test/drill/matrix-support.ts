import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { checkEvidence } from '../../src/drill/check-evidence.ts'
import type { EvidenceVerdict } from '../../src/drill/check-evidence.ts'
import { runMatrix } from '../../src/drill/matrix.ts'
import type { MatrixRun } from '../../src/drill/matrix.ts'
import { readTargetsFile } from '../../src/drill/targets-file.ts'
import { systemRandom } from '../../src/platform/random.ts'
import { newFolder } from '../support/cli.ts'
import { clockOf } from './support.ts'
import type { ServedNode } from './support.ts'

type Entry = Readonly<Record<string, unknown>>

/** Two nodes and a file of targets that names them. */
export interface MatrixWorld {
  readonly folder: string
  readonly targets: string
  readonly environment: Readonly<Record<string, string>>
  readonly first: ServedNode
}

export function entryOf(node: ServedNode, variable: string): Entry {
  return {
    base_url: node.base,
    admin_url: node.admin,
    admin_token_env: variable,
    remote_node_id: 'interop-drill',
    did: node.did
  }
}

/** Writes a file of targets into a new folder. */
export function matrixWorld(
  first: ServedNode,
  second: ServedNode,
  changes: Readonly<Record<string, Entry>> = {}
): MatrixWorld {
  const folder = newFolder()
  const targets = join(folder, 'targets.json')
  const entries = {
    staging: { ...entryOf(first, 'STAGING_TOKEN'), ...changes['staging'] },
    preprod: { ...entryOf(second, 'PREPROD_TOKEN'), ...changes['preprod'] }
  }
  writeFileSync(targets, JSON.stringify({ v: 1, targets: entries }, null, 2))
  mkdirSync(join(folder, 'out'))
  const environment = { STAGING_TOKEN: first.adminToken, PREPROD_TOKEN: second.adminToken }
  return { folder, targets, environment, first }
}

export async function runMatrixOf(
  world: MatrixWorld,
  options: { readonly environment?: Readonly<Record<string, string>>; readonly required?: readonly string[] } = {}
): Promise<MatrixRun> {
  const file = await readTargetsFile(world.targets)
  return await runMatrix(
    { file, required: options.required ?? ['staging', 'preprod'], out: join(world.folder, 'out') },
    {
      clock: clockOf(world.first),
      random: systemRandom,
      signal: new AbortController().signal,
      environment: options.environment ?? world.environment,
      version: 'test'
    }
  )
}

export const HOUR_MS = 3_600_000

export async function checkOf(
  world: MatrixWorld,
  folder: string | null,
  changes: {
    readonly required?: readonly string[]
    readonly afterMs?: number
    readonly targets?: string | null
  } = {}
): Promise<EvidenceVerdict> {
  const targets = changes.targets === undefined ? world.targets : changes.targets
  return await checkEvidence({
    folder,
    required: changes.required ?? ['staging', 'preprod'],
    file: targets === null ? null : await readTargetsFile(targets),
    nowMs: world.first.ports.clock.now() + (changes.afterMs ?? 0),
    maxAgeMs: 168 * HOUR_MS
  })
}

/** Every reason of a verdict, as `target code field`. */
export function reasonsOf({ problems, targets }: EvidenceVerdict): readonly string[] {
  return [
    ...problems.map(({ code, field }) => `${code} ${field}`),
    ...targets.flatMap(({ target, problems: own }) => own.map(({ code, field }) => `${target} ${code} ${field}`))
  ]
}
