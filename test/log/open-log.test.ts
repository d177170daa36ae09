import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { utf8 } from '../../protocols/primitives/bytes.ts'
import { checkpointFile, memoryCheckpoint } from '../../src/log/checkpoint-file.ts'
import { STORE_META_KEY } from '../../src/log/keys.ts'
import { openLevelStore, openMemoryStore } from '../../src/log/level-store.ts'
import type { KeyRange } from '../../src/log/store.ts'
import { verifyLog } from '../../src/log/verify-log.ts'
import { AnchormeshError } from '../../src/platform/errors.ts'
import { collect } from '../support/collect.ts'
import { temporaryFolder } from '../support/folders.ts'
import { seededRandom } from '../../simulations/ports/seeded-random.ts'
import { WrappedStore } from '../support/stores.ts'
import type { TestLog } from './support.ts'
import { appendAll, openTestLog, unsignedChain } from './support.ts'

const RECORDS = 160

const storeFolder = (folder: string): string => join(folder, 'store')
const checkpointPath = (folder: string): string => join(folder, 'store.json')

/** Opens the log of a folder as a node does: with a `store.json`, a missing store is a loss. */
async function openFolder(folder: string): Promise<TestLog> {
  const checkpoint = checkpointFile(checkpointPath(folder))
  const store = await openLevelStore(storeFolder(folder), { create: readdirSync(folder).length === 0 })
  try {
    return await openTestLog({ store, checkpoint })
  } catch (error) {
    await store.close()
    throw error
  }
}

async function close({ log, store }: TestLog): Promise<void> {
  await log.close()
  await store.close()
}

/**
 * A folder with a log of `RECORDS` records that was closed in order. With `compacted`, LevelDB has taken its
 * write-ahead log into tables.
 */
async function closedFolder(options: { readonly compacted?: boolean } = {}): Promise<string> {
  const folder = temporaryFolder()
  const opened = await openFolder(folder)
  const random = seededRandom('filled')
  const events = unsignedChain(RECORDS, { body: { pad: Buffer.from(random.bytes(900)).toString('base64') } })
  for (let from = 0; from < RECORDS; from += 8) await appendAll(opened.log, events.slice(from, from + 8))
  await close(opened)
  if (options.compacted === true) await close(await openFolder(folder))
  return folder
}

function files(folder: string, pattern: RegExp): string[] {
  return readdirSync(storeFolder(folder))
    .filter((name) => pattern.test(name))
    .map((name) => join(storeFolder(folder), name))
    .filter((path) => statSync(path).size > 0)
}

function flipByte(path: string, at: number, bit: number): void {
  const bytes = readFileSync(path)
  bytes[at] = (bytes[at] ?? 0) ^ (1 << bit)
  writeFileSync(path, bytes)
}

/** Counts the entries that are read. */
class CountingStore extends WrappedStore {
  reads = 0

  override async get(key: string): Promise<Uint8Array | undefined> {
    this.reads += 1
    return await super.get(key)
  }

  override async getMany(keys: readonly string[]): Promise<(Uint8Array | undefined)[]> {
    this.reads += keys.length
    return await super.getMany(keys)
  }

  override async *range(range: KeyRange): AsyncGenerator<[string, Uint8Array]> {
    for await (const entry of super.range(range)) {
      this.reads += 1
      yield entry
    }
  }
}

const corrupt = { name: 'AnchormeshError', code: 'STORE_CORRUPT' }

describe('what opens', () => {
  test('an empty folder begins a log, and says its length outside of the store', async () => {
    const folder = temporaryFolder()
    const opened = await openFolder(folder)
    expect(opened.log.head.logSeq).toBe(0)
    expect(JSON.parse(readFileSync(checkpointPath(folder), 'utf8'))).toEqual({
      formatVersion: 2,
      epoch: opened.log.epoch,
      head: { logSeq: 0, hash: '0'.repeat(64) }
    })
    expect(statSync(checkpointPath(folder)).mode & 0o777).toBe(0o600)
    await close(opened)
  })

  test('a log that was closed opens at its head, in its epoch', async () => {
    const folder = await closedFolder()
    const opened = await openFolder(folder)
    expect(opened.log.head.logSeq).toBe(RECORDS)
    expect(await opened.checkpoint.read()).toMatchObject({ epoch: opened.log.epoch, head: { logSeq: RECORDS } })
    expect(await verifyLog(opened.store, opened.checkpoint)).toMatchObject({ ok: true, records: RECORDS })
    await close(opened)
  })

  test('a log that is longer than store.json says: the process was killed', async () => {
    const folder = await closedFolder()
    const text = readFileSync(checkpointPath(folder), 'utf8')
    const opened = await openFolder(folder)
    await appendAll(opened.log, unsignedChain(5, { author: 'bob' }))
    await opened.store.close()
    writeFileSync(checkpointPath(folder), text)
    const again = await openFolder(folder)
    expect(again.log.head.logSeq).toBe(RECORDS + 5)
    await close(again)
  })

  test('a store without store.json opens, with a warning', async () => {
    const { log, store } = await openTestLog()
    await appendAll(log, unsignedChain(3))
    const checkpoint = memoryCheckpoint()
    const again = await openTestLog({ store, checkpoint })
    expect(again.lines).toMatchObject([
      { level: 'warn', message: expect.stringContaining('store.json is missing') as string, fields: { logSeq: 3 } }
    ])
    expect(await checkpoint.read()).toMatchObject({ head: { logSeq: 3 } })
  })

  test('opening reads a few records, however long the log is', async () => {
    const folder = await closedFolder({ compacted: true })
    const store = await openLevelStore(storeFolder(folder), { create: false })
    const counting = new CountingStore(store)
    await close(await openTestLog({ store: counting, checkpoint: checkpointFile(checkpointPath(folder)) }))
    expect(counting.reads).toBeLessThanOrEqual(4)
  })
})

describe('what does not open', () => {
  test('a second time, in this process or in another one', async () => {
    const folder = temporaryFolder()
    const opened = await openFolder(folder)
    await expect(openLevelStore(storeFolder(folder), { create: false })).rejects.toMatchObject({
      code: 'STORE_LOCKED',
      name: 'AnchormeshError'
    })
    const child = spawn(process.execPath, [join(import.meta.dirname, 'open.child.ts'), storeFolder(folder)], {
      stdio: ['ignore', 'pipe', 'inherit']
    })
    let said = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text))
    await once(child, 'close')
    expect(said.trim()).toBe('STORE_LOCKED')
    await close(opened)
    await close(await openFolder(folder))
  })

  test.each([
    ['the store, a newer one', { formatVersion: 3, epoch: '0123456789abcdef' }, 'STORE_NEWER'],
    ['the store, an older one', { formatVersion: 1, epoch: '0123456789abcdef' }, 'STORE_OLDER'],
    ['the store, in a format that nobody knows', { formatVersion: 'one' }, 'STORE_CORRUPT'],
    ['the store, in no format', {}, 'STORE_CORRUPT']
  ])('another format of %s', async (_, meta, code) => {
    const store = await openMemoryStore()
    await store.write([{ type: 'put', key: STORE_META_KEY, value: utf8(JSON.stringify(meta)) }], { sync: true })
    await expect(openTestLog({ store })).rejects.toMatchObject({ code, name: 'AnchormeshError' })
  })

  test('a store whose description is damaged', async () => {
    const store = await openMemoryStore()
    await store.write([{ type: 'put', key: STORE_META_KEY, value: utf8('{"formatVersion":2,') }], { sync: true })
    await expect(openTestLog({ store })).rejects.toMatchObject(corrupt)
  })

  test.each([
    ['of a newer format', '{"formatVersion":3,"somethingElse":true}', 'STORE_NEWER'],
    ['of an older format', '{"formatVersion":1,"somethingElse":true}', 'STORE_OLDER'],
    ['that is empty', '', 'STORE_CORRUPT'],
    ['that is no JSON', '{"formatVersion":2', 'STORE_CORRUPT'],
    ['without a head', '{"formatVersion":2,"epoch":"0123456789abcdef"}', 'STORE_CORRUPT'],
    ['of a format below the first', '{"formatVersion":0}', 'STORE_CORRUPT']
  ])('a store.json %s', async (_, text, code) => {
    const folder = await closedFolder()
    writeFileSync(checkpointPath(folder), text)
    await expect(openFolder(folder)).rejects.toMatchObject({ code, name: 'AnchormeshError' })
    expect(readFileSync(checkpointPath(folder), 'utf8')).toBe(text)
  })

  test('a store that is gone', async () => {
    const folder = await closedFolder()
    rmSync(storeFolder(folder), { recursive: true })
    await expect(openFolder(folder)).rejects.toMatchObject(corrupt)
  })

  test('a store folder that is empty', async () => {
    const folder = await closedFolder()
    rmSync(storeFolder(folder), { recursive: true })
    mkdirSync(storeFolder(folder))
    await expect(openFolder(folder)).rejects.toMatchObject(corrupt)
  })

  test('an empty store in the place of a full one', async () => {
    const folder = await closedFolder()
    rmSync(storeFolder(folder), { recursive: true })
    await (await openLevelStore(storeFolder(folder), { create: true })).close()
    await expect(openFolder(folder)).rejects.toMatchObject({
      ...corrupt,
      message: expect.stringContaining(`had ${RECORDS} records`) as string
    })
  })

  test('an older copy of the store: it is shorter than it was', async () => {
    const folder = await closedFolder()
    const known = JSON.parse(readFileSync(checkpointPath(folder), 'utf8')) as { head: { logSeq: number } }
    writeFileSync(checkpointPath(folder), JSON.stringify({ ...known, head: { ...known.head, logSeq: RECORDS + 1 } }))
    await expect(openFolder(folder)).rejects.toMatchObject({
      ...corrupt,
      message: expect.stringContaining(`ends at record ${RECORDS}`) as string
    })
  })

  test('a store with another history of the same length', async () => {
    const folder = await closedFolder()
    const known = JSON.parse(readFileSync(checkpointPath(folder), 'utf8')) as { head: { logSeq: number } }
    writeFileSync(checkpointPath(folder), JSON.stringify({ ...known, head: { logSeq: 10, hash: 'a'.repeat(64) } }))
    await expect(openFolder(folder)).rejects.toMatchObject(corrupt)
  })

  test('the store of another node', async () => {
    const folder = await closedFolder()
    const known = JSON.parse(readFileSync(checkpointPath(folder), 'utf8')) as object
    writeFileSync(checkpointPath(folder), JSON.stringify({ ...known, epoch: 'fedcba9876543210' }))
    await expect(openFolder(folder)).rejects.toMatchObject({
      ...corrupt,
      message: expect.stringContaining('epoch') as string
    })
  })

  test('a LevelDB that somebody else filled', async () => {
    const store = await openMemoryStore()
    await store.write([{ type: 'put', key: 'somebody', value: utf8('else') }], { sync: true })
    await expect(openTestLog({ store })).rejects.toMatchObject(corrupt)
    expect(await collect(store.range({}))).toHaveLength(1)
  })
})

describe('damage on the disk', () => {
  test.each(['CURRENT', 'MANIFEST'])('a missing %s', async (name) => {
    const folder = await closedFolder()
    for (const path of files(folder, new RegExp(name))) rmSync(path)
    await expect(openFolder(folder)).rejects.toMatchObject(corrupt)
  })

  test('a missing write-ahead log', async () => {
    const folder = await closedFolder()
    for (const path of files(folder, /^\d+\.log$/)) rmSync(path)
    await expect(openFolder(folder)).rejects.toMatchObject(corrupt)
  })

  test('a missing table', async () => {
    const folder = await closedFolder({ compacted: true })
    for (const path of files(folder, /\.ldb$/)) rmSync(path)
    await expect(openFolder(folder)).rejects.toMatchObject(corrupt)
  })

  test('a flipped bit anywhere in the write-ahead log after a clean close', async () => {
    const folder = await closedFolder()
    const [path = ''] = files(folder, /^\d+\.log$/)
    const whole = readFileSync(path)
    const random = seededRandom('flipped')
    for (let round = 0; round < 40; round += 1) {
      const at = Math.floor(random.fraction() * whole.length)
      const damaged = temporaryFolder()
      cpSync(folder, damaged, { recursive: true })
      flipByte(join(storeFolder(damaged), basename(path)), at, round % 8)
      await expect(openFolder(damaged), `byte ${at} of ${whole.length}, bit ${round % 8}`).rejects.toMatchObject(
        corrupt
      )
    }
    await close(await openFolder(folder))
  })

  test('a write-ahead log that was cut anywhere', async () => {
    const folder = await closedFolder()
    const [path = ''] = files(folder, /^\d+\.log$/)
    const size = statSync(path).size
    truncateSync(path, Math.floor(size * 0.7))
    await expect(openFolder(folder)).rejects.toMatchObject(corrupt)
  })

  test('a flipped bit or a cut anywhere in a table: refused at the opening, or found by a walk over the log', async () => {
    const folder = await closedFolder({ compacted: true })
    const random = seededRandom('tables')
    const [path = ''] = files(folder, /\.ldb$/)
    const whole = readFileSync(path)
    for (let round = 0; round < 24; round += 1) {
      const at = Math.floor(random.fraction() * whole.length)
      if (round % 3 === 0) truncateSync(path, at)
      else flipByte(path, at, round % 8)
      const name = `${round % 3 === 0 ? 'cut' : 'flipped'} at ${at} of ${whole.length}`
      await expect(recordsOf(folder), name).resolves.toSatisfy(
        (found: unknown) => found === 'STORE_CORRUPT' || found === 'found' || found === RECORDS
      )
      writeFileSync(path, whole)
    }
  })
})

/**
 * What a node sees of a folder: the failure's code, that a walk finds damage, or the number of records that are as they
 * were.
 */
async function recordsOf(folder: string): Promise<string | number> {
  let opened: TestLog
  try {
    opened = await openFolder(folder)
  } catch (error) {
    if (error instanceof AnchormeshError) return error.code
    throw error
  }
  try {
    const findings = await verifyLog(opened.store, opened.checkpoint)
    return findings.ok ? findings.records : 'found'
  } finally {
    await opened.store.close()
  }
}
