import { link, lstat, open, rm } from 'node:fs/promises'
import { AnchormeshError } from '../platform/errors.ts'
import { unusablePath } from './unusable-path.ts'

/** Takes one line, without its line feed. */
export type PutLine = (line: string) => Promise<void>

/** Lines have about a kilobyte; writing each by itself would cost a system call each. */
const WRITE_CHARS = 256 * 1024

/**
 * Writes the lines that `write` puts to a new file. It appears when it is whole and synced, and never takes the place
 * of another: throws `USAGE` when there is one of that name, or no file can be made there, and then `write` has not
 * been called. Answers what `write` does.
 */
export async function writeNewFile<Result>(path: string, write: (put: PutLine) => Promise<Result>): Promise<Result> {
  const partial = `${path}.${process.pid}.part`
  const handle = await open(partial, 'wx', 0o644).catch((error: unknown) => {
    throw unusablePath(path, 'written', error)
  })
  try {
    await refuseExisting(path)
    let buffered = ''
    const result = await write(async (line) => {
      buffered += `${line}\n`
      if (buffered.length < WRITE_CHARS) return
      const text = buffered
      buffered = ''
      await handle.writeFile(text)
    })
    await handle.writeFile(buffered)
    await handle.sync()
    // A hard link makes the whole file appear at once, and only where there is none.
    await link(partial, path)
    return result
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'EEXIST' ? alreadyThere(path) : error
  } finally {
    await handle.close()
    await rm(partial, { force: true })
  }
}

async function refuseExisting(path: string): Promise<void> {
  try {
    await lstat(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  throw alreadyThere(path)
}

function alreadyThere(path: string): AnchormeshError {
  return new AnchormeshError('USAGE', `${path} is already there`, {
    hint: 'Choose another name, or move that file away.'
  })
}
