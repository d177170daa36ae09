import type { Libp2pNode, NodeParts } from '../../src/network/libp2p/libp2p-node.ts'
import type { KnownPeer, Network } from '../../src/network/network.ts'
import { createNode } from '../../src/node.ts'
import type { AnchormeshNode, NodeConfig, NodePorts } from '../../src/node.ts'
import { AnchormeshError } from '../../src/platform/errors.ts'
import type { Logger } from '../../src/platform/logger.ts'
import type { SignatureVerifiers } from '../../src/platform/signature-verifiers.ts'
import { memorySignerRegistry } from '../../src/trust/memory-signer-registry.ts'
import type { SignerRegistry } from '../../src/trust/signer-registry.ts'
import type { Signer } from '../../src/trust/signer.ts'
import { tamperedNetwork } from '../byzantine/tampered-network.ts'
import type { ScriptedChains } from '../chains/scripted-chains.ts'
import type { SimulatedDisk } from '../disk/simulated-disk.ts'
import type { SimulatedHost } from '../network/simulated-host.ts'
import type { SeededRandom } from '../ports/seeded-random.ts'
import type { Misbehaviour } from '../model/misbehaviour.ts'
import type { Rejection, SimulatedNode, Trace } from '../model/simulation.ts'
import type { ProtocolTraffic } from '../network/traffic.ts'
import type { Scenario } from '../scenario/schema.ts'
import type { ClockError, MachineClock } from '../world/machine-clock.ts'
import { SimulatedProcess } from '../world/simulated-process.ts'
import type { VirtualTime } from '../world/virtual-time.ts'
import type { CastMember } from './cast.ts'
import { meshPort } from './mesh-port.ts'
import { nodeClock } from './node-clock.ts'
import { Rejections } from './noting-rejections.ts'
import type { Roster } from './roster.ts'

// What watches over a process starts it again after a second, as systemd does when told to.
const RESTART_AFTER_US = 1_000_000
// How long an operator tries what can not be done just now.
const INSIST_EVERY_US = 1_000_000
const INSIST_TRIES_MAX = 3_600

/** Where the host of a node stands, and where it counts what it sees. */
export interface HostPlace {
  readonly host: SimulatedHost<unknown>
  readonly process: SimulatedProcess
  readonly traffic: Map<string, ProtocolTraffic>
  readonly gossip: { received: number; duplicates: number; delivered: number }
}

/** Puts libp2p, or what stands for it, on the simulated network. */
export type CreateHost = (parts: NodeParts, place: HostPlace) => Promise<Libp2pNode>

/** What all machines of a run have in common. */
export interface MachineWorld {
  readonly time: VirtualTime
  readonly scenario: Pick<Scenario, 'node' | 'ablate'>
  readonly chains: ScriptedChains
  readonly trace: Trace
  readonly createHost: CreateHost
  readonly signatureVerifiers: SignatureVerifiers
  readonly logger: Logger
  /** A node threw what nobody caught. */
  readonly onDefect: (node: string, error: unknown) => void
}

/** What one machine is made of. */
export interface MachineParts {
  readonly member: CastMember
  readonly host: SimulatedHost<unknown>
  readonly disk: SimulatedDisk
  readonly clock: MachineClock
  /** Those that it can dial, and those that can dial it. */
  readonly neighbours: readonly { readonly member: CastMember; readonly isDialled: boolean }[]
  readonly roster: Roster
  readonly random: SeededRandom
}

/** What runs on the machine now. */
interface Running {
  readonly process: SimulatedProcess
  /** Rejects with `ProcessEnded` once nothing more will come of it. */
  readonly ended: Set<(reason: ProcessEnded) => void>
  /** What its policy was made of; `null` where it is to be made anew. */
  roster: Roster | null
  network: Network | null
  node: AnchormeshNode | null
  hasStarted: boolean
}

/** The process that was asked runs no more. */
export class ProcessEnded extends Error {
  constructor(name: string) {
    super(`${name} does not run`)
    this.name = 'ProcessEnded'
  }
}

/** A machine with its disk and its clock, and the real node on it. */
export class SimulatedMachine implements SimulatedNode {
  readonly index: number
  readonly name: string
  readonly orgId: string
  readonly signer: Signer
  readonly peerId: string
  readonly address: string
  readonly disk: SimulatedDisk
  readonly traffic = new Map<string, ProtocolTraffic>()
  readonly gossip = { received: 0, duplicates: 0, delivered: 0 }
  readonly #rejections = new Rejections()
  readonly #world: MachineWorld
  readonly #parts: MachineParts
  /** As a file beside the store: it survives crashes. */
  readonly #registry: SignerRegistry
  #roster: Roster
  #running: Running | null = null
  #boots = 0
  #misbehaviour: Misbehaviour | null = null
  #isHonest = true

  constructor(world: MachineWorld, parts: MachineParts) {
    const { member, disk, roster, random } = parts
    this.index = member.index
    this.name = member.name
    this.orgId = member.orgId
    this.signer = member.signer
    this.peerId = member.peerId
    this.address = member.address
    this.disk = disk
    this.#world = world
    this.#parts = parts
    this.#roster = roster
    this.#registry = memorySignerRegistry(member.signer, random.fork('keys'))
  }

  get state(): SimulatedNode['state'] {
    if (this.#running === null) return 'off'
    if (this.#running.process.state === 'paused') return 'paused'
    return this.#running.hasStarted ? 'running' : 'starting'
  }

  get node(): AnchormeshNode | null {
    return this.#running?.hasStarted === true ? this.#running.node : null
  }

  get network(): Network | null {
    return this.#running?.hasStarted === true ? this.#running.network : null
  }

  get rejected(): readonly Rejection[] {
    return this.#rejections.all
  }

  get isHonest(): boolean {
    return this.#isHonest
  }

  /** Resolves when the node runs, or has ended before that. */
  async boot(): Promise<void> {
    if (this.#running !== null) throw new Error(`${this.name} is not off`)
    const { time, onDefect } = this.#world
    const { host, clock, random } = this.#parts
    this.#boots += 1
    const onProcessDefect = (error: unknown): void => {
      onDefect(this.name, error)
      this.crash({ power: false })
    }
    const process = new SimulatedProcess(this.name, random.fork(`boot ${this.#boots}`), {
      clock,
      onDefect: onProcessDefect
    })
    const running: Running = {
      process,
      ended: new Set(),
      roster: this.#roster,
      network: null,
      node: null,
      hasStarted: false
    }
    this.#running = running
    host.boot(process)
    try {
      await this.#untilEnd(running, () => this.#start(running))
      running.hasStarted = true
      this.#world.trace.record('boot', this.name)
      await this.#goByRoster()
    } catch (error) {
      if (error instanceof ProcessEnded) return
      this.#halt({ power: false })
      if (!(error instanceof AnchormeshError) || error.code !== 'STORE_FULL') return onDefect(this.name, error)
      const again = Promise.withResolvers<void>()
      time.afterUs(RESTART_AFTER_US, null, again.resolve)
      await again.promise
      if (this.state === 'off') await this.boot()
    }
  }

  async #start(running: Running): Promise<void> {
    const { process } = running
    const { time, chains, signatureVerifiers } = this.#world
    const logger = this.#rejections.notedBy(this.#world.logger)
    const clock = nodeClock(time, process)
    const config = await this.#config()
    const network = this.#network(running, config, { clock, logger })
    running.network = network
    running.node = await createNode(config, {
      ...this.disk.open(process),
      clock,
      random: process.random,
      logger,
      network,
      verifiers: chains.verifiersOf(this.name),
      anchorers: chains.anchorersOf(this.name),
      signers: this.#registry,
      configuration: {
        next: async () => ({ reload: { config: await this.#config() }, changes: [], commit: () => {} })
      },
      signatureVerifiers
    })
    await running.node.start()
  }

  /** Ends it in order. */
  async stop(): Promise<void> {
    const running = this.#running
    if (running === null) return
    try {
      await this.#untilEnd(running, async () => await running.node?.close())
    } catch (error) {
      if (error instanceof ProcessEnded) return
      this.#world.onDefect(this.name, error)
    }
    this.#halt({ power: false })
    this.#world.trace.record('stop', this.name)
  }

  crash(options: { readonly power: boolean }): void {
    if (this.#running === null) return
    this.#halt(options)
    this.#world.trace.record('crash', this.name, { power: options.power })
  }

  #halt(options: { readonly power: boolean }): void {
    const running = this.#running
    this.#running = null
    this.#parts.host.halt(options)
    running?.process.kill()
    this.disk.crash(options)
    for (const end of running?.ended ?? []) end(new ProcessEnded(this.name))
  }

  pause(): void {
    if (this.#running?.process.state !== 'running') return
    this.#running.process.pause()
    this.#world.trace.record('pause', this.name)
  }

  resume(): void {
    if (this.#running?.process.state !== 'paused') return
    this.#world.time.resume(this.#running.process)
    this.#world.trace.record('resume', this.name)
  }

  loseDisk(): void {
    this.crash({ power: true })
    this.disk.lose()
    this.#world.trace.record('lose-disk', this.name)
  }

  misbehave(how: Misbehaviour | null): void {
    this.#isHonest = false
    this.#misbehaviour = how
  }

  setClock(error: ClockError | null): void {
    this.#parts.clock.set(this.#world.time.nowUs, error ?? this.#parts.clock.ownError)
  }

  async ask<Answer>(use: (node: AnchormeshNode) => Promise<Answer>): Promise<Answer> {
    const { node } = this
    if (this.#running === null || node === null) throw new ProcessEnded(this.name)
    return await this.#untilEnd(this.#running, () => use(node))
  }

  /** Asks as operators do: where it is off, or can not just now, again a second later. Rejects after an hour. */
  async insist<Answer>(use: (node: AnchormeshNode) => Promise<Answer>): Promise<Answer> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.ask(use)
      } catch (error) {
        const isOver = tries >= INSIST_TRIES_MAX
        if (isOver || !(error instanceof ProcessEnded || error instanceof AnchormeshError)) throw error
      }
      const again = Promise.withResolvers<void>()
      this.#world.time.afterUs(INSIST_EVERY_US, null, again.resolve)
      await again.promise
    }
  }

  /** From now on its policy names these too; where it runs and can, it goes by that at once. */
  async admit(members: readonly CastMember[]): Promise<void> {
    this.#roster = members.reduce((roster, member) => roster.with(member), this.#roster)
    await this.#goByRoster()
  }

  /** One that is starting does so once it runs, and one that can not just now tries again. */
  async #goByRoster(): Promise<void> {
    const running = this.#running
    if (running === null || !running.hasStarted || running.roster === this.#roster) return
    running.roster = this.#roster
    const config = await this.#config()
    try {
      await this.ask(async (node) => await node.reload({ config, network: { knownPeers: this.#knownPeers() } }))
    } catch (error) {
      // It does at its next start.
      if (error instanceof ProcessEnded) return
      if (!(error instanceof AnchormeshError)) throw error
      running.roster = null
      const { time, onDefect } = this.#world
      const again = (): void =>
        void this.#goByRoster().catch((defect: unknown) => {
          onDefect(this.name, defect)
        })
      time.afterUs(INSIST_EVERY_US, null, again)
    }
  }

  /** Runs `work` in the process, once that does not stand still; rejects with `ProcessEnded` where it ends before. */
  async #untilEnd<Result>({ process, ended }: Running, work: () => Promise<Result>): Promise<Result> {
    const { promise, resolve, reject } = Promise.withResolvers<Result>()
    ended.add(reject)
    process.happens(() => {
      work().then(resolve, reject)
    })
    try {
      return await promise
    } finally {
      ended.delete(reject)
    }
  }

  async #config(): Promise<NodeConfig> {
    const { node } = this.#world.scenario
    const { keys, signing } = await this.#registry.held()
    const signer = (await this.#registry.signer(signing)) ?? this.signer
    const formerKeys = keys.filter(({ kid }) => kid !== signing).map(({ kid, publicKey }) => ({ kid, publicKey }))
    return {
      policy: this.#roster.policyOf(this.#parts.member, signer, formerKeys),
      signer,
      version: 'simulation',
      futureSkewMs: node.futureSkew / 1_000,
      syncIntervalMs: node.syncInterval / 1_000,
      ...(node.checkpoint === undefined ? {} : { checkpointMs: node.checkpoint / 1_000 })
    }
  }

  #network(running: Running, { policy }: NodeConfig, { clock, logger }: Pick<NodePorts, 'clock' | 'logger'>): Network {
    const { process } = running
    const { createHost, scenario, trace } = this.#world
    const { member, host, neighbours } = this.#parts
    const { traffic, gossip, name } = this
    const met = (kind: 'connect' | 'disconnect', peerId: string): void => {
      const peer = neighbours.find((other) => other.member.peerId === peerId)
      trace.record(kind, name, { peer: peer?.member.name ?? peerId })
    }
    const port = meshPort({
      member,
      namespaces: ['_trust', ...Object.keys(policy.namespaces).sort()],
      knownPeers: this.#knownPeers(),
      ablation: scenario.ablate,
      createHost: async (parts) => await createHost(parts, { host, process, traffic, gossip }),
      clock,
      random: process.random,
      logger,
      connected: (peerId) => met('connect', peerId),
      disconnected: (peerId) => met('disconnect', peerId)
    })
    return tamperedNetwork(port, () => this.#misbehaviour)
  }

  /** Those who can meet, as far as this node has been told of them. */
  #knownPeers(): readonly KnownPeer[] {
    const known = new Set(this.#roster.members)
    return this.#parts.neighbours
      .filter(({ member }) => known.has(member))
      .map(({ member: { signer, peerId, multiaddr }, isDialled }) => ({
        did: signer.did,
        peerId,
        addresses: isDialled ? [multiaddr] : []
      }))
  }
}
