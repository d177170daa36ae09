import { link, mkdir, open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

export interface AtomicWriteOptions {
  /** Permission bits of the file, such as 0o600. */
  readonly mode: number
  /** Fails with `EEXIST` rather than replace a file. */
  readonly exclusive?: boolean
}

/** So that two writes of one file at once do not share their temporary file. */
let writes = 0

/**
 * Writes a file so that after a crash there is the old content or the new, never a part: a temporary file beside it,
 * synced, takes its place, and then the folder is synced.
 */
export async function writeAtomically(path: string, content: string, options: AtomicWriteOptions): Promise<void> {
  const folder = dirname(path)
  writes += 1
  const temporary = join(folder, `.${basename(path)}.${process.pid}-${writes}.tmp`)
  // A killed process may have left one under this name, with other permissions.
  await rm(temporary, { force: true })
  const file = await open(temporary, 'wx', options.mode)
  try {
    await file.chmod(options.mode)
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
  try {
    // A hard link is the one way to make a complete file appear without replacing another.
    if (options.exclusive === true) await link(temporary, path)
    else await rename(temporary, path)
  } finally {
    await rm(temporary, { force: true })
  }
  await syncFolder(folder)
}

/** Puts a complete, synced file in the place of another of the same folder, durably. */
export async function replaceFile(complete: string, path: string): Promise<void> {
  await rename(complete, path)
  await syncFolder(dirname(path))
}

/** Makes the folder and those above it; none but the owner may look into a new one. */
export async function ensureFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
}

/** The system's code of a failed file operation (`ENOENT`), if it is one. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** Makes the entries of a folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  // Windows opens no folders and keeps its directory entries by itself.
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
