import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { initDataFolder } from '../../src/cli/data-folder/init.ts'
import type { InitOptions, InitResult } from '../../src/cli/data-folder/init.ts'
import { loadConfig } from '../../src/cli/data-folder/load-config.ts'
import type { ConfigSources, LoadedConfig } from '../../src/cli/data-folder/load-config.ts'
import { dataPaths } from '../../src/cli/data-folder/paths.ts'
import type { DataPaths } from '../../src/cli/data-folder/paths.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { AnchormeshError } from '../../src/platform/errors.ts'
import { systemRandom } from '../../src/platform/random.ts'

/** A new empty folder that goes when the test ends. */
export async function emptyFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'anchormesh-test-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

export interface TestFolder extends InitResult {
  readonly paths: DataPaths
  readonly sources: ConfigSources
}

/** A data folder as `init` makes it. */
export async function initialised(options: Partial<InitOptions> = {}): Promise<TestFolder> {
  const folder = join(await emptyFolder(), 'data')
  const result = await initDataFolder({ folder, namespaces: [], random: systemRandom, clock: systemClock, ...options })
  return { ...result, paths: dataPaths(folder), sources: { folder, environment: {} } }
}

/** Replaces `from` by `to` in a file; the text must be there. */
export async function edit(path: string, from: string | RegExp, to: string): Promise<void> {
  const text = await readFile(path, 'utf8')
  const edited = text.replace(from, to)
  if (edited === text) throw new Error(`${path} does not hold ${String(from)}`)
  await writeFile(path, edited)
}

export function load(folder: TestFolder, changes: Partial<ConfigSources> = {}): Promise<LoadedConfig> {
  return loadConfig({ ...folder.sources, ...changes })
}

/** The failure that `promise` must end in. */
export async function failureOf(promise: Promise<unknown>): Promise<AnchormeshError> {
  const outcome = await promise.then(
    () => new Error('it did not fail'),
    (error: unknown) => error
  )
  if (outcome instanceof AnchormeshError) return outcome
  throw outcome
}
