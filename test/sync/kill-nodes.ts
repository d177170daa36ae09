import { join } from 'node:path'
import { peerIdOfSeed } from '../../src/cli/data-folder/peer-id.ts'
import { checkpointFile, memoryCheckpoint } from '../../src/log/checkpoint-file.ts'
import { openLevelStore, openMemoryStore } from '../../src/log/level-store.ts'
import { createLibp2pNetwork } from '../../src/network/libp2p/libp2p-network.ts'
import type { Store } from '../../src/log/store.ts'
import type { Network } from '../../src/network/network.ts'
import type { AnchormeshNode, NodePorts } from '../../src/node.ts'
import { createNode } from '../../src/node.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { systemRandom } from '../../src/platform/random.ts'
import { viewPolicy } from '../../src/policy/policy-view.ts'
import { sha256 } from '../../protocols/primitives/sha256.ts'
import type { TestMember } from '../support/identities.ts'
import { member, policyOf } from '../support/identities.ts'

const SIGNERS_OF_SIDE = 8

/** The node that is killed again and again, and the one that lives. */
export const [KILLED, SURVIVOR] = [member('killed'), member('survivor')]

const signersOf = (side: string): readonly TestMember[] =>
  Array.from({ length: SIGNERS_OF_SIDE }, (_, index) => member(`${side}-${index}`))

/** Whose events each of the two nodes gets without the other. */
export const SIGNERS = { killed: signersOf('killed'), survivor: signersOf('survivor') }

const ALL = [KILLED, SURVIVOR, ...SIGNERS.killed, ...SIGNERS.survivor]
const seedOf = ({ orgId }: TestMember): Uint8Array => sha256(`peer key of ${orgId}`)

/** The killed node on its folder; it dials the survivor at `port`, or has no mesh. */
export async function openKilled(folder: string, mesh?: KilledMesh): Promise<AnchormeshNode> {
  const checkpoint = checkpointFile(join(folder, 'store.json'))
  const create = (await checkpoint.read()) === null
  const opened = await openLevelStore(join(folder, 'store'), { create })
  const store = mesh?.wrap(opened) ?? opened
  const blobs = await openLevelStore(join(folder, 'blobs'), { create })
  return await open(KILLED, { store, blobs, checkpoint }, mesh === undefined ? undefined : [mesh.port])
}

/** How the killed node joins the survivor's mesh. */
export interface KilledMesh {
  /** Where it dials. */
  readonly port: number
  /** What stands between it and its store. */
  wrap(store: Store): Store
}

/** The survivor, started, and the port at which it listens. */
export async function startSurvivor(): Promise<{ readonly node: AnchormeshNode; readonly port: number }> {
  const stores = { store: await openMemoryStore(), blobs: await openMemoryStore(), checkpoint: memoryCheckpoint() }
  const node = await open(SURVIVOR, stores, [])
  await node.start()
  const { network } = await node.status()
  return { node, port: Number(/\/tcp\/([0-9]+)\//.exec(network?.multiaddrs[0] ?? '')?.[1]) }
}

/** `dials`: ports of the other node; undefined for a node without a mesh. */
async function open(
  self: TestMember,
  stores: Pick<NodePorts, 'store' | 'blobs' | 'checkpoint'>,
  dials: readonly number[] | undefined
): Promise<AnchormeshNode> {
  const peerIds = new Map<string, string>()
  for (const node of [KILLED, SURVIVOR]) peerIds.set(node.signer.did, await peerIdOfSeed(seedOf(node)))
  const written = policyOf(self, ALL)
  const peers = written.peers.map((peer) => {
    const peerId = peerIds.get(peer.did)
    return peerId === undefined ? peer : { ...peer, peerId }
  })
  const policy = { ...written, peers }
  const ports = { ...stores, clock: systemClock, random: systemRandom, logger: silentLogger }
  const other = self === KILLED ? SURVIVOR : KILLED
  const network = (addresses: readonly string[]): Network =>
    createLibp2pNetwork(
      {
        namespaces: viewPolicy(policy).namespaces,
        knownPeers: [{ did: other.signer.did, peerId: peerIds.get(other.signer.did) ?? '', addresses }],
        listen: ['/ip4/127.0.0.1/tcp/0'],
        announce: [],
        bootstrap: [],
        mdns: false,
        peerKeySeed: seedOf(self)
      },
      ports
    )
  const mesh = dials === undefined ? {} : { network: network(dials.map((port) => `/ip4/127.0.0.1/tcp/${port}`)) }
  return await createNode({ policy, signer: self.signer, version: 'test' }, { ...ports, ...mesh })
}
