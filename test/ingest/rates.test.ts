import { expect, test } from 'vitest'
import type { EventSource } from '../../src/ingest/source.ts'
import { announceBody, next } from '../support/events.ts'
import type { SignedEvent } from '../support/events.ts'
import { NAMESPACE, member, policyOf } from '../support/identities.ts'
import type { PolicyOptions, TestMember } from '../support/identities.ts'
import { openIngest } from '../support/ingest.ts'
import type { Ingest } from '../support/ingest.ts'
import { garbageSignature } from './wires.ts'

const self = member('self')
const ada = member('ada')
const bob = member('bob')
const everybody = [self, ada, bob]
const DAY_MS = 86_400_000

const from = (peer: string, via: EventSource['via'] = 'gossip'): EventSource => ({ via, peer, namespace: NAMESPACE })

const accepted = (count: number): string[] => Array.from({ length: count }, () => 'accepted')

async function open(rate: NonNullable<PolicyOptions['rate']>): Promise<Ingest> {
  return await openIngest(self, everybody, { policy: policyOf(self, everybody, { rate }) })
}

async function chain(author: TestMember, length: number): Promise<SignedEvent[]> {
  const events: SignedEvent[] = []
  for (let index = 0; index < length; index += 1)
    events.push(await next(author, events.at(-1) ?? null, announceBody(`batch-${index}`)))
  return events
}

async function submitAll(ingest: Ingest, events: readonly SignedEvent[], source: EventSource): Promise<string[]> {
  const names: string[] = []
  for (const { wire } of events) {
    const outcome = await ingest.door.submit(wire, source)
    names.push('code' in outcome ? outcome.code : outcome.outcome)
  }
  return names
}

test('a peer beyond its rate is refused before anything is decoded, and another is not', async () => {
  const ingest = await open({ perPeer: 5 })
  for (let index = 0; index < 5; index += 1) await ingest.door.submit(Uint8Array.of(index), from('loud'))
  const [event] = await chain(ada, 1)
  if (event === undefined) throw new Error('no event')
  expect(await ingest.door.submit(Uint8Array.of(9), from('loud'))).toEqual({
    outcome: 'ignored',
    code: 'RATE_LIMITED',
    detail: 'the peer sends faster than policy allows',
    id: null
  })
  expect(await ingest.door.submit(event.wire, from('loud'))).toMatchObject({ outcome: 'ignored', code: 'RATE_LIMITED' })
  expect(ingest.door.status().signaturesVerified).toBe(0)
  expect(await ingest.door.submit(event.wire, from('quiet'))).toMatchObject({ outcome: 'accepted' })
})

test('a bucket fills evenly: a fifth of a minute gives one of five', async () => {
  const ingest = await open({ perPeer: 5 })
  const events = await chain(ada, 7)
  expect(await submitAll(ingest, events.slice(0, 6), from('loud'))).toEqual([...accepted(5), 'RATE_LIMITED'])
  await ingest.clock.advance(12_000)
  expect(await submitAll(ingest, events.slice(5), from('loud'))).toEqual(['accepted', 'RATE_LIMITED'])
  await ingest.clock.advance(3_600_000)
  expect(await submitAll(ingest, events.slice(6), from('loud'))).toEqual(['accepted'])
})

test('what a peer may send on one topic is not used up on another', async () => {
  const policy = policyOf(self, everybody, { namespaces: [NAMESPACE, 'dao:slow'] })
  const slow = policy.namespaces['dao:slow']
  if (slow === undefined) throw new Error('no namespace')
  const namespaces = { ...policy.namespaces, 'dao:slow': { ...slow, rate: { ...slow.rate, perPeer: 1 } } }
  const ingest = await openIngest(self, everybody, { policy: { ...policy, namespaces } })
  const events = await chain(ada, 10)
  expect(await submitAll(ingest, events.slice(0, 3), from('peer-1'))).toEqual(['accepted', 'accepted', 'accepted'])
  const garbage = { ...from('peer-1'), namespace: 'dao:slow' }
  expect(await ingest.door.submit(Uint8Array.of(1), garbage)).toMatchObject({ code: 'MALFORMED' })
  expect(await ingest.door.submit(Uint8Array.of(1), garbage)).toMatchObject({ code: 'RATE_LIMITED' })
  expect(await submitAll(ingest, events.slice(3), from('peer-1'))).toEqual(accepted(7))
})

test('a signer beyond its rate is ignored, and taken later; another signer is not touched', async () => {
  const ingest = await open({ perSigner: 3 })
  const events = await chain(ada, 5)
  expect(await submitAll(ingest, events.slice(0, 4), from('peer-1'))).toEqual([
    'accepted',
    'accepted',
    'accepted',
    'RATE_LIMITED'
  ])
  expect(await submitAll(ingest, await chain(bob, 1), from('peer-1'))).toEqual(['accepted'])
  await ingest.clock.advance(20_000)
  expect(await submitAll(ingest, events.slice(3), from('peer-1'))).toEqual(['accepted', 'RATE_LIMITED'])
  expect(ingest.door.status().signaturesVerified).toBe(6)
})

test('garbage in the name of a signer does not silence it', async () => {
  const ingest = await open({ perSigner: 3 })
  const events = await chain(ada, 3)
  for (let fill = 1; fill <= 50; fill += 1) {
    for (const { wire } of events) await ingest.door.submit(garbageSignature(wire, fill), from('hostile'))
  }
  expect(await submitAll(ingest, events, from('peer-1'))).toEqual(['accepted', 'accepted', 'accepted'])
})

test('copies of true events do not silence their signer: neither of accepted ones nor of pending ones', async () => {
  const ingest = await open({ perSigner: 3 })
  const events = await chain(ada, 4)
  const [first, , third] = events
  if (first === undefined || third === undefined) throw new Error('no events')
  expect(await submitAll(ingest, [first], from('peer-1'))).toEqual(['accepted'])
  for (let copy = 0; copy < 20; copy += 1) {
    await ingest.door.submit(first.wire, from('hostile'))
    expect(await ingest.door.submit(third.wire, from('hostile'))).toMatchObject({ code: 'PREDECESSOR_MISSING' })
  }
  expect(await submitAll(ingest, events.slice(1, 2), from('peer-1'))).toEqual(['accepted'])
})

test('copies of an event that waits for the clock do not silence its signer', async () => {
  const ingest = await open({ perSigner: 3 })
  const future = await next(ada, null, announceBody('future'), { ts: ingest.clock.now() + 10_000_000 })
  for (let copy = 0; copy < 20; copy += 1) await ingest.door.submit(future.wire, from('hostile'))
  expect(await submitAll(ingest, await chain(ada, 2), from('peer-1'))).toEqual(['accepted', 'accepted'])
})

test('a day has a cap of its own', async () => {
  const ingest = await open({ perSigner: 100, dailyCap: 4 })
  const events = await chain(ada, 6)
  expect(await submitAll(ingest, events.slice(0, 5), from('peer-1'))).toEqual([...accepted(4), 'RATE_LIMITED'])
  await ingest.clock.advance(60_000)
  expect(await submitAll(ingest, events.slice(4, 5), from('peer-1'))).toEqual(['RATE_LIMITED'])
  await ingest.clock.advance(DAY_MS)
  expect(await submitAll(ingest, events.slice(4), from('peer-1'))).toEqual(['accepted', 'accepted'])
})

test('sync, import and own events have no rate: they are asked for', async () => {
  const ingest = await open({ perPeer: 1, perSigner: 1, dailyCap: 1 })
  const events = await chain(ada, 6)
  expect(await submitAll(ingest, events.slice(0, 3), from('peer-1', 'sync'))).toEqual([
    'accepted',
    'accepted',
    'accepted'
  ])
  expect(await submitAll(ingest, events.slice(3), { via: 'import' })).toEqual(['accepted', 'accepted', 'accepted'])
})

test('what waited for a predecessor is not charged a second time', async () => {
  const ingest = await open({ perPeer: 3, perSigner: 3 })
  const events = await chain(ada, 3)
  expect(await submitAll(ingest, events.toReversed(), from('peer-1'))).toEqual([
    'PREDECESSOR_MISSING',
    'PREDECESSOR_MISSING',
    'accepted'
  ])
  await ingest.engine.reached(4, null)
  expect(ingest.log.head.logSeq).toBe(4)
})

test('a namespace takes no more than its rate from all together, and another namespace suffers nothing', async () => {
  const policy = policyOf(self, everybody, { namespaces: [NAMESPACE, 'dao:other'], rate: { perNamespace: 4 } })
  const ingest = await openIngest(self, everybody, { policy })
  const adas = await chain(ada, 4)
  const bobs = await chain(bob, 3)
  expect(await submitAll(ingest, adas.slice(0, 3), from('peer-1'))).toEqual(accepted(3))
  expect(await submitAll(ingest, bobs.slice(0, 2), from('peer-2'))).toEqual(['accepted', 'RATE_LIMITED'])
  expect(await ingest.door.submit(bobs[1]?.wire ?? Uint8Array.of(), from('peer-2'))).toMatchObject({
    detail: 'the namespace exceeds its rate'
  })
  const other = await next(ada, null, announceBody('batch'), { namespace: 'dao:other' })
  const elsewhere = { via: 'gossip', peer: 'peer-2', namespace: 'dao:other' } as const
  expect(await ingest.door.submit(other.wire, elsewhere)).toMatchObject({ outcome: 'accepted' })
  // A refusal by one of the buckets takes nothing from the others; sync and import are never asked.
  expect(await submitAll(ingest, bobs.slice(1), from('peer-2', 'sync'))).toEqual(accepted(2))
  expect(await submitAll(ingest, adas.slice(3), from('peer-1', 'import'))).toEqual(accepted(1))
})

test('garbage uses up what its sender may, and nothing of what the namespace may', async () => {
  const ingest = await open({ perNamespace: 1, perPeer: 100 })
  const [event] = await chain(ada, 1)
  if (event === undefined) throw new Error('no event')
  for (let index = 0; index < 5; index += 1)
    expect(await ingest.door.submit(garbageSignature(event.wire, index), from('loud'))).toMatchObject({
      code: 'SIGNATURE_INVALID'
    })
  expect(await ingest.door.submit(event.wire, from('quiet'))).toMatchObject({ outcome: 'accepted' })
})
