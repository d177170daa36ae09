import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { SignedEvent } from '../support/events.ts'
import { NAMESPACE, policyOf } from '../support/identities.ts'
import { sharedLines } from '../projections/support/ledger.ts'
import { expectedLines } from '../projections/support/model.ts'
import type { Arrival } from '../projections/support/order.ts'
import { shuffled, someArrival } from '../projections/support/order.ts'
import { ADAM, ALICE, BERTA, EVERYBODY, OTHER_NAMESPACE, eventsOf, someActs } from '../projections/support/world.ts'
import type { MemoryNode } from './nodes.ts'
import { openNode, quiet } from './nodes.ts'

const namespaces = [NAMESPACE, OTHER_NAMESPACE]
const policy = policyOf(ALICE, EVERYBODY, { namespaces, announcers: [ALICE, ADAM, BERTA] })

async function* wiresOf(groups: readonly (readonly SignedEvent[])[]): AsyncGenerator<Uint8Array> {
  for (const { wire } of groups.flat()) yield wire
}

/** Hands the events in at the door of a fresh node: group by group at the same time, or as one import. */
async function takeIn(events: readonly SignedEvent[], arrival: Arrival, how: 'groups' | 'import'): Promise<MemoryNode> {
  const opened = await openNode(ALICE, EVERYBODY, { policy })
  const groups = shuffled(events, arrival)
  if (how === 'import') await opened.node.importEvents(wiresOf(groups))
  else for (const group of groups) await Promise.all(group.map(({ wire }) => opened.node.submit(wire)))
  await quiet(opened)
  return opened
}

async function stateOf({ node }: MemoryNode) {
  const digests = []
  for (const namespace of ['_trust', ...namespaces]) digests.push({ ...(await node.digest(namespace)), logSeq: 0 })
  const { ingest, log } = await node.status()
  return { lines: await sharedLines(node), digests, events: log.logSeq, pending: ingest.pending.events }
}

test('in whatever order, how often and how many at a time events come in at the door, every node ends with the same', async () => {
  await fc.assert(
    fc.asyncProperty(someActs(30), someArrival, someArrival, async (acts, first, second) => {
      const events = await eventsOf(acts)
      const one = await takeIn(events, first, 'groups')
      const other = await takeIn(events, second, 'import')
      const state = await stateOf(one)
      expect(await stateOf(other)).toEqual(state)
      expect((await one.node.rebuild()).filter(({ identical }) => !identical)).toEqual([])

      const held = new Set<string | null>()
      for await (const { id } of one.node.events({})) held.add(id)
      for (const [name, lines] of Object.entries(expectedLines(events.filter(({ id }) => held.has(id)), policy))) {
        expect((state.lines[name] ?? []).filter((line) => !line.includes('"packSeq":')).toSorted(), name).toEqual(lines)
      }
      expect((await one.node.status()).ingest.outcomes['accepted'] ?? 0).toBe(held.size)
      await one.node.close()
      await other.node.close()
    }),
    { numRuns: 30 }
  )
})
