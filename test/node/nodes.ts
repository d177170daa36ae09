import type { MemoryHub } from '../../simulations/ports/memory-network.ts'
import { seededRandom } from '../../simulations/ports/seeded-random.ts'
import { createVirtualClock } from '../../simulations/ports/virtual-clock.ts'
import type { VirtualClock } from '../../simulations/ports/virtual-clock.ts'
import type { KeySchedule } from '../../src/authoring/key-watch.ts'
import type { CheckpointKeeper } from '../../src/log/checkpoint-file.ts'
import { memoryCheckpoint } from '../../src/log/checkpoint-file.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import type { Store } from '../../src/log/store.ts'
import type { Network } from '../../src/network/network.ts'
import type { AnchormeshNode } from '../../src/node.ts'
import { createNode } from '../../src/node.ts'
import type { Logger } from '../../src/platform/logger.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import type { EffectivePolicy } from '../../src/policy/policy.ts'
import { viewPolicy } from '../../src/policy/policy-view.ts'
import type { AuditTrail } from '../../src/platform/audit.ts'
import type { SignerRegistry } from '../../src/trust/signer-registry.ts'
import type { Signer } from '../../src/trust/signer.ts'
import type { TimestampVerifier } from '../../src/timestamps/verifier.ts'
import type { TestMember } from '../support/identities.ts'
import { policyOf } from '../support/identities.ts'
import { settled } from '../support/settled.ts'

/** A node in memory and what it stands on; `ports` open it again after it closed. */
export interface MemoryNode {
  readonly node: AnchormeshNode
  readonly self: TestMember
  readonly policy: EffectivePolicy
  readonly ports: MemoryPorts
}

export interface MemoryPorts {
  readonly store: Store
  readonly blobs: Store
  readonly checkpoint: CheckpointKeeper
  readonly clock: VirtualClock
}

export interface NodeOptions {
  readonly policy?: EffectivePolicy
  readonly ports?: Partial<MemoryPorts>
  readonly logger?: Logger
  /** Joins this mesh, and is started. */
  readonly hub?: MemoryHub
  /** Stands for the mesh; the node is not started. */
  readonly network?: Network
  readonly seed?: string
  readonly verifiers?: readonly TimestampVerifier[]
  readonly signers?: SignerRegistry
  readonly audit?: AuditTrail
  /** Instead of the member's own. */
  readonly signer?: Signer
  readonly keys?: KeySchedule
}

/** The PeerId that a member has in the memory mesh. */
export const peerIdOf = ({ signer }: TestMember): string => `peer-${signer.kid}`

/** Opens a node of `self` among `members`. */
export async function openNode(
  self: TestMember,
  members: readonly TestMember[],
  options: NodeOptions = {}
): Promise<MemoryNode> {
  const policy = options.policy ?? policyOf(self, members)
  const ports: MemoryPorts = {
    store: options.ports?.store ?? (await openMemoryStore()),
    blobs: options.ports?.blobs ?? (await openMemoryStore()),
    checkpoint: options.ports?.checkpoint ?? memoryCheckpoint(),
    clock: options.ports?.clock ?? createVirtualClock({ settle: settled })
  }
  const { namespaces } = viewPolicy(policy)
  const network = options.network ?? options.hub?.join({ did: self.signer.did, peerId: peerIdOf(self), namespaces })
  const random = seededRandom(options.seed ?? 'node').fork(self.signer.did)
  const node = await createNode(
    {
      policy,
      signer: options.signer ?? self.signer,
      version: 'test',
      ...(options.keys === undefined ? {} : { keys: options.keys })
    },
    {
      ...ports,
      random,
      logger: options.logger ?? silentLogger,
      ...(network === undefined ? {} : { network }),
      ...(options.verifiers === undefined ? {} : { verifiers: options.verifiers }),
      ...(options.signers === undefined ? {} : { signers: options.signers }),
      ...(options.audit === undefined ? {} : { audit: options.audit })
    }
  )
  if (options.hub !== undefined) await node.start()
  return { node, self, policy, ports }
}

/** Closes the node if it still runs, and opens it again on what it left behind, perhaps under another policy. */
export async function reopen(
  { node, self, policy, ports }: MemoryNode,
  options: NodeOptions = {}
): Promise<MemoryNode> {
  await node.close()
  await ports.store.reopen()
  await ports.blobs.reopen()
  return await openNode(self, [], { policy, ...options, ports: { ...ports, ...options.ports } })
}

/**
 * Resolves when nothing is under way any more: no event waits to be judged or written, and every projection is at the
 * head.
 */
export async function quiet(...nodes: readonly MemoryNode[]): Promise<void> {
  for (let stillFor = 0, before = ''; stillFor < 3;) {
    await settled()
    const positions = []
    for (const { node } of nodes) {
      const { log, projections, ingest } = await node.status()
      positions.push(
        log.logSeq,
        projections.map(({ logSeq }) => logSeq),
        ingest
      )
    }
    const now = JSON.stringify(positions)
    stillFor = now === before ? stillFor + 1 : 0
    before = now
  }
}
