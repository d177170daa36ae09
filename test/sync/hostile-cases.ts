import { describe, expect, test } from 'vitest'
import { concat } from '../../protocols/primitives/bytes.ts'
import type { Frame } from '../../protocols/range-sync/v1/frames.ts'
import { chainIdOf } from '../../src/events/chain.ts'
import { NAMESPACE } from '../support/identities.ts'
import type { HostileWorld } from './hostile-world.ts'
import { chains, hello, hostileWorld, INITIATOR_STATES, openedByAnna, RESPONDER_STATES } from './hostile-world.ts'
import type { RawSession } from './raw-peer.ts'
import { lengthOf, MEMBERSHIP, onWire } from './raw-peer.ts'

const fill = (length: number): Uint8Array => new Uint8Array(length).fill(1)

/** What is wrong in every state, and the code that it costs. */
const WRONG_ANYWHERE: readonly (readonly [string, Uint8Array | Frame, string])[] = [
  ['a type that there is not', onWire(Uint8Array.of(0x7e)), 'bad-frame'],
  ['an empty frame', Uint8Array.of(0), 'bad-frame'],
  ['a length that is not in its shortest form', Uint8Array.of(0x81, 0x00), 'bad-frame'],
  ['a length of six octets', Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x80, 0x01), 'bad-frame'],
  ['a length above that of any frame', lengthOf(262_145), 'too-big'],
  ['a length of four gigabytes', lengthOf(2 ** 32 - 1), 'too-big'],
  ['a frame that only events may be as long as', onWire(concat(Uint8Array.of(0x0a), fill(65_536))), 'too-big'],
  ['a varint that is not in its shortest form', onWire(Uint8Array.of(0x0a, 0x80, 0x01, 0, 0)), 'bad-frame'],
  ['a varint above 2^53', onWire(concat(Uint8Array.of(0x0a), fill(8).fill(0xff), Uint8Array.of(1, 0, 0))), 'bad-frame'],
  ['a frame that goes on behind its end', onWire(Uint8Array.of(0x0a, 0, 0, 0, 0)), 'bad-frame'],
  ['a frame that ends too early', onWire(Uint8Array.of(0x0a, 0)), 'bad-frame'],
  ['a list of a billion', onWire(Uint8Array.of(0x09, 0x83, 0xdc, 0xd6, 0xa8, 0x00)), 'too-big'],
  ['a frame of events without events', onWire(Uint8Array.of(0x09, 0)), 'bad-frame'],
  ['an error that there is not', onWire(Uint8Array.of(0x0f, 1, 0x61, 0)), 'bad-frame'],
  ['a version that there is not', onWire(Uint8Array.of(0x01, 2)), 'bad-frame'],
  ['equal', { type: 'equal', membership: MEMBERSHIP }, 'bad-frame'],
  ['a sketch', { type: 'sketch', membership: MEMBERSHIP, salt: fill(16), entries: [] }, 'bad-frame'],
  ['a tree', { type: 'tree', membership: MEMBERSHIP, salt: fill(16), chains: 0, message: fill(1) }, 'bad-frame'],
  ['a message of negentropy', { type: 'negentropy', message: Uint8Array.of(0x61) }, 'bad-frame'],
  [
    'an answer to what was not named',
    { type: 'answer', more: false, chains: [{ index: 70_000, held: [], tips: [] }] },
    'bad-frame'
  ],
  ['chains that are matched with a tree', chains({ matched: { of: 'tree', missing: [] } }), 'bad-frame'],
  [
    'a probe of a chain that is not probed',
    { type: 'probe', more: false, chains: [{ index: 7, held: [], asked: [] }] },
    'bad-frame'
  ]
]

/** Frames that have their place in one state, and so are not wrong there, or wrong in another way. */
const IN_PLACE: Readonly<Record<string, readonly string[]>> = {
  asked: ['equal', 'a sketch', 'a tree']
}

/** What an honest peer may have to do. */
const HONEST: readonly (readonly [string, (session: RawSession) => void, string | null])[] = [
  ['closes its side', (session) => session.close(), null],
  ['breaks the stream', (session) => session.abort(), null],
  [
    'stops within a frame',
    (session) => {
      session.send(onWire(hello()).subarray(0, 20))
      session.close()
    },
    null
  ],
  ['says an error', (session) => session.send({ type: 'error', code: 'busy', detail: 'later' }), null],
  ['is silent', () => undefined, 'timeout'],
  ['is silent within a frame', (session) => session.send(onWire(hello()).subarray(0, 20)), 'timeout'],
  ['is silent within a length', (session) => session.send(Uint8Array.of(0x80)), 'timeout']
]

/** Each of the two nodes counts refusals of the running minute for its audit trail. */
const COUNTING = 2

/** Nothing is left of the session, and the next one works at once. */
async function nothingIsLeft(world: HostileWorld, was: { readonly events: number; readonly timers: number }) {
  expect(await world.events()).toBe(was.events)
  const { anna, mallory } = world
  for (let sessions = 0; sessions < 2; sessions += 1) {
    const session = await mallory.open(anna.self)
    session.send(hello())
    await session.expect('sketch')
    session.abort()
    await world.pass(1)
  }
  expect(world.clock.timersSet).toBeLessThanOrEqual(was.timers + COUNTING)
}

async function before(world: HostileWorld): Promise<{ readonly events: number; readonly timers: number }> {
  // By then every batch whose receipts are missing waits for its next try: that is a timer for each.
  await world.pass(4_000)
  return { events: await world.events(), timers: world.clock.timersSet }
}

async function lastEnd({ anna, mallory }: HostileWorld): Promise<string | undefined> {
  const { sync } = await anna.node.status()
  return sync.find(({ did, namespace }) => namespace === NAMESPACE && did === didOf(mallory.peerId))?.last?.end
}

const didOf = (peerId: string): string => `did:key:${peerId.slice('peer-'.length)}`

/**
 * What a peer can do wrong, and what an honest one may have to do, in every state of a session. Each state gets one case
 * of `oneOf`, and the next state those beside them: of all cases each comes in some state.
 */
export function describeHostilePeers(oneOf: number): void {
  const share = <Case>(cases: readonly Case[], state: number): Case[] =>
    cases.filter((_, index) => (index + state) % oneOf === 0)

  describe.each(Object.keys(RESPONDER_STATES).map((state, index) => [state, index] as const))(
    'a responder that is %s',
    (state, index) => {
      test.each(share(WRONG_ANYWHERE, index).filter(([name]) => !(IN_PLACE[state] ?? []).includes(name)))(
        'is sent %s',
        async (_, wrong, code) => {
          const world = await hostileWorld()
          const was = await before(world)
          const session = await world.mallory.open(world.anna.self)
          await RESPONDER_STATES[state]?.(session, chainIdOf(world.tip.envelope))
          session.send(wrong)
          expect(await session.errorCode()).toBe(code)
          expect(await world.penalties()).toBe(1)
          await nothingIsLeft(world, was)
          await world.anna.node.close()
        }
      )

      test.each(share(HONEST, index))('has a peer that %s', async (_, move, code) => {
        const world = await hostileWorld()
        const was = await before(world)
        const session = await world.mallory.open(world.anna.self)
        await RESPONDER_STATES[state]?.(session, chainIdOf(world.tip.envelope))
        move(session)
        const ended = session.errorCode()
        await world.pass(31_000)
        expect(await ended).toBe(code)
        expect(await world.penalties()).toBe(0)
        await nothingIsLeft(world, was)
        await world.anna.node.close()
      })
    }
  )

  describe.each(Object.keys(INITIATOR_STATES).map((state, index) => [state, index] as const))(
    'an initiator that has %s',
    (state, index) => {
      test.each(share(WRONG_ANYWHERE, index).filter(([name]) => !(IN_PLACE[state] ?? []).includes(name)))(
        'is sent %s',
        async (_, wrong, code) => {
          const world = await hostileWorld()
          const was = await before(world)
          const session = await openedByAnna(world)
          await INITIATOR_STATES[state]?.(session)
          session.send(wrong)
          expect(await session.errorCode()).toBe(code)
          expect(await world.penalties()).toBe(1)
          expect(await lastEnd(world)).toBe(code)
          await nothingIsLeft(world, was)
          await world.anna.node.close()
        }
      )

      test.each(share(HONEST, index))('has a peer that %s', async (_, move, code) => {
        const world = await hostileWorld()
        const was = await before(world)
        const session = await openedByAnna(world)
        await INITIATOR_STATES[state]?.(session)
        move(session)
        const ended = session.errorCode()
        await world.pass(31_000)
        expect(await ended).toBe(code)
        expect(await world.penalties()).toBe(0)
        await nothingIsLeft(world, was)
        await world.anna.node.close()
      })
    }
  )
}
