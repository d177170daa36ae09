import type { FileHandle } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import type { StoreReader } from '../log/store.ts'

/**
 * A store as a file: for each entry, in key order, the lengths of key and value (uint32, big endian), the key in UTF-8,
 * the value. Values are those of the disk: what is encrypted there stays so.
 */
const HEADER_BYTES = 8
// As many as are worth one write to the disk.
const CHUNK_BYTES = 1024 * 1024
// LevelDB takes more, but nothing in a store is longer.
export const KEY_BYTES_MAX = 64 * 1024
export const VALUE_BYTES_MAX = 256 * 1024 * 1024

export interface WrittenFile {
  readonly size: number
  readonly sha256: string
}

/** Writes all entries of one moment of a store. `onEntry` is told of each. */
export async function writeEntries(handle: FileHandle, store: StoreReader, onEntry: () => void): Promise<WrittenFile> {
  const hash = createHash('sha256')
  let size = 0
  let parts: Uint8Array[] = []
  let bytes = 0
  const flush = async (): Promise<void> => {
    const chunk = Buffer.concat(parts)
    parts = []
    bytes = 0
    hash.update(chunk)
    size += chunk.length
    await handle.writeFile(chunk)
  }
  for await (const [key, value] of store.range({})) {
    const name = Buffer.from(key, 'utf8')
    const header = Buffer.alloc(HEADER_BYTES)
    header.writeUInt32BE(name.length, 0)
    header.writeUInt32BE(value.length, 4)
    parts.push(header, name, value)
    bytes += HEADER_BYTES + name.length + value.length
    onEntry()
    if (bytes >= CHUNK_BYTES) await flush()
  }
  await flush()
  return { size, sha256: hash.digest('hex') }
}

/** The entries of such a file. Throws a `RangeError` for one that is none. */
export async function* readEntries(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<[string, Uint8Array]> {
  let rest: Buffer = Buffer.alloc(0)
  let parts: Uint8Array[] = []
  let held = 0
  let needed = HEADER_BYTES
  for await (const chunk of chunks) {
    parts.push(chunk)
    held += chunk.length
    if (rest.length + held < needed) continue
    rest = Buffer.concat([rest, ...parts])
    parts = []
    held = 0
    for (;;) {
      needed = HEADER_BYTES
      if (rest.length < needed) break
      const [keyBytes, valueBytes] = [rest.readUInt32BE(0), rest.readUInt32BE(4)]
      if (keyBytes > KEY_BYTES_MAX || valueBytes > VALUE_BYTES_MAX) throw new RangeError('an entry is too long')
      needed = HEADER_BYTES + keyBytes + valueBytes
      if (rest.length < needed) break
      const key = rest.toString('utf8', HEADER_BYTES, HEADER_BYTES + keyBytes)
      yield [key, new Uint8Array(rest.subarray(HEADER_BYTES + keyBytes, needed))]
      rest = rest.subarray(needed)
    }
  }
  if (rest.length + held > 0) throw new RangeError('it ends inside an entry')
}
