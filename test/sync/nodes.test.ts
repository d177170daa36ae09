import { expect, test } from 'vitest'
import { announceBody, next } from '../support/events.ts'
import type { SignedEvent } from '../support/events.ts'
import type { TestMember } from '../support/identities.ts'
import { member, NAMESPACE } from '../support/identities.ts'
import type { MemoryNode } from '../node/nodes.ts'
import { quiet } from '../node/nodes.ts'
import { makePack, packEvent, packKey } from '../support/packs.ts'
import { meshPolicy, openSyncMesh } from './mesh.ts'

const [ANNA, BEN, CLEO] = [member('anna'), member('ben'), member('cleo')]
const ALL = [ANNA, BEN, CLEO]

async function chain(author: TestMember, length: number, before: SignedEvent | null = null): Promise<SignedEvent[]> {
  const events: SignedEvent[] = []
  for (let index = 0, last = before; index < length; index += 1) {
    last = await next(author, last, announceBody(`batch-${author.orgId}-${last?.envelope.authorSeq ?? 0}`))
    events.push(last)
  }
  return events
}

async function submitAll({ node }: MemoryNode, events: readonly SignedEvent[]): Promise<void> {
  for (const { wire } of events) expect((await node.submit(wire)).outcome).toBe('accepted')
}

async function eventsDigest({ node }: MemoryNode): Promise<string> {
  return (await node.digest(NAMESPACE)).events
}

test('a node that was cut off and the others come to the same events once the cut is healed', async () => {
  const mesh = await openSyncMesh(ALL)
  const [anna, ben, cleo] = mesh.nodes as [MemoryNode, MemoryNode, MemoryNode]
  await mesh.pass(1_000)
  mesh.cut(ANNA, CLEO)
  mesh.cut(BEN, CLEO)
  await submitAll(anna, await chain(ANNA, 300))
  await submitAll(cleo, await chain(CLEO, 200))
  await mesh.hub.drain()
  expect(await eventsDigest(anna)).not.toBe(await eventsDigest(cleo))
  mesh.heal(ANNA, CLEO)
  mesh.heal(BEN, CLEO)
  await mesh.pass(3_000)
  const digest = await eventsDigest(anna)
  expect(await eventsDigest(ben)).toBe(digest)
  expect(await eventsDigest(cleo)).toBe(digest)
  const { sync } = await cleo.node.status()
  expect(sync.filter(({ last }) => last?.end !== 'equal' && last?.end !== 'synced')).toEqual([])
  // Both sides of the cut are offered by two nodes each, and taken from one.
  expect(sync.reduce((sum, { total }) => sum + total.received, 0)).toBe(300)
  expect(sync.reduce((sum, { total }) => sum + total.duplicate, 0)).toBe(0)
})

test('what two nodes lack comes once, though both open a session when they connect', async () => {
  const mesh = await openSyncMesh([ANNA, BEN])
  const [anna, ben] = mesh.nodes as [MemoryNode, MemoryNode]
  await mesh.pass(1_000)
  for (let round = 0; round < 5; round += 1) {
    mesh.cut(ANNA, BEN)
    await submitAll(anna, (await chain(ANNA, 30 * (round + 1))).slice(30 * round))
    await submitAll(ben, (await chain(BEN, 30 * (round + 1))).slice(30 * round))
    mesh.heal(ANNA, BEN)
    await mesh.pass(3_000)
    expect(await eventsDigest(ben)).toBe(await eventsDigest(anna))
  }
  for (const { node } of [anna, ben]) {
    const totals = (await node.status()).sync.map(({ total }) => total)
    expect(totals.reduce((sum, { sent }) => sum + sent, 0)).toBe(150)
    expect(totals.reduce((sum, { received }) => sum + received, 0)).toBe(150)
    expect(totals.reduce((sum, { duplicate }) => sum + duplicate, 0)).toBe(0)
  }
})

test('what was imported reaches the peers within a second', async () => {
  const mesh = await openSyncMesh([ANNA, BEN])
  const [anna, ben] = mesh.nodes as [MemoryNode, MemoryNode]
  await mesh.pass(1_000)
  const events = await chain(BEN, 50)
  async function* wires(): AsyncGenerator<Uint8Array> {
    for (const { wire } of events) yield wire
    await Promise.resolve()
  }
  expect(await anna.node.importEvents(wires())).toMatchObject({ accepted: 50 })
  await mesh.pass(1_000)
  expect(await eventsDigest(ben)).toBe(await eventsDigest(anna))
})

test('what came by sync goes on to the neighbours that it did not come from', async () => {
  const mesh = await openSyncMesh(ALL)
  const [anna, ben, cleo] = mesh.nodes as [MemoryNode, MemoryNode, MemoryNode]
  await mesh.pass(1_000)
  // Ben stands between the two others, and Anna is away for a while.
  mesh.cut(ANNA, CLEO)
  mesh.cut(ANNA, BEN)
  await submitAll(anna, await chain(ANNA, 100))
  mesh.heal(ANNA, BEN)
  await mesh.pass(3_000)
  const digest = await eventsDigest(anna)
  expect(await eventsDigest(ben)).toBe(digest)
  expect(await eventsDigest(cleo)).toBe(digest)
  // Nothing of it was gossiped again.
  expect((await ben.node.status()).network?.gossip.published).toBe(0)
})

test('events that wait for the key of a pack are taken in the same session as the pack', async () => {
  const organisations = [{ orgId: BEN.orgId, threshold: 1 }]
  const mesh = await openSyncMesh([ANNA, BEN], { organisations })
  const [anna, ben] = mesh.nodes as [MemoryNode, MemoryNode]
  mesh.cut(ANNA, BEN)
  const second = { ...BEN, signer: { ...member('ben-2').signer, did: BEN.signer.did, kid: 'second' } }
  const pack = makePack({
    orgId: BEN.orgId,
    keys: [packKey(BEN.signer), packKey(second.signer)],
    signers: [BEN.signer]
  })
  await submitAll(ben, [await packEvent(BEN.signer, [BEN.signer], pack)])
  await mesh.pass(1_000)
  // In the reserved namespace itself the pack and what its key has signed come in one session.
  const first = await next(second, null, { note: 1 }, { type: 'note', namespace: '_trust' })
  await submitAll(ben, [first, await next(second, first, { note: 2 }, { type: 'note', namespace: '_trust' })])
  await submitAll(ben, await chain(second, 20))
  mesh.heal(ANNA, BEN)
  await mesh.pass(3_000)
  expect((await anna.node.digest('_trust')).events).toBe((await ben.node.digest('_trust')).events)
  expect(await eventsDigest(anna)).toBe(await eventsDigest(ben))
  const { ingest } = await anna.node.status()
  expect(ingest.pending.events).toBe(0)
  expect(ingest.outcomes['pending(KEY_UNKNOWN)']).toBeGreaterThan(0)
  // Each was sent once.
  const sent = (await ben.node.status()).sync.map(({ namespace, total }) => [namespace, total.sent])
  expect(sent).toEqual([
    ['_trust', 3],
    [NAMESPACE, 20]
  ])
})

test('a node opens sessions with those that routing names alone, and answers everybody', async () => {
  const mesh = await openSyncMesh([])
  const anna = await mesh.open(ANNA, { policy: meshPolicy(ANNA, ALL, { ask: [BEN] }) })
  const ben = await mesh.open(BEN, { policy: meshPolicy(BEN, ALL) })
  const cleo = await mesh.open(CLEO, { policy: meshPolicy(CLEO, ALL) })
  for (let step = 0; step < 20; step += 1) {
    await mesh.clock.advance(50)
    await quiet(anna, ben, cleo)
  }
  const entries = (await anna.node.status()).sync.filter(({ namespace }) => namespace === NAMESPACE)
  expect(new Map(entries.map(({ did, nextAt }) => [did, nextAt !== null]))).toEqual(
    new Map([
      [BEN.signer.did, true],
      [CLEO.signer.did, false]
    ])
  )
  expect((await anna.node.sync({ namespace: NAMESPACE })).map(({ did }) => did)).toEqual([BEN.signer.did])
  expect((await anna.node.sync({ namespace: NAMESPACE, peer: CLEO.signer.did })).map(({ end }) => end)).toEqual([
    'equal'
  ])
  // Packs are everybody's affair.
  expect((await anna.node.sync({ namespace: '_trust' })).length).toBe(2)
  expect((await anna.node.status()).warnings).toEqual([])

  mesh.cut(ANNA, BEN)
  await expect(anna.node.sync({ namespace: NAMESPACE })).rejects.toMatchObject({
    code: 'PEER_UNREACHABLE',
    message: `none of the peers that routing.ask names for ${NAMESPACE} is connected`
  })
  expect((await anna.node.status()).warnings).toEqual([
    `none of the peers that routing.ask names for ${NAMESPACE} is connected: nobody is asked`
  ])
  expect((await cleo.node.sync({ namespace: NAMESPACE, peer: ANNA.signer.did })).map(({ end }) => end)).toEqual([
    'equal'
  ])
  for (const { node } of [anna, ben, cleo]) await node.close()
})
