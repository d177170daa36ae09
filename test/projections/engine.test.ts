import { expect, test } from 'vitest'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import { localEvent } from '../../src/events/local.ts'
import { recordKey, sortableNumber } from '../../src/log/keys.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import { PROJECTIONS } from '../../src/projections/all.ts'
import { LEAVES_PER_RECORD } from '../../src/projections/batch-sealed.ts'
import { encodeCursor } from '../../src/projections/cursor.ts'
import { dataPrefix, generationPrefix, journalPrefix, stateKey } from '../../src/projections/keys.ts'
import { receiptsOfBatch } from '../../src/projections/receipts.ts'
import { announceBody, next } from '../support/events.ts'
import type { SignedEvent } from '../support/events.ts'
import { NAMESPACE, policyOf } from '../support/identities.ts'
import { settled } from '../support/settled.ts'
import { counted, countedRows, countingProjection } from './support/counting.ts'
import type { Ledger } from './support/ledger.ts'
import { allRows, everyRow, openLedger } from './support/ledger.ts'
import { crashesLoseNothing } from './support/properties.ts'
import type { LogLine } from '../support/recording-logger.ts'
import { recordingLogger } from '../support/recording-logger.ts'
import type { RecordedWrite } from './support/stores.ts'
import { copyOf, isFold, keysOf, storeOf, watchedStore } from './support/stores.ts'
import { ALICE, EVERYBODY } from './support/world.ts'

const policy = policyOf(ALICE, EVERYBODY)

const rowsOf = async (ledger: Ledger): Promise<unknown> => await allRows(ledger, 'counting')
const stateOf = (ledger: Ledger, name: string) => ledger.engine.status().find((status) => status.name === name)

async function chain(count: number): Promise<SignedEvent[]> {
  const events: SignedEvent[] = []
  for (let index = 0; index < count; index += 1)
    events.push(await next(ALICE, events.at(-1) ?? null, announceBody(`batch-${index}`)))
  return events
}

test('wherever a crash cuts the writes, the next start ends with the rows of a node that never crashed, now and at every position', async () => {
  await crashesLoseNothing(15)
})

test('a crash loses projections back to any position; folding goes on from there, in groups and around policies', async () => {
  const writes: RecordedWrite[] = []
  const store = watchedStore(await openMemoryStore(), { beforeWrite: (write) => void writes.push(write) })
  const events = await chain(40)
  const first = await openLedger({ store, policy })
  for (const [index, event] of events.entries()) {
    await first.append(event)
    if (index % 7 === 0) await first.caughtUp()
    if (index === 20) await first.appendPolicy(policyOf(ALICE, EVERYBODY, { announcers: [] }))
  }
  await first.caughtUp()
  const expected = await everyRow(first)
  const log = writes.filter(({ operations }) =>
    operations.some(({ key }) => key.startsWith('r!') || key.startsWith('m!'))
  )
  const folds = writes.filter((write) => !log.includes(write))
  for (const kept of [0, 1, Math.floor(folds.length / 2), folds.length - 1]) {
    const again = await openLedger({ store: await storeOf([...log, ...folds.slice(0, kept)]) })
    await again.caughtUp()
    expect(await everyRow(again)).toEqual(expected)
    await again.close()
  }
})

test('a projection of another version is folded anew from the log before the start resolves', async () => {
  const store = await openMemoryStore()
  const events = ['a', 'b', 'a', 'c'].map((name) => counted(name))
  const first = await openLedger({ store, policy, projections: [countingProjection({ version: 1 })] })
  await first.appendLocal(...events)
  await first.caughtUp()
  await first.close()
  for (const version of [2, 3, 1]) {
    const again = await openLedger({ store, projections: [countingProjection({ version })] })
    expect(stateOf(again, 'counting')).toEqual({ name: 'counting', version, logSeq: 5, state: 'live' })
    expect(await rowsOf(again)).toEqual([...countedRows(events, 2, version).values()])
    await again.close()
  }
})

test('a projection that is new to the store is folded from the beginning beside those that are not', async () => {
  const store = await openMemoryStore()
  const first = await openLedger({ store, policy })
  await first.append(...(await chain(3)))
  await first.appendLocal(counted('a'))
  await first.caughtUp()
  await first.close()
  const again = await openLedger({ store, projections: [...PROJECTIONS, countingProjection()] })
  await again.caughtUp()
  expect(await rowsOf(again)).toEqual([...countedRows([counted('a')], 5).values()])
})

test('a fold that throws halts its projection only, says so, skips nothing, and goes on after a rebuild', async () => {
  const lines: LogLine[] = []
  const logger = recordingLogger(lines)
  let failing = true
  const projections = [
    countingProjection({ fails: ({ record }) => failing && record.logSeq === 4 }),
    countingProjection({ name: 'sound' })
  ]
  const ledger = await openLedger({ policy, projections, logger })
  const events = ['a', 'b', 'c', 'd'].map((name) => counted(name))
  for (const event of events.slice(0, 2)) {
    await ledger.appendLocal(event)
    await ledger.caughtUp()
  }
  await ledger.appendLocal(...events.slice(2))
  await expect(ledger.caughtUp()).rejects.toMatchObject({ code: 'PROJECTION_HALTED' })
  await ledger.engine.reached(5, null, 'sound')
  expect(await allRows(ledger, 'sound')).toEqual([...countedRows(events, 2).values()])

  expect(stateOf(ledger, 'sound')).toMatchObject({ state: 'live', logSeq: 5 })
  expect(stateOf(ledger, 'counting')).toMatchObject({ state: 'halted', logSeq: 3 })
  expect(stateOf(ledger, 'counting')?.reason).toContain("position 4 can't be folded")
  expect(lines.filter(({ level }) => level === 'error').map(({ fields }) => fields['projection'])).toEqual(['counting'])
  await expect(ledger.query('counting')).rejects.toMatchObject({ code: 'PROJECTION_HALTED' })
  await expect(ledger.changes('counting').next()).rejects.toMatchObject({ code: 'PROJECTION_HALTED' })

  await ledger.appendLocal(counted('e'))
  await ledger.engine.reached(6, null, 'sound')
  expect(stateOf(ledger, 'counting')).toMatchObject({ state: 'halted', logSeq: 3 })
  await expect(ledger.engine.rebuild()).rejects.toThrow("position 4 can't be folded")
  expect(stateOf(ledger, 'counting')).toMatchObject({ state: 'halted', logSeq: 3 })

  failing = false
  const rebuilt = await ledger.engine.rebuild()
  expect(rebuilt.map(({ projection, logSeq }) => [projection, logSeq])).toEqual([
    ['counting', 6],
    ['sound', 6]
  ])
  await ledger.appendLocal(counted('f'))
  await ledger.caughtUp()
  expect(await rowsOf(ledger)).toEqual([...countedRows([...events, counted('e'), counted('f')], 2).values()])
})

test('a projection that halted tries the same record again after the next start', async () => {
  const store = await openMemoryStore()
  const first = await openLedger({
    store,
    policy,
    projections: [countingProjection({ fails: ({ record }) => record.logSeq === 3 })]
  })
  await first.appendLocal(counted('a'))
  await first.caughtUp()
  await first.appendLocal(counted('b'))
  await expect(first.caughtUp()).rejects.toMatchObject({ code: 'PROJECTION_HALTED' })
  await first.close()
  const again = await openLedger({ store, projections: [countingProjection()] })
  await again.caughtUp()
  expect(await rowsOf(again)).toEqual([...countedRows([counted('a'), counted('b')], 2).values()])
})

test('a fold of another version that throws at the start halts its projection only', async () => {
  const store = await openMemoryStore()
  const first = await openLedger({
    store,
    policy,
    projections: [countingProjection(), countingProjection({ name: 'sound' })]
  })
  await first.appendLocal(counted('a'))
  await first.caughtUp()
  await first.close()
  const failing = countingProjection({ version: 2, fails: ({ record }) => record.logSeq === 2 })
  const again = await openLedger({ store, projections: [failing, countingProjection({ name: 'sound', version: 2 })] })
  expect(stateOf(again, 'counting')?.state).toBe('halted')
  expect(await allRows(again, 'sound')).toHaveLength(1)
  await again.close()
  const repaired = await openLedger({ store, projections: [countingProjection({ version: 2 })] })
  expect(await rowsOf(repaired)).toEqual([...countedRows([counted('a')], 2, 2).values()])
})

test('what an interrupted refold left behind is removed at the next start, and nothing else is', async () => {
  const store = await openMemoryStore()
  const first = await openLedger({ store, policy })
  await first.append(...(await chain(3)))
  await first.caughtUp()
  await first.engine.rebuild()
  const expected = await everyRow(first)
  await first.close()
  const before = await keysOf(store, 'v!')
  const leftovers = [0, 2, 3, 17].flatMap((generation) =>
    ['r!a', 'r!z', 'x!fact'].map((key) => ({
      type: 'put' as const,
      key: generationPrefix('batches', generation) + key,
      value: Buffer.from('{}')
    }))
  )
  await store.write(leftovers, { sync: true })
  const again = await openLedger({ store })
  expect(await keysOf(store, 'v!')).toEqual(before)
  expect(await everyRow(again)).toEqual(expected)
})

test('a refold that is cut off anywhere leaves the next start with the same rows', async () => {
  const writes: RecordedWrite[] = []
  const store = watchedStore(await openMemoryStore(), { beforeWrite: (write) => void writes.push(write) })
  const ledger = await openLedger({ store, policy })
  await ledger.append(...(await chain(3)))
  await ledger.caughtUp()
  const from = writes.length
  const before = await everyRow(ledger)
  await ledger.appendPolicy(policyOf(ALICE, EVERYBODY, { announcers: [] }))
  await ledger.caughtUp()
  await ledger.engine.rebuild()
  const expected = await everyRow(ledger)
  for (let kept = from + 1; kept <= writes.length; kept += 3) {
    const again = await openLedger({ store: await storeOf(writes.slice(0, kept)) })
    await again.caughtUp()
    expect(await everyRow(again)).toEqual(expected)
    expect(await everyRow({ query: (name, query) => again.query(name, { ...query, at: 4 }) })).toEqual(before)
    for (const { name } of PROJECTIONS) {
      const generations = new Set(
        (await keysOf(again.store, dataPrefix(name)))
          .filter((key) => !key.startsWith(journalPrefix(name)))
          .map((key) => key.slice(0, generationPrefix(name, 0).length))
      )
      expect(generations.size).toBeLessThanOrEqual(1)
    }
    await again.close()
  }
})

test('a projection never skips: a record of the log that is damaged or missing halts all that have not folded it', async () => {
  const store = await openMemoryStore()
  const first = await openLedger({ store, policy, projections: [countingProjection()] })
  await first.appendLocal(counted('a'), counted('b'), counted('c'))
  await first.caughtUp()
  await first.close()
  for (const damage of ['damaged', 'missing', 'the last ones missing'] as const) {
    const broken = await copyOf(store)
    const keys = damage === 'the last ones missing' ? [recordKey(3), recordKey(4)] : [recordKey(3)]
    // The head is known before the records go: the log was opened, and a disk lost what it had.
    const lines: LogLine[] = []
    const logger = recordingLogger(lines)
    await broken.write([{ type: 'del', key: stateKey('counting') }], { sync: true })
    const held = Promise.withResolvers<void>()
    let opened = false
    const watched = watchedStore(broken, {
      onRead(key) {
        if (opened || !key.startsWith('w!')) return
        opened = true
        held.resolve()
      }
    })
    const opening = openLedger({ store: watched, logger, projections: [countingProjection()] })
    await held.promise
    await broken.write(
      keys.map((key) =>
        damage === 'damaged' ? { type: 'put', key, value: Buffer.from('garbage') } : { type: 'del', key }
      ),
      { sync: true }
    )
    const ledger = await opening
    for (let turn = 0; turn < 20; turn += 1) await settled()
    expect(stateOf(ledger, 'counting'), damage).toMatchObject({ state: 'halted', logSeq: 0 })
    await expect(ledger.caughtUp()).rejects.toMatchObject({ code: 'PROJECTION_HALTED' })
    await ledger.close()
  }
})

test('a rebuild of a log that lost a record fails and keeps the rows', async () => {
  const ledger = await openLedger({ policy, projections: [countingProjection()] })
  const events = ['a', 'b', 'c'].map((name) => counted(name))
  await ledger.appendLocal(...events)
  await ledger.caughtUp()
  await ledger.store.write([{ type: 'del', key: recordKey(3) }], { sync: true })
  await expect(ledger.engine.rebuild()).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
  expect(await rowsOf(ledger)).toEqual([...countedRows(events, 2).values()])
})

test('a projection write that fails is tried again; nothing is skipped and nothing is halted', async () => {
  const lines: LogLine[] = []
  const logger = recordingLogger(lines)
  let full = false
  const store = watchedStore(await openMemoryStore(), {
    beforeWrite({ sync }) {
      if (full && !sync) throw Object.assign(new Error('no room'), { code: 'LEVEL_IO_ERROR' })
    }
  })
  const ledger = await openLedger({ store, policy, logger, projections: [countingProjection()] })
  const events = ['a', 'b', 'a'].map((name) => counted(name))
  await ledger.appendLocal(...events.slice(0, 1))
  await ledger.caughtUp()
  full = true
  await ledger.appendLocal(...events.slice(1))
  await settled()
  expect(stateOf(ledger, 'counting')).toMatchObject({ state: 'catching-up', logSeq: 2 })
  full = false
  await ledger.clock.advance(1_000)
  await ledger.caughtUp()
  expect(await rowsOf(ledger)).toEqual([...countedRows(events, 2).values()])
  expect(lines.map(({ level }) => level)).toContain('error')
})

test('a store that can not be read for a moment halts nothing', async () => {
  let closed = false
  const store = watchedStore(await openMemoryStore(), {
    onRead(key) {
      if (closed && key.startsWith('v!'))
        throw Object.assign(new Error('Database is not open'), { code: 'LEVEL_DATABASE_NOT_OPEN' })
    }
  })
  const ledger = await openLedger({ store, policy, projections: [countingProjection()] })
  closed = true
  await ledger.appendLocal(counted('a'))
  await settled()
  expect(stateOf(ledger, 'counting')?.state).toBe('catching-up')
  closed = false
  await ledger.clock.advance(1_000)
  await ledger.caughtUp()
  expect(await rowsOf(ledger)).toHaveLength(1)
})

test('a disk that is full while a policy has everything folded anew halts nothing', async () => {
  let full = false
  const store = watchedStore(await openMemoryStore(), {
    beforeWrite({ sync }) {
      if (full && !sync) throw Object.assign(new Error('no room'), { code: 'LEVEL_IO_ERROR' })
    }
  })
  const ledger = await openLedger({ store, policy })
  await ledger.append(...(await chain(3)))
  await ledger.caughtUp()
  full = true
  await ledger.appendPolicy(policyOf(ALICE, EVERYBODY, { announcers: [] }))
  await settled()
  expect(ledger.engine.status().filter(({ state }) => state === 'halted')).toEqual([])
  full = false
  await ledger.clock.advance(1_000)
  await ledger.caughtUp()
  expect(await allRows(ledger, 'effects')).toHaveLength(3)
})

test('a policy that this release can not read halts, and says why', async () => {
  const ledger = await openLedger({ policy, projections: [countingProjection()] })
  await ledger.appendLocal(localEvent('policy', 1, { v: 2 }))
  await expect(ledger.caughtUp()).rejects.toMatchObject({ code: 'PROJECTION_HALTED' })
  expect(stateOf(ledger, 'counting')?.reason).toContain('no policy of version 1')
})

test('waiting: a position that comes, one that does not come in time, one that a halt prevents, and the end', async () => {
  const ledger = await openLedger({
    policy,
    projections: [countingProjection({ fails: ({ record }) => record.logSeq === 4 })]
  })
  const waiting = ledger.engine.reached(3, 5_000, 'counting')
  await ledger.appendLocal(counted('a'))
  await ledger.appendLocal(counted('b'))
  await waiting
  expect(ledger.clock.timersSet).toBe(1)

  const tooLong = ledger.engine.reached(9, 5_000, 'counting')
  await ledger.clock.advance(4_999)
  const outcome = tooLong.then(
    () => 'reached',
    (error: unknown) => error
  )
  await ledger.clock.advance(1)
  expect(await outcome).toMatchObject({ code: 'NOT_YET' })

  const prevented = ledger.engine.reached(4, null)
  await ledger.appendLocal(counted('c'))
  await expect(prevented).rejects.toMatchObject({ code: 'PROJECTION_HALTED' })
})

test('closing ends what waits for a position that will not come', async () => {
  const ledger = await openLedger({ policy, projections: [countingProjection()] })
  await ledger.caughtUp()
  const waiting = ledger.engine.reached(99, null).then(
    () => 'reached',
    (error: unknown) => error
  )
  await ledger.close()
  expect(await Promise.race([waiting, settled().then(() => 'still waiting')])).toMatchObject({ code: 'NOT_YET' })
  expect(ledger.clock.timersSet).toBe(0)
})

test('rebuilds that are asked for at the same time, and while events come in, come out identical', async () => {
  const ledger = await openLedger({ policy })
  const events = await chain(60)
  await ledger.append(...events.slice(0, 30))
  const rebuilds = [ledger.engine.rebuild(), ledger.engine.rebuild()]
  for (const event of events.slice(30)) await ledger.append(event)
  const results = (await Promise.all(rebuilds)).flat()
  await ledger.caughtUp()
  expect(results.filter(({ identical }) => !identical)).toEqual([])
  expect((await ledger.engine.rebuild()).every(({ identical, logSeq }) => identical && logSeq === 61)).toBe(true)
})

test('a rebuild tells how far it is, and of damaged rows that they were not identical', async () => {
  const ledger = await openLedger({ policy, projections: [countingProjection()] })
  await ledger.appendLocal(counted('a'), counted('b'))
  await ledger.caughtUp()
  const { rowsPrefix } = ledger.engine.instance('counting')
  await ledger.store.write(
    [{ type: 'put', key: `${rowsPrefix}dao:test!a`, value: Buffer.from('{"name":"damaged"}') }],
    { sync: true }
  )
  const progress: unknown[] = []
  const [rebuilt] = await ledger.engine.rebuild((at) => progress.push(at))
  expect(rebuilt).toMatchObject({ projection: 'counting', identical: false, rows: 2, logSeq: 3 })
  expect(progress.at(-1)).toEqual({ projection: 'counting', done: 3, total: 3 })
  expect(await rowsOf(ledger)).toEqual([...countedRows([counted('a'), counted('b')], 2).values()])
})

test('records that make very many rows are folded in groups that fit into memory', async () => {
  const sizes: number[] = []
  const store = watchedStore(await openMemoryStore(), {
    beforeWrite: (write) => void (isFold(write) && sizes.push(write.operations.length))
  })
  const ledger = await openLedger({ store, policy })
  const leaves = Array.from({ length: LEAVES_PER_RECORD }, (_, index) => sha256Hex(`leaf ${index}`))
  const sealed = {
    namespace: NAMESPACE,
    owner: 'org-a',
    batchId: 'large',
    batchRoot: sha256Hex('root'),
    receiptCount: 150 * leaves.length
  }
  await ledger.appendLocal(
    ...Array.from({ length: 150 }, (_, part) =>
      localEvent('batch-sealed', 1, { ...sealed, firstIndex: part * leaves.length, leaves })
    )
  )
  await ledger.caughtUp()
  expect((await ledger.query('batches')).rows[0]).toMatchObject({ receiptsPresent: 150 * leaves.length })
  expect(
    (await ledger.query('receipts', { cursor: lastReceiptCursor(ledger, 150 * leaves.length - 1) })).rows
  ).toHaveLength(1)
  expect(Math.max(...sizes)).toBeLessThan(20_000)
})

/** The cursor that stands before the receipt of an index. */
function lastReceiptCursor(ledger: Ledger, index: number): string {
  const after =
    receiptsOfBatch({ namespace: NAMESPACE, batchId: 'large', owner: 'org-a', batchRoot: sha256Hex('root') }) +
    sortableNumber(index - 1)
  return encodeCursor({ kind: 'page', epoch: ledger.log.epoch, projection: 'receipts', after })
}
