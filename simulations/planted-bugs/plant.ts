import { execFile } from 'node:child_process'
import { cp, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const PROJECT = join(import.meta.dirname, '..', '..')

/** What of the project a run needs. */
const COPIED = ['package.json', 'src', 'protocols', 'simulations']

/** Where the patch of a bug is. */
export function patchOf(name: string): string {
  return join(import.meta.dirname, `${name}.patch`)
}

/** Throws, with what `git apply` says, where the patch does not fit the source as it stands. */
export async function assertApplies(name: string, folder: string = PROJECT): Promise<void> {
  await promisify(execFile)('git', ['apply', '--check', patchOf(name)], { cwd: folder })
}

/** Makes a copy of the project with the bug in it (`null`: without any), for `use` alone. */
export async function withPlanted<Result>(
  name: string | null,
  use: (folder: string) => Promise<Result>
): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'planted-bug-'))
  try {
    for (const part of COPIED) await cp(join(PROJECT, part), join(folder, part), { recursive: true })
    await symlink(join(PROJECT, 'node_modules'), join(folder, 'node_modules'))
    if (name !== null) await promisify(execFile)('git', ['apply', patchOf(name)], { cwd: folder })
    return await use(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
