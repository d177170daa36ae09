import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { loadConfig } from '../../src/cli/data-folder/load-config.ts'
import { openStores } from '../../src/cli/data-folder/open-stores.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { AnchormeshError } from '../../src/platform/errors.ts'
import { systemRandom } from '../../src/platform/random.ts'
import type { Digest, LogVerification } from '../../src/operations.ts'
import { newFolder, runFailing, runJson, runWell } from '../support/cli.ts'
import { NAMESPACE, init } from '../support/nodes.ts'

const PASSPHRASE = { ANCHORMESH_PASSPHRASE: 'correct horse battery' }
// Of letters that nothing else has side by side, so that compression leaves it whole.
const SECRET = 'qzxvkjwpyhgmq'

interface Rekeyed {
  readonly encrypted: boolean
  readonly keyId: number | null
  readonly entries: number
  readonly records: number
  readonly resumed: boolean
}

function configure(data: string, encrypt: boolean): void {
  const path = join(data, 'federation.yaml')
  const text = readFileSync(path, 'utf8').replace(/\n?store:\n {2}encrypt: \w+\n/, '\n')
  writeFileSync(path, `${text.trimEnd()}\nstore:\n  encrypt: ${encrypt}\n`)
}

/** A data folder with receipts that were sealed. */
async function folderWith(receipts: number, options: { readonly encrypt: boolean }): Promise<string> {
  const data = join(newFolder(), 'data')
  await init(data, 'maker')
  if (options.encrypt) configure(data, true)
  await seal(data, 'b-1', receipts)
  return data
}

async function seal(data: string, batch: string, receipts: number): Promise<void> {
  const lines = Array.from({ length: receipts }, (_, at) =>
    JSON.stringify(`${SECRET}-${batch}-${at}-${'x'.repeat(80)}`)
  )
  const file = join(newFolder(), 'receipts.jsonl')
  writeFileSync(file, `${lines.join('\n')}\n`)
  const place = ['--data', data, '--namespace', NAMESPACE, '--batch', batch]
  await runWell(['seal', ...place, file])
  await runWell(['announce', ...place])
}

/** Whether any file of the stores holds the text. */
function holds(data: string, text: string): boolean {
  return ['store', 'blobs'].some((store) =>
    readdirSync(join(data, store)).some((name) => readFileSync(join(data, store, name)).includes(text))
  )
}

const CHILD = join(import.meta.dirname, 'rekey.child.ts')

/** Opens the stores as a node does; the code of why that is refused. */
async function openFolder(data: string): Promise<void> {
  const config = await loadConfig({ folder: data, environment: {} })
  const { store, blobs } = await openStores(config, { create: false, clock: systemClock, random: systemRandom })
  await blobs.close()
  await store.close()
}

const failureOf = async (opening: Promise<void>): Promise<string> =>
  await opening.then(
    () => 'opened',
    (error: unknown) => (error instanceof AnchormeshError ? error.code : String(error))
  )
const digestOf = async (data: string): Promise<Digest> =>
  await runJson<Digest>(['digest', '--namespace', NAMESPACE, '--data', data])
const isIntact = async (data: string): Promise<boolean> =>
  (await runJson<LogVerification>(['log', 'verify', '--data', data])).ok

describe('an encrypted store', () => {
  test('begins so, answers the same, and its files hold no receipt', async () => {
    const data = await folderWith(20, { encrypt: true })
    expect(await isIntact(data)).toBe(true)
    expect((await digestOf(data)).count).toBe(1)
    expect(holds(data, SECRET)).toBe(false)
    expect(holds(await folderWith(20, { encrypt: false }), SECRET)).toBe(true)
  })

  test('without its key, or with another, is STORE_KEY_MISSING and never an empty one', async () => {
    const data = await folderWith(3, { encrypt: true })
    const path = join(data, 'keystore.json')
    const keystore = JSON.parse(readFileSync(path, 'utf8')) as { storeKeys: { key: string }[] }
    const { storeKeys, ...without } = keystore
    const others = storeKeys.map((key) => ({ ...key, key: 'A'.repeat(43) }))
    for (const changed of [without, { ...without, storeKeys: others }]) {
      writeFileSync(path, JSON.stringify(changed))
      for (const verb of [
        ['digest', '--namespace', NAMESPACE],
        ['store', 'rekey']
      ]) {
        const { exitCode, error } = await runFailing([...verb, '--data', data])
        expect([exitCode, error.code]).toEqual([1, 'STORE_KEY_MISSING'])
      }
    }
    writeFileSync(path, JSON.stringify(keystore))
    expect(await isIntact(data)).toBe(true)
  })

  test('that is encrypted and should not be, or the other way round, says so and stays as it is', async () => {
    const data = await folderWith(3, { encrypt: false })
    const before = await digestOf(data)
    configure(data, true)
    const refused = await runFailing(['digest', '--namespace', NAMESPACE, '--data', data])
    expect([refused.exitCode, refused.error.code]).toEqual([2, 'CONFIG_INVALID'])
    expect(refused.error.hint).toContain('store rekey')
    configure(data, false)
    expect(await digestOf(data)).toEqual(before)
  })
})

describe('store rekey', () => {
  test('turns encryption on, changes the key and turns it off; nothing is lost, nothing stays readable', async () => {
    const data = await folderWith(50, { encrypt: false })
    const before = await digestOf(data)
    const rekey = async (): Promise<Rekeyed> => await runJson<Rekeyed>(['store', 'rekey', '--data', data])
    configure(data, true)
    expect(await rekey()).toMatchObject({ encrypted: true, keyId: 1, resumed: false })
    expect(holds(data, SECRET)).toBe(false)
    expect(await rekey()).toMatchObject({ encrypted: true, keyId: 2 })
    expect(await digestOf(data)).toMatchObject({ count: before.count, events: before.events, state: before.state })
    const keystore = JSON.parse(readFileSync(join(data, 'keystore.json'), 'utf8')) as { storeKeys?: { id: number }[] }
    expect(keystore.storeKeys?.map(({ id }) => id)).toEqual([2])
    await seal(data, 'b-2', 5)
    configure(data, false)
    expect(await rekey()).toMatchObject({ encrypted: false, keyId: null })
    expect(readFileSync(join(data, 'keystore.json'), 'utf8')).not.toContain('storeKeys')
    expect(holds(data, SECRET)).toBe(true)
    expect(await isIntact(data)).toBe(true)
    expect((await digestOf(data)).count).toBe(before.count + 1)
  })

  test('goes by a variable before the file, as the node does that says to run it', async () => {
    const data = await folderWith(3, { encrypt: false })
    const environment = { ANCHORMESH_STORE_ENCRYPT: 'true' }
    const asked = ['digest', '--namespace', NAMESPACE, '--data', data]
    const { error } = await runFailing(asked, { environment })
    expect([error.code, error.hint]).toEqual(['CONFIG_INVALID', expect.stringContaining('store rekey')])
    // A second time changes the key; by the file it would have put everything back in clear.
    for (const keyId of [1, 2]) {
      const done = await runJson<Rekeyed>(['store', 'rekey', '--data', data], { environment })
      expect(done).toMatchObject({ encrypted: true, keyId })
    }
    expect(holds(data, SECRET)).toBe(false)
    expect((await runJson<Digest>(asked, { environment })).count).toBe(1)
  })

  test('works with a sealed keystore, whose passphrase then opens the store', async () => {
    const data = await folderWith(5, { encrypt: false })
    await runWell(['keys', 'seal', '--data', data], { environment: PASSPHRASE })
    // Nothing of a plain store needs a secret.
    expect((await digestOf(data)).count).toBe(1)
    configure(data, true)
    expect((await runFailing(['store', 'rekey', '--data', data])).error.code).toBe('KEYSTORE_PASSPHRASE')
    await runWell(['store', 'rekey', '--data', data], { environment: PASSPHRASE })
    expect(readFileSync(join(data, 'keystore.json'), 'utf8')).toContain('"sealed"')
    expect((await runFailing(['digest', '--namespace', NAMESPACE, '--data', data])).error.code).toBe(
      'KEYSTORE_PASSPHRASE'
    )
    await runWell(['log', 'verify', '--data', data], { environment: PASSPHRASE })
  })

  test('killed again and again at any point, it goes on, and the store is the same at the end', async () => {
    const data = await folderWith(3_000, { encrypt: false })
    const before = await digestOf(data)
    let resumed = 0
    for (const aim of ['encrypt', 'decrypt']) {
      const steps: string[] = []
      for (let killAt = 1; ; killAt += 1) {
        const child = spawnSync(process.execPath, [CHILD, data, aim, String(killAt)], { encoding: 'utf8' })
        expect(child.stderr).toBe('')
        if (child.signal === null) {
          resumed += (JSON.parse(child.stdout) as Rekeyed).resumed ? 1 : 0
          break
        }
        configure(data, killAt % 2 === 0)
        steps.push(await failureOf(openFolder(data)))
      }
      expect(new Set(steps)).toEqual(new Set(['STORE_REKEY_UNFINISHED']))
      expect(steps.length).toBeGreaterThan(5)
      configure(data, aim === 'encrypt')
      expect(holds(data, SECRET)).toBe(aim === 'decrypt')
      expect(await digestOf(data)).toMatchObject({ count: before.count, events: before.events, state: before.state })
    }
    expect(resumed).toBe(2)
    expect(await isIntact(data)).toBe(true)
  })

  test('contradicting options, and a folder without a store, are refused', async () => {
    const data = await folderWith(1, { encrypt: false })
    const other = await runFailing(['store', 'rekey', '--encrypt', '--decrypt', '--data', data])
    expect([other.exitCode, other.error.code]).toEqual([2, 'USAGE'])
    const none = join(newFolder(), 'none')
    await init(none, 'none')
    expect((await runFailing(['store', 'rekey', '--data', none])).error.code).toBe('NOT_FOUND')
  })
})
