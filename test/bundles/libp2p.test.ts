import { afterEach, expect, test } from 'vitest'
import { memoryCheckpoint } from '../../src/log/checkpoint-file.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import { createLibp2pNetwork } from '../../src/network/libp2p/libp2p-network.ts'
import { peerIdOfSeed } from '../../src/network/libp2p/peer-key.ts'
import type { Network } from '../../src/network/network.ts'
import type { AnchormeshNode } from '../../src/node.ts'
import { createNode } from '../../src/node.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { systemRandom } from '../../src/platform/random.ts'
import type { BatchRow } from '../../src/projections/batches.ts'
import { seedOf } from '../network/mesh.ts'
import { allRows } from '../projections/support/ledger.ts'
import type { TestMember } from '../support/identities.ts'
import { NAMESPACE } from '../support/identities.ts'
import { until } from '../support/until.ts'
import { ANNA, BERT, bundlePolicy, CLEO, EVERYBODY, numbered } from './support.ts'

const opened: AnchormeshNode[] = []
afterEach(async () => {
  for (const node of opened.splice(0)) await node.close()
})

const peerSeed = ({ orgId }: TestMember): Uint8Array => seedOf(`bundles of ${orgId}`)

interface MeshNode {
  readonly self: TestMember
  readonly node: AnchormeshNode
  readonly network: Network
}

/** Starts a node on real libp2p that knows everybody, and dials those that run. */
async function start(self: TestMember, ...running: readonly MeshNode[]): Promise<MeshNode> {
  const peerIds = new Map<string, string>()
  for (const member of EVERYBODY) peerIds.set(member.signer.did, await peerIdOfSeed(peerSeed(member)))
  const policy = bundlePolicy(self)
  const peers = policy.peers.map((peer) => ({ ...peer, peerId: peerIds.get(peer.did) ?? '' }))
  const knownPeers = peers
    .filter(({ did }) => did !== self.signer.did)
    .map(({ did, peerId }) => {
      const address = running.find((other) => other.self.signer.did === did)?.network.status().multiaddrs[0]
      return { did, peerId, addresses: address === undefined ? [] : [address] }
    })
  const network = createLibp2pNetwork(
    {
      namespaces: ['_trust', NAMESPACE],
      listen: ['/ip4/127.0.0.1/tcp/0'],
      announce: [],
      bootstrap: [],
      mdns: false,
      knownPeers,
      peerKeySeed: peerSeed(self)
    },
    { clock: systemClock, random: systemRandom, logger: silentLogger }
  )
  const node = await createNode(
    { policy: { ...policy, peers }, signer: self.signer, version: 'test' },
    {
      store: await openMemoryStore(),
      blobs: await openMemoryStore(),
      checkpoint: memoryCheckpoint(),
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
      network
    }
  )
  opened.push(node)
  await node.start()
  return { self, node, network }
}

/** Resolves when the node holds all receipts of a batch. */
async function complete({ node }: MeshNode): Promise<void> {
  for await (const update of node.changes('batches', { signal: AbortSignal.timeout(20_000) })) {
    const row = update.kind === 'change' ? (update.row as BatchRow | null) : null
    if (row !== null && row.receiptCount === row.receiptsPresent) return
  }
  throw new Error('the receipts did not come')
}

test('over libp2p: receipts go from their owner to one node, and from that to another when the owner is gone', async () => {
  const anna = await start(ANNA)
  const bert = await start(BERT, anna)
  await until('they are meshed', () => anna.network.status().topics[NAMESPACE]?.mesh === 1)
  // More than one page.
  const receipts = [...numbered(300), ...Array.from({ length: 20 }, (_, index) => `${index} ${'x'.repeat(60_000)}`)]
  await anna.node.seal({ namespace: NAMESPACE, batchId: 'batch-1', receipts })
  await anna.node.announce({ namespace: NAMESPACE, batchId: 'batch-1', timestampAnchors: [] })
  await complete(bert)
  await anna.node.close()
  const cleo = await start(CLEO, bert)
  await cleo.node.importEvents(bert.node.exportEvents(NAMESPACE))
  await complete(cleo)
  const rows = await Promise.all([bert, cleo].map(({ node }) => allRows(node, 'receipts')))
  expect(rows[0]).toHaveLength(320)
  expect(rows[1]).toEqual(rows[0])
  expect((await bert.node.status()).receipts.served['page']).toBeGreaterThan(1)
})
