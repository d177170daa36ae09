import fc from 'fast-check'
import { expect } from 'vitest'
import { createMemoryHub } from '../../simulations/ports/memory-network.ts'
import type { MemoryHub } from '../../simulations/ports/memory-network.ts'
import type { Digest } from '../../src/operations.ts'
import type { SignedEvent } from '../support/events.ts'
import { codeOf } from '../support/code-of.ts'
import { NAMESPACE, policyOf } from '../support/identities.ts'
import { sharedLines } from '../projections/support/ledger.ts'
import { expectedLines } from '../projections/support/model.ts'
import type { Arrival } from '../projections/support/order.ts'
import { shuffled, someArrival } from '../projections/support/order.ts'
import {
  ADAM,
  ALICE,
  BERTA,
  CARL,
  EVERYBODY,
  OTHER_NAMESPACE,
  eventsOf,
  someActs
} from '../projections/support/world.ts'
import type { MemoryNode } from './nodes.ts'
import { openNode, peerIdOf, quiet } from './nodes.ts'

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

/** In whatever order, how often and how many at a time events come in at the door: the same node. */
export async function arrivalsAgree(numRuns: number): Promise<void> {
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
      for (const [name, lines] of Object.entries(
        expectedLines(
          events.filter(({ id }) => held.has(id)),
          policy
        )
      )) {
        expect((state.lines[name] ?? []).filter((line) => !line.includes('"packSeq":')).toSorted(), name).toEqual(lines)
      }
      expect((await one.node.status()).ingest.outcomes['accepted'] ?? 0).toBe(held.size)
      await one.node.close()
      await other.node.close()
    }),
    { numRuns }
  )
}

/** Those whose nodes are in the mesh; Carl is a member without a node. */
export const MESH_MEMBERS = [ALICE, ADAM, BERTA]

/** Nodes of the members, started on the hub. */
export async function openMesh(hub: MemoryHub, seed: string = 'mesh'): Promise<MemoryNode[]> {
  const nodes = []
  for (const self of MESH_MEMBERS) nodes.push(await openNode(self, [...MESH_MEMBERS, CARL], { hub, seed }))
  return nodes
}

/** Delivers and lets settle until nothing is under way. */
export async function drainAll(hub: MemoryHub, nodes: readonly MemoryNode[]): Promise<void> {
  do await quiet(...nodes)
  while ((await hub.drain()) > 0)
}

/** What the nodes of a mesh have to agree in. */
export async function digestsOf({ node }: MemoryNode): Promise<Digest[]> {
  return [
    { ...(await node.digest(NAMESPACE)), logSeq: 0 },
    { ...(await node.digest('_trust')), logSeq: 0 }
  ]
}

/** One step of a run: what a node does, or what happens to a link. Numbers choose among what there is. */
type Step =
  | { readonly step: 'announce' | 'pack'; readonly who: number }
  | { readonly step: 'deliver'; readonly link: number; readonly wait: boolean }
  | { readonly step: 'cut' | 'heal'; readonly from: number; readonly to: number }

const someStep: fc.Arbitrary<Step> = fc.oneof(
  {
    arbitrary: fc.record({
      step: fc.constantFrom('announce' as const, 'announce' as const, 'pack' as const),
      who: fc.nat(2)
    }),
    weight: 3
  },
  { arbitrary: fc.record({ step: fc.constant('deliver' as const), link: fc.nat(5), wait: fc.boolean() }), weight: 6 },
  {
    arbitrary: fc.record({ step: fc.constantFrom('cut' as const, 'heal' as const), from: fc.nat(2), to: fc.nat(2) }),
    weight: 1
  }
)

/** Carries a step out; what is not waited for goes on among the deliveries. */
async function carryOut(
  step: Step,
  index: number,
  hub: MemoryHub,
  nodes: readonly MemoryNode[],
  deliveries: Promise<unknown>[]
): Promise<void> {
  const nodeAt = (who: number): MemoryNode => nodes[who % nodes.length] as MemoryNode
  switch (step.step) {
    case 'announce': {
      const { node } = nodeAt(step.who)
      await node.seal({ namespace: NAMESPACE, batchId: `batch-${index}`, receipts: [{ index }] })
      await node.announce({ namespace: NAMESPACE, batchId: `batch-${index}`, timestampAnchors: [] })
      return
    }
    case 'pack':
      // Two nodes of one organisation can't know of each other's pack: refused or frozen, and the same everywhere.
      await nodeAt(step.who)
        .node.publishPack()
        .catch((error: unknown) => expect(codeOf(error)).toBe('PUBLISH_REFUSED'))
      return
    case 'deliver': {
      const link = hub.links()[step.link]
      if (link === undefined) return
      const delivery = hub.deliver(link.from, link.to)
      deliveries.push(delivery)
      if (step.wait) await delivery
      return
    }
    default:
      hub[step.step](peerIdOf(nodeAt(step.from).self), peerIdOf(nodeAt(step.to).self))
  }
}

/** However links delay, cut and reorder: nodes come to equal digests. */
export async function meshesAgree(numRuns: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.array(someStep, { minLength: 5, maxLength: 40, size: 'max' }), async (steps) => {
      const hub = createMemoryHub()
      const nodes = await openMesh(hub)
      const deliveries: Promise<unknown>[] = []
      for (const [index, step] of steps.entries()) await carryOut(step, index, hub, nodes, deliveries)
      await Promise.all(deliveries)
      for (const from of nodes) for (const to of nodes) hub.heal(peerIdOf(from.self), peerIdOf(to.self))
      await drainAll(hub, nodes)
      const [first, ...others] = await Promise.all(nodes.map(digestsOf))
      for (const digests of others) expect(digests).toEqual(first)
      const { outcomes } = ((await nodes[0]?.node.status()) ?? { ingest: { outcomes: {} } }).ingest
      expect(Object.keys(outcomes).filter((name) => name.startsWith('rejected'))).toEqual([])
      for (const { node } of nodes) await node.close()
    }),
    { numRuns }
  )
}
