import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import { readEntries, writeEntries } from '../../src/backup/entries.ts'
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
