import { describe, expect, test } from 'vitest'
import { chainIdOf } from '../../src/events/chain.ts'
import { peerIdOf, quiet } from '../node/nodes.ts'
import type { SignedEvent } from '../support/events.ts'
import { member, NAMESPACE } from '../support/identities.ts'
import type { HostileWorld } from './hostile-world.ts'
import {
  ANNA,
  BEN,
  chainOf,
  chains,
  done,
  events,
  hello,
  hostileWorld,
  INITIATOR_STATES,
  MALLORY,
  openedByAnna,
  prefixOf,
  RESPONDER_STATES,
  sketch,
  tagged
} from './hostile-world.ts'
import type { RawSession } from './raw-peer.ts'
import { joinRaw } from './raw-peer.ts'

const STRANGER = member('stranger')

/** The event under a signature that is not its own. */
function garbageSigned({ wire }: SignedEvent): Uint8Array {
  const bytes = Uint8Array.from(wire)
  const text = Buffer.from(bytes).toString('latin1')
  const at = text.lastIndexOf('"signature":"') + '"signature":"'.length + 10
  bytes[at] = bytes[at] === 0x41 ? 0x42 : 0x41
  return bytes
}

/** A session in which it is Mallory's turn to send events, opened by either side. */
const OPENED: Readonly<Record<string, (world: HostileWorld) => Promise<RawSession>>> = {
  async Mallory({ mallory, anna }) {
    const session = await mallory.open(anna.self)
    await RESPONDER_STATES['transfer']?.(session, '')
    return session
  },
  async Anna(world) {
    const session = await openedByAnna(world)
    await INITIATOR_STATES['transfer']?.(session)
    return session
  }
}

/** What nobody must send, each with what it leaves in the log. */
const LIES: readonly (readonly [string, (world: HostileWorld) => Promise<readonly Uint8Array[]>, number])[] = [
  ['an event that is held', async ({ tip }) => [tip.wire], 0],
  ['all events that are held', async ({ held }) => held.map(({ wire }) => wire), 0],
  [
    'an event of another namespace',
    async () => (await chainOf(MALLORY, 1, null, { namespace: 'dao:other' })).map(({ wire }) => wire),
    0
  ],
  ['a true event under a garbage signature', async ({ tip }) => (await chainOf(BEN, 1, tip)).map(garbageSigned), 0],
  ['a held event under a garbage signature', async ({ tip }) => [garbageSigned(tip)], 0],
  ['bytes that are no event', async () => [Uint8Array.of(1, 2, 3)], 0],
  ['an event twice', async () => (await chainOf(MALLORY, 1)).flatMap(({ wire }) => [wire, wire]), 1]
]

describe.each(Object.keys(OPENED))('in a session that %s opened, Mallory sends', (who) => {
  test.each(LIES)('%s, and pays at once', async (_, lie, taken) => {
    const world = await hostileWorld()
    const session = await OPENED[who]?.(world)
    session?.send(events(...(await lie(world))))
    // No time passes: nobody has to wait for more of this peer.
    expect(await session?.errorCode()).toBe('lied')
    expect(await world.penalties()).toBe(1)
    await quiet(world.anna)
    expect(await world.events()).toBe(20 + taken)
    await world.anna.node.close()
  })

  test.each(LIES)('%s, breaks off and pays all the same', async (_, lie) => {
    const world = await hostileWorld()
    const session = await OPENED[who]?.(world)
    session?.send(events(...(await lie(world))))
    session?.close()
    await session?.written
    session?.abort()
    await quiet(world.anna)
    expect(await world.penalties()).toBe(1)
    await world.anna.node.close()
  })

  test('what came by another way meanwhile, and does not pay', async () => {
    const world = await hostileWorld()
    const session = await OPENED[who]?.(world)
    const more = await chainOf(BEN, 50, world.tip)
    for (const { wire } of more) await world.anna.node.submit(wire)
    session?.send(events(...more), done(more.length))
    await session?.rest()
    expect(await world.penalties()).toBe(0)
    expect(await world.events()).toBe(70)
    await world.anna.node.close()
  })

  test('what Anna does not take, which is not sent to her again', async () => {
    const world = await hostileWorld()
    const session = await OPENED[who]?.(world)
    const refused = await chainOf(STRANGER, 3)
    session?.send(events(...refused), done(3))
    expect((await session?.rest())?.at(-1)?.type).toBe('end')
    expect(await world.penalties()).toBe(0)
    const chain = chainIdOf((refused[0] as SignedEvent).envelope)

    const asked = await openedByAnna(world)
    asked.send(sketch())
    const { mine } = await asked.expect('chains')
    expect(mine.filter(({ tips }) => tips.length === 0).map(({ prefix }) => [...prefix])).toEqual([
      [...prefixOf(chain)]
    ])
    asked.abort()
    await quiet(world.anna)

    const again = await world.mallory.open(ANNA)
    again.send(hello())
    const { salt } = await again.expect('sketch')
    const named = [{ prefix: prefixOf(chain), tips: [tagged(salt, refused[2] as SignedEvent)] }]
    again.send(chains({ mine: named }))
    expect((await again.expect('answer')).chains).toEqual([])
    again.send(events(...refused))
    // She said that nothing of it was wanted.
    expect(await again.errorCode()).toBe('lied')
    expect(await world.penalties()).toBe(1)
    await world.anna.node.close()
  })
})

describe('events that come too early', () => {
  test.each(['listening', 'offered', 'offered, with more chains to come', 'probing', 'probing, with samples asked'])(
    'for a responder that is %s',
    async (state) => {
      const world = await hostileWorld()
      const session = await world.mallory.open(ANNA)
      await RESPONDER_STATES[state]?.(session, chainIdOf(world.tip.envelope))
      session.send(events(...(await chainOf(MALLORY, 1))))
      expect(await session.errorCode()).toBe('bad-frame')
      expect(await world.penalties()).toBe(1)
      expect(await world.events()).toBe(20)
      await world.anna.node.close()
    }
  )

  test.each(['asked', 'named', 'named, with more answers to come'])('for an initiator that has %s', async (state) => {
    const world = await hostileWorld()
    const session = await openedByAnna(world)
    await INITIATOR_STATES[state]?.(session)
    session.send(events(...(await chainOf(MALLORY, 1))))
    expect(await session.errorCode()).toBe('bad-frame')
    expect(await world.penalties()).toBe(1)
    expect(await world.events()).toBe(20)
    await world.anna.node.close()
  })
})

test('a peer that never reads does not hold a session for longer than it may be silent, nor pays', async () => {
  const world = await hostileWorld(200)
  await world.pass(1_000)
  const session = await world.mallory.open(ANNA)
  session.send(hello({ chains: 0 }))
  session.send(chains({ matched: { of: 'sketch', bits: [] } }))
  await world.pass(33_000)
  expect(await session.written).toBe(false)
  expect(await world.penalties()).toBe(0)
  await world.anna.node.close()
})

test('a peer that stays after it was told of its fault is cut off', async () => {
  const world = await hostileWorld()
  const session = await world.mallory.open(ANNA)
  session.send(done(0))
  await session.expect('error')
  expect(await session.read()).toEqual({ type: 'end' })
  await world.pass(2_100)
  expect(await session.written).toBe(false)
  await world.anna.node.close()
})

test('after a lie the next peer is asked at once', async () => {
  const world = await hostileWorld()
  const ben = await world.openBen()
  world.hub.cut(peerIdOf(BEN), peerIdOf(ANNA))
  const more = await chainOf(BEN, 30, world.tip)
  for (const { wire } of world.held) await ben.node.submit(wire)
  for (const { wire } of more) await ben.node.submit(wire)
  await quiet(ben)
  world.hub.lose(peerIdOf(BEN), peerIdOf(ANNA))
  world.mallory.respond = async (session) => {
    const { namespace } = await session.expect('hello')
    session.send(namespace === NAMESPACE ? done(1) : { type: 'equal', membership: new Uint8Array(16) })
    await session.rest()
  }
  world.hub.heal(peerIdOf(BEN), peerIdOf(ANNA))
  world.hub.lose(peerIdOf(BEN), peerIdOf(ANNA))
  await world.pass(5_000)
  expect(await world.penalties()).toBeGreaterThan(0)
  expect(await world.events()).toBe(50)
  await world.anna.node.close()
  await ben.node.close()
})

test('peers that feed a node by the drop keep nobody else out for longer than a minute', async () => {
  const cleo = member('cleo')
  const world = await hostileWorld(20, {}, [ANNA, BEN, MALLORY, cleo])
  const cleosPeer = await joinRaw(world.hub, cleo)
  const fed = [await world.mallory.open(ANNA)]
  for (const session of fed) await RESPONDER_STATES['transfer']?.(session, '')
  const early = await cleosPeer.open(ANNA)
  early.send(hello())
  expect(await early.errorCode()).toBe('busy')
  let last: SignedEvent | null = null
  for (let feeds = 0; feeds < 3; feeds += 1) {
    for (const session of fed) {
      last = (await chainOf(MALLORY, 1, last))[0] ?? null
      if (last !== null) session.send(events(last))
    }
    await world.pass(21_000)
  }
  const late = await cleosPeer.open(ANNA)
  late.send(hello())
  await late.expect('sketch')
  late.abort()
  // They have done nothing wrong.
  expect(await world.penalties()).toBe(0)
  for (const session of fed) session.abort()
  await world.anna.node.close()
})

test('a node that stops does not wait for a peer that feeds it by the drop', async () => {
  const world = await hostileWorld()
  const session = await openedByAnna(world)
  await INITIATOR_STATES['transfer']?.(session)
  session.send(events(...(await chainOf(MALLORY, 1))))
  await quiet(world.anna)
  await world.anna.node.close()
  expect(world.clock.timersSet).toBe(0)
})

test('a peer that knows nothing does not make a node sign while another brings its own events', async () => {
  const cleo = member('cleo')
  const world = await hostileWorld(20, {}, [ANNA, BEN, MALLORY, cleo])
  const cleosPeer = await joinRaw(world.hub, cleo)
  const own = await chainOf(ANNA, 4)
  await world.anna.node.seal({ namespace: NAMESPACE, batchId: 'new', receipts: [1] })
  await world.pass(1_000)
  const bringing = await world.mallory.open(ANNA)
  await RESPONDER_STATES['transfer']?.(bringing, '')
  bringing.send(events(...own.slice(0, 2)))
  await quiet(world.anna)

  const knowing = await cleosPeer.open(ANNA)
  knowing.send(hello())
  // Nor can it say so meanwhile.
  expect(await knowing.errorCode()).toBe('busy')
  const request = { namespace: NAMESPACE, batchId: 'new', timestampAnchors: [] }
  let isSigned = false
  const announcing = world.anna.node.announce(request).finally(() => {
    isSigned = true
  })
  await world.pass(6_000)
  expect(isSigned).toBe(false)

  bringing.send(events(...own.slice(2)), done(4))
  bringing.close()
  await bringing.rest()
  await quiet(world.anna)
  const { id } = await announcing
  const bytes = (await world.anna.node.event(id))?.bytes ?? ''
  expect(Buffer.from(bytes, 'base64url').toString('latin1')).toContain('"authorSeq":5')
  await world.anna.node.close()
})
