import type { JsonValue } from '../../protocols/canonical-json/v1/json.ts'
import type { MemoryHub } from '../../simulations/ports/memory-network.ts'
import { createVirtualClock } from '../../simulations/ports/virtual-clock.ts'
import type { VirtualClock } from '../../simulations/ports/virtual-clock.ts'
import type { EffectivePolicy } from '../../src/policy/policy.ts'
import type { BatchRow } from '../../src/projections/batches.ts'
import type { ReceiptRow } from '../../src/projections/receipts.ts'
import type { MemoryNode, NodeOptions } from '../node/nodes.ts'
import { openNode, peerIdOf } from '../node/nodes.ts'
import { allRows } from '../projections/support/ledger.ts'
import type { TestMember } from '../support/identities.ts'
import { member, NAMESPACE, policyOf } from '../support/identities.ts'
import { settled } from '../support/settled.ts'

export const ANNA = member('anna')
export const BERT = member('bert')
export const CLEO = member('cleo')
export const EVERYBODY: readonly TestMember[] = [ANNA, BERT, CLEO]

export interface Roles {
  /** Default: everybody. */
  readonly serve?: readonly TestMember[]
  readonly request?: readonly TestMember[]
}

/** A policy in which the members' PeerIds are those of the memory mesh. */
export function bundlePolicy(self: TestMember, roles: Roles = {}, members = EVERYBODY): EffectivePolicy {
  const policy = policyOf(self, members)
  const namespaces = Object.fromEntries(
    Object.entries(policy.namespaces).map(([name, settings]) => {
      const lists = { ...settings.members }
      for (const role of ['serve', 'request'] as const)
        lists[role] = (roles[role] ?? members).map(({ signer }) => signer.did)
      return [name, { ...settings, members: lists }]
    })
  )
  const peers = policy.peers.map((peer) => {
    const of = members.find(({ signer }) => signer.did === peer.did)
    return of === undefined ? peer : { ...peer, peerId: peerIdOf(of) }
  })
  return { ...policy, namespaces, peers }
}

/** Opens a node of the mesh; all of a test share one clock. */
export async function openBundleNode(
  self: TestMember,
  options: { readonly hub: MemoryHub; readonly clock: VirtualClock; readonly roles?: Roles } & Partial<NodeOptions>
): Promise<MemoryNode> {
  const { clock, roles, ports, ...rest } = options
  return await openNode(self, EVERYBODY, {
    policy: bundlePolicy(self, roles),
    ...rest,
    ports: { ...ports, clock }
  })
}

export function sharedClock(): VirtualClock {
  return createVirtualClock({ settle: settled })
}

export const numbered = (count: number, from = 0): readonly JsonValue[] =>
  Array.from({ length: count }, (_, index) => ({ number: from + index, text: 'a receipt of some length' }))

/** Seals receipts, announces them, and lets the announce arrive everywhere. */
export async function announced(
  { node, ports }: MemoryNode,
  hub: MemoryHub,
  batchId: string,
  receipts: readonly JsonValue[]
): Promise<string> {
  const { batchRoot } = await node.seal({ namespace: NAMESPACE, batchId, receipts })
  const announcing = { done: false }
  const announce = node.announce({ namespace: NAMESPACE, batchId, timestampAnchors: [] }).finally(() => {
    announcing.done = true
  })
  // It asks its peers first what they hold of its chain, and waits for them for some seconds.
  while (!announcing.done) {
    for (let turn = 0; turn < 20 && !announcing.done; turn += 1) await settled()
    if (!announcing.done) await ports.clock.advance(250)
  }
  await announce
  await drained(hub)
  return batchRoot
}

/** Lets every message arrive. */
export async function drained(hub: MemoryHub): Promise<void> {
  const draining = { done: false }
  const drain = hub.drain().then(() => (draining.done = true))
  while (!draining.done) await settled()
  await drain
}

/** Lets promises run until something is so; fails with `what` where it does not come. */
export async function eventually(what: string, isSo: () => Promise<boolean> | boolean): Promise<void> {
  for (let turn = 0; turn < 5_000; turn += 1) {
    if (await isSo()) return
    await settled()
  }
  throw new Error(`it did not come to this: ${what}`)
}

export async function missingOf({ node }: MemoryNode): Promise<number> {
  return (await node.status()).receipts.missing
}

export async function receiptRows({ node }: MemoryNode): Promise<readonly ReceiptRow[]> {
  return (await allRows(node, 'receipts')) as ReceiptRow[]
}

export async function batchRows({ node }: MemoryNode): Promise<readonly BatchRow[]> {
  return (await allRows(node, 'batches')) as BatchRow[]
}

/** The blobs of a node, by hash. */
export async function blobsOf({ ports }: MemoryNode): Promise<ReadonlySet<string>> {
  const hashes = new Set<string>()
  for await (const [key] of ports.blobs.range({ gte: 'b!', lt: 'b!\x7f' })) hashes.add(key.slice(2))
  return hashes
}
