import { onTestFinished } from 'vitest'
import { toBase64url } from '../../protocols/primitives/bytes.ts'
import { startPublicListener } from '../../src/http/public-listener.ts'
import { memoryCheckpoint } from '../../src/log/checkpoint-file.ts'
import { openLevelStore, openMemoryStore } from '../../src/log/level-store.ts'
import { createLibp2pNetwork } from '../../src/network/libp2p/libp2p-network.ts'
import { peerIdOfSeed } from '../../src/network/libp2p/peer-key.ts'
import type { Network } from '../../src/network/network.ts'
import type { AnchormeshNode } from '../../src/node.ts'
import { createNode } from '../../src/node.ts'
import type { AuditEntry } from '../../src/platform/audit.ts'
import { systemClock } from '../../src/platform/clock.ts'
import type { Clock } from '../../src/platform/clock.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { systemRandom } from '../../src/platform/random.ts'
import { federationSchema, peersSchema } from '../../src/policy/config-schema.ts'
import type { EffectivePolicy } from '../../src/policy/policy.ts'
import { effectivePolicy } from '../../src/policy/policy.ts'
import { seedOf } from '../network/mesh.ts'
import type { TestMember } from '../support/identities.ts'
import { member } from '../support/identities.ts'
import { ADA, BEA } from './support.ts'

export const CARL = member('carl')
export const EVERYBODY = [ADA, BEA, CARL]

export interface PackNodeOptions {
  readonly sources?: Readonly<Record<string, readonly string[]>>
  readonly crossOrg?: EffectivePolicy['crossOrg']
  readonly pins?: readonly { readonly packSeq: number; readonly hash: string }[]
  /** Joins a mesh over TCP, and dials these. */
  readonly mesh?: readonly PackNode[]
  /** A folder for a store on disk; else it is in memory. */
  readonly folder?: string
}

export interface PackNode {
  readonly self: TestMember
  readonly node: AnchormeshNode
  readonly network: Network | null
  readonly audited: AuditEntry[]
  /** Serves HTTP; ends with the test. */
  serve(clock?: Clock): Promise<string>
}

const peerSeed = ({ orgId }: TestMember): Uint8Array => seedOf(`packs of ${orgId}`)

const ALLOW: EffectivePolicy['crossOrg'] = [{ from: '*', to: '*', operations: ['*'] }]

/** A node that knows everybody, on real ports; it ends with the test. */
export async function openPackNode(self: TestMember, options: PackNodeOptions = {}): Promise<PackNode> {
  const audited: AuditEntry[] = []
  const { mesh, folder } = options
  const network = mesh === undefined ? null : await networkOf(self, mesh)
  const node = await createNode(
    {
      policy: await packPolicy(self, options),
      signer: self.signer,
      version: 'test',
      packSources: options.sources ?? {}
    },
    {
      store: folder === undefined ? await openMemoryStore() : await openLevelStore(folder, { create: true }),
      blobs: await openMemoryStore(),
      checkpoint: memoryCheckpoint(),
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
      audit: { record: (entry) => audited.push(entry), flushed: () => Promise.resolve() },
      ...(network === null ? {} : { network })
    }
  )
  onTestFinished(() => node.close())
  if (network !== null) await node.start()
  return {
    self,
    node,
    network,
    audited,
    serve: async (clock = systemClock) => {
      const parts = { operations: node, packs: node.packServing, logger: silentLogger, clock }
      const listener = await startPublicListener({ listen: '127.0.0.1:0', ...parts })
      onTestFinished(() => listener.close())
      return listener.url
    }
  }
}

async function networkOf(self: TestMember, running: readonly PackNode[]): Promise<Network> {
  const knownPeers = []
  for (const other of EVERYBODY) {
    if (other === self) continue
    const address = running.find((node) => node.self === other)?.network?.status().multiaddrs[0]
    const peerId = await peerIdOfSeed(peerSeed(other))
    knownPeers.push({ did: other.signer.did, peerId, addresses: address === undefined ? [] : [address] })
  }
  // It carries no gossip: what comes, comes by packs.
  return createLibp2pNetwork(
    {
      namespaces: [],
      listen: ['/ip4/127.0.0.1/tcp/0'],
      announce: [],
      bootstrap: [],
      mdns: false,
      knownPeers,
      peerKeySeed: peerSeed(self)
    },
    { clock: systemClock, random: systemRandom, logger: silentLogger }
  )
}

async function packPolicy(self: TestMember, { crossOrg = ALLOW, pins }: PackNodeOptions): Promise<EffectivePolicy> {
  const { did, kid, publicKey } = self.signer
  const federation = federationSchema.parse({ v: 1, node: { did, orgId: self.orgId } })
  const peers = []
  for (const { orgId, signer } of EVERYBODY) {
    const peerId = await peerIdOfSeed(peerSeed({ orgId, signer }))
    const keys = [{ kid: signer.kid, publicKey: toBase64url(signer.publicKey) }]
    peers.push({ did: signer.did, orgId, peerId, roles: ['announce', 'serve', 'request'], keys })
  }
  const organisations = pins === undefined ? [] : [{ orgId: ADA.orgId, pins }]
  const parsed = peersSchema.parse({ v: 1, peers, organisations, crossOrg: { allow: crossOrg } })
  const effective = effectivePolicy(federation, parsed, { did, kid, publicKey, orgId: self.orgId })
  if (!effective.ok) throw new Error(JSON.stringify(effective.problems))
  return effective.policy
}

/** Takes events in by the door, in their order. */
export async function fill({ node }: PackNode, wires: readonly Uint8Array[]): Promise<void> {
  for (const wire of wires) {
    const outcome = await node.submit(wire)
    if (outcome.outcome !== 'accepted') throw new Error(JSON.stringify(outcome))
  }
  await node.query('trust-anchors', { waitFor: (await node.status()).log.logSeq })
}
