import { describe, expect, test } from 'vitest'
import { FREE_BYTES_CHECK_EVERY_MS, FREE_BYTES_MIN, REOPEN_EVERY_MS } from '../../src/log/limits.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import { verifyLog } from '../../src/log/verify-log.ts'
import { announceBody, next } from '../support/events.ts'
import type { SignedEvent } from '../support/events.ts'
import { member } from '../support/identities.ts'
import type { TestMember } from '../support/identities.ts'
import { openIngest } from '../support/ingest.ts'
import type { Ingest } from '../support/ingest.ts'
import { FailingStore } from '../support/stores.ts'
import { until } from '../support/until.ts'

const self = member('self')
const ada = member('ada')
const bob = member('bob')
const everybody = [self, ada, bob]

const isRecord = (key: string): boolean => key.startsWith('r!')
const isProjection = (key: string): boolean => key.startsWith('v!')

interface Failing extends Ingest {
  readonly disk: FailingStore
}

/** A node on a disk that fails when it is told to, with `first` of ada in its log. */
async function open(): Promise<Failing> {
  const disk = new FailingStore(await openMemoryStore())
  const ingest = await openIngest(self, everybody, { store: disk })
  await submit(ingest, ...(await chain(ada, 1)))
  await ingest.engine.reached(ingest.log.head.logSeq, null)
  return Object.assign(ingest, { disk })
}

async function chain(author: TestMember, length: number): Promise<SignedEvent[]> {
  const events: SignedEvent[] = []
  for (let index = 0; index < length; index += 1)
    events.push(await next(author, events.at(-1) ?? null, announceBody(`batch-${index}`)))
  return events
}

async function submit(ingest: Ingest, ...events: readonly SignedEvent[]): Promise<string[]> {
  return await Promise.all(
    events.map(async ({ wire }) => {
      const outcome = await ingest.door.submit(wire, { via: 'import' })
      return 'code' in outcome ? `${outcome.outcome}(${outcome.code})` : outcome.outcome
    })
  )
}

/** The log is whole, every projection has come to its end, and a healthy node with the same events says the same. */
async function expectSound(ingest: Failing, events: readonly SignedEvent[]): Promise<void> {
  await ingest.log.writeCheckpoint()
  expect(await verifyLog(ingest.store, ingest.checkpoint)).toMatchObject({ ok: true, problems: [] })
  const healthy = await openIngest(self, everybody)
  for (const event of events) await submit(healthy, event)
  expect(await digests(ingest)).toEqual(await digests(healthy))
}

async function digests(ingest: Ingest): Promise<unknown> {
  const { digests: all } = (await ingest.fingerprint()) as {
    digests: { namespace: string; count: number; events: string; state: string }[]
  }
  return all.map(({ namespace, count, events, state }) => ({ namespace, count, events, state }))
}

async function roomAgain({ disk, clock }: Failing): Promise<void> {
  disk.full = () => false
  disk.canReopen = true
  disk.free = Infinity
  await clock.advance(REOPEN_EVERY_MS)
}

describe('a write that failed', () => {
  test('is answered with ignored(STORE_FULL), changes nothing, and is told in the log and in the status', async () => {
    const ingest = await open()
    const before = await ingest.fingerprint()
    ingest.lines.length = 0
    ingest.disk.full = isRecord
    const [event] = await chain(bob, 1)
    if (event === undefined) throw new Error('no event')
    const outcome = await ingest.door.submit(event.wire, { via: 'import' })
    expect(outcome).toMatchObject({
      outcome: 'ignored',
      code: 'STORE_FULL',
      id: event.id,
      detail: expect.stringContaining('no space left') as string
    })
    expect(ingest.log.fault).toContain('no space left')
    expect(ingest.lines).toMatchObject([
      { level: 'error', message: expect.stringContaining('write to the store failed') as string },
      { level: 'info', fields: { outcome: 'ignored(STORE_FULL)' } }
    ])
    expect(await ingest.fingerprint()).toEqual(before)
  })

  test('takes with it what was queued behind: no successor of a lost event is written', async () => {
    const ingest = await open()
    const events = await chain(bob, 20)
    ingest.disk.full = isRecord
    const first = ingest.door.submit(events[0]?.wire ?? new Uint8Array(), { via: 'import' })
    const rest = submit(ingest, ...events.slice(1))
    expect(await first).toMatchObject({ code: 'STORE_FULL' })
    expect(
      (await rest).filter((name) => name !== 'ignored(STORE_FULL)' && name !== 'pending(PREDECESSOR_MISSING)')
    ).toEqual([])
    expect(ingest.log.head.logSeq).toBe(2)
    await roomAgain(ingest)
    expect(await submit(ingest, ...events.slice(10))).toEqual(Array(10).fill('pending(PREDECESSOR_MISSING)'))
    expect(await submit(ingest, ...events.slice(0, 10))).toEqual(Array(10).fill('accepted'))
    await until('the others followed', () => ingest.log.head.logSeq === 22)
    expect(ingest.door.status()).toMatchObject({ signaturesVerified: 21, pending: { events: 0 } })
    await expectSound(ingest, [...(await chain(ada, 1)), ...events])
  })

  test('is not tried again at every event: the disk is left in peace for a second', async () => {
    const ingest = await open()
    ingest.disk.full = isRecord
    const events = await chain(bob, 30)
    for (const event of events) await submit(ingest, event)
    expect(ingest.disk.reopened).toBe(0)
    ingest.disk.canReopen = false
    await ingest.clock.advance(REOPEN_EVERY_MS)
    for (const event of events) expect(await submit(ingest, event)).toEqual(['ignored(STORE_FULL)'])
    expect(ingest.disk.reopened).toBe(1)
    expect(ingest.log.fault).toContain('no space left')
    await roomAgain(ingest)
    expect(ingest.log.fault).toBeNull()
    expect(ingest.disk.reopened).toBe(2)
    expect(await submit(ingest, ...events)).toEqual(Array(30).fill('accepted'))
    await expectSound(ingest, [...(await chain(ada, 1)), ...events])
  })

  test('does not stop projections while the store can not be opened again', async () => {
    const ingest = await open()
    const events = await chain(bob, 3)
    // Folding of this one is under way when the disk fails.
    await submit(ingest, ...events.slice(0, 1))
    ingest.disk.full = isRecord
    ingest.disk.canReopen = false
    expect(await submit(ingest, ...events.slice(1, 2))).toEqual(['ignored(STORE_FULL)'])
    await ingest.clock.advance(REOPEN_EVERY_MS)
    expect(await submit(ingest, ...events.slice(1))).toEqual(['ignored(STORE_FULL)', 'ignored(STORE_FULL)'])
    await ingest.clock.advance(10 * REOPEN_EVERY_MS)
    expect(ingest.disk.reopened).toBe(11)
    await roomAgain(ingest)
    expect(await submit(ingest, ...events.slice(1))).toEqual(['accepted', 'accepted'])
    expect(ingest.engine.status().filter(({ state }) => state === 'halted')).toEqual([])
    await expectSound(ingest, [...(await chain(ada, 1)), ...events])
  })
})

describe('a write that reached the disk though its answer was a failure', () => {
  async function openAndFail(events: readonly SignedEvent[]): Promise<Failing> {
    const ingest = await open()
    ingest.disk.mode = 'kept'
    ingest.disk.full = isRecord
    const names = await submit(ingest, ...events)
    expect(names.filter((name) => name !== 'ignored(STORE_FULL)' && name !== 'pending(PREDECESSOR_MISSING)')).toEqual(
      []
    )
    expect(await ingest.log.find(events[0]?.id ?? '')).toBeUndefined()
    // They come again while the store is opened anew: judged before, written after.
    const again = events.slice(0, 2).map((event) => submit(ingest, event))
    await roomAgain(ingest)
    await Promise.all(again)
    return ingest
  }

  test.each([
    [
      'the same events come again',
      async (events: readonly SignedEvent[], ingest: Ingest) => void (await submit(ingest, ...events))
    ],
    [
      'another event comes first',
      async (_: readonly SignedEvent[], ingest: Ingest) => void (await submit(ingest, ...(await chain(ada, 1))))
    ],
    [
      'the next event of the chain comes first',
      async (events: readonly SignedEvent[], ingest: Ingest) =>
        void (await submit(ingest, await next(bob, events.at(-1) ?? null, announceBody('next'))))
    ]
  ])('stands in the log once, when %s', async (_, comes) => {
    const events = await chain(bob, 5)
    const after = await next(bob, events.at(-1) ?? null, announceBody('next'))
    const ingest = await openAndFail(events)
    await comes(events, ingest)
    for (let round = 0; round < 2; round += 1) await submit(ingest, ...events, after)
    expect(await submit(ingest, ...events, after)).toEqual(Array(6).fill('duplicate'))
    expect(ingest.log.head.logSeq).toBe(8)
    await expectSound(ingest, [...(await chain(ada, 1)), ...events, after])
  })

  test('frees what waited for it, and is folded, even if nothing else comes', async () => {
    const ingest = await open()
    const events = await chain(bob, 3)
    ingest.disk.mode = 'kept'
    ingest.disk.full = isRecord
    expect(await submit(ingest, ...events.slice(0, 1))).toEqual(['ignored(STORE_FULL)'])
    expect(await submit(ingest, ...events.slice(1, 2))).toEqual(['pending(PREDECESSOR_MISSING)'])
    expect(await ingest.log.find(events[0]?.id ?? '')).toBeUndefined()
    await roomAgain(ingest)
    expect(await submit(ingest, ...events.slice(0, 1))).toEqual(['duplicate'])
    await until('the second is in', () => ingest.log.head.logSeq === 4)
    await expectSound(ingest, [...(await chain(ada, 1)), ...events.slice(0, 2)])
  })

  test('does not make this node sign one position twice', async () => {
    const ingest = await open()
    ingest.disk.mode = 'kept'
    await ingest.author.author('announce', 'dao:test', announceBody('own-1'))
    ingest.disk.full = isRecord
    await expect(ingest.author.author('announce', 'dao:test', announceBody('own-2'))).rejects.toMatchObject({
      code: 'STORE_FULL'
    })
    await roomAgain(ingest)
    expect(await ingest.author.author('announce', 'dao:test', announceBody('own-3'))).toMatchObject({ logSeq: 5 })
    expect(await ingest.rows('equivocations')).toEqual([])
    const own = (await ingest.rows('sequences')).find(({ signer }) => signer === self.signer.did)
    expect(own).toMatchObject({ forked: false, events: 3 })
  })
})

describe('a projection that could not be written', () => {
  test.each(['lost', 'kept'] as const)(
    'is folded once when there is room again, though no event comes; what was written is %s',
    async (mode) => {
      const ingest = await open()
      ingest.disk.mode = mode
      ingest.disk.full = isProjection
      const events = await chain(bob, 1)
      expect(await submit(ingest, ...events)).toEqual(['accepted'])
      await until('folding failed', () =>
        ingest.lines.some(({ message }) => message.includes('projections could not be written'))
      )
      const reached = ingest.engine.reached(3, null)
      await ingest.clock.advance(5_000)
      ingest.disk.full = () => false
      await ingest.clock.advance(5_000)
      await reached
      await until('it is folded', () => ingest.engine.status().every(({ logSeq }) => logSeq === 3))
      await expectSound(ingest, [...(await chain(ada, 1)), ...events])
    }
  )
})

describe('the low-disk mark', () => {
  test('keeps events out while there is still room, and lets them in when there is more', async () => {
    const ingest = await open()
    const [event] = await chain(bob, 1)
    if (event === undefined) throw new Error('no event')
    await ingest.clock.advance(FREE_BYTES_CHECK_EVERY_MS)
    ingest.disk.free = FREE_BYTES_MIN - 1
    const before = await ingest.fingerprint()
    expect(await ingest.door.submit(event.wire, { via: 'import' })).toMatchObject({
      outcome: 'ignored',
      code: 'STORE_FULL',
      detail: expect.stringContaining('bytes are free') as string
    })
    expect(ingest.log.fault).toContain('bytes are free')
    expect(await ingest.fingerprint()).toEqual(before)
    ingest.disk.free = FREE_BYTES_MIN
    await ingest.clock.advance(FREE_BYTES_CHECK_EVERY_MS)
    expect(await submit(ingest, event)).toEqual(['accepted'])
    expect(ingest.log.fault).toBeNull()
    expect(ingest.disk.reopened).toBe(0)
  })

  test('asks the disk once a second', async () => {
    const ingest = await open()
    let asked = 0
    const free = ingest.disk.freeBytes.bind(ingest.disk)
    ingest.disk.freeBytes = () => {
      asked += 1
      return free()
    }
    await ingest.clock.advance(FREE_BYTES_CHECK_EVERY_MS)
    for (const event of await chain(bob, 20)) await submit(ingest, event)
    expect(asked).toBe(1)
  })

  test('a disk that does not say how much is free is not written to', async () => {
    const ingest = await open()
    await ingest.clock.advance(FREE_BYTES_CHECK_EVERY_MS)
    ingest.disk.free = new Error('EIO: i/o error, statfs')
    const [event] = await chain(bob, 1)
    if (event === undefined) throw new Error('no event')
    expect(await submit(ingest, event)).toEqual(['ignored(STORE_FULL)'])
    ingest.disk.free = Infinity
    await ingest.clock.advance(FREE_BYTES_CHECK_EVERY_MS)
    expect(await submit(ingest, event)).toEqual(['accepted'])
  })
  test('a log that is closed does not open the store anew', async () => {
    const ingest = await open()
    const { log, disk } = ingest
    log.writeFailed('the disk failed')
    await ingest.close()
    await ingest.clock.advance(10 * REOPEN_EVERY_MS)
    await expect(log.recover()).rejects.toMatchObject({ code: 'STORE_FULL' })
    expect(disk.reopened).toBe(0)
  })
})
