import { expect, test } from 'vitest'
import { idKey } from '../../src/log/keys.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import type { EventSource } from '../../src/ingest/source.ts'
import { announceBody, next, signed } from '../support/events.ts'
import type { SignedEvent } from '../support/events.ts'
import { NAMESPACE, member } from '../support/identities.ts'
import type { TestMember } from '../support/identities.ts'
import { openIngest } from '../support/ingest.ts'
import type { Ingest } from '../support/ingest.ts'
import { SlowReadStore } from '../support/stores.ts'
import { until } from '../support/until.ts'

const self = member('self')
const ada = member('ada')
const bob = member('bob')
const everybody = [self, ada, bob]
const peer: EventSource = { via: 'gossip', peer: 'peer-1', namespace: NAMESPACE }

async function chain(author: TestMember, length: number): Promise<SignedEvent[]> {
  const events: SignedEvent[] = []
  for (let index = 0; index < length; index += 1)
    events.push(await next(author, events.at(-1) ?? null, announceBody(`batch-${index}`)))
  return events
}

async function outcomesOf(
  ingest: Ingest,
  events: readonly SignedEvent[],
  source: EventSource = peer
): Promise<string[]> {
  return await Promise.all(events.map(async ({ wire }) => (await ingest.door.submit(wire, source)).outcome))
}

async function settled(ingest: Ingest, events: number): Promise<void> {
  await until(`${events} events are in`, () => ingest.log.head.logSeq === events + 1)
  expect(ingest.door.status().pending).toMatchObject({ events: 0, bytes: 0 })
}

test('a gap is pending, and its successor is taken when the predecessor comes', async () => {
  const ingest = await openIngest(self, everybody)
  const [first, second] = await chain(ada, 2)
  if (first === undefined || second === undefined) throw new Error('no events')
  expect(await ingest.door.submit(second.wire, peer)).toMatchObject({
    outcome: 'pending',
    code: 'PREDECESSOR_MISSING',
    id: second.id
  })
  expect(ingest.door.status().pending).toEqual({ events: 1, bytes: second.wire.length, dropped: 0 })
  expect(await ingest.door.submit(first.wire, peer)).toMatchObject({ outcome: 'accepted', logSeq: 2 })
  await settled(ingest, 2)
  expect(await ingest.log.find(second.id)).toMatchObject({ logSeq: 3, authorSeq: 2 })
  expect(ingest.door.status()).toMatchObject({
    signaturesVerified: 2,
    outcomes: { accepted: 2, 'pending(PREDECESSOR_MISSING)': 1 }
  })
})

test('a chain of a hundred in reverse order is taken whole, each signature verified once', async () => {
  const ingest = await openIngest(self, everybody)
  const events = await chain(ada, 100)
  for (const { wire } of events.slice(1).reverse())
    expect(await ingest.door.submit(wire, peer)).toMatchObject({ outcome: 'pending' })
  expect(await ingest.door.submit(events[0]?.wire ?? new Uint8Array(), peer)).toMatchObject({ outcome: 'accepted' })
  await settled(ingest, 100)
  expect(ingest.door.status().signaturesVerified).toBe(100)
})

test.each([
  ['in order', (events: readonly SignedEvent[]) => events],
  ['in reverse', (events: readonly SignedEvent[]) => events.toReversed()],
  [
    'odd ones first',
    (events: readonly SignedEvent[]) => [
      ...events.filter((_, index) => index % 2 === 1),
      ...events.filter((_, index) => index % 2 === 0)
    ]
  ]
])('two chains of a hundred at the same moment %s are taken whole', async (_, arrange) => {
  const ingest = await openIngest(self, everybody)
  const events = arrange([...(await chain(ada, 100)), ...(await chain(bob, 100))])
  await outcomesOf(ingest, events)
  await settled(ingest, 200)
  expect(ingest.door.status().signaturesVerified).toBe(200)
})

test('a chain handed in at once in its order is accepted event by event, in few batches', async () => {
  const ingest = await openIngest(self, everybody)
  expect(new Set(await outcomesOf(ingest, await chain(ada, 300)))).toEqual(new Set(['accepted']))
})

test('a predecessor that comes in while its successor is being looked up is not missed', async () => {
  const store = new SlowReadStore(await openMemoryStore())
  const ingest = await openIngest(self, everybody, { store })
  const [first, second] = await chain(ada, 2)
  if (first === undefined || second === undefined) throw new Error('no events')
  const release = store.hold(idKey(first.id))
  const late = ingest.door.submit(second.wire, peer)
  await until('the signature of the successor was verified', () => ingest.door.status().signaturesVerified === 1)
  // The look-up of the predecessor is under way, and will say that it is not there.
  const held = store.hold(idKey(first.id))
  held()
  expect(await ingest.door.submit(first.wire, { ...peer, peer: 'peer-2' })).toMatchObject({ outcome: 'accepted' })
  release()
  await late
  await settled(ingest, 2)
})

test('both sides of a fork are accepted, grow on, and stand in equivocations', async () => {
  const ingest = await openIngest(self, everybody)
  const [root] = await chain(ada, 1)
  if (root === undefined) throw new Error('no event')
  const left = await next(ada, root, announceBody('left'))
  const right = await next(ada, root, announceBody('right'))
  const leftOn = await next(ada, left, announceBody('left-on'))
  const rightOn = await next(ada, right, announceBody('right-on'))
  expect(await outcomesOf(ingest, [root, left, right, leftOn, rightOn])).toEqual(Array(5).fill('accepted'))
  const events = [left.id, right.id].sort()
  const chainOf = { namespace: NAMESPACE, signer: ada.signer.did, kid: ada.signer.kid }
  expect(await ingest.rows('equivocations')).toMatchObject([
    { ...chainOf, authorSeq: 2, events },
    { ...chainOf, authorSeq: 3 }
  ])
  const tips = [leftOn, rightOn]
    .map(({ id }) => ({ authorSeq: 3, id }))
    .sort((one, other) => (one.id < other.id ? -1 : 1))
  expect(await ingest.rows('sequences')).toMatchObject([{ ...chainOf, forked: true, tips, events: 5 }])
})

test('two different first events of one chain are a fork as well', async () => {
  const ingest = await openIngest(self, everybody)
  const left = await next(ada, null, announceBody('left'))
  const right = await next(ada, null, announceBody('right'))
  expect(await outcomesOf(ingest, [left, right])).toEqual(['accepted', 'accepted'])
  expect(await ingest.rows('equivocations')).toMatchObject([{ authorSeq: 1, events: [left.id, right.id].sort() }])
})

test('an event that rests on a broken one is pending, never accepted', async () => {
  const ingest = await openIngest(self, everybody)
  const [first] = await chain(ada, 1)
  if (first === undefined) throw new Error('no event')
  const back = await next(ada, first, {}, { ts: first.envelope.ts - 1 })
  const onBack = await next(ada, back, {})
  expect(await outcomesOf(ingest, [first, back, onBack])).toEqual(['accepted', 'rejected', 'pending'])
  expect(await outcomesOf(ingest, [onBack, back])).toEqual(['pending', 'rejected'])
  expect(ingest.log.head.logSeq).toBe(2)
})

test('an equal ts is not before the predecessor', async () => {
  const ingest = await openIngest(self, everybody)
  const [first] = await chain(ada, 1)
  if (first === undefined) throw new Error('no event')
  expect(await outcomesOf(ingest, [first, await next(ada, first, {}, { ts: first.envelope.ts })])).toEqual([
    'accepted',
    'accepted'
  ])
})

test('one key of another name is another chain: its predecessor is not here', async () => {
  const ingest = await openIngest(self, everybody)
  const [first] = await chain(ada, 1)
  if (first === undefined) throw new Error('no event')
  await ingest.door.submit(first.wire, peer)
  ingest.keyring.bind(ada.signer.did, 'machine-2', Buffer.from(ada.signer.publicKey).toString('base64url'))
  const renamed: TestMember = { ...ada, signer: { ...ada.signer, kid: 'machine-2' } }
  const across = await signed(renamed, { ...first.envelope, kid: 'machine-2', authorSeq: 2, prev: first.id })
  expect(await ingest.door.submit(across.wire, peer)).toMatchObject({ outcome: 'rejected', code: 'CHAIN_BROKEN' })
})

test('a far-future event is ignored, and accepted when the clock has come near, with what waits for it', async () => {
  const ingest = await openIngest(self, everybody, { futureSkewMs: 60_000 })
  const future = await next(ada, null, announceBody('batch-1'), { ts: ingest.clock.now() + 90_000 })
  const after = await next(ada, future, announceBody('batch-2'))
  expect(await ingest.door.submit(future.wire, peer)).toMatchObject({ outcome: 'ignored', code: 'FUTURE_TIMESTAMP' })
  expect(await ingest.door.submit(after.wire, peer)).toMatchObject({ outcome: 'pending', code: 'PREDECESSOR_MISSING' })
  await ingest.clock.advance(29_999)
  expect(await ingest.door.submit(future.wire, peer)).toMatchObject({ outcome: 'ignored', code: 'FUTURE_TIMESTAMP' })
  await ingest.clock.advance(2)
  expect(await ingest.door.submit(future.wire, peer)).toMatchObject({ outcome: 'accepted' })
  await settled(ingest, 2)
  expect(ingest.door.status().signaturesVerified).toBe(2)
})
