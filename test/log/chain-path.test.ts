import { describe, expect, test } from 'vitest'
import { eventIdOfWire } from '../../protocols/event/v1/codec.ts'
import { chainIdOf } from '../../src/events/chain.ts'
import type { VerifiedEvent } from '../../src/events/verified.ts'
import type { ChainPath } from '../../src/log/chain-path.ts'
import { branchKey, chainRunKey, recordKey } from '../../src/log/keys.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import {
  GROUP_RECORDS_MAX,
  PATH_BATCH_BYTES,
  PATH_BATCH_EVENTS_MAX,
  PATH_READ_RECORDS_MAX
} from '../../src/log/limits.ts'
import { verifyLog } from '../../src/log/verify-log.ts'
import { collect } from '../support/collect.ts'
import { CountedStore } from '../support/stores.ts'
import type { TestLog } from './support.ts'
import { appendAll, openTestLog, shared, unsignedChain, unsignedEvent } from './support.ts'

interface Counted extends TestLog {
  readonly reads: CountedStore
}

async function openCounted(): Promise<Counted> {
  const reads = new CountedStore(await openMemoryStore())
  return { reads, ...(await openTestLog({ store: reads })) }
}

async function pathTo({ log }: TestLog, event: VerifiedEvent | undefined): Promise<ChainPath> {
  const found = await log.find(event?.id ?? '')
  if (found === undefined) throw new Error('not in the log')
  return await log.pathOf(found)
}

const upTo = (length: number): number[] => Array.from({ length }, (_, index) => index + 1)
const idsOf = (events: readonly VerifiedEvent[]): string[] => events.map(({ id }) => id)

async function readAll({ log }: TestLog, path: ChainPath, from: number, to: number): Promise<(string | null)[]> {
  const batches = await collect(log.eventsOnPath(path, from, to))
  return batches.flat().map(({ wire }) => eventIdOfWire(wire))
}

describe('a chain without a fork', () => {
  test('is one branch, named by its first event, whatever groups it came in', async () => {
    const opened = await openCounted()
    await appendAll(opened.log, [unsignedEvent({ author: 'bob' })])
    const events = unsignedChain(700)
    await appendAll(opened.log, events.slice(0, 3))
    await opened.log.append(events.slice(3).map(shared))
    const path = await pathTo(opened, events.at(-1))
    expect(path.segments).toEqual([{ branch: 2, from: 1, to: 700 }])
    expect(await opened.log.idsOnPath(path, upTo(700))).toEqual(idsOf(events))
    expect(await readAll(opened, path, 2, 699)).toEqual(idsOf(events.slice(1, 699)))
    // The second run is the longest that there is.
    const last = 3 + GROUP_RECORDS_MAX
    expect(await opened.log.idsOnPath(path, [last])).toEqual(idsOf(events.slice(last - 1, last)))
    expect(await readAll(opened, path, last, last + 1)).toEqual(idsOf(events.slice(last - 1, last + 1)))
    expect(await opened.log.positionsAt(path.chain, last, 10)).toEqual([last + 1])
  })

  test('costs one seek for a position, one range and a few reads for all of it', async () => {
    const opened = await openCounted()
    const events = unsignedChain(1_000)
    for (const event of events) await opened.log.append([shared(event)])
    await opened.log.tree.ready()
    opened.reads.taken()
    const path = await pathTo(opened, events.at(-1))
    expect(opened.reads.taken()).toEqual({ gets: 1, getManys: 0, ranges: 0, entries: 0 })
    await opened.log.idsOnPath(path, [1, 500, 1_000])
    expect(opened.reads.taken()).toEqual({ gets: 0, getManys: 1, ranges: 3, entries: 3 })
    expect(await readAll(opened, path, 601, 1_000)).toEqual(idsOf(events.slice(600)))
    expect(opened.reads.taken()).toMatchObject({ gets: 0, getManys: Math.ceil(400 / PATH_READ_RECORDS_MAX), ranges: 1 })
    expect(await opened.log.positionsAt(path.chain, 500, 10)).toEqual([500])
    expect(opened.reads.taken()).toEqual({ gets: 0, getManys: 0, ranges: 2, entries: 2 })
  })

  test('is never looked for in the store while it grows', async () => {
    const { log, reads, store, checkpoint } = await openCounted()
    const events = unsignedChain(40)
    await appendAll(log, events.slice(0, 1))
    reads.taken()
    for (let from = 1; from < 20; from += 1) await appendAll(log, events.slice(from, from + 1))
    await log.append(events.slice(20, 30).map(shared))
    expect(reads.taken()).toMatchObject({ getManys: 0 })
    await log.close()
    const again = await openTestLog({ store, checkpoint })
    reads.taken()
    await appendAll(again.log, events.slice(30))
    expect(reads.taken()).toMatchObject({ getManys: 1 })
  })
})

describe('a forked chain', () => {
  test('that is longer than a group is read at every position of each path', async () => {
    const opened = await openCounted()
    const trunk = unsignedChain(GROUP_RECORDS_MAX + 100)
    const side = unsignedChain(GROUP_RECORDS_MAX + 50, { before: trunk[299] ?? null, body: { side: true } })
    await opened.log.append(trunk.map(shared))
    await opened.log.append(side.map(shared))
    const paths = [await pathTo(opened, trunk.at(-1)), await pathTo(opened, side.at(-1))] as const
    expect(paths[0].segments).toEqual([{ branch: 1, from: 1, to: 612 }])
    expect(paths[1].segments).toEqual([
      { branch: 1, from: 1, to: 300 },
      { branch: 613, from: 301, to: 862 }
    ])
    const along = idsOf([...trunk.slice(0, 300), ...side])
    expect(await opened.log.idsOnPath(paths[0], upTo(612))).toEqual(idsOf(trunk))
    expect(await opened.log.idsOnPath(paths[1], upTo(862))).toEqual(along)
    expect(await readAll(opened, paths[1], 1, 862)).toEqual(along)
    expect(await readAll(opened, paths[1], 300, 301)).toEqual(along.slice(299, 301))
    await opened.log.writeCheckpoint()
    expect(await verifyLog(opened.store, opened.checkpoint)).toMatchObject({ ok: true, problems: [] })
  })

  test('costs no more for branches that are not on the path', async () => {
    const opened = await openCounted()
    const trunk = unsignedChain(20)
    await appendAll(opened.log, trunk)
    const decoys = trunk.flatMap((before) => upTo(10).map((decoy) => unsignedEvent({ before, body: { decoy } })))
    await opened.log.append(decoys.map(shared))
    const tip = unsignedEvent({ before: trunk.at(-1) ?? null, body: { after: 'the decoys' } })
    const end = unsignedEvent({ before: tip })
    await appendAll(opened.log, [tip, end])
    await opened.log.tree.ready()
    opened.reads.taken()
    const path = await pathTo(opened, end)
    expect(opened.reads.taken()).toEqual({ gets: 2, getManys: 0, ranges: 0, entries: 0 })
    expect(path.segments).toEqual([
      { branch: 1, from: 1, to: 20 },
      { branch: 221, from: 21, to: 22 }
    ])
    expect(await opened.log.idsOnPath(path, upTo(22))).toEqual(idsOf([...trunk, tip, end]))
    expect(await readAll(opened, path, 1, 22)).toEqual(idsOf([...trunk, tip, end]))
  })

  test('that comes in groups which wait for one another has the branches that it would have one by one', async () => {
    const opened = await openCounted()
    const events: VerifiedEvent[] = []
    for (const index of upTo(2 * GROUP_RECORDS_MAX + 200)) {
      const before = events.at(index % 7 === 0 ? -5 : -1) ?? null
      events.push(unsignedEvent({ before, body: { index } }))
    }
    await appendAll(opened.log, events)
    const oneByOne = await openCounted()
    for (const event of events) await oneByOne.log.append([shared(event)])
    for (const { id } of events) expect(await opened.log.find(id)).toEqual(await oneByOne.log.find(id))
    const path = await pathTo(opened, events.at(-1))
    expect(path).toEqual(await pathTo(oneByOne, events.at(-1)))
    const { length } = await opened.log.idsOnPath(path, upTo(path.segments.at(-1)?.to ?? 0))
    expect(await readAll(opened, path, 1, length)).toEqual(await readAll(oneByOne, path, 1, length))
    await opened.log.writeCheckpoint()
    expect(await verifyLog(opened.store, opened.checkpoint)).toMatchObject({ ok: true, problems: [] })
  })

  test('that begins twice has paths that share nothing', async () => {
    const opened = await openCounted()
    const sides = [unsignedChain(3), unsignedChain(4, { body: { side: true } })] as const
    await appendAll(opened.log, sides.flat())
    const paths = [await pathTo(opened, sides[0].at(-1)), await pathTo(opened, sides[1].at(-1))] as const
    expect(paths.map(({ segments }) => segments)).toEqual([
      [{ branch: 1, from: 1, to: 3 }],
      [{ branch: 4, from: 1, to: 4 }]
    ])
  })
})

describe('batches', () => {
  test('are bounded in events', async () => {
    const opened = await openCounted()
    const events = unsignedChain(600)
    await appendAll(opened.log, events)
    const batches = await collect(opened.log.eventsOnPath(await pathTo(opened, events.at(-1)), 1, 600))
    expect(batches.map(({ length }) => length)).toEqual([PATH_BATCH_EVENTS_MAX, PATH_BATCH_EVENTS_MAX, 88])
  })

  test('are bounded in bytes', async () => {
    const opened = await openCounted()
    const events = unsignedChain(80, { body: { text: 'x'.repeat(40_000) } })
    await appendAll(opened.log, events)
    const batches = await collect(opened.log.eventsOnPath(await pathTo(opened, events.at(-1)), 1, 80))
    expect(batches.flat()).toHaveLength(80)
    for (const batch of batches) {
      const bytes = batch.reduce((sum, { wire }) => sum + wire.length, 0)
      expect(bytes).toBeLessThan(PATH_BATCH_BYTES + PATH_READ_RECORDS_MAX * 41_000)
    }
  })

  test('of nothing there are none', async () => {
    const opened = await openCounted()
    const events = unsignedChain(5)
    await appendAll(opened.log, events)
    const path = await pathTo(opened, events.at(-1))
    expect(await collect(opened.log.eventsOnPath(path, 3, 2))).toEqual([])
    expect(await collect(opened.log.eventsOnPath(path, 6, 9))).toEqual([])
    expect(await opened.log.idsOnPath(path, [])).toEqual([])
  })
})

test('a position that is not on the path is a mistake of the caller', async () => {
  const opened = await openCounted()
  const events = unsignedChain(5)
  await appendAll(opened.log, events)
  const path = await pathTo(opened, events[2])
  await expect(opened.log.idsOnPath(path, [0])).rejects.toThrow(RangeError)
  await expect(opened.log.idsOnPath(path, [3, 4])).rejects.toThrow(RangeError)
})

test.each([
  ['a branch that is missing', (chain: string) => ({ type: 'del', key: branchKey(chain, 1) }) as const],
  ['a branch that is its own parent', (chain: string) => putNumbers(branchKey(chain, 1), [1, 1])],
  ['a branch without a beginning', (chain: string) => putNumbers(branchKey(chain, 1), [0, 2])],
  ['a branch of no bytes', (chain: string) => putNumbers(branchKey(chain, 1), [])],
  ['a run that is missing', (chain: string) => ({ type: 'del', key: chainRunKey(chain, 2, 2) }) as const],
  ['a run of another branch', (chain: string) => putNumbers(chainRunKey(chain, 2, 2), [7, 2])],
  ['a run of no events', (chain: string) => putNumbers(chainRunKey(chain, 2, 2), [1])],
  ['a run of a record that is missing', (chain: string) => putNumbers(chainRunKey(chain, 2, 2), [1, 99])],
  ['a record that is missing', () => ({ type: 'del', key: recordKey(2) }) as const]
])('%s is damage, in whatever way the path is read', async (_, damage) => {
  const opened = await openCounted()
  const events = unsignedChain(3)
  for (const event of events) await opened.log.append([shared(event)])
  const chain = chainIdOf(events[0]?.envelope ?? unsignedEvent({}).envelope)
  const damaged = damage(chain)
  await opened.store.write([damaged], { sync: true })
  const corrupt = { code: 'STORE_CORRUPT' }
  if (damaged.key === branchKey(chain, 1)) {
    await expect(pathTo(opened, events[2])).rejects.toMatchObject(corrupt)
    return
  }
  const path = await pathTo(opened, events[2])
  await expect(opened.log.idsOnPath(path, [1, 2, 3])).rejects.toMatchObject(corrupt)
  await expect(collect(opened.log.eventsOnPath(path, 1, 3))).rejects.toMatchObject(corrupt)
})

function putNumbers(key: string, numbers: readonly number[]) {
  const value = Buffer.alloc(numbers.length * 8)
  for (const [index, number] of numbers.entries()) value.writeBigUInt64BE(BigInt(number), index * 8)
  return { type: 'put', key, value } as const
}

test('an event whose predecessor is not in the log is refused, and the log goes on', async () => {
  const { log, store, checkpoint } = await openCounted()
  const [first, second, third] = unsignedChain(3)
  if (first === undefined || second === undefined || third === undefined) throw new Error('no events')
  await log.append([shared(first)])
  await expect(log.append([shared(third)])).rejects.toMatchObject({ code: 'INTERNAL' })
  expect(log.peek(third.id)).toBeUndefined()
  await appendAll(log, [second, third])
  await log.writeCheckpoint()
  expect(await verifyLog(store, checkpoint)).toMatchObject({ ok: true, records: 3 })
})
