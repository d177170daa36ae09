import type { ReadyNode } from '../ready-line.ts'
import { shortDid } from '../table.ts'
import { meshed } from './cast.ts'
import type { Cast } from './cast.ts'
import type { DemoNode } from './demo-node.ts'
import { configureRails } from './rails.ts'

interface InitAnswer {
  readonly did: string
  readonly peerId: string
}

/**
 * The nodes become one mesh as real ones do, by `init`, `identity` and `peers add` alone. Ports are the system's
 * choice, so each node is started before its identity, then with its addresses, goes to those that start after it.
 */
export async function joinMesh(cast: Cast): Promise<void> {
  const { nodes, narrator, namespace, maker, archive, links, rails } = cast
  await narrator.step('Each organisation makes a data folder, and they exchange identities')
  await narrator.command(`anchormesh init --org maker --namespace ${namespace}`)
  const init = (node: DemoNode): Promise<InitAnswer> => node.run(['init', '--org', node.name, '--namespace', namespace])
  const made = await Promise.all(nodes.map(init))
  for (const [index, { did, peerId }] of made.entries()) {
    await narrator.say(`${nodes[index]?.name.padEnd(8)} ${shortDid(did)}  PeerId …${peerId.slice(-8)}`)
  }
  await narrator.command('anchormesh identity | ssh other-host anchormesh peers add -')
  const identities = await Promise.all(nodes.map((node) => identityOf(node)))
  await Promise.all(nodes.map((node, index) => addPeers(node, identities.toSpliced(index, 1))))
  await Promise.all(nodes.map((node) => configureRails(node, namespace, rails, { payer: node === maker })))
  await narrator.reached('each peers.yaml binds the other two: DID, key and PeerId; nobody else may connect')

  await narrator.step('Three node processes form a mesh: TCP, Noise, yamux, gossipsub')
  await narrator.command('anchormesh start')
  await narrator.say('archive dials the others by way of this process, which can cut it off')
  for (const [index, node] of nodes.entries()) {
    const ready = await node.start()
    await narrator.say(`${node.name.padEnd(8)} process ${node.pid}, ${addressOf(ready)}, HTTP ${ready.http}`)
    const later = nodes.slice(index + 1)
    if (later.length > 0) {
      const identity = await identityOf(node)
      const toArchive = { ...identity, addresses: [`/ip4/127.0.0.1/tcp/${await links.to(portOf(ready))}`] }
      await Promise.all(later.map((other) => addPeers(other, [other === archive ? toArchive : identity])))
    }
  }
  await meshed(cast)
  await narrator.reached('every node has both others in its gossip mesh')
}

async function identityOf(node: DemoNode): Promise<object> {
  return await node.run<object>(['identity'])
}

async function addPeers(node: DemoNode, identities: readonly object[]): Promise<void> {
  // A block may be JSON, too: JSON is YAML.
  await node.run(['peers', 'add', '-'], JSON.stringify(identities))
}

function portOf(ready: ReadyNode): number {
  return Number(/\/tcp\/([0-9]+)$/.exec(addressOf(ready))?.[1])
}

function addressOf({ multiaddrs }: ReadyNode): string {
  return multiaddrs[0]?.replace(/\/p2p\/.*$/, '') ?? 'no address'
}
