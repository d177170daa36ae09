import { peerIdFromString } from '@libp2p/peer-id'
import type { Multiaddr } from '@multiformats/multiaddr'
import { messageOf } from '../../platform/errors.ts'
import type { Logger } from '../../platform/logger.ts'
import type { Addresses } from './addresses.ts'
import type { GossipRouter, Judge } from './gossip.ts'
import { topicOf } from '../topic.ts'
import type { Keeper } from './keeper.ts'
import type { ProtocolStreams } from './protocol-streams.ts'
import type { MeshHost } from './libp2p-node.ts'

/** The parts of a running network that know whom it knows and what it carries. */
export interface MeshParts {
  readonly libp2p: Pick<MeshHost, 'getPeers' | 'hangUp' | 'peerStore'>
  readonly router: Pick<GossipRouter, 'subscribe' | 'unsubscribe'>
  readonly judge: Judge
  readonly keeper: Keeper
  readonly streams: ProtocolStreams
  /** The DID of each admitted PeerId; every part asks this very map. */
  readonly admitted: Map<string, string>
  /** Where each can be dialled. */
  readonly dialable: Map<string, readonly Multiaddr[]>
  /** Topics by namespace. */
  readonly topics: Map<string, string>
  readonly logger: Logger
}

/**
 * Has the mesh know these peers and carry these namespaces. Who is not known any more is cut off, and so is a PeerId that
 * speaks for another DID now, until it connects again.
 */
export async function changeMesh(parts: MeshParts, next: Addresses, namespaces: readonly string[]): Promise<void> {
  const { admitted, dialable, keeper, libp2p } = parts
  const gone = [...admitted].filter(([peerId, did]) => next.admitted.get(peerId) !== did).map(([peerId]) => peerId)
  for (const peerId of gone) {
    admitted.delete(peerId)
    keeper.drop(peerId)
  }
  const connected = new Set(libp2p.getPeers().map(String))
  const moved = [...dialable].filter(
    ([peerId, addresses]) => !connected.has(peerId) && textOf(addresses) !== textOf(next.dialable.get(peerId) ?? [])
  )
  // What was tried in vain at the old addresses says nothing of the new ones.
  for (const [peerId] of moved) keeper.drop(peerId)
  replace(admitted, next.admitted)
  replace(dialable, next.dialable)
  const isNewTopic = changeTopics(parts, namespaces)
  // What peers subscribe to beside this node's own topics is forgotten, and they say it once per connection.
  const cutOff = isNewTopic ? [...connected] : gone
  await Promise.all(cutOff.map((peerId) => hangUp(peerId, parts)))
  for (const peerId of gone) {
    // Addresses that were learned of it, so that nothing is left that could be dialled.
    if (!admitted.has(peerId)) await forget(peerId, parts)
  }
  for (const peerId of dialable.keys()) keeper.keep(peerId)
}

/** The gater keeps it out all the same where this fails. */
async function forget(peerId: string, { libp2p, logger }: MeshParts): Promise<void> {
  try {
    await libp2p.peerStore.delete(peerIdFromString(peerId))
  } catch (error) {
    logger.warn(
      { peerId, reason: messageOf(error) },
      'the addresses of a peer that is not known any more are still kept'
    )
  }
}

/** Whether topics were added. */
function changeTopics({ topics, judge, router }: MeshParts, namespaces: readonly string[]): boolean {
  const added = namespaces.filter((namespace) => !topics.has(namespace))
  const removed = [...topics].filter(([namespace]) => !namespaces.includes(namespace))
  for (const [namespace, topic] of removed) {
    router.unsubscribe(topic)
    topics.delete(namespace)
  }
  judge.carry(namespaces)
  for (const namespace of added) {
    topics.set(namespace, topicOf(namespace))
    router.subscribe(topicOf(namespace))
  }
  return added.length > 0
}

async function hangUp(peerId: string, { streams, libp2p, logger }: MeshParts): Promise<void> {
  streams.breakAll(peerId)
  try {
    await libp2p.hangUp(peerIdFromString(peerId))
  } catch (error) {
    logger.warn({ peerId, error: messageOf(error) }, 'a connection could not be closed in order')
  }
}

function replace<Value>(target: Map<string, Value>, next: ReadonlyMap<string, Value>): void {
  for (const key of target.keys()) if (!next.has(key)) target.delete(key)
  for (const [key, value] of next) target.set(key, value)
}

const textOf = (addresses: readonly Multiaddr[]): string => addresses.map(String).sort().join(' ')
