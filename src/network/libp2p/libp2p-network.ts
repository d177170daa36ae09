import type { PeerId, PeerInfo } from '@libp2p/interface'
import { peerIdFromPrivateKey, peerIdFromString } from '@libp2p/peer-id'
import { EVENT_BYTES_MAX } from '../../../protocols/event/v1/envelope.ts'
import type { Clock } from '../../platform/clock.ts'
import { messageOf } from '../../platform/errors.ts'
import type { Logger } from '../../platform/logger.ts'
import type { Random } from '../../platform/random.ts'
import type { Network, NetworkHandlers, NetworkOptions, NetworkStatus, PeerStatus } from '../network.ts'
import { changeMesh } from './change-mesh.ts'
import { readAddresses } from './addresses.ts'
import type { Addresses } from './addresses.ts'
import { componentLogger } from './component-logger.ts'
import { createFoundAddresses } from './found-addresses.ts'
import { createGater } from './gater.ts'
import type { Gater } from './gater.ts'
import { topicOf } from '../topic.ts'
import { attachJudge } from './gossip.ts'
import type { GossipRegister, GossipRouter } from './gossip.ts'
import { startGossipRepair } from './gossip-repair.ts'
import { createJudgeGate } from './judge-gate.ts'
import type { JudgeGate } from './judge-gate.ts'
import { createKeeper } from './keeper.ts'
import type { Keeper } from './keeper.ts'
import { createLibp2pNode } from './libp2p-node.ts'
import type { Libp2pNode, MeshHost, NodeParts } from './libp2p-node.ts'
import { privateKeyOfSeed } from './peer-key.ts'
import { createProtocolStreams } from './protocol-streams.ts'
import type { ProtocolStreams } from './protocol-streams.ts'
import { createRejectMemory } from './reject-memory.ts'
import { SCORE_THRESHOLDS } from './scoring.ts'
import { createShortConnections } from './short-connections.ts'
import type { ShortConnections } from './short-connections.ts'
import { createShutOut } from './shut-out.ts'
import type { ShutOut } from './shut-out.ts'
import { explainStartFailure } from './start-failure.ts'
import { watchConnections } from './watch-connections.ts'

/** The ports that the network takes. */
export interface Libp2pNetworkDeps {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Where gossipsub registers its own metrics; without it none are kept. */
  readonly metrics?: GossipRegister
  /** Makes the host that the network stands on; by default libp2p over TCP and WebSockets. Simulations bring their own. */
  readonly createHost?: (parts: NodeParts) => Promise<Libp2pNode>
}

/** Everything that lives between `start` and `stop`. */
interface Running {
  readonly libp2p: MeshHost
  readonly router: GossipRouter
  readonly addresses: Addresses
  readonly gater: Gater
  readonly gate: JudgeGate
  readonly keeper: Keeper
  readonly short: ShortConnections
  readonly shutOut: ShutOut
  /** Peers that were connected once. */
  readonly seen: ReadonlySet<string>
  /** See `changeMesh`. */
  change(next: Addresses, namespaces: readonly string[]): Promise<void>
  /** Takes off every listener and ends every task, in order. */
  stop(): Promise<void>
}

/**
 * The mesh over libp2p: TCP and WebSockets, Noise, yamux and gossipsub, open only to the PeerIds of `knownPeers`.
 * Nothing listens or dials before `start`; `status` has an answer from then on, also after `stop`.
 */
export function createLibp2pNetwork(initial: NetworkOptions, deps: Libp2pNetworkDeps): Network {
  let options = initial
  const topics = new Map(options.namespaces.map((namespace) => [namespace, topicOf(namespace)]))
  let starting: Promise<Running> | undefined
  let running: Running | undefined
  let stopping: Promise<void> | undefined
  let streams: ProtocolStreams | undefined
  let published = 0

  return {
    async start(handlers) {
      if (starting !== undefined || stopping !== undefined) throw new Error('the network was started before')
      // A peer may connect before the start is through, and its handler may want a stream.
      starting = startAll(options, topics, handlers, deps, (made) => (streams = made))
      running = await starting
    },

    async publish(namespace, wire) {
      const topic = topics.get(namespace)
      if (topic === undefined) throw new RangeError(`the namespace ${namespace} is not carried`)
      if (wire.length > EVENT_BYTES_MAX)
        throw new RangeError(`an event of ${wire.length} bytes would be refused everywhere`)
      // An event that is logged while the node stops reaches the others by sync.
      if (running === undefined || stopping !== undefined) return 0
      published += 1
      return (await running.router.publish(topic, wire)).recipients.length
    },

    prepare(update) {
      const next = { ...options, ...update }
      // Read for its own sake where the network does not run: what can't be used is said now.
      const addresses = readAddresses(next, running?.libp2p.peerId.toString() ?? '', deps.logger)
      return async () => {
        options = next
        if (running !== undefined && stopping === undefined) return await running.change(addresses, next.namespaces)
        topics.clear()
        for (const namespace of next.namespaces) topics.set(namespace, topicOf(namespace))
      }
    },

    status() {
      if (running === undefined) throw new Error('the network has not been started')
      return statusOf(running, topics, published)
    },

    connected: () => streams?.connected() ?? [],

    async open(peerId, protocol, signal) {
      const notRunning = { ok: false, reason: 'offline', detail: 'the network does not run' } as const
      return (await streams?.open(peerId, protocol, signal)) ?? notRunning
    },

    penalise: (peerId, reason) => streams?.penalise(peerId, reason),

    stop() {
      stopping ??= (async () => {
        // A start that failed has told its caller, and has left nothing to stop.
        const started = await starting?.catch(() => undefined)
        await started?.stop()
      })()
      return stopping
    }
  }
}

/** Reads the configuration, assembles the node, listens, subscribes and begins to dial. */
async function startAll(
  options: NetworkOptions,
  topics: Map<string, string>,
  handlers: NetworkHandlers,
  deps: Libp2pNetworkDeps,
  onStreams: (streams: ProtocolStreams) => void
): Promise<Running> {
  const { clock, logger, createHost = createLibp2pNode } = deps
  const privateKey = await privateKeyOfSeed(options.peerKeySeed)
  const self = peerIdFromPrivateKey(privateKey).toString()
  const read = readAddresses(options, self, logger)
  // Whom the node knows can change while it runs: every part asks these two maps.
  const admitted = new Map(read.admitted)
  const dialable = new Map(read.dialable)
  const addresses: Addresses = { ...read, admitted, dialable }
  const memory = createRejectMemory(clock)
  const shutOut = createShutOut(deps)
  const { metrics } = deps
  const gossip = {
    namespaces: options.namespaces,
    memory,
    shutOut,
    logger,
    ...(metrics === undefined ? {} : { metrics })
  }
  const found = createFoundAddresses(admitted)
  const gater = createGater({
    clock,
    logger,
    self,
    admitted,
    isShutOut: (peerId) => shutOut.isShutOut(peerId),
    connectionsOf: (peerId) => libp2p.getConnections(peerId).length
  })

  const onFound = (peer: PeerInfo): void => {
    if (found.add(peer)) keeper.keep(peer.id.toString())
  }
  const { libp2p, router } = await createHost({
    privateKey,
    addresses,
    connectionGater: gater.connectionGater,
    gossip,
    logger: componentLogger(logger),
    ...(options.mdns ? { onFound } : {})
  })
  const keeper = createKeeper({
    ...deps,
    async dial(peerId, signal) {
      await libp2p.dial([...(addresses.dialable.get(peerId) ?? []), ...found.of(peerId)], { signal })
    }
  })
  const gate = createJudgeGate({ clock, logger, handlers, onLateReject: (peerId) => memory.rejectedLate(peerId) })
  const short = createShortConnections({ clock, logger })
  const streams = createProtocolStreams({
    libp2p,
    clock,
    logger,
    admitted,
    handlers,
    penalise(peerId, reason) {
      // gossipsub knows nothing of it, as of a reject that comes too late.
      if (reason === 'protocol') memory.rejectedLate(peerId)
      else if (shutOut.exceeded(peerId)) disconnect(peerId)
    }
  })
  const hangUp = async (peerId: string): Promise<void> => {
    streams.breakAll(peerId)
    await libp2p.hangUp(peerIdFromString(peerId))
  }
  const disconnect = (peerId: string): void => {
    hangUp(peerId).catch((error: unknown) => {
      logger.warn({ peerId, error: messageOf(error) }, 'a peer that is shut out could not be disconnected in order')
    })
  }
  onStreams(streams)
  const connections = watchConnections(libp2p, { admitted, keeper, memory, short, handlers, logger })
  const judge = attachJudge(router, gossip, gate)
  const stopListening = async (): Promise<void> => {
    gate.close()
    judge.detach()
    connections.stop()
    await Promise.all([streams.stop(), keeper.stop()])
  }

  try {
    await streams.serve()
    await listen(libp2p, addresses.listen, logger)
  } catch (error) {
    await stopListening()
    throw error
  }
  for (const topic of topics.values()) router.subscribe(topic)
  for (const peerId of addresses.dialable.keys()) keeper.keep(peerId)
  const stopRepair = startGossipRepair({
    clock,
    logger,
    connectedPeers: () => libp2p.getPeers().map(String),
    hasGossip: (peerId) => hasGossip(router, [...topics.values()], peerId),
    speaksGossip: (peerId) => hasProtocol(libp2p, peerIdFromString(peerId), router.protocols),
    hangUp
  })
  logger.info({ peerId: self, multiaddrs: libp2p.getMultiaddrs().map(String) }, 'the mesh is open')

  return {
    libp2p,
    router,
    addresses,
    gater,
    gate,
    keeper,
    short,
    shutOut,
    seen: connections.seen,
    change: (next, namespaces) =>
      changeMesh({ libp2p, router, judge, keeper, streams, admitted, dialable, topics, logger }, next, namespaces),
    async stop() {
      stopRepair()
      await stopListening()
      await libp2p.stop()
    }
  }
}

/**
 * Starts libp2p. That an IPv6 address fails beside IPv4 ones that work is no failure to libp2p, as many machines have
 * no IPv6; the operator is told.
 */
async function listen(libp2p: MeshHost, addresses: readonly string[], logger: Logger): Promise<void> {
  let listening = 0
  const onListening = (): void => {
    listening += 1
  }
  libp2p.addEventListener('transport:listening', onListening)
  try {
    await libp2p.start()
  } catch (error) {
    throw explainStartFailure(error, addresses)
  } finally {
    libp2p.removeEventListener('transport:listening', onListening)
  }
  if (listening < addresses.length) {
    const fields = { configured: addresses, listening: libp2p.getMultiaddrs().map(String) }
    logger.warn(fields, 'listens on some of its addresses only; is there no IPv6 here?')
  }
}

/**
 * Every node carries `_trust`, so a peer that takes part subscribes to something that this node carries too; of one
 * that is graylisted nothing is heard until it is forgiven.
 */
function hasGossip(router: GossipRouter, topics: readonly string[], peerId: string): boolean {
  if (!router.streamsOutbound.has(peerId)) return false
  if (router.getScore(peerId) < SCORE_THRESHOLDS.graylistThreshold) return true
  return topics.some((topic) => router.getSubscribers(topic).some((subscriber) => subscriber.toString() === peerId))
}

async function hasProtocol(libp2p: MeshHost, peerId: PeerId, protocols: readonly string[]): Promise<boolean> {
  const peer = await libp2p.peerStore.get(peerId)
  return peer.protocols.some((protocol) => protocols.includes(protocol))
}

function statusOf(running: Running, topics: ReadonlyMap<string, string>, published: number): NetworkStatus {
  const { libp2p, router, addresses, gate, keeper, short, shutOut, seen } = running
  const peerStatus = (peerId: string, did: string): PeerStatus => {
    const connections = libp2p.getConnections(peerIdFromString(peerId)).map(({ remoteAddr }) => remoteAddr.toString())
    const nextDialAt = keeper.nextDialAt(peerId)
    const note = shutOut.note(peerId) ?? short.note(peerId)
    return {
      did,
      peerId,
      connected: connections.length > 0,
      connections,
      ...(seen.has(peerId) ? { score: router.getScore(peerId) } : {}),
      ...(nextDialAt === undefined ? {} : { nextDialAt }),
      ...(note === undefined ? {} : { note }),
      ...(shutOut.isShutOut(peerId) ? { shutOut: true } : {})
    }
  }
  const topicStatus = (topic: string): NetworkStatus['topics'][string] => ({
    mesh: router.getMeshPeers(topic).length,
    subscribers: router.getSubscribers(topic).length
  })
  return {
    peerId: libp2p.peerId.toString(),
    multiaddrs: libp2p.getMultiaddrs().map(String),
    peers: [...addresses.admitted].map(([peerId, did]) => peerStatus(peerId, did)),
    topics: Object.fromEntries([...topics].map(([namespace, topic]) => [namespace, topicStatus(topic)])),
    gossip: { ...gate.counters(), published },
    refusedConnections: running.gater.refusedConnections()
  }
}
