import { describe, expect, test } from 'vitest'
import { toHex } from '../../protocols/primitives/bytes.ts'
import { chainIdOf } from '../../src/events/chain.ts'
import { GROUP_BYTES_MAX, GROUP_RECORDS_MAX, QUEUED_BYTES_MAX, QUEUED_RECORDS_MAX } from '../../src/log/limits.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import type { LoggedRecord } from '../../src/log/log-reader.ts'
import { parseRecord } from '../../src/log/log-reader.ts'
import { GENESIS_HASH, recordHash, sealRecord } from '../../src/log/record.ts'
import { verifyLog } from '../../src/log/verify-log.ts'
import { collect } from '../support/collect.ts'
import { NAMESPACE } from '../support/identities.ts'
import { WatchedStore } from '../support/stores.ts'
import { until } from '../support/until.ts'
import { appendAll, local, openTestLog, shared, unsignedChain, unsignedEvent } from './support.ts'

async function openWatched(): Promise<Awaited<ReturnType<typeof openTestLog>> & { watched: WatchedStore }> {
  const watched = new WatchedStore(await openMemoryStore())
  const opened = await openTestLog({ store: watched })
  watched.writes.length = 0
  return { ...opened, watched }
}

describe('group commit', () => {
  test('appends of the same moment share one synced batch', async () => {
    const { log, watched } = await openWatched()
    await appendAll(log, unsignedChain(100))
    expect(watched.groups()).toEqual([100])
    expect(watched.writes).toHaveLength(1)
  })

  test('what comes while a batch is written shares the next one', async () => {
    const { log, watched } = await openWatched()
    const events = unsignedChain(50)
    const first = log.append([shared(events[0] ?? unsignedEvent({}))])
    await until('the first batch is under way', () => watched.writes.length === 1 || log.head.logSeq === 1)
    await Promise.all([first, appendAll(log, events.slice(1))])
    expect(watched.groups()).toEqual([1, 49])
  })

  test('a group is bounded in records', async () => {
    const { log, watched } = await openWatched()
    await appendAll(log, unsignedChain(GROUP_RECORDS_MAX * 2 + 10))
    expect(watched.groups()).toEqual([GROUP_RECORDS_MAX, GROUP_RECORDS_MAX, 10])
  })

  test('a group is bounded in bytes', async () => {
    const { log, watched } = await openWatched()
    const events = unsignedChain(400, { body: { pad: 'x'.repeat(45_000) } })
    await appendAll(log, events)
    const size = events[0]?.wire.length ?? 0
    expect(Math.max(...watched.groups()) * size).toBeLessThanOrEqual(GROUP_BYTES_MAX)
    expect(watched.groups().length).toBe(Math.ceil(400 / Math.floor(GROUP_BYTES_MAX / size)))
  })

  test('one append is one batch, however large: all of it or nothing', async () => {
    const { log, watched } = await openWatched()
    const records = await log.append(Array.from({ length: 1_500 }, (_, index) => local({ index })))
    expect(watched.groups()).toEqual([1_500])
    expect(records.map(({ record }) => record.logSeq)).toEqual(Array.from({ length: 1_500 }, (_, index) => index + 1))
  })

  test('a queue that is full refuses, and says beforehand that it would', async () => {
    const { log } = await openWatched()
    const events = unsignedChain(QUEUED_RECORDS_MAX + 1)
    const queued = events.slice(0, -1).map((event) => log.append([shared(event)]))
    expect(log.busy).toBe(true)
    await expect(log.append([shared(events.at(-1) ?? unsignedEvent({}))])).rejects.toMatchObject({ code: 'STORE_FULL' })
    await Promise.all(queued)
    expect(log.busy).toBe(false)
    expect(log.head.logSeq).toBe(QUEUED_RECORDS_MAX)
  })

  test('a queue is full by bytes too, but what finds it empty gets in, whatever its size', async () => {
    const { log } = await openWatched()
    const large = local({ text: 'x'.repeat(QUEUED_BYTES_MAX) })
    const queued = log.append([large])
    expect(log.busy).toBe(true)
    await expect(log.append([local({})])).rejects.toMatchObject({ code: 'STORE_FULL' })
    await queued
    expect(log.busy).toBe(false)
    await log.append([local({})])
    expect(log.head.logSeq).toBe(2)
  })
})

describe('the order', () => {
  test('positions are consecutive in the order of the calls, and listeners see each group once, after it is durable', async () => {
    const { log } = await openWatched()
    const heard: LoggedRecord[] = []
    const stop = log.onAppended((records) => {
      expect(log.head.logSeq).toBe(records.at(-1)?.record.logSeq)
      heard.push(...records)
    })
    const events = unsignedChain(700)
    const records = await appendAll(log, events)
    expect(records.map(({ record }) => record.logSeq)).toEqual(events.map((_, index) => index + 1))
    expect(heard.map(({ record }) => record.logSeq)).toEqual(events.map((_, index) => index + 1))
    stop()
    await log.append([local({})])
    expect(heard).toHaveLength(700)
  })

  test('each hash covers the one before it, the position, the scope, the time and the payload', async () => {
    const { log, clock } = await openWatched()
    const chain = unsignedChain(3)
    await log.append([local({ first: true }, 'policy'), ...chain.slice(0, 1).map(shared)])
    await clock.advance(5)
    await log.append(chain.slice(1).map(shared))
    let previous = GENESIS_HASH
    const stored = await collect(log.records(0, 4))
    expect(stored.map(({ logSeq, scope }) => [logSeq, scope])).toEqual([
      [1, 'local'],
      [2, 'shared'],
      [3, 'shared'],
      [4, 'shared']
    ])
    expect(stored.map(({ recordedAt }) => recordedAt - (stored[0]?.recordedAt ?? 0))).toEqual([0, 0, 5, 5])
    for (const record of stored) {
      const { hash, ...content } = record
      expect(toHex(hash)).toBe(toHex(sealRecord(previous, content).record.hash))
      expect(toHex(hash)).toBe(toHex(recordHash(previous, content)))
      for (const changed of [
        { logSeq: record.logSeq + 1 },
        { recordedAt: record.recordedAt + 1 },
        { scope: record.scope === 'local' ? ('shared' as const) : ('local' as const) }
      ]) {
        expect(toHex(sealRecord(previous, { ...content, ...changed }).record.hash)).not.toBe(toHex(hash))
      }
      previous = hash
    }
    expect(toHex(log.head.hash)).toBe(toHex(previous))
  })

  test('the stored payload is the very bytes that came', async () => {
    const { log } = await openWatched()
    const [event] = unsignedChain(1)
    if (event === undefined) throw new Error('no event')
    await log.append([shared(event)])
    const record = await log.read(1)
    expect(Buffer.from(record?.payload ?? [])).toEqual(Buffer.from(event.wire))
    expect(record === undefined ? null : parseRecord(record)).toMatchObject({
      scope: 'shared',
      event: { id: event.id }
    })
  })
})

test('a chain that is longer than a group is found at every position, also after a fork', async () => {
  const { log, store, checkpoint } = await openWatched()
  const trunk = unsignedChain(GROUP_RECORDS_MAX + 100)
  await appendAll(log, trunk)
  const at = trunk[299]
  if (at === undefined) throw new Error('no event')
  const branch = unsignedChain(GROUP_RECORDS_MAX + 50, { before: at, body: { side: 'branch' } })
  await appendAll(log, branch)
  const chain = chainIdOf(at.envelope)
  for (const authorSeq of [1, 299, 300, 301, 512, 513, 612, 613, 812, 813, 862]) {
    const expected = [...trunk, ...branch].flatMap(({ envelope }, index) =>
      envelope.authorSeq === authorSeq ? [index + 1] : []
    )
    expect(await log.positionsAt(chain, authorSeq, 10), `authorSeq ${authorSeq}`).toEqual(expected)
  }
  expect(await log.positionsAt(chain, 863, 10)).toEqual([])
  expect(await log.positionsAt(chain, 301, 1)).toEqual([301])
  const tips = await collect(log.tips(NAMESPACE))
  expect(new Set(tips.map(({ id }) => id))).toEqual(new Set([trunk, branch].map((side) => side.at(-1)?.id)))
  await log.writeCheckpoint()
  expect(await verifyLog(store, checkpoint)).toMatchObject({ ok: true, records: 1_174, problems: [] })
})

test('policies are found by position', async () => {
  const { log } = await openWatched()
  await log.append([local({ v: 1 }, 'policy')])
  await log.append([local({})])
  await log.append([local({ v: 2 }, 'policy')])
  expect([
    await log.lastPolicy(0),
    await log.lastPolicy(1),
    await log.lastPolicy(2),
    await log.lastPolicy(3),
    await log.lastPolicy(99)
  ]).toEqual([undefined, { v: 1 }, { v: 1 }, { v: 2 }, { v: 2 }])
})

test('a log that is closed takes what was queued, then nothing, and has written down how long it is', async () => {
  const { log, checkpoint } = await openWatched()
  const queued = appendAll(log, unsignedChain(10))
  await log.close()
  expect(await queued).toHaveLength(10)
  await expect(log.append([local({})])).rejects.toMatchObject({ code: 'NODE_NOT_RUNNING' })
  expect(await checkpoint.read()).toMatchObject({ head: { logSeq: 10, hash: toHex(log.head.hash) } })
})
