import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { packageRoot, packageVersion } from '../../src/platform/package-info.ts'
import { builtFrom } from './built-from.ts'

/** Which program makes a run. */
export interface ProgramVersion {
  /** Of the package. */
  readonly version: string
  /** Of the source, with `-dirty` where it had been changed since; `null` where nobody knows it. */
  readonly commit: string | null
}

/** What of a checkout a run is made by: neither pages nor results that lie there change it. */
const SOURCES = ['package.json', 'package-lock.json', 'protocols/*.ts', 'simulations/*.ts', 'src/*.ts']

const IS_BUILT = import.meta.filename.endsWith('.js')

export async function programVersion(): Promise<ProgramVersion> {
  // What is checked out now is not what a build was made from some time ago.
  return { version: packageVersion, commit: IS_BUILT ? builtFrom : await commitIn(packageRoot) }
}

/** The commit that is checked out in the folder; `null` without git, or outside of a checkout. */
export async function commitIn(folder: string): Promise<string | null> {
  try {
    // An installed package may lie in a checkout of somebody's own, whose commit says nothing of it.
    const [prefix, commit = null] = (await git(folder, 'rev-parse', '--show-prefix', 'HEAD')).split('\n')
    if (prefix !== '' || commit === null) return null
    // A new file changes a run only by an old one that imports it.
    const changes = await git(folder, 'status', '--porcelain', '--untracked-files=no', '--', ...SOURCES)
    return changes === '' ? commit : `${commit}-dirty`
  } catch {
    return null
  }
}

/** Takes no lock: many runs ask side by side. */
async function git(folder: string, ...command: readonly string[]): Promise<string> {
  return (await promisify(execFile)('git', ['--no-optional-locks', '-C', folder, ...command])).stdout
}
