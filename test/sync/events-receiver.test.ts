import { describe, expect, test } from 'vitest'
import { createVirtualClock } from '../../simulations/ports/virtual-clock.ts'
import type { Outcome } from '../../src/events/outcome.ts'
import { EventsReceiver } from '../../src/sync/events-receiver.ts'
import type { ToldPeer } from '../../src/sync/events-receiver.ts'
import { member } from '../support/identities.ts'
import { settled } from '../support/settled.ts'
import { chainOf } from './hostile-world.ts'

const SOURCE = { via: 'sync', peer: 'peer' } as const
const TOLD_ALL: ToldPeer = { logSeq: 100, isAll: true, unwanted: new Set() }
const id = '0'.repeat(64)

const clock = createVirtualClock({ settle: settled })

function receiver(door: (at: number) => Outcome, told: ToldPeer = TOLD_ALL): EventsReceiver {
  let submitted = 0
  const submit = (): Promise<Outcome> => {
    submitted += 1
    return Promise.resolve(door(submitted))
  }
  return new EventsReceiver({ door: { submit }, clock, signal: new AbortController().signal }, SOURCE, told)
}

/** Takes as many events, in full frames. */
async function takeMany(taker: EventsReceiver, count: number, wire: Uint8Array = new Uint8Array(1)): Promise<void> {
  for (let taken = 0; taken < count; taken += 256) await taker.take(Array.from({ length: 256 }, () => wire))
  await taker.settled()
}

test('a log that has no room for a moment holds the peer up, and nothing more', async () => {
  const taker = receiver((at) =>
    at <= 10
      ? { outcome: 'ignored', code: 'OVERLOADED', detail: 'later', id }
      : { outcome: 'accepted', id, logSeq: 100 + at }
  )
  const taken = takeMany(taker, 256)
  await clock.advance(100)
  await taken
  expect(taker.received).toMatchObject({ accepted: 256, ignored: {} })
})

test('a log that stays full ends the session in about a second, and nobody pays', async () => {
  const taker = receiver(() => ({ outcome: 'ignored', code: 'OVERLOADED', detail: 'later', id }))
  const taken = takeMany(taker, 256)
  const ended = taken.catch((error: unknown) => error)
  await clock.advance(1_100)
  expect(await ended).toMatchObject({ code: 'busy', by: 'here' })
})

describe('events that were here when they came', () => {
  test('are no fault where they came by another way since the session began, however many', async () => {
    const taker = receiver((at) => ({ outcome: 'duplicate', id, logSeq: 100 + at }))
    await takeMany(taker, 200_000)
    expect(taker.received.duplicate).toBe(200_192)
  })

  test('are a lie where they were told to be held', async () => {
    const taker = receiver(() => ({ outcome: 'duplicate', id, logSeq: 100 }))
    await expect(takeMany(taker, 256)).rejects.toMatchObject({ code: 'lied' })
    await expect(taker.failed).rejects.toMatchObject({ code: 'lied' })
  })

  test('are a lie where they are more than the log took since', async () => {
    const taker = receiver(() => ({ outcome: 'duplicate', id, logSeq: 101 }))
    await expect(takeMany(taker, 256)).rejects.toMatchObject({ code: 'lied', message: 'an event came twice' })
  })

  test('end the session without a penalty where the peer was not told of all, beyond the bound', async () => {
    const taker = receiver(() => ({ outcome: 'duplicate', id, logSeq: 1 }), { ...TOLD_ALL, isAll: false })
    await takeMany(taker, 65_536)
    await expect(takeMany(taker, 256)).rejects.toMatchObject({ code: 'busy', by: 'here' })
  })
})

test('more than can be taken of other signers ends the session without a penalty, and is known by then', async () => {
  const [event] = await chainOf(member('stranger'), 1)
  const taker = receiver(() => ({ outcome: 'ignored', code: 'SIGNER_NOT_MEMBER', detail: '', id: null }))
  await expect(takeMany(taker, 66_000, event?.wire)).rejects.toMatchObject({ code: 'busy', by: 'here' })
  expect(taker.refusedChains.size).toBe(1)
})

test('a defect of the door is thrown as it is, and is no end that the peer brought about', async () => {
  const defect = new Error('a defect')
  const taker = receiver(() => {
    throw defect
  })
  await expect(takeMany(taker, 256)).rejects.toBe(defect)
  await expect(taker.failed).rejects.toBe(defect)
  expect(taker.problem).toBeNull()
})
