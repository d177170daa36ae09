import { expect, test } from 'vitest'
import type { Outcome } from '../../src/events/outcome.ts'
import { outcomeName } from '../../src/events/outcome.ts'
import type { EventSource } from '../../src/ingest/source.ts'
import { announceBody, next } from '../support/events.ts'
import type { TestMember } from '../support/identities.ts'
import { NAMESPACE, member } from '../support/identities.ts'
import { localSigner } from '../../src/trust/local-signer.ts'
import { sha256 } from '../../protocols/primitives/sha256.ts'
import { openIngest } from '../support/ingest.ts'
import type { Ingest } from '../support/ingest.ts'
import { until } from '../support/until.ts'
import { garbageSignature, signedAgain } from './wires.ts'

const self = member('self')
const ada = member('ada')
const everybody = [self, ada]
const peer: EventSource = { via: 'gossip', peer: 'peer-1', namespace: NAMESPACE }

async function namesOf(ingest: Ingest, wires: readonly Uint8Array[]): Promise<string[]> {
  const outcomes: Outcome[] = await Promise.all(
    wires.map((wire, index) => ingest.door.submit(wire, { ...peer, peer: `peer-${index}` }))
  )
  return outcomes.map(outcomeName)
}

test('a replayed event is a duplicate at its place; its signature was verified once', async () => {
  const ingest = await openIngest(self, everybody)
  const event = await next(ada, null, announceBody('batch-1'))
  expect(await ingest.door.submit(event.wire, peer)).toEqual({ outcome: 'accepted', id: event.id, logSeq: 2 })
  const before = await ingest.fingerprint()
  for (let copy = 0; copy < 20; copy += 1) {
    expect(await ingest.door.submit(event.wire, peer)).toEqual({ outcome: 'duplicate', id: event.id, logSeq: 2 })
  }
  expect(await ingest.fingerprint()).toEqual(before)
  expect(ingest.door.status()).toMatchObject({ signaturesVerified: 1, outcomes: { accepted: 1, duplicate: 20 } })
})

test('fifty copies at the same moment: one is accepted, the others are duplicates, one verification', async () => {
  const ingest = await openIngest(self, everybody)
  const event = await next(ada, null, announceBody('batch-1'))
  const names = await namesOf(ingest, Array(50).fill(event.wire) as Uint8Array[])
  expect(names.filter((name) => name === 'accepted')).toHaveLength(1)
  expect(names.filter((name) => name === 'duplicate')).toHaveLength(49)
  expect(ingest.door.status().signaturesVerified).toBe(1)
})

test('fifty copies of a bad signature at the same moment are rejected by one verification', async () => {
  const ingest = await openIngest(self, everybody)
  const event = await next(ada, null, announceBody('batch-1'))
  const names = await namesOf(ingest, Array(50).fill(garbageSignature(event.wire)) as Uint8Array[])
  expect(new Set(names)).toEqual(new Set(['rejected(SIGNATURE_INVALID)']))
  expect(ingest.door.status().signaturesVerified).toBe(1)
  expect(await namesOf(ingest, [event.wire])).toEqual(['accepted'])
})

test('copies of a pending event, at once and later, cost one verification and one place', async () => {
  const ingest = await openIngest(self, everybody)
  const first = await next(ada, null, announceBody('batch-1'))
  const second = await next(ada, first, announceBody('batch-2'))
  expect(new Set(await namesOf(ingest, Array(30).fill(second.wire) as Uint8Array[]))).toEqual(
    new Set(['pending(PREDECESSOR_MISSING)'])
  )
  expect(new Set(await namesOf(ingest, Array(30).fill(second.wire) as Uint8Array[]))).toEqual(
    new Set(['pending(PREDECESSOR_MISSING)'])
  )
  expect(ingest.door.status()).toMatchObject({ signaturesVerified: 1, pending: { events: 1 } })
})

test('copies of an event that was ignored for its ts cost one verification', async () => {
  const ingest = await openIngest(self, everybody)
  const future = await next(ada, null, announceBody('batch-1'), { ts: ingest.clock.now() + 1_000_000 })
  for (let copy = 0; copy < 10; copy += 1)
    expect(await ingest.door.submit(future.wire, peer)).toMatchObject({ code: 'FUTURE_TIMESTAMP' })
  expect(ingest.door.status().signaturesVerified).toBe(1)
})

test('copies of one rejected message cost one verification', async () => {
  const ingest = await openIngest(self, everybody)
  const garbage = garbageSignature((await next(ada, null, announceBody('batch-1'))).wire)
  for (let copy = 0; copy < 10; copy += 1)
    expect(await ingest.door.submit(garbage, peer)).toMatchObject({ code: 'SIGNATURE_INVALID' })
  expect(ingest.door.status().signaturesVerified).toBe(1)
})

test('a true event gets in after a copy under a garbage signature', async () => {
  const ingest = await openIngest(self, everybody)
  const event = await next(ada, null, announceBody('batch-1'))
  expect(await namesOf(ingest, [garbageSignature(event.wire)])).toEqual(['rejected(SIGNATURE_INVALID)'])
  expect(await namesOf(ingest, [event.wire])).toEqual(['accepted'])
})

test('garbage after the true event counts against who sent it; copies of it are verified no more', async () => {
  const ingest = await openIngest(self, everybody)
  const event = await next(ada, null, announceBody('batch-1'))
  expect(await namesOf(ingest, [event.wire])).toEqual(['accepted'])
  const before = await ingest.fingerprint()
  const garbage = garbageSignature(event.wire)
  for (let copy = 0; copy < 3; copy += 1) {
    expect(await namesOf(ingest, [garbage])).toEqual(['rejected(SIGNATURE_INVALID)'])
  }
  expect(await namesOf(ingest, [event.wire])).toEqual(['duplicate'])
  expect(ingest.door.status().signaturesVerified).toBe(2)
  expect(await ingest.fingerprint()).toEqual(before)
})

test('a second good signature over a held event is ignored, whichever came first: an honest peer may hold it', async () => {
  const seed = sha256('a signer that picks its own nonce')
  const hostile: TestMember = { orgId: 'org-hostile', signer: localSigner(seed) }
  const event = await next(hostile, null, announceBody('batch-1'))
  const variants = [event.wire, await signedAgain(event.wire, seed, hostile)]
  for (const [first, second] of [variants, variants.toReversed()] as [Uint8Array, Uint8Array][]) {
    const ingest = await openIngest(self, [...everybody, hostile])
    expect(await namesOf(ingest, [first])).toEqual(['accepted'])
    expect(await namesOf(ingest, [second])).toEqual(['ignored(SAME_ID_OTHER_BYTES)'])
    expect(await namesOf(ingest, [first])).toEqual(['duplicate'])
  }
})

test('garbage and the true event at the same moment, in either order, many times: the true one gets in', async () => {
  const ingest = await openIngest(self, everybody)
  let last = null
  for (let round = 0; round < 10; round += 1) {
    const event = await next(ada, last, announceBody(`batch-${round}`))
    const garbage = [1, 2, 3].map((fill) => garbageSignature(event.wire, fill))
    const mixed = round % 2 === 0 ? [...garbage, event.wire] : [event.wire, ...garbage]
    const names = await namesOf(ingest, mixed)
    const ofTrue = round % 2 === 0 ? names.at(-1) : names[0]
    expect(ofTrue).toBe('accepted')
    const ofGarbage = round % 2 === 0 ? names.slice(0, -1) : names.slice(1)
    expect(new Set(ofGarbage)).toEqual(new Set(['rejected(SIGNATURE_INVALID)']))
    last = event
  }
})

test('a true successor gets in when garbage in the name of its predecessor comes just before the predecessor', async () => {
  const ingest = await openIngest(self, everybody)
  const first = await next(ada, null, announceBody('batch-1'))
  const second = await next(ada, first, announceBody('batch-2'))
  const names = await namesOf(ingest, [garbageSignature(first.wire), second.wire, first.wire])
  expect(names[0]).toBe('rejected(SIGNATURE_INVALID)')
  expect(names[2]).toBe('accepted')
  await until('the successor is in', () => ingest.log.head.logSeq === 3)
})

test('the bytes belong to whoever handed them in: they may be overwritten while the event is judged or waits', async () => {
  const ingest = await openIngest(self, everybody)
  const first = await next(ada, null, announceBody('batch-1'))
  const second = await next(ada, first, announceBody('batch-2'))
  for (const { wire } of [second, first]) {
    // As an event lies in a frame of the network.
    const frame = new Uint8Array(65_536)
    frame.set(wire, 1_000)
    const judged = ingest.door.submit(frame.subarray(1_000, 1_000 + wire.length), peer)
    frame.fill(0)
    expect(['accepted', 'pending']).toContain((await judged).outcome)
  }
  await until('both are in', () => ingest.log.head.logSeq === 3)
  expect(await namesOf(ingest, [first.wire, second.wire])).toEqual(['duplicate', 'duplicate'])
})
