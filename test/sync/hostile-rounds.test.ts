import { expect, test } from 'vitest'
import { openMemoryStore } from '../../src/log/level-store.ts'
import type { KeyRange, Store } from '../../src/log/store.ts'
import { chainIdOf } from '../../src/events/chain.ts'
import { quiet } from '../node/nodes.ts'
import {
  ANNA,
  BEN,
  chainOf,
  chains,
  hello,
  hostileWorld,
  INITIATOR_STATES,
  openedByAnna,
  RESPONDER_STATES,
  SALT,
  UNKNOWN_TIP
} from './hostile-world.ts'

test('who holds an event but not its ancestors lies', async () => {
  const world = await hostileWorld()
  const session = await world.mallory.open(ANNA)
  await RESPONDER_STATES['probing']?.(session, chainIdOf(world.tip.envelope))
  session.send({ type: 'probe', more: false, chains: [{ index: 0, held: [false], asked: [] }] })
  expect((await session.expect('probe')).chains[0]?.asked.map(({ position }) => position)).toEqual([16])
  session.send({ type: 'probe', more: false, chains: [{ index: 0, held: [true], asked: [] }] })
  expect((await session.expect('probe')).chains[0]?.asked.map(({ position }) => position)).toEqual([17, 18, 19])
  session.send({ type: 'probe', more: false, chains: [{ index: 0, held: [false, true, false], asked: [] }] })
  expect(await session.errorCode()).toBe('lied')
  expect(await world.penalties()).toBe(1)
  await world.anna.node.close()
})

test('more than 32 probes are too many', async () => {
  const world = await hostileWorld()
  const session = await world.mallory.open(ANNA)
  await RESPONDER_STATES['probing']?.(session, chainIdOf(world.tip.envelope))
  const asked = Array.from({ length: 2_048 }, (_, index) => ({ ...UNKNOWN_TIP, position: (index % 20) + 1 }))
  for (let probes = 0; probes < 33; probes += 1) {
    const held = probes === 0 ? [false] : []
    session.send({ type: 'probe', more: false, chains: [{ index: 0, held, asked }] })
  }
  expect(await session.errorCode()).toBe('too-big')
  expect(await world.penalties()).toBe(1)
  await world.anna.node.close()
})

test('a probe of more samples than are allowed, over several frames', async () => {
  const world = await hostileWorld()
  const session = await world.mallory.open(ANNA)
  await RESPONDER_STATES['probing']?.(session, chainIdOf(world.tip.envelope))
  const asked = Array.from({ length: 1_025 }, () => UNKNOWN_TIP)
  for (let frames = 0; frames < 2; frames += 1) {
    session.send({ type: 'probe', more: true, chains: [{ index: 0, held: [], asked }] })
  }
  expect(await session.errorCode()).toBe('too-big')
  await world.anna.node.close()
})

test('chains that go on for ever', async () => {
  const world = await hostileWorld()
  const session = await world.mallory.open(ANNA)
  session.send(hello())
  await session.expect('sketch')
  for (let frames = 0; frames < 65; frames += 1) {
    session.send(chains({ more: true, matched: { of: 'sketch', bits: frames === 0 ? [true] : [] } }))
  }
  expect(await session.errorCode()).toBe('too-big')
  expect(await world.penalties()).toBe(1)
  await world.anna.node.close()
})

test('chains out of order, or one twice', async () => {
  for (const prefixes of [
    [2, 1],
    [1, 1]
  ]) {
    const world = await hostileWorld()
    const session = await world.mallory.open(ANNA)
    session.send(hello())
    await session.expect('sketch')
    const mine = prefixes.map((octet) => ({ prefix: new Uint8Array(16).fill(octet), tips: [UNKNOWN_TIP] }))
    session.send(chains({ mine }))
    expect(await session.errorCode()).toBe('bad-frame')
    expect(await world.penalties()).toBe(1)
    await world.anna.node.close()
  }
})

test('answers that go on for ever', async () => {
  const world = await hostileWorld()
  const session = await openedByAnna(world)
  await INITIATOR_STATES['named']?.(session)
  for (let frames = 0; frames < 65; frames += 1) session.send({ type: 'answer', more: true, chains: [] })
  expect(await session.errorCode()).toBe('too-big')
  expect(await world.penalties()).toBe(1)
  await world.anna.node.close()
})

test('a tree whose fingerprints never fit ends, whatever is said', async () => {
  const world = await hostileWorld()
  const session = await openedByAnna(world)
  const message = Uint8Array.from([0x61, 0, 0, 1, ...new Uint8Array(16).fill(3)])
  session.send({ type: 'tree', membership: SALT, salt: SALT, chains: 1, message })
  const rounds: string[] = []
  for (let frame = await session.read(); ; frame = await session.read()) {
    rounds.push(frame.type)
    if (frame.type !== 'negentropy') break
    session.send({ type: 'negentropy', message })
  }
  expect(rounds.length).toBeLessThanOrEqual(33)
  expect(['error', 'chains']).toContain(rounds.at(-1))
  session.abort()
  await world.anna.node.close()
})

test('a sample of a chain of many forks does not have the store read through for each of them', async () => {
  const store = await openMemoryStore()
  let entries = 0
  const counted = new Proxy(store, {
    get(target, name: keyof Store) {
      if (name !== 'range') {
        const value = target[name]
        return typeof value === 'function' ? value.bind(target) : value
      }
      return async function* counting(range: KeyRange) {
        for await (const entry of target.range(range)) {
          entries += 1
          yield entry
        }
      }
    }
  })
  const world = await hostileWorld(1, { ports: { store: counted } })
  for (let fork = 0; fork < 200; fork += 1) {
    for (const { wire } of await chainOf(BEN, 2, null, { name: `fork-${fork}` })) await world.anna.node.submit(wire)
  }
  const session = await world.mallory.open(ANNA)
  await RESPONDER_STATES['probing']?.(session, chainIdOf(world.tip.envelope))
  await quiet(world.anna)
  entries = 0
  // Of the chain's tips, one for each fork beside that of the world.
  const held = Array.from({ length: 201 }, () => false)
  const asked = Array.from({ length: 2_048 }, () => ({ ...UNKNOWN_TIP, position: 1 }))
  session.send({ type: 'probe', more: false, chains: [{ index: 0, held, asked }] })
  expect((await session.expect('probe')).chains[0]?.held.length).toBe(2_048)
  expect(entries).toBeLessThan(2_000)
  await world.anna.node.close()
})
