import { expect, test } from 'vitest'
import { announceBody, next } from '../support/events.ts'
import type { SignedEvent } from '../support/events.ts'
import type { TestMember } from '../support/identities.ts'
import { member, NAMESPACE } from '../support/identities.ts'
import type { MemoryNode } from '../node/nodes.ts'
import { openSyncMesh } from './mesh.ts'

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
