import { expect, test } from 'vitest'
import type { LocalEvent } from '../../src/events/local.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import { CHECKPOINT_POSITIONS } from '../../src/projections/changes.ts'
import { encodeCursor } from '../../src/projections/cursor.ts'
import { policyOf } from '../support/identities.ts'
import { settled } from '../support/settled.ts'
import { counted, countedRows, countingProjection } from './support/counting.ts'
import { Follower, rowsInKeyOrder } from './support/follower.ts'
import type { Ledger } from './support/ledger.ts'
import { allRows, openLedger } from './support/ledger.ts'
import { followersKeepUp } from './support/properties.ts'
import type { RecordedWrite } from './support/stores.ts'
import { isFold, storeOf, watchedStore, writeGate } from './support/stores.ts'
import { ALICE, EVERYBODY } from './support/world.ts'

const policy = policyOf(ALICE, EVERYBODY)

async function counting(...events: readonly LocalEvent[]): Promise<Ledger> {
  const ledger = await openLedger({ policy, projections: [countingProjection()] })
  if (events.length > 0) await ledger.appendLocal(...events)
  await ledger.caughtUp()
  return ledger
}

const follow = (ledger: Ledger, name: string = 'counting'): Follower =>
  new Follower((query) => ledger.changes(name, query))

const code = async (changes: AsyncGenerator): Promise<unknown> =>
  await changes.next().then(
    () => 'answered',
    (error: unknown) => error
  )

test('a client that keeps the cursor and applies changes always ends with the rows of a query', async () => {
  await followersKeepUp(20)
})

test('first the rows as they are, then each change: no gap and nothing out of order at the seam', async () => {
  const ledger = await counting(
    ...Array.from({ length: 20 }, (_, index) => counted(`name-${String(index).padStart(2, '0')}`))
  )
  const follower = follow(ledger)
  expect(await follower.read(7)).toBe('open')
  for (let index = 0; index < 20; index += 1) {
    await ledger.appendLocal(counted(`name-${String(index).padStart(2, '0')}`))
    await ledger.caughtUp()
    if (index % 5 === 0) await follower.read(2)
  }
  await follower.readAll()
  const { received } = follower
  expect(received.slice(0, 20).map(({ logSeq, cursor, row }) => [logSeq, cursor === null, row?.['count']])).toEqual(
    Array.from({ length: 20 }, (_, index) => [21, index < 19, 1])
  )
  expect(received.slice(20).map(({ row }) => row?.['count'])).toEqual(Array.from({ length: 20 }, () => 2))
  expect(received.map(({ logSeq }) => logSeq)).toEqual(
    received.map(({ logSeq }) => logSeq).sort((left, right) => left - right)
  )
})

test('a reader that is slow gets the newest state of each row that changed, once, in the order of the last changes', async () => {
  const ledger = await counting(counted('a'), counted('b'), counted('c'))
  const follower = follow(ledger)
  await follower.readAll()
  const before = follower.received.length
  for (const name of ['c', 'a', 'b', 'a', 'a', 'c']) {
    await ledger.appendLocal(counted(name))
    await ledger.caughtUp()
  }
  await ledger.appendLocal(counted('b', { remove: true }))
  await ledger.caughtUp()
  await follower.readAll()
  const later = follower.received.slice(before)
  // The first wait ended with the first change; all the others were there by the next look.
  expect(later.map(({ key, row }) => [key, row?.['count'] ?? null])).toEqual([
    ['dao:test!c', 2],
    ['dao:test!a', 4],
    ['dao:test!c', 3],
    ['dao:test!b', null]
  ])
  expect(later.map(({ cursor }) => cursor === null)).toEqual([false, true, true, false])
})

test('a cursor goes on after a restart with what changed since', async () => {
  const first = await counting(counted('a'), counted('b'))
  const follower = follow(first)
  await follower.readAll()
  await follower.disconnect()
  await first.appendLocal(counted('b'))
  await first.caughtUp()
  await first.close()
  const again = await openLedger({ store: first.store, projections: [countingProjection()] })
  await again.appendLocal(counted('c'))
  await again.caughtUp()
  const resumed = again.changes('counting', { cursor: follower.cursor ?? '' })
  const came = [await resumed.next(), await resumed.next()].map(({ value }) => (value as { key: string }).key)
  expect(came).toEqual(['dao:test!b', 'dao:test!c'])
})

test('only the rows of a namespace, if one is named', async () => {
  const ledger = await counting(counted('a'), counted('dao:other!x'))
  const follower = new Follower((query) => ledger.changes('counting', query), 'dao:other')
  await follower.readAll()
  await ledger.appendLocal(counted('a'), counted('dao:other!y'), counted('dao:other2!z'))
  await ledger.caughtUp()
  await follower.readAll()
  expect([...follower.rows.keys()]).toEqual(['dao:other!x', 'dao:other!y'])
  const real = await openLedger({ policy })
  expect(await code(real.changes('trust-anchors', { namespace: 'dao:test' }))).toMatchObject({ code: 'QUERY_INVALID' })
})

test('who asks for what never changes keeps a cursor that is young enough, also after a restart', async () => {
  const ledger = await counting(counted('a'))
  const follower = new Follower((query) => ledger.changes('counting', query), 'dao:other')
  await follower.readAll()
  for (let from = 0; from < 10_000; from += 1_000) {
    await ledger.appendLocal(...Array.from({ length: 1_000 }, () => counted('b')))
    await ledger.caughtUp()
    expect(await follower.read()).toBe('open')
    // Nobody reads what is told of the others: no more than one word about every so many of them.
    expect(follower.checkpoints.length).toBeLessThanOrEqual((from + 1_000) / CHECKPOINT_POSITIONS)
  }
  expect(follower.received).toEqual([])
  expect(follower.checkpoints.at(-1)?.logSeq).toBeGreaterThan(ledger.log.head.logSeq - 2 * CHECKPOINT_POSITIONS)
  await follower.disconnect()
  await ledger.appendLocal(...Array.from({ length: 1_000 }, () => counted('b')), counted('dao:other!x'))
  await ledger.caughtUp()
  expect(await follower.read()).toBe('open')
  expect(follower.received.map(({ key }) => key)).toEqual(['dao:other!x'])
})

test('a projection that a busy log does not touch has checkpoints, too', async () => {
  const ledger = await counting()
  const follower = follow(ledger)
  await follower.readAll()
  const untouching = Array.from({ length: 3 * CHECKPOINT_POSITIONS }, () => ({ ...counted('b'), type: 'other' }))
  await ledger.appendLocal(...untouching)
  await ledger.caughtUp()
  await follower.readAll()
  expect([follower.received, follower.checkpoints.at(-1)?.logSeq]).toEqual([[], ledger.log.head.logSeq])
})

test('cursors that are too old, foreign, of the future or none at all are told apart', async () => {
  const ledger = await counting(counted('a'))
  const { epoch } = ledger.log
  const follower = follow(ledger)
  await follower.readAll()
  const old = follower.cursor ?? ''
  expect(await code(ledger.changes('unknown'))).toMatchObject({ code: 'UNKNOWN_PROJECTION' })
  expect(await code(ledger.changes('counting', { cursor: 'garbage' }))).toMatchObject({ code: 'QUERY_INVALID' })
  expect(
    await code(
      ledger.changes('counting', { cursor: encodeCursor({ kind: 'page', epoch, projection: 'counting', after: '' }) })
    )
  ).toMatchObject({ code: 'QUERY_INVALID' })

  const other = await openLedger({ policy, projections: [countingProjection({ name: 'other' })] })
  expect(await code(other.changes('other', { cursor: old }))).toMatchObject({ code: 'CURSOR_FOREIGN' })
  const shorter = await counting()
  expect(await code(shorter.changes('counting', { cursor: old }))).toMatchObject({ code: 'CURSOR_FUTURE' })

  for (let from = 0; from < 9_000; from += 1_000)
    await ledger.appendLocal(...Array.from({ length: 1_000 }, () => counted('b')))
  await ledger.caughtUp()
  const error = await code(ledger.changes('counting', { cursor: old }))
  expect(error).toMatchObject({ code: 'CURSOR_TOO_OLD' })
  const { oldest } = (error as { detail: { oldest: number } }).detail
  expect(oldest).toBeLessThanOrEqual(ledger.log.head.logSeq - 1_000)
  expect(await ledger.query('counting', { at: oldest })).toMatchObject({ logSeq: oldest })
  // Who was connected all the time, but did not read, is told too.
  expect(await follower.read()).toMatchObject({ code: 'CURSOR_TOO_OLD' })
})

test('a projection of another version has other rows: a cursor of the one before is too old, also one that was up to date', async () => {
  const first = await counting(counted('a'))
  const follower = follow(first)
  await follower.readAll()
  await follower.disconnect()
  await first.close()
  const again = await openLedger({ store: first.store, projections: [countingProjection({ version: 2 })] })
  const client = new Follower((query) => again.changes('counting', query))
  client.cursor = follower.cursor
  await client.readAll()
  expect(rowsInKeyOrder(client.rows)).toEqual([...countedRows([counted('a')], 2, 2).values()])
})

test('a rebuild that found other rows cuts off those who had the wrong ones', async () => {
  const ledger = await counting(counted('a'), counted('b'))
  const { rowsPrefix } = ledger.engine.instance('counting')
  await ledger.store.write([{ type: 'put', key: `${rowsPrefix}dao:test!a`, value: '{"name":"damaged"}' }], {
    sync: true
  })
  const follower = follow(ledger)
  await follower.readAll()
  expect(follower.rows.get('dao:test!a')).toEqual({ name: 'damaged' })
  await ledger.engine.rebuild()
  await follower.readAll()
  expect(rowsInKeyOrder(follower.rows)).toEqual(await allRows(ledger, 'counting'))
})

test('who follows a projection that halts is told, and after the rebuild the cursor leads to the rows', async () => {
  let failing = true
  const ledger = await openLedger({
    policy,
    projections: [countingProjection({ fails: ({ record }) => failing && record.logSeq === 3 })]
  })
  await ledger.appendLocal(counted('a'))
  await ledger.caughtUp()
  const follower = follow(ledger)
  await follower.readAll()
  await ledger.appendLocal(counted('b'))
  expect(await follower.read()).toMatchObject({ code: 'PROJECTION_HALTED' })
  failing = false
  await ledger.engine.rebuild()
  await follower.readAll()
  expect([...follower.rows.keys()]).toEqual(['dao:test!a', 'dao:test!b'])
})

test('a cursor that is ahead of a projection that lost its last writes in a crash is waited for', async () => {
  const writes: RecordedWrite[] = []
  const store = watchedStore(await openMemoryStore(), { beforeWrite: (write) => void writes.push(write) })
  const first = await openLedger({ store, policy, projections: [countingProjection()] })
  for (const name of ['a', 'b', 'c']) {
    await first.appendLocal(counted(name))
    await first.caughtUp()
  }
  const follower = follow(first)
  await follower.readAll()
  await follower.disconnect()
  const synced = writes.findLastIndex(({ sync }) => sync) + 1
  const gate = writeGate()
  gate.hold(isFold, 'before')
  const again = await openLedger({
    store: watchedStore(await storeOf(writes.slice(0, synced)), gate.hooks),
    projections: [countingProjection()]
  })
  const client = new Follower((query) => again.changes('counting', query))
  client.cursor = follower.cursor
  expect(await client.read()).toBe('open')
  gate.release()
  await again.appendLocal(counted('d'))
  await again.caughtUp()
  await client.readAll()
  expect(client.received.map(({ key }) => key)).toEqual(['dao:test!d'])
})

test('nothing is lost to a reader while the disk is ahead of what the node knows, not even while old changes are dropped', async () => {
  const gate = writeGate()
  const ledger = await openLedger({
    store: watchedStore(await openMemoryStore(), gate.hooks),
    policy,
    projections: [countingProjection()]
  })
  await ledger.appendLocal(counted('a'))
  await ledger.caughtUp()
  const follower = follow(ledger)
  await follower.readAll()
  await follower.disconnect()
  gate.hold(({ operations }) => operations.some(({ type, key }) => type === 'del' && key.includes('!j!')), 'after')
  await ledger.appendLocal(counted('once'))
  for (let from = 0; from < 8_200; from += 820)
    await ledger.appendLocal(...Array.from({ length: 820 }, () => counted('b')))
  await gate.held()
  await follower.readAll()
  gate.release()
  await ledger.caughtUp()
  await follower.readAll()
  expect(rowsInKeyOrder(follower.rows)).toEqual(await allRows(ledger, 'counting'))
})

test('the position of a change is one at which its row was true', async () => {
  const gate = writeGate()
  const ledger = await openLedger({
    store: watchedStore(await openMemoryStore(), gate.hooks),
    policy,
    projections: [countingProjection()]
  })
  const events = [counted('a')]
  await ledger.appendLocal(...events)
  await ledger.caughtUp()
  const follower = follow(ledger)
  for (let round = 0; round < 4; round += 1) {
    gate.hold(isFold, 'after')
    events.push(counted('a'))
    await ledger.appendLocal(counted('a'))
    await gate.held()
    await follower.read()
    gate.release()
    await ledger.caughtUp()
    if (round % 2 === 0) await follower.disconnect()
    if (round % 2 === 0) follower.cursor = undefined
  }
  await follower.readAll()
  for (const { logSeq, row } of follower.received)
    expect(row).toEqual(countedRows(events.slice(0, logSeq - 1), 2).get('dao:test!a'))
})

test('an abort ends the iteration: before it began, in the middle, and while it waits', async () => {
  const ledger = await counting(counted('a'), counted('b'), counted('c'))
  expect(await ledger.changes('counting', { signal: AbortSignal.abort() }).next()).toEqual({
    done: true,
    value: undefined
  })

  const middle = new AbortController()
  const changes = ledger.changes('counting', { signal: middle.signal })
  expect((await changes.next()).done).toBe(false)
  middle.abort()
  expect((await changes.next()).done).toBe(true)

  const waiting = new AbortController()
  const follower = ledger.changes('counting', { signal: waiting.signal })
  for (let index = 0; index < 3; index += 1) await follower.next()
  const next = follower.next()
  await settled()
  waiting.abort()
  expect((await next).done).toBe(true)
})

test('leaving the loop and closing the ledger both end the iteration', async () => {
  const ledger = await counting(counted('a'))
  for await (const change of ledger.changes('counting')) {
    expect(change).toMatchObject({ kind: 'change', key: 'dao:test!a' })
    break
  }
  const changes = ledger.changes('counting')
  await changes.next()
  const next = changes.next()
  await settled()
  await ledger.close()
  expect(await Promise.race([next, settled()])).toEqual({ done: true, value: undefined })
  expect(await ledger.changes('counting').next()).toEqual({ done: true, value: undefined })
})
