import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  createKeeper,
  DIAL_DEADLINE_MS,
  FIRST_DIAL_WITHIN_MS,
  PARALLEL_DIALS_MAX,
  REDIAL_BASE_MS,
  REDIAL_MAX_MS,
  redialDelayMs,
  STABLE_AFTER_MS
} from '../../src/network/libp2p/keeper.ts'
import type { Keeper } from '../../src/network/libp2p/keeper.ts'
import { createHandClock } from '../support/hand-clock.ts'
import type { HandClock } from '../support/hand-clock.ts'
import { recordingLogger } from '../support/recording-logger.ts'
import type { LogLine } from '../support/recording-logger.ts'

/** A dial that the keeper has begun. */
interface Dial {
  readonly peerId: string
  readonly atMs: number
  readonly signal: AbortSignal
  succeed(): Promise<void>
  fail(): Promise<void>
}

interface Rig {
  readonly clock: HandClock
  readonly keeper: Keeper
  readonly dials: Dial[]
  readonly lines: LogLine[]
}

/** A keeper of which the test answers the dials. Without jitter a wait is half of its ceiling. */
function createRig(fraction: () => number = () => 0): Rig {
  const clock = createHandClock()
  const dials: Dial[] = []
  const lines: LogLine[] = []
  const keeper = createKeeper({
    clock,
    random: { bytes: (length) => new Uint8Array(length), fraction },
    logger: recordingLogger(lines),
    dial(peerId, signal) {
      const answer = Promise.withResolvers<void>()
      signal.addEventListener('abort', () => answer.reject(new Error('aborted')), { once: true })
      dials.push({
        peerId,
        atMs: clock.monotonicMs(),
        signal,
        succeed() {
          answer.resolve()
          return clock.advance(0)
        },
        fail() {
          answer.reject(new Error('refused'))
          return clock.advance(0)
        }
      })
      return answer.promise
    }
  })
  return { clock, keeper, dials, lines }
}

const dialAt = (rig: Rig, index: number): Dial => rig.dials[index] ?? fail(`there was no dial ${index}`)
function fail(what: string): never {
  throw new Error(what)
}

test('the first dial comes soon, the next after 0.5, 1, 2, … 30 s, and the failures are told once', async () => {
  const rig = createRig()
  rig.keeper.keep('b')
  await rig.clock.advance(0)
  const waits: number[] = []
  for (let failed = 0; failed < 9; failed += 1) {
    await dialAt(rig, failed).fail()
    const wait = (rig.keeper.nextDialAt('b') ?? 0) - rig.clock.now()
    waits.push(wait)
    await rig.clock.advance(wait - 1)
    expect(rig.dials).toHaveLength(failed + 1)
    await rig.clock.advance(1)
    expect(rig.keeper.nextDialAt('b')).toBeUndefined()
  }
  expect(waits).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000])
  expect(rig.lines.map(({ level }) => level)).toEqual(['info', ...Array<string>(8).fill('debug')])
  expect(rig.lines[0]?.fields).toMatchObject({ peerId: 'b', failures: 1, error: 'refused' })
})

test('jitter spreads each wait over the upper half of its ceiling', () => {
  fc.assert(
    fc.property(fc.nat(2_000), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (failures, fraction) => {
      const ceilingMs = Math.min(REDIAL_MAX_MS, REDIAL_BASE_MS * 2 ** Math.min(failures, 10))
      const delayMs = redialDelayMs(failures, fraction)
      expect(delayMs).toBeGreaterThanOrEqual(ceilingMs / 2)
      expect(delayMs).toBeLessThanOrEqual(ceilingMs)
    })
  )
})

test('after a stable connection the waits begin from the start, after a short one they go on', async () => {
  const rig = createRig()
  rig.keeper.keep('b')
  await rig.clock.advance(0)
  for (const failed of [0, 1, 2]) {
    await dialAt(rig, failed).fail()
    await rig.clock.advance(500 * 2 ** failed)
  }
  await dialAt(rig, 3).succeed()
  expect(rig.keeper.nextDialAt('b')).toBeUndefined()

  await rig.clock.advance(STABLE_AFTER_MS - 1)
  rig.keeper.disconnected('b')
  expect(rig.keeper.nextDialAt('b')).toBe(rig.clock.now() + 4_000)
  await rig.clock.advance(4_000)
  await dialAt(rig, 4).succeed()
  await rig.clock.advance(STABLE_AFTER_MS)
  rig.keeper.disconnected('b')
  expect(rig.keeper.nextDialAt('b')).toBe(rig.clock.now() + 500)
})

test('a peer that connects by itself is not dialled, and is when it goes', async () => {
  const rig = createRig(() => 0.5)
  rig.keeper.keep('b')
  rig.keeper.connected('b')
  await rig.clock.advance(60_000)
  expect(rig.dials).toEqual([])
  rig.keeper.disconnected('b')
  await rig.clock.advance(750)
  expect(rig.dials).toHaveLength(1)

  // It comes in while it is dialled: the dial that then fails means nothing.
  rig.keeper.connected('b')
  await dialAt(rig, 0).fail()
  expect(rig.keeper.nextDialAt('b')).toBeUndefined()
  await rig.clock.advance(60_000)
  expect(rig.dials).toHaveLength(1)
})

test('a connection that comes and goes during a dial leaves one next attempt, not two', async () => {
  const rig = createRig()
  rig.keeper.keep('b')
  await rig.clock.advance(0)
  rig.keeper.connected('b')
  rig.keeper.disconnected('b')
  const planned = rig.keeper.nextDialAt('b')
  await dialAt(rig, 0).fail()
  expect(rig.keeper.nextDialAt('b')).toBe(planned)
  await rig.clock.advance(500)
  expect(rig.dials).toHaveLength(2)
  expect(rig.clock.pendingTimers()).toBe(1)
})

test('whom it does not keep is none of its business', async () => {
  const rig = createRig()
  rig.keeper.connected('x')
  rig.keeper.disconnected('x')
  await rig.clock.advance(60_000)
  expect(rig.dials).toEqual([])
  expect(rig.keeper.nextDialAt('x')).toBeUndefined()
})

test('a dial that does not end is given up', async () => {
  const rig = createRig()
  rig.keeper.keep('b')
  await rig.clock.advance(0)
  await rig.clock.advance(DIAL_DEADLINE_MS - 1)
  expect(dialAt(rig, 0).signal.aborted).toBe(false)
  await rig.clock.advance(1)
  expect(dialAt(rig, 0).signal.aborted).toBe(true)
  expect(rig.keeper.nextDialAt('b')).toBe(rig.clock.now() + 500)
})

test('eight dials at a time, in the order in which they came due, spread over a quarter of a second', async () => {
  let next = 0
  const rig = createRig(() => (next += 1) / 32)
  const peers = Array.from({ length: 20 }, (_, index) => `peer ${index}`)
  for (const peer of peers) rig.keeper.keep(peer)
  await rig.clock.advance(FIRST_DIAL_WITHIN_MS)
  expect(rig.dials.map(({ peerId }) => peerId)).toEqual(peers.slice(0, PARALLEL_DIALS_MAX))
  await dialAt(rig, 3).succeed()
  await dialAt(rig, 0).fail()
  expect(rig.dials.map(({ peerId }) => peerId)).toEqual(peers.slice(0, 10))
  expect(rig.keeper.nextDialAt('peer 15')).toBeLessThanOrEqual(rig.clock.now())
})

test('stopping aborts dials, sets no more timers and waits for what is under way', async () => {
  const rig = createRig()
  for (const peer of ['b', 'c', 'd']) rig.keeper.keep(peer)
  await rig.clock.advance(0)
  await dialAt(rig, 0).fail()
  await dialAt(rig, 1).succeed()
  await rig.keeper.stop()
  expect(dialAt(rig, 2).signal.aborted).toBe(true)
  rig.keeper.keep('e')
  rig.keeper.disconnected('c')
  expect(rig.clock.pendingTimers()).toBe(0)
  await rig.clock.advance(120_000)
  expect(rig.dials).toHaveLength(3)
})

test('in any order of events: at most eight dials, one per peer, and every lost peer has a next attempt', async () => {
  const action = fc.oneof(
    fc.record({ kind: fc.constantFrom('connected', 'disconnected', 'succeed', 'fail'), index: fc.nat(11) }),
    fc.record({ kind: fc.constant('advance'), index: fc.nat(5_000) })
  )
  await fc.assert(
    fc.asyncProperty(
      fc.array(action, { maxLength: 60 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      async (actions, fraction) => {
        const rig = createRig(() => fraction)
        const connected = new Set<string>()
        const open = new Set<Dial>()
        let seen = 0
        for (let index = 0; index < 12; index += 1) rig.keeper.keep(`${index}`)
        for (const { kind, index } of actions) {
          const peer = `${index % 12}`
          const dial = [...open].find(({ peerId }) => peerId === peer)
          if (kind === 'advance') await rig.clock.advance(index)
          else if (kind === 'connected' && !connected.has(peer)) {
            connected.add(peer)
            rig.keeper.connected(peer)
          } else if (kind === 'disconnected' && connected.delete(peer)) rig.keeper.disconnected(peer)
          else if (kind === 'succeed' && dial !== undefined) {
            if (!connected.has(peer)) rig.keeper.connected(peer)
            connected.add(peer)
            open.delete(dial)
            await dial.succeed()
          } else if (kind === 'fail' && dial !== undefined) {
            open.delete(dial)
            await dial.fail()
          }
          for (const begun of rig.dials.slice(seen)) {
            expect(
              [...open].some(
                ({ peerId, signal }) => peerId === begun.peerId && !signal.aborted && !connected.has(peerId)
              )
            ).toBe(false)
            expect(connected.has(begun.peerId)).toBe(false)
            open.add(begun)
          }
          seen = rig.dials.length
          for (const begun of open) if (begun.signal.aborted) open.delete(begun)
          expect(open.size).toBeLessThanOrEqual(PARALLEL_DIALS_MAX)
          for (let number = 0; number < 12; number += 1) {
            const id = `${number}`
            const isDialled = [...open].some(({ peerId }) => peerId === id)
            if (!connected.has(id) && !isDialled) expect(rig.keeper.nextDialAt(id)).toBeDefined()
            if (connected.has(id)) expect(rig.keeper.nextDialAt(id)).toBeUndefined()
          }
        }
        await rig.keeper.stop()
        expect(rig.clock.pendingTimers()).toBe(0)
      }
    ),
    { numRuns: 60 }
  )
})
