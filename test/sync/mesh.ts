import { createMemoryHub } from '../../simulations/ports/memory-network.ts'
import type { MemoryHub } from '../../simulations/ports/memory-network.ts'
import { createVirtualClock } from '../../simulations/ports/virtual-clock.ts'
import type { VirtualClock } from '../../simulations/ports/virtual-clock.ts'
import type { EffectivePolicy } from '../../src/policy/policy.ts'
import type { NodeOptions, MemoryNode } from '../node/nodes.ts'
import { openNode, peerIdOf, quiet } from '../node/nodes.ts'
import type { PolicyOptions, TestMember } from '../support/identities.ts'
import { policyOf } from '../support/identities.ts'
import { settled } from '../support/settled.ts'

/** Nodes in memory that sync, on one clock. */
export interface SyncMesh {
  readonly hub: MemoryHub
  readonly clock: VirtualClock
  readonly nodes: readonly MemoryNode[]
  open(self: TestMember, options?: NodeOptions): Promise<MemoryNode>
  /** Cuts both directions between two nodes. */
  cut(left: TestMember, right: TestMember): void
  heal(left: TestMember, right: TestMember): void
  /** Lets time pass until nothing is under way any more. */
  pass(ms: number): Promise<void>
}

/** The policy of `policyOf`, in which each member has the PeerId that it has in the memory mesh. */
export function meshPolicy(
  self: TestMember,
  members: readonly TestMember[],
  options: PolicyOptions = {}
): EffectivePolicy {
  const policy = policyOf(self, members, options)
  const peerIds = new Map(members.map((member) => [member.signer.did, peerIdOf(member)]))
  return {
    ...policy,
    peers: policy.peers.map((peer) => ({ ...peer, peerId: peerIds.get(peer.did) ?? '' }))
  }
}

/** Starts a node for each member; all of them are linked. */
export async function openSyncMesh(members: readonly TestMember[], options: PolicyOptions = {}): Promise<SyncMesh> {
  const hub = createMemoryHub()
  const clock = createVirtualClock({ settle: settled })
  const nodes: MemoryNode[] = []
  const open = async (self: TestMember, own: NodeOptions = {}): Promise<MemoryNode> => {
    const policy = own.policy ?? meshPolicy(self, members, options)
    return await openNode(self, members, { hub, ...own, policy, ports: { clock, ...own.ports } })
  }
  for (const self of members) nodes.push(await open(self))
  return {
    hub,
    clock,
    nodes,
    open,
    cut(left, right) {
      hub.cut(peerIdOf(left), peerIdOf(right))
      hub.cut(peerIdOf(right), peerIdOf(left))
    },
    heal(left, right) {
      hub.heal(peerIdOf(left), peerIdOf(right))
      hub.heal(peerIdOf(right), peerIdOf(left))
    },
    async pass(ms) {
      const step = Math.max(1, Math.floor(ms / 20))
      for (let passed = 0; passed < ms; passed += step) {
        await clock.advance(step)
        await quiet(...nodes)
      }
    }
  }
}
