import { spawnSync } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { EncryptedStore } from '../../src/log/encrypted-store.ts'
import { openLevelStore, openMemoryStore } from '../../src/log/level-store.ts'
import type { Store } from '../../src/log/store.ts'
import { fewValues } from '../../src/log/store.ts'
import { ValueCipher } from '../../src/log/value-cipher.ts'
import { findDamage } from '../../src/log/write-ahead-check.ts'
import { collect } from '../support/collect.ts'
import { temporaryFolder } from '../support/folders.ts'
import { seededRandom } from '../../simulations/ports/seeded-random.ts'
import { storeContract } from './store-contract.ts'

type Kind = 'disk' | 'memory' | 'disk, encrypted'

async function opened(kind: Kind): Promise<Store> {
  if (kind === 'memory') return await openMemoryStore()
  const store = await openLevelStore(join(temporaryFolder(), 'store'), { create: true })
  if (kind === 'disk') return store
  const random = seededRandom('the key of the store')
  return new EncryptedStore(store, new ValueCipher({ id: 1, key: random.bytes(32) }, 'store', random))
}

describe.each<Kind>(['disk', 'memory', 'disk, encrypted'])('a store on %s', (kind) => {
  storeContract(() => opened(kind), kind !== 'memory')

  test('what is read without a thread in between is read by one while it is opened anew', async () => {
    const textOf = (bytes: Uint8Array | undefined): string | undefined => bytes && Buffer.from(bytes).toString('utf8')
    const store = await opened(kind)
    await store.write([{ type: 'put', key: 'k', value: 'v' }], { sync: true })
    expect((await fewValues(store, ['k', 'none'])).map(textOf)).toEqual(['v', undefined])
    const reopening = store.reopen()
    expect(store.getNow).toBeUndefined()
    const values = fewValues(store, ['k', 'none'])
    await reopening
    expect((await values).map(textOf)).toEqual(['v', undefined])
    expect(textOf(store.getNow?.('k'))).toBe('v')
    await store.close()
  })
})

test('a folder can be opened again once it was closed, and when opening it failed', async () => {
  const location = join(temporaryFolder(), 'store')
  await expect(openLevelStore(location, { create: false })).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
  await (await openLevelStore(location, { create: true })).close()
  const store = await openLevelStore(location, { create: false })
  await expect(openLevelStore(`${location}/../store`, { create: false })).rejects.toMatchObject({
    code: 'STORE_LOCKED'
  })
  await store.close()
  await (await openLevelStore(location, { create: false })).close()
})

const hasPrlimit = spawnSync('prlimit', ['--version']).status === 0
if (!hasPrlimit)
  console.log('there is no prlimit (util-linux) here: not tested what follows a write that was cut in the middle')

test.runIf(hasPrlimit)(
  'after a write that was cut in the middle nothing is acknowledged until the store was opened anew; LevelDB alone would, and lose it',
  async () => {
    const location = join(temporaryFolder(), 'store')
    const { stdout, stderr } = spawnSync(
      process.execPath,
      [join(import.meta.dirname, 'partial-write.child.ts'), location],
      { encoding: 'utf8' }
    )
    const said = stdout.trim().split('\n')
    expect(stderr).toBe('')
    const acknowledged = said.filter((line) => !line.startsWith('!'))
    const store = await openLevelStore(location, { create: false })
    const kept = new Set((await collect(store.range({}))).map(([key]) => key))
    await store.close()
    expect(acknowledged.filter((key) => !kept.has(key))).toEqual([])
    // Threads hand both to LevelDB: the small one may come first, and is then whole.
    expect(acknowledged.map((key) => key.charAt(0)).join('')).toMatch(/^a{10}b?d{10}$/)
    expect(new Set(said.filter((line) => line.startsWith('!')))).toEqual(new Set(['! STORE_FULL']))
  }
)

describe('write-ahead logs', () => {
  async function writeAheadLog(batches: number, bytes: number): Promise<Uint8Array> {
    const location = join(temporaryFolder(), 'store')
    const store = await openLevelStore(location, { create: true })
    const random = seededRandom('batches')
    for (let batch = 0; batch < batches; batch += 1) {
      await store.write(
        [{ type: 'put', key: `k${batch}`, value: random.bytes(Math.floor(random.fraction() * bytes)) }],
        { sync: false }
      )
    }
    await store.close()
    const name = readdirSync(location).find((file) => /^\d+\.log$/.test(file)) ?? ''
    return new Uint8Array(readFileSync(join(location, name)))
  }

  test('as LevelDB writes them are in order, whatever the sizes of the batches', async () => {
    for (const bytes of [1, 60, 2_000, 100_000])
      expect(findDamage(await writeAheadLog(100, bytes)), `batches up to ${bytes} bytes`).toBeNull()
    expect(findDamage(new Uint8Array())).toBeNull()
  })

  test('may end anywhere: that is what a crash leaves behind', async () => {
    const whole = await writeAheadLog(60, 2_000)
    for (let end = 0; end < whole.length; end += 131)
      expect(findDamage(whole.subarray(0, end)), `cut at ${end}`).toBeNull()
    const random = seededRandom('torn')
    const torn = new Uint8Array(whole.length + 5_000)
    torn.set(whole)
    torn.set(random.bytes(5_000), whole.length)
    expect(findDamage(torn), 'garbage at the end').toBeNull()
    torn.fill(0, whole.length)
    expect(findDamage(torn), 'nothing at the end').toBeNull()
  })

  test('show each flipped bit that is not in the last batch', async () => {
    const whole = await writeAheadLog(60, 2_000)
    const random = seededRandom('flipped')
    for (let round = 0; round < 300; round += 1) {
      const at = Math.floor(random.fraction() * (whole.length - 3_000))
      const damaged = Uint8Array.from(whole)
      damaged[at] = (damaged[at] ?? 0) ^ (1 << (round % 8))
      expect(findDamage(damaged), `byte ${at}`).not.toBeNull()
    }
  })

  test('show a block that is empty, and a batch without its beginning or its end', async () => {
    const whole = await writeAheadLog(20, 200_000)
    const emptied = Uint8Array.from(whole)
    emptied.fill(0, 32_768, 65_536)
    expect(findDamage(emptied)).not.toBeNull()
    const firstBlock = whole.subarray(0, 32_768)
    expect(findDamage(whole.subarray(32_768))).toBe(0)
    expect(findDamage(Buffer.concat([firstBlock, whole]))).toBe(32_768)
  })
})
