import { readFileSync } from 'node:fs'
import type { GossipsubMessage } from '@libp2p/gossipsub'
import { TopicValidatorResult } from '@libp2p/gossipsub'
import { multiaddr } from '@multiformats/multiaddr'
import { componentLogger } from '../../src/network/libp2p/component-logger.ts'
import { createGater } from '../../src/network/libp2p/gater.ts'
import type { Libp2pNode } from '../../src/network/libp2p/libp2p-node.ts'
import { privateKeyOfSeed } from '../../src/network/libp2p/peer-key.ts'
import { createRejectMemory } from '../../src/network/libp2p/reject-memory.ts'
import { createShutOut } from '../../src/network/libp2p/shut-out.ts'
import { topicOf } from '../../src/network/topic.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import type { TrafficCounts } from '../../simulations/network/traffic.ts'
import { nodeClock } from '../../simulations/nodes/node-clock.ts'
import { SimulatedProcess } from '../../simulations/world/simulated-process.ts'
import { world } from '../../simulations/world/world.ts'
import type { Measure, Message, Stack } from './sim-stack.ts'
import { degreesOf, groundOf } from './sim-stack.ts'

const NAMESPACES = ['_trust', 'sim:main']

interface BareNode {
  readonly process: SimulatedProcess
  readonly made: Libp2pNode
  readonly counts: TrafficCounts
  readonly dialled: readonly string[]
}

/**
 * libp2p with gossipsub, or gossipsub on its thin host, as the nodes have them, and nothing else: no keeper, no judge, no
 * store. What arrives is accepted at once. It publishes what whole nodes have published, where and when they did.
 */
export async function bareStack(measure: Measure): Promise<Stack> {
  const { time } = world
  const { cast, dials, net, createHost, random } = await groundOf(measure)
  const logger = silentLogger
  const messages = readMessages(measure)
  const wanted = degreesOf(dials)
  const nodes = await Promise.all(
    cast.map(async ({ index, name, address, multiaddr: own, peerKeySeed, peerId }): Promise<BareNode> => {
      const host = net.host(address)
      const process = new SimulatedProcess(name, random.fork(name))
      host.boot(process)
      const clock = nodeClock(time, process)
      const counts: TrafficCounts = { traffic: new Map(), gossip: { received: 0, duplicates: 0, delivered: 0 } }
      const privateKey = await privateKeyOfSeed(peerKeySeed)
      const admitted = new Map(cast.map((member) => [member.peerId, member.signer.did]))
      const { connectionGater } = createGater({
        clock,
        logger,
        self: peerId,
        admitted,
        isShutOut: () => false,
        connectionsOf: () => 0
      })
      const made = await process.enter(() =>
        createHost(
          {
            privateKey,
            addresses: { listen: [own], announce: [], bootstrap: [], admitted, dialable: new Map() },
            connectionGater,
            gossip: {
              namespaces: NAMESPACES,
              memory: createRejectMemory(clock),
              shutOut: createShutOut({ clock, logger }),
              logger
            },
            logger: componentLogger(logger)
          },
          { host, ...counts }
        )
      )
      const dialled = (dials[index] ?? []).map((to) => `${cast[to]?.multiaddr}/p2p/${cast[to]?.peerId}`)
      return { process, made, counts, dialled }
    })
  )
  return {
    async start() {
      await Promise.all(nodes.map((node) => node.process.enter(() => listen(node))))
      await Promise.all(nodes.map((node) => node.process.enter(() => dial(node))))
    },
    stands: () => nodes.every(({ made }, index) => made.libp2p.getPeers().length >= (wanted[index] ?? 0)),
    gossip: () => ({
      delivered: nodes.reduce((sum, { counts }) => sum + counts.gossip.delivered, 0),
      duplicates: nodes.reduce((sum, { counts }) => sum + counts.gossip.duplicates, 0)
    }),
    load(seconds) {
      for (const { afterUs, node, topic, base64 } of messages) {
        const { process, made } = nodes[node] ?? {}
        const data = new Uint8Array(Buffer.from(base64, 'base64'))
        if (afterUs >= seconds * 1_000_000 || process === undefined) continue
        time.afterUs(afterUs, process, () => void made?.router.publish(topic, data))
      }
    }
  }
}

async function listen({ made: { libp2p, router } }: BareNode): Promise<void> {
  router.addEventListener('gossipsub:message', ({ detail }: CustomEvent<GossipsubMessage>) => {
    router.reportMessageValidationResult(detail.msgId, detail.propagationSource.toString(), TopicValidatorResult.Accept)
  })
  await libp2p.start()
  for (const namespace of NAMESPACES) router.subscribe(topicOf(namespace))
}

async function dial({ made: { libp2p }, dialled }: BareNode): Promise<void> {
  await Promise.all(dialled.map(async (address) => await libp2p.dial([multiaddr(address)])))
}

function readMessages({ messages }: Measure): readonly Message[] {
  return readFileSync(messages, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Message)
}
