import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PeerRates } from '../../src/ingest/peer-rates.ts'
import { RateLimiter, perDay, perMinute } from '../../src/ingest/rate-limiter.ts'
import { createHandClock } from '../support/hand-clock.ts'

test('a bucket that is empty keeps the others of the same taking full', () => {
  const rates = new RateLimiter(createHandClock(), 10)
  expect(rates.take(perMinute('a', 2), perDay('a', 1))).toBe(true)
  for (let turn = 0; turn < 3; turn += 1) expect(rates.take(perMinute('a', 2), perDay('a', 1))).toBe(false)
  expect(rates.take(perMinute('a', 2))).toBe(true)
  expect(rates.take(perMinute('a', 2))).toBe(false)
})

test('in no minute more is taken than twice what a bucket holds, whatever the clock on the wall says', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 20 }),
      fc.array(fc.record({ passMs: fc.nat(20_000), takes: fc.nat(30), wallMs: fc.option(fc.nat(10_000_000)) })),
      async (capacity, turns) => {
        const clock = createHandClock()
        const rates = new RateLimiter(clock, 10)
        const taken: number[] = []
        for (const { passMs, takes, wallMs } of turns) {
          await clock.advance(passMs)
          if (wallMs !== null) clock.setNow(wallMs)
          for (let take = 0; take < takes; take += 1)
            if (rates.take(perMinute('x', capacity))) taken.push(clock.monotonicMs())
        }
        for (const fromMs of taken)
          expect(taken.filter((at) => at >= fromMs && at < fromMs + 60_000).length).toBeLessThanOrEqual(2 * capacity)
      }
    )
  )
})

test('a table that is full forgets the oldest bucket, which only fills it', () => {
  const rates = new RateLimiter(createHandClock(), 2)
  expect(rates.take(perMinute('a', 1))).toBe(true)
  expect(rates.take(perMinute('a', 1))).toBe(false)
  rates.take(perMinute('b', 1))
  rates.take(perMinute('c', 1))
  expect(rates.take(perMinute('a', 1))).toBe(true)
})

function watched() {
  const clock = createHandClock()
  const told: string[] = []
  const rates = new PeerRates({ clock, onExcess: (peerId) => void told.push(peerId) })
  const send = (peerId: string, count: number, kind: 'events' | 'requests' = 'events'): number => {
    let taken = 0
    for (let sent = 0; sent < count; sent += 1) if (rates.takeOfPeer(peerId, kind, 'dao:x', 10)) taken += 1
    return taken
  }
  return { clock, told, rates, send }
}

test('twice its rate is borne with; each as much again beyond that is told', () => {
  const { told, send } = watched()
  expect(send('loud', 20)).toBe(10)
  expect(told).toEqual([])
  expect(send('loud', 1)).toBe(0)
  expect(told).toEqual(['loud'])
  expect(send('loud', 10)).toBe(0)
  expect(told).toEqual(['loud'])
  send('loud', 1)
  expect(told).toEqual(['loud', 'loud'])
})

test('who sends less than twice its rate is never told of, however long', async () => {
  const { clock, told, send } = watched()
  for (let minute = 0; minute < 200; minute += 1) {
    send('busy', 19)
    await clock.advance(60_000)
  }
  expect(told).toEqual([])
})

test('requests are counted apart from events, and clients by their address from peers', () => {
  const { rates, send, told } = watched()
  expect(send('peer', 15)).toBe(10)
  expect(send('peer', 15, 'requests')).toBe(10)
  for (let index = 0; index < 100_000; index += 1) rates.takeOfClient(`192.0.2.${index}`, 'events', 'dao:x', 10)
  expect(send('peer', 1)).toBe(0)
  expect(told).toEqual([])
})
