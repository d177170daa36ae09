import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { packageRoot, packageVersion } from '../../src/platform/package-info.ts'

/** Which program makes a run. */
export interface ProgramVersion {
  /** Of the package. */
  readonly version: string
  /** Of the source, where it is a git checkout, with `-dirty` where it was changed since; `null` elsewhere. */
  readonly commit: string | null
}

/** What of a checkout a run is made by: neither pages nor results that lie there change it. */
const SOURCES = ['package.json', 'package-lock.json', 'protocols/*.ts', 'simulations/*.ts', 'src/*.ts']

export async function programVersion(root: string = packageRoot): Promise<ProgramVersion> {
  return { version: packageVersion, commit: await commitIn(root) }
}

/** Without git, or outside of a checkout, nobody knows it. */
async function commitIn(folder: string): Promise<string | null> {
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
