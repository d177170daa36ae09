import { open } from 'node:fs/promises'
import { unusablePath } from './unusable-path.ts'

/** What a verb reads: its name for messages, and its bytes. */
export interface Input {
  readonly name: string
  readonly chunks: AsyncIterable<Uint8Array>
}

/** Has the file used, or standard input for `-`. Throws as `withFile`. */
export async function withInput<Result>(
  file: string,
  stdin: AsyncIterable<Uint8Array>,
  use: (input: Input) => Promise<Result>
): Promise<Result> {
  return file === '-' ? await use({ name: 'standard input', chunks: stdin }) : await withFile(file, use)
}

/**
 * Opens a file for as long as it is used, and closes it also where it was not read to its end, or not at all. Throws
 * `USAGE` for one that can't be read, before any work has begun.
 */
export async function withFile<Result>(file: string, use: (input: Input) => Promise<Result>): Promise<Result> {
  const handle = await open(file, 'r').catch((error: unknown) => {
    throw unusablePath(file, 'read', error)
  })
  try {
    if ((await handle.stat()).isDirectory())
      throw unusablePath(file, 'read', Object.assign(new Error(`${file} is a folder`), { code: 'EISDIR' }))
    return await use({ name: file, chunks: handle.createReadStream() as AsyncIterable<Uint8Array> })
  } finally {
    await handle.close()
  }
}

/** All of a small text. */
export async function readText({ chunks }: Pick<Input, 'chunks'>): Promise<string> {
  const parts: Uint8Array[] = []
  for await (const chunk of chunks) parts.push(chunk)
  return Buffer.concat(parts).toString('utf8')
}
