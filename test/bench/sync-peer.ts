import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { sha256 } from '../../protocols/primitives/sha256.ts'
import { createLibp2pNetwork } from '../../src/network/libp2p/libp2p-network.ts'
import { peerIdOfSeed } from '../../src/network/libp2p/peer-key.ts'
import type { Network } from '../../src/network/network.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { systemRandom } from '../../src/platform/random.ts'
import { SignatureThreads } from '../../src/platform/signature-threads.ts'
import type { EffectivePolicy } from '../../src/policy/policy.ts'
import type { TestMember } from '../support/identities.ts'
import { NAMESPACE, policyOf } from '../support/identities.ts'
import { caughtUp, members, openNode } from './workload.ts'

/**
 * One of the two nodes of the bootstrap, as a process: `serve FOLDER` prints its address and serves until its standard
 * input ends; `receive ADDRESS EVENTS` syncs from it into a new folder and prints what that took.
 */
const SIGNERS = 50
const signers = members(SIGNERS)
const seedOf = ({ orgId }: TestMember): Uint8Array => sha256(`peer key of ${orgId}`)
const [receiver, server] = signers as [TestMember, TestMember]
const POLL_MS = 5

const [, , role, what = '', count = '0'] = process.argv
if (role === 'serve') await serve(what)
else if (role === 'receive') await receive(what, Number(count))
else throw new Error('serve FOLDER, or receive ADDRESS EVENTS')

async function serve(folder: string): Promise<void> {
  const network = await networkOf(server, receiver, [])
  const { node } = await openNode(signers, folder, {
    self: server,
    policy: await policyFor(server),
    ports: { network }
  })
  await caughtUp(node)
  await node.start()
  console.log(network.status().multiaddrs[0])
  process.stdin.resume()
  process.stdin.once('end', () => void node.close())
}

async function receive(address: string, events: number): Promise<void> {
  const network = await networkOf(receiver, server, [address])
  const folder = mkdtempSync(join(tmpdir(), 'anchormesh-bench-'))
  const signatureVerifiers = new SignatureThreads({ clock: systemClock, logger: silentLogger })
  const ports = { network, signatureVerifiers }
  const bench = await openNode(signers, folder, { self: receiver, policy: await policyFor(receiver), ports })
  const { node } = bench
  await node.start()
  const held = async (): Promise<number> =>
    (await node.status()).namespaces.find(({ namespace }) => namespace === NAMESPACE)?.events ?? 0
  let peakBytes = 0
  // From the first event on: how soon a peer is dialled is not what is measured.
  while ((await held()) === 0) await delay(POLL_MS)
  const before = process.cpuUsage()
  const began = performance.now()
  const already = await held()
  for (let now = already; now < events; now = await held()) {
    peakBytes = Math.max(peakBytes, process.memoryUsage.rss())
    await delay(POLL_MS * 4)
  }
  const durableMs = performance.now() - began
  await caughtUp(node)
  const queryableMs = performance.now() - began
  const { user, system } = process.cpuUsage(before)
  const moved = events - already
  console.log(
    JSON.stringify({
      durable: (moved / durableMs) * 1_000,
      queryable: (moved / queryableMs) * 1_000,
      cpu: (user + system) / moved,
      peakMiB: Math.round(peakBytes / 2 ** 20)
    })
  )
  await bench.end()
}

async function policyFor(self: TestMember): Promise<EffectivePolicy> {
  const policy = policyOf(self, signers)
  const peerIds = new Map<string, string>()
  for (const member of [receiver, server]) peerIds.set(member.signer.did, await peerIdOfSeed(seedOf(member)))
  const peers = policy.peers.map((peer) => {
    const peerId = peerIds.get(peer.did)
    return peerId === undefined ? peer : { ...peer, peerId }
  })
  return { ...policy, peers }
}

async function networkOf(self: TestMember, other: TestMember, addresses: readonly string[]): Promise<Network> {
  const peer = { did: other.signer.did, peerId: await peerIdOfSeed(seedOf(other)), addresses }
  const rest = { announce: [], bootstrap: [], mdns: false, peerKeySeed: seedOf(self) }
  return createLibp2pNetwork(
    { namespaces: ['_trust', NAMESPACE], knownPeers: [peer], listen: ['/ip4/127.0.0.1/tcp/0'], ...rest },
    { clock: systemClock, random: systemRandom, logger: silentLogger }
  )
}
