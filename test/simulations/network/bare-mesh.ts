import { createHash } from 'node:crypto'
import { concat } from '../../../protocols/primitives/bytes.ts'
import { sha256 } from '../../../protocols/primitives/sha256.ts'
import { createLibp2pNetwork } from '../../../src/network/libp2p/libp2p-network.ts'
import { peerIdOfSeed } from '../../../src/network/libp2p/peer-key.ts'
import type { Network, NetworkHandlers } from '../../../src/network/network.ts'
import { silentLogger } from '../../../src/platform/logger.ts'
import { hostAddress, multiaddrOf } from '../../../simulations/network/addresses.ts'
import { hostMakerOf } from '../../../simulations/network/create-host.ts'
import { SimulatedNet } from '../../../simulations/network/simulated-net.ts'
import { dialsOf } from '../../../simulations/network/topology.ts'
import type { TrafficCounts } from '../../../simulations/network/traffic.ts'
import { nodeClock } from '../../../simulations/nodes/node-clock.ts'
import { seededRandom } from '../../../simulations/ports/seeded-random.ts'
import { linkSchema } from '../../../simulations/scenario/schema.ts'
import type { LinkRule, Scenario } from '../../../simulations/scenario/schema.ts'
import { SimulatedProcess } from '../../../simulations/world/simulated-process.ts'
import { world } from '../../../simulations/world/world.ts'

export interface BareMeshOptions {
  readonly level: Scenario['level']
  readonly nodes: number
  readonly seed?: string
  readonly degree?: number
  readonly link?: Partial<LinkRule>
  readonly protocols?: (node: number) => NonNullable<NetworkHandlers['protocols']>
}

export interface BareNode extends TrafficCounts {
  readonly peerId: string
  readonly address: string
  network: Network
  process: SimulatedProcess
  /** When each message came here, in virtual microseconds, by its number. */
  readonly heardUs: Map<number, number>
  readonly connected: Set<string>
  /** Ends it; with its `power` nobody is told. */
  crash(options: { readonly power: boolean }): void
  start(): Promise<void>
}

const NAMESPACE = 'sim:main'
const MESSAGE_BYTES = 600
const NUMBER_BYTES = 4

/** The network of many nodes without the nodes: what is heard is accepted at once. Runs where the world is installed. */
export class BareMesh {
  readonly nodes: readonly BareNode[]
  readonly net: SimulatedNet<unknown>
  readonly time = world.time
  readonly sentUs = new Map<number, number>()
  readonly #hash = createHash('sha256')
  frames = 0
  bytes = 0

  private constructor(net: (mesh: BareMesh) => SimulatedNet<unknown>, nodes: (mesh: BareMesh) => readonly BareNode[]) {
    this.net = net(this)
    this.nodes = nodes(this)
  }

  static async create({
    level,
    nodes,
    seed = '1',
    degree = 8,
    link = {},
    protocols = () => ({})
  }: BareMeshOptions): Promise<BareMesh> {
    const random = seededRandom(seed)
    const rule = { ...linkSchema.parse({}), ...link }
    const numbers = [...Array(nodes).keys()]
    const seeds = numbers.map((number) => sha256(`peer ${number}`))
    const peerIds = await Promise.all(seeds.map(peerIdOfSeed))
    const dials = dialsOf({ kind: 'random', degree }, numbers, random.fork('topology'))
    const make = hostMakerOf({ level, encryption: 'noise' })
    return new BareMesh(
      (mesh) =>
        new SimulatedNet<unknown>({
          time: world.time,
          random: random.fork('net'),
          rule: () => rule,
          onSent: (from, to, bytes) => mesh.#sent(`${from} ${to} ${bytes}`, bytes)
        }),
      (mesh) =>
        numbers.map((number) => {
          const address = hostAddress(number)
          const host = mesh.net.host(address)
          const counts: TrafficCounts = { traffic: new Map(), gossip: { received: 0, duplicates: 0, delivered: 0 } }
          const boot = (turn: number): SimulatedProcess => {
            const process = new SimulatedProcess(`n${number}`, random.fork(`n${number}/${turn}`))
            host.boot(process)
            return process
          }
          const networkOf = (process: SimulatedProcess): Network =>
            createLibp2pNetwork(
              {
                listen: [multiaddrOf(address)],
                announce: [],
                bootstrap: [],
                mdns: false,
                namespaces: [NAMESPACE],
                peerKeySeed: seeds[number] ?? new Uint8Array(32),
                knownPeers: numbers
                  .filter((other) => dials[number]?.includes(other) === true || dials[other]?.includes(number) === true)
                  .map((other) => ({
                    did: `did:example:${other}`,
                    peerId: peerIds[other] ?? '',
                    addresses: dials[number]?.includes(other) === true ? [multiaddrOf(hostAddress(other))] : []
                  }))
              },
              {
                clock: nodeClock(world.time, process),
                random: process.random,
                logger: silentLogger,
                createHost: (parts) => make(parts, { host, ...counts })
              }
            )
          let turn = 0
          const first = boot(turn)
          const node: BareNode = {
            ...counts,
            peerId: peerIds[number] ?? '',
            address,
            network: networkOf(first),
            process: first,
            heardUs: new Map(),
            connected: new Set(),
            crash: (options) => {
              host.halt(options)
              node.connected.clear()
            },
            start: async () => {
              if (node.process.state === 'dead') {
                node.process = boot((turn += 1))
                node.network = networkOf(node.process)
              }
              await node.process.enter(() => node.network.start(mesh.#handlers(node, protocols(number))))
            }
          }
          return node
        })
    )
  }

  async run(seconds: number): Promise<void> {
    await this.time.runUntil(this.time.nowUs + seconds * 1_000_000)
  }

  /** Has a node publish a message; its number is new. */
  publish(number: number): void {
    const node = this.nodes[number]
    if (node === undefined) throw new RangeError(`there is no node ${number}`)
    const message = this.sentUs.size
    this.sentUs.set(message, this.time.nowUs)
    const head = new Uint8Array(NUMBER_BYTES)
    new DataView(head.buffer).setUint32(0, message)
    const wire = concat(head, new Uint8Array(MESSAGE_BYTES - NUMBER_BYTES))
    node.process.enter(() => void node.network.publish(NAMESPACE, wire))
  }

  /** Shares, milliseconds and counts, over all messages so far. */
  summary(): {
    readonly delivery: number
    readonly latencyMs: number
    readonly latencyMs95: number
    readonly duplicatesPerDelivery: number
    readonly meshDegree: number
    readonly connections: number
    readonly gossipBytes: number
    readonly wireBytes: number
    readonly frames: number
    readonly trace: string
  } {
    const latencies = this.nodes
      .flatMap(({ heardUs }) => [...heardUs].map(([message, us]) => (us - (this.sentUs.get(message) ?? us)) / 1_000))
      .sort((left, right) => left - right)
    const sum = (of: (node: BareNode) => number): number => this.nodes.reduce((total, node) => total + of(node), 0)
    const mean = (of: (node: BareNode) => number): number => sum(of) / this.nodes.length
    return {
      delivery: latencies.length / (this.sentUs.size * (this.nodes.length - 1)),
      latencyMs: latencies.reduce((total, ms) => total + ms, 0) / latencies.length,
      latencyMs95: latencies[Math.floor(latencies.length * 0.95)] ?? 0,
      duplicatesPerDelivery: sum(({ gossip }) => gossip.duplicates) / sum(({ gossip }) => gossip.delivered),
      meshDegree: mean(({ network }) => Object.values(network.status().topics)[0]?.mesh ?? 0),
      connections: mean(({ network }) =>
        network.status().peers.reduce((total, { connections }) => total + connections.length, 0)
      ),
      gossipBytes: sum(({ traffic }) => traffic.get('/meshsub/1.2.0')?.sentBytes ?? 0),
      wireBytes: this.bytes,
      frames: this.frames,
      trace: this.#hash.copy().digest('hex')
    }
  }

  #handlers(node: BareNode, protocols: NonNullable<NetworkHandlers['protocols']>): NetworkHandlers {
    return {
      protocols,
      connected: (peerId) => void node.connected.add(peerId),
      disconnected: (peerId) => void node.connected.delete(peerId),
      judge: (_namespace, wire) => {
        const message = new DataView(wire.buffer, wire.byteOffset).getUint32(0)
        node.heardUs.set(message, this.time.nowUs)
        return Promise.resolve('accept')
      }
    }
  }

  #sent(what: string, bytes: number): void {
    this.frames += 1
    this.bytes += bytes
    this.#hash.update(`${this.time.nowUs} ${what}\n`)
  }
}
