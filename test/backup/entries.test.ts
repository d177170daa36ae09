import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import { KEY_BYTES_MAX, VALUE_BYTES_MAX, readEntries, writeEntries } from '../../src/backup/entries.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import { collect } from '../support/collect.ts'

async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size)
}

test('what is written of a store is read again, in whatever pieces it comes', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'anchormesh-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  let run = 0
  const entry = fc.tuple(
    fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 40 }),
    fc.uint8Array({ maxLength: 300 })
  )
  const entries = fc.uniqueArray(entry, { selector: ([key]) => key, maxLength: 30 })
  await fc.assert(
    fc.asyncProperty(entries, fc.integer({ min: 1, max: 100 }), async (given, size) => {
      const store = await openMemoryStore()
      await store.write(
        given.map(([key, value]) => ({ type: 'put', key, value })),
        { sync: true }
      )
      const path = join(folder, `${(run += 1)}`)
      const handle = await open(path, 'wx')
      const written = await writeEntries(handle, store, () => {})
      await handle.close()
      const bytes = new Uint8Array(readFileSync(path))
      expect(written).toEqual({ size: bytes.length, sha256: sha256Hex(bytes) })
      const expected = (await collect(store.range({}))).map(([key, value]) => [key, [...value]])
      expect((await collect(readEntries(inPieces(bytes, size)))).map(([key, value]) => [key, [...value]])).toEqual(
        expected
      )
      if (bytes.length > 0)
        await expect(collect(readEntries(inPieces(bytes.subarray(0, -1), size)))).rejects.toThrow(RangeError)
    }),
    { numRuns: 50 }
  )
})

test('cut off anywhere it is refused, but where an entry ends: then it is the entries before', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'anchormesh-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const store = await openMemoryStore()
  const given = ['', 'a', 'value', 'x'.repeat(300)].map((text, index) => ({
    type: 'put' as const,
    key: `key-${index}`,
    value: new TextEncoder().encode(text)
  }))
  await store.write(given, { sync: true })
  const handle = await open(join(folder, 'entries'), 'wx')
  await writeEntries(handle, store, () => {})
  await handle.close()
  const bytes = new Uint8Array(readFileSync(join(folder, 'entries')))
  const keys = given.map(({ key }) => key)
  let ends = 0
  for (let length = 0; length < bytes.length; length += 1) {
    const read = await collect(readEntries(inPieces(bytes.subarray(0, length), 7))).catch((error: unknown) => error)
    if (!Array.isArray(read)) {
      expect(read).toBeInstanceOf(RangeError)
      continue
    }
    // What is missing then the manifest tells, by size and hash.
    expect(read.map(([key]: [string, Uint8Array]) => key)).toEqual(keys.slice(0, ends))
    ends += 1
  }
  expect(ends).toBe(keys.length)
})

test('a length that no entry has is refused before anything is kept for it', async () => {
  const header = Buffer.alloc(8)
  header.writeUInt32BE(KEY_BYTES_MAX + 1, 0)
  await expect(collect(readEntries(inPieces(header, 8)))).rejects.toThrow('too long')
  header.writeUInt32BE(1, 0)
  header.writeUInt32BE(VALUE_BYTES_MAX + 1, 4)
  await expect(collect(readEntries(inPieces(header, 3)))).rejects.toThrow('too long')
})
