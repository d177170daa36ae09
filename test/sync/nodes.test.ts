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
  const ends = (await cleo.node.status()).sync.map(({ last }) => last?.end)
  expect(ends).toEqual(['equal', 'equal', 'equal', 'equal'])
})
