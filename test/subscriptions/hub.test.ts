import { expect, test } from 'vitest'
import { SUBSCRIPTION_LIMITS } from '../../src/subscriptions/limits.ts'
import type { Standing } from '../../src/subscriptions/ports.ts'
import { SEES_ALL } from '../../src/policy/read-scope.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import { counted, countingProjection } from '../projections/support/counting.ts'
import type { Ledger } from '../projections/support/ledger.ts'
import { openLedger } from '../projections/support/ledger.ts'
import { ALICE, EVERYBODY } from '../projections/support/world.ts'
import { policyOf } from '../support/identities.ts'
import { Line, TINY_LIMITS, connect, hubOf, quietly, scopeOf } from './support.ts'

const POLICY = policyOf(ALICE, EVERYBODY)

async function counting(...names: readonly string[]): Promise<Ledger> {
  const ledger = await openLedger({ policy: POLICY, projections: [countingProjection()] })
  if (names.length > 0) await append(ledger, ...names)
  else await ledger.caughtUp()
  return ledger
}

async function append(ledger: Ledger, ...names: readonly string[]): Promise<void> {
  await ledger.appendLocal(...names.map((name) => counted(name)))
  await ledger.caughtUp()
  await quietly()
}

const kinds = ({ frames }: Line): string[] => frames.map(({ frame }) => frame)

test('a change is read once and encoded once, however many get it', async () => {
  let snapshots = 0
  const ledger = await counting()
  const hub = hubOf(ledger, {
    store: {
      snapshot: () => {
        snapshots += 1
        return ledger.store.snapshot()
      }
    }
  })
  const written: Uint8Array[] = []
  const lines = Array.from({ length: 100 }, (_, index) => new Line(index % 2 === 0 ? 'events' : 'messages'))
  for (const line of lines) {
    const { sink } = line
    const opening = hub.open({ projection: 'counting', scope: SEES_ALL, address: '' })
    if (!opening.ok) throw new Error(opening.code)
    opening.start({ ...sink, write: (bytes) => void (sink.write(bytes), written.push(bytes)) })
  }
  await quietly()
  const before = snapshots
  written.length = 0
  await append(ledger, 'a')
  expect(lines.every(({ last }) => last?.frame === 'change')).toBe(true)
  expect(snapshots - before).toBe(1)
  expect(new Set(written).size).toBe(2)
  await hub.stop()
})

test('who is too slow is ended by name where it was, and nobody else waits for it', async () => {
  const ledger = await counting('a')
  const hub = hubOf(ledger, { limits: { ...SUBSCRIPTION_LIMITS, waitingBytesMax: 2_000 } })
  const [slow, quick] = [connect(hub, new Line('events')), connect(hub, new Line('messages'))]
  await quietly()
  slow.stall()
  for (let index = 0; index < 20; index += 1) await append(ledger, `n${index}`)
  expect(slow.ended).toBe(true)
  expect(quick.frames.filter(({ frame }) => frame === 'change')).toHaveLength(20)
  expect(hub.stats()).toMatchObject({ subscribers: 1, ended: { CONSUMER_TOO_SLOW: 1 } })
  slow.flow()
  expect(slow.last?.frame).toBe('consumer-too-slow')
  expect(slow.cursor).toBe(slow.frames.at(-2)?.cursor)
  const again = connect(hub, new Line('events', { hasCursor: true }), { cursor: slow.cursor ?? '' })
  await quietly()
  const rows = (line: Line): unknown[] => line.frames.flatMap((frame) => (frame.frame === 'change' ? [frame.key] : []))
  expect([...rows(slow), ...rows(again)]).toEqual(rows(quick))
  await hub.stop()
})

test('who does not read a long snapshot is waited for, half a minute', async () => {
  const ledger = await counting(...Array.from({ length: 50 }, (_, index) => `n${index}`))
  const hub = hubOf(ledger, { limits: TINY_LIMITS })
  const line = new Line('events')
  line.stall()
  connect(hub, line)
  await quietly()
  await ledger.clock.advance(25_000)
  expect([line.ended, hub.stats().subscribers]).toEqual([false, 1])
  await ledger.clock.advance(10_000)
  expect([line.ended, hub.stats().subscribers]).toEqual([true, 0])
  // Long before its farewell is over nothing is read for it any more.
  await ledger.clock.advance(5_000)
  expect(line.destroyed).toBe(true)
  await hub.stop()
})

test('there is a bound on subscribers, on those of one address, and on what they can ask for', async () => {
  const ledger = await counting('a')
  const hub = hubOf(ledger, { limits: { ...SUBSCRIPTION_LIMITS, subscribersMax: 4, perAddressMax: 1, channelsMax: 2 } })
  const outcome = (address: string, namespace?: string): string => {
    try {
      connect(hub, new Line('events'), { address, ...(namespace === undefined ? {} : { namespace }) })
      return 'open'
    } catch (error) {
      return (error as Error).message
    }
  }
  expect([outcome('10.0.0.1'), outcome('10.0.0.1')]).toEqual(['open', 'TOO_MANY_SUBSCRIBERS'])
  expect([outcome('127.0.0.1', 'dao:a'), outcome('127.0.0.1', 'dao:b')]).toEqual(['open', 'TOO_MANY_SUBSCRIBERS'])
  expect([outcome('::ffff:127.0.0.1'), outcome('::1'), outcome('::1')]).toEqual([
    'open',
    'open',
    'TOO_MANY_SUBSCRIBERS'
  ])
  hub.endAll()
  expect(outcome('10.0.0.1')).toBe('open')
  await hub.stop()
})

test('a reader gets what it may see, and is ended when it may see it no more', async () => {
  const ledger = await counting('dao:a!1', 'dao:b!1', 'dao:c!1')
  const mine = scopeOf('dao:a', 'dao:c')
  let standing: Standing = { ok: true, scope: mine }
  const hub = hubOf(ledger, { again: (scope) => (scope === mine ? standing : { ok: true, scope }) })
  const line = connect(hub, new Line('events'), { scope: mine })
  const all = connect(hub, new Line('events'))
  await quietly()
  await append(ledger, 'dao:b!2', 'dao:c!2')
  expect(line.frames.map((frame) => ('key' in frame ? frame.key : frame.frame))).toEqual([
    'dao:a!1',
    'dao:c!1',
    'caught-up',
    'dao:c!2'
  ])
  expect(hub.open({ projection: 'counting', scope: mine, namespace: 'dao:b', address: '' })).toMatchObject({
    ok: false,
    code: 'ACCESS_DENIED'
  })
  standing = { ok: false, code: 'TOKEN_EXPIRED' }
  await ledger.clock.advance(1_000)
  expect(line.last).toMatchObject({ frame: 'error', code: 'TOKEN_EXPIRED', retryable: false })
  expect(line.ended).toBe(true)
  standing = { ok: true, scope: scopeOf('dao:a') }
  const second = connect(hub, new Line('events'), { scope: mine })
  await quietly()
  hub.recheck()
  expect(second.last).toMatchObject({ frame: 'error', code: 'ACCESS_DENIED', retryable: true })
  expect(all.ended).toBe(false)
  // Its cursor is of what it could see then.
  expect(() =>
    hub.open({ projection: 'counting', scope: scopeOf('dao:a'), cursor: second.cursor ?? '', address: '' })
  ).toThrow('of others that may be seen')
  await hub.stop()
})

test('a store that fails for a while loses nothing', async () => {
  const ledger = await counting()
  let fails = false
  const hub = hubOf(ledger, {
    store: { snapshot: () => (fails ? Promise.reject(new Error('the disk is away')) : ledger.store.snapshot()) }
  })
  const line = connect(hub, new Line('events'))
  await quietly()
  fails = true
  await append(ledger, 'a', 'b')
  expect(kinds(line)).toEqual(['caught-up'])
  fails = false
  await ledger.clock.advance(1_000)
  await quietly()
  expect(kinds(line)).toEqual(['caught-up', 'change', 'change'])
  await hub.stop()
})

test('a projection that halts ends its subscriptions; one that is folded anew in another form makes cursors too old', async () => {
  const store = await openMemoryStore()
  const first = await openLedger({
    store,
    policy: POLICY,
    projections: [countingProjection({ fails: ({ record }) => record.logSeq === 4 })]
  })
  const hub = hubOf(first)
  const line = connect(hub, new Line('messages'))
  await quietly()
  await first.appendLocal(counted('a'), counted('b'))
  await quietly()
  const { cursor } = line
  await first.appendLocal(counted('c'))
  await quietly()
  expect(line.last).toMatchObject({ frame: 'error', code: 'PROJECTION_HALTED', retryable: true })
  expect(() => connect(hub, new Line('events'))).toThrow('stopped after')
  await hub.stop()
  await first.close()
  const second = await openLedger({ store, projections: [countingProjection({ version: 2 })] })
  await second.caughtUp()
  expect(() => connect(hubOf(second), new Line('events'), { cursor: cursor ?? '' })).toThrow('no longer kept')
  await second.close()
})

test('a stopped hub takes nobody, and a closed engine ends all', async () => {
  const ledger = await counting('a')
  const hub = hubOf(ledger)
  const line = connect(hub, new Line('events'))
  await quietly()
  await ledger.close()
  expect(line.last).toMatchObject({ frame: 'error', code: 'NODE_NOT_RUNNING', retryable: true })
  await hub.stop()
  expect(() => connect(hub, new Line('events'))).toThrow('stopping')
  expect(hub.stats()).toMatchObject({ subscribers: 0 })
})
