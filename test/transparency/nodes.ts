import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { toBase64url } from '../../protocols/primitives/bytes.ts'
import { sha256 } from '../../protocols/primitives/sha256.ts'
import { peerIdOfSeed } from '../../src/cli/data-folder/peer-id.ts'
import { checkpointFile } from '../../src/log/checkpoint-file.ts'
import { openLevelStore } from '../../src/log/level-store.ts'
import { createLibp2pNetwork } from '../../src/network/libp2p/libp2p-network.ts'
import type { AnchormeshNode } from '../../src/node.ts'
import { createNode } from '../../src/node.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { systemRandom } from '../../src/platform/random.ts'
import { viewPolicy } from '../../src/policy/policy-view.ts'
import type { CheckpointRow } from '../../src/projections/checkpointed.ts'
import { localSigner } from '../../src/trust/local-signer.ts'
import type { TestMember } from '../support/identities.ts'
import { member, policyOf } from '../support/identities.ts'
import type { LogLine } from '../support/recording-logger.ts'
import { recordingLogger } from '../support/recording-logger.ts'

/** The node whose log is tampered with, and those that watch it. */
export const [MAKER, ...NEIGHBOURS] = [member('maker'), member('left'), member('right')] as const
/** The maker with its next key. */
export const MAKER_NEXT: TestMember = {
  orgId: MAKER.orgId,
  signer: localSigner(sha256('the next key of maker'), { did: MAKER.signer.did, kid: 'next' })
}
const ALL: readonly TestMember[] = [MAKER, ...NEIGHBOURS]

export interface DiskNode {
  readonly self: TestMember
  readonly node: AnchormeshNode
  readonly lines: readonly LogLine[]
  readonly port: number
}

const seedOf = ({ orgId }: TestMember): Uint8Array => sha256(`peer key of ${orgId}`)

/** What the files of a node's folder are called. */
export const filesOf = (folder: string): { store: string; blobs: string; state: string } => ({
  store: join(folder, 'store'),
  blobs: join(folder, 'blobs'),
  state: join(folder, 'store.json')
})

/** A node on LevelDB and TCP that dials the ports, started; it publishes a checkpoint soon after its log grew. */
export async function startOn(folder: string, self: TestMember, dials: readonly DiskNode[]): Promise<DiskNode> {
  const files = filesOf(folder)
  const checkpoint = checkpointFile(files.state)
  const create = (await checkpoint.read()) === null
  const lines: LogLine[] = []
  const peerIds = new Map<string, string>()
  for (const each of ALL) peerIds.set(each.signer.did, await peerIdOfSeed(seedOf(each)))
  const written = policyOf(self, ALL)
  const nextKey = { kid: MAKER_NEXT.signer.kid, publicKey: toBase64url(MAKER_NEXT.signer.publicKey) }
  const peers = written.peers.map((peer) => ({
    ...peer,
    peerId: peerIds.get(peer.did) ?? '',
    keys: peer.did === MAKER.signer.did ? [...peer.keys, nextKey] : peer.keys
  }))
  const policy = { ...written, peers }
  const ports = {
    store: await openLevelStore(files.store, { create }),
    blobs: await openLevelStore(files.blobs, { create }),
    checkpoint,
    clock: systemClock,
    random: systemRandom,
    logger: recordingLogger(lines)
  }
  const portOf = (did: string): number | undefined => dials.find((other) => other.self.signer.did === did)?.port
  const network = createLibp2pNetwork(
    {
      namespaces: viewPolicy(policy).namespaces,
      knownPeers: ALL.filter((other) => other.signer.did !== self.signer.did).map(({ signer: { did } }) => {
        const port = portOf(did)
        const addresses = port === undefined ? [] : [`/ip4/127.0.0.1/tcp/${port}`]
        return { did, peerId: peerIds.get(did) ?? '', addresses }
      }),
      listen: ['/ip4/127.0.0.1/tcp/0'],
      announce: [],
      bootstrap: [],
      mdns: false,
      peerKeySeed: seedOf(self)
    },
    ports
  )
  const config = { policy, signer: self.signer, version: 'test', checkpointMs: 250, syncIntervalMs: 500 }
  const node = await createNode(config, { ...ports, network })
  onTestFinished(() => node.close())
  await node.start()
  const { network: status } = await node.status()
  return { self, node, lines, port: Number(/\/tcp\/([0-9]+)\//.exec(status?.multiaddrs[0] ?? '')?.[1]) }
}

/** What a node keeps of the maker's log, under one of its keys. */
export async function keptOfMaker({ node }: DiskNode, { signer }: TestMember): Promise<CheckpointRow | null> {
  const { rows } = await node.query('checkpoints', { signer: signer.did })
  return (rows as CheckpointRow[]).find(({ kid }) => kid === signer.kid) ?? null
}
