import { describe, expect, test } from 'vitest'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import type { DecodedEvent } from '../../protocols/event/v1/codec.ts'
import { decodeEvent } from '../../protocols/event/v1/codec.ts'
import type { EventSource } from '../../src/ingest/source.ts'
import type { PendingEvent } from '../../src/ingest/pending-pool.ts'
import {
  PENDING_BYTES_MAX,
  PENDING_EVENTS_MAX,
  PENDING_SHARE_OF_PEER,
  PendingPool
} from '../../src/ingest/pending-pool.ts'
import { announceBody, next } from '../support/events.ts'
import { NAMESPACE, member } from '../support/identities.ts'
import { openIngest } from '../support/ingest.ts'
import { eventText, signedText } from './wires.ts'

const self = member('self')
const ada = member('ada')
const bob = member('bob')
const everybody = [self, ada, bob]

const template = decoded((await next(ada, null, {})).wire)

function decoded(wire: Uint8Array): DecodedEvent {
  const decoding = decodeEvent(wire)
  if (!decoding.ok) throw new Error(decoding.detail)
  return decoding.event
}

/** An entry of `bytes` bytes; the pool looks at nothing else of the event. */
function entry(name: string, peer: string, bytes: number, predecessor: string | null = null): PendingEvent {
  const event = { ...template, id: name, wire: new Uint8Array(bytes) }
  const code = predecessor === null ? 'KEY_UNKNOWN' : 'PREDECESSOR_MISSING'
  return { bytesHash: sha256Hex(name), code, event, verified: undefined, source: { via: 'gossip', peer }, predecessor }
}

describe('bounds', () => {
  test('the number of events is bounded, and the oldest makes room', () => {
    const pool = new PendingPool()
    for (let index = 0; index < PENDING_EVENTS_MAX + 10; index += 1)
      pool.add(entry(`e${index}`, `peer-${index % 8}`, 100))
    expect(pool.size).toEqual({ events: PENDING_EVENTS_MAX, bytes: PENDING_EVENTS_MAX * 100, dropped: 10 })
    expect(pool.get(sha256Hex('e9'))).toBeUndefined()
    expect(pool.get(sha256Hex('e10'))).toBeDefined()
  })

  test('the bytes are bounded', () => {
    const pool = new PendingPool()
    for (let index = 0; index < 1_000; index += 1) pool.add(entry(`e${index}`, `peer-${index % 8}`, 49_152))
    expect(pool.size.bytes).toBeLessThanOrEqual(PENDING_BYTES_MAX)
    expect(pool.size.bytes).toBeGreaterThan(PENDING_BYTES_MAX - 49_152)
  })

  test('one peer fills its share in number, and drops only its own', () => {
    const pool = new PendingPool()
    pool.add(entry('honest', 'honest', 100))
    for (let index = 0; index < 10_000; index += 1) pool.add(entry(`e${index}`, 'flood', 100))
    expect(pool.size.events).toBe(PENDING_EVENTS_MAX / PENDING_SHARE_OF_PEER + 1)
    expect(pool.get(sha256Hex('honest'))).toBeDefined()
  })

  test('one peer fills its share in bytes, and drops only its own', () => {
    const pool = new PendingPool()
    pool.add(entry('honest', 'honest', 100))
    for (let index = 0; index < 2_000; index += 1) pool.add(entry(`e${index}`, 'flood', 49_152))
    expect(pool.get(sha256Hex('honest'))).toBeDefined()
    expect(pool.size.bytes).toBeLessThanOrEqual(PENDING_BYTES_MAX / PENDING_SHARE_OF_PEER + 100)
  })

  test('what was taken out or dropped leaves nothing behind', () => {
    const pool = new PendingPool()
    for (let index = 0; index < 3_000; index += 1) pool.add(entry(`e${index}`, 'flood', 100, 'missing'))
    expect(pool.takeSuccessors('missing')).toHaveLength(PENDING_EVENTS_MAX / PENDING_SHARE_OF_PEER)
    expect(pool.size).toMatchObject({ events: 0, bytes: 0 })
    expect(pool.takeSuccessors('missing')).toEqual([])
    pool.add(entry('again', 'flood', 100))
    expect(pool.takeWaitingForKeys().map(({ event }) => event.id)).toEqual(['again'])
    expect(pool.size).toMatchObject({ events: 0, bytes: 0 })
  })

  test('the same bytes take one place', () => {
    const pool = new PendingPool()
    for (let copy = 0; copy < 5; copy += 1) pool.add(entry('same', `peer-${copy}`, 100, 'missing'))
    expect(pool.size).toEqual({ events: 1, bytes: 100, dropped: 0 })
  })
})

test('events under unknown keys that anybody can make up are bounded, and an honest gap keeps its place', async () => {
  const ingest = await openIngest(self, everybody)
  const first = await next(ada, null, announceBody('batch-1'))
  const second = await next(ada, first, announceBody('batch-2'))
  const honest: EventSource = { via: 'gossip', peer: 'honest', namespace: NAMESPACE }
  await ingest.door.submit(second.wire, honest)
  const flood: EventSource = { via: 'gossip', peer: 'flood', namespace: NAMESPACE }
  const share = PENDING_EVENTS_MAX / PENDING_SHARE_OF_PEER
  for (let index = 0; index < share + 50; index += 1) {
    const wire = await signedText(bob, eventText(ada, { kid: `made-up-${index}` }), { kid: `made-up-${index}` })
    expect(await ingest.door.submit(wire, flood)).toMatchObject({ outcome: 'pending', code: 'KEY_UNKNOWN' })
  }
  expect(ingest.door.status()).toMatchObject({ signaturesVerified: 1, pending: { events: share + 1, dropped: 50 } })
  expect(await ingest.door.submit(first.wire, honest)).toMatchObject({ outcome: 'accepted' })
  await ingest.engine.reached(3, null)
  expect(await ingest.log.find(second.id)).toBeDefined()
})
