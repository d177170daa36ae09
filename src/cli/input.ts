import { open } from 'node:fs/promises'

/** What a verb reads: its name for messages, and its bytes. */
export interface Input {
  readonly name: string
  readonly chunks: AsyncIterable<Uint8Array>
}

/** The file, or standard input for `-`. */
export async function openInput(file: string, stdin: AsyncIterable<Uint8Array>): Promise<Input> {
  return file === '-' ? { name: 'standard input', chunks: stdin } : await openFile(file)
}

/** Opens a file. One that can't be read fails here, before any work has begun. */
export async function openFile(file: string): Promise<Input> {
  const handle = await open(file, 'r')
  if ((await handle.stat()).isDirectory()) {
    await handle.close()
    throw Object.assign(new Error(`EISDIR: ${file} is a folder`), { code: 'EISDIR', syscall: 'read' })
  }
  return { name: file, chunks: handle.createReadStream() as AsyncIterable<Uint8Array> }
}

/** All of a small text. */
export async function readText(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = []
  for await (const chunk of chunks) parts.push(chunk)
  return Buffer.concat(parts).toString('utf8')
}
