import { open } from 'node:fs/promises'
import { unusablePath } from './unusable-path.ts'

/** What a verb reads: its name for messages, and its bytes. */
export interface Input {
  readonly name: string
  readonly chunks: AsyncIterable<Uint8Array>
}

/** The file, or standard input for `-`. Throws as `openFile`. */
export async function openInput(file: string, stdin: AsyncIterable<Uint8Array>): Promise<Input> {
  return file === '-' ? { name: 'standard input', chunks: stdin } : await openFile(file)
}

/** Opens a file. Throws `USAGE` for one that can't be read, before any work has begun. */
export async function openFile(file: string): Promise<Input> {
  const handle = await open(file, 'r').catch((error: unknown) => {
    throw unusablePath(file, 'read', error)
  })
  if ((await handle.stat()).isDirectory()) {
    await handle.close()
    throw unusablePath(file, 'read', Object.assign(new Error(`${file} is a folder`), { code: 'EISDIR' }))
  }
  return { name: file, chunks: handle.createReadStream() as AsyncIterable<Uint8Array> }
}

/** All of a small text. */
export async function readText(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = []
  for await (const chunk of chunks) parts.push(chunk)
  return Buffer.concat(parts).toString('utf8')
}
