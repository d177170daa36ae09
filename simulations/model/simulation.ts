import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { CheckpointKeeper } from '../../src/log/checkpoint-file.ts'
import type { Store } from '../../src/log/store.ts'
import type { Network } from '../../src/network/network.ts'
import type { AnchormeshNode } from '../../src/node.ts'
import type { Signer } from '../../src/trust/signer.ts'
import type { Misbehaviour } from './misbehaviour.ts'
import type { ScriptedChains } from '../chains/scripted-chains.ts'
import type { SimulatedNet } from '../network/simulated-net.ts'
import type { ProtocolTraffic } from '../network/traffic.ts'
import type { SeededRandom } from '../ports/seeded-random.ts'
import type { Scenario, Selection } from '../scenario/schema.ts'
import type { VirtualTime } from '../world/virtual-time.ts'

/** What of a node can be seen and done from outside. It outlives crashes; what runs in it does not. */
export interface SimulatedNode {
  readonly index: number
  /** `n0`, `n1`, … */
  readonly name: string
  /** `org-0`, … */
  readonly orgId: string
  readonly signer: Signer
  readonly peerId: string
  /** Of its host in the simulated network. */
  readonly address: string
  readonly state: 'off' | 'starting' | 'running' | 'paused'
  /** The real node, while it runs or is paused. */
  readonly node: AnchormeshNode | null
  /** Whether it plays by the rules, in the whole run; checks ask nothing of one that does not. */
  readonly isHonest: boolean
  /** Its port to the mesh while it runs, for those who send what its node would not. */
  readonly network: Network | null
  /** Events that it found to be such as every node must reject for ever, and why: each once for each code. */
  readonly rejected: readonly Rejection[]
  /** What has gone over its streams, by protocol, since the start of the run; crashes change nothing about it. */
  readonly traffic: ReadonlyMap<string, ProtocolTraffic>
  /** Messages that gossip has brought, those that were there already among them. */
  readonly gossip: { readonly received: number; readonly duplicates: number; readonly delivered: number }
  /** Starts it, on what its disk holds. */
  boot(): Promise<void>
  /** Ends it in order. */
  stop(): Promise<void>
  /** Ends it at once. With its `power` the machine loses what was not synced, and nobody is told. */
  crash(options: { readonly power: boolean }): void
  pause(): void
  resume(): void
  /** Ends it as without power; its disk is empty from now on. */
  loseDisk(): void
  readonly disk: SimulatedDiskControl
  /** From now on, also after a start, the node does this beside its rules; `null`: no more. It is not honest any more. */
  misbehave(how: Misbehaviour | null): void
  /** How wrong the machine's clock is from now on; `null`: as at the start of the run. */
  setClock(error: { readonly skewMs: number; readonly driftPpm: number } | null): void
  /** Runs `use` as a part of its process; rejects where it does not run, or ends meanwhile. */
  ask<Answer>(use: (node: AnchormeshNode) => Promise<Answer>): Promise<Answer>
}

export interface Rejection {
  readonly id: string
  readonly code: string
}

export interface SimulatedDiskControl {
  /** What the node's store holds now, also while it is off, for those who look from outside: reading takes no time. */
  readonly stored: Pick<Store, 'get' | 'getMany' | 'range' | 'snapshot'>
  readonly checkpoint: Pick<CheckpointKeeper, 'read'>
  /** Writes fail from now on, as on a disk without room. */
  setFull(isFull: boolean): void
  /** How long a synced write takes from now on, in milliseconds. */
  setSyncMs(draw: (random: SeededRandom) => number): void
}

/** One run, as faults, workloads, checks and Byzantine peers see it. */
export interface Simulation {
  readonly scenario: Scenario
  readonly seed: string
  readonly time: VirtualTime
  /** When all nodes that are there from the start ran: microseconds. Times of the scenario count from here. */
  readonly startedUs: number
  /** Of the simulation; each part draws from a fork of its own. */
  readonly random: SeededRandom
  readonly net: SimulatedNet<unknown>
  readonly nodes: readonly SimulatedNode[]
  readonly chains: ScriptedChains
  readonly trace: Trace
  /** What was acknowledged and what policy forbids, as the workloads tell. */
  readonly ledger: Ledger
  /** The nodes of a selection; a share is drawn once for each `name`. */
  select(selection: Selection, name: string): readonly SimulatedNode[]
  /** Puts on what happens at a time of the scenario. What it rejects with fails the run as a defect. */
  at(scenarioUs: number, run: () => void | Promise<void>): void
  /** Notes that something is wrong; the run fails, and goes on. */
  fail(failure: Failure): void
}

/** What is wrong, and when. */
export interface Failure {
  /** The name of the check, or `defect`. */
  readonly check: string
  readonly node?: string
  readonly detail: string
}

/** What the nodes owe: checks compare it with what they hold. */
export interface Ledger {
  /** A node has told a workload that its event is safe. */
  acknowledged(node: SimulatedNode, eventId: string, namespace: string): void
  /** No honest node may hold this event at all, or with effect, or hold what it brings to be the winner of a batch. */
  forbidden(eventId: string, rule: string, what?: Forbidden['what']): void
  readonly acknowledgedEvents: ReadonlyMap<
    string,
    { readonly node: string; readonly namespace: string; readonly atUs: number }
  >
  readonly forbiddenEvents: ReadonlyMap<string, Forbidden>
}

/** By default nobody may hold the event; one without effect, or that wins nothing, may be held. */
export interface Forbidden {
  readonly rule: string
  readonly what: 'to-hold' | 'effect' | 'to-win'
}

/** Everything that happened, in order. `fields` are written as they are; times are added. */
export interface Trace {
  record(kind: TraceKind, node: string | null, fields?: JsonObject): void
}

/**
 * `started`: all nodes that are there from the start run. `boot`, `stop`, `crash`, `pause`, `resume`, `lose-disk`: of a
 * node. `connect`, `disconnect`: it has its first, or no more, connection to `peer`. `publish`: a workload's event `id`
 * is acknowledged. `accept`: `id` is safe in the node's log. `winner`: what it found out. `sync`: a session has ended.
 * `fault`, `heal`: what the scenario does. `sample`: what the mesh holds now. `frame`: bytes that a host sends. `fail`:
 * a check. `simulations/TRACE.md` names the fields of each.
 */
export type TraceKind =
  | 'run'
  | 'started'
  | 'boot'
  | 'stop'
  | 'crash'
  | 'pause'
  | 'resume'
  | 'lose-disk'
  | 'connect'
  | 'disconnect'
  | 'publish'
  | 'accept'
  | 'winner'
  | 'sync'
  | 'fault'
  | 'heal'
  | 'sample'
  | 'frame'
  | 'converged'
  | 'fail'

/** Looks whether something that must always hold does. */
export interface Check {
  readonly name: string
  /** At the moment at which an event is safe in a node's log, whoever's: cheap. Asks no node anything. */
  onAccept?(simulation: Simulation, node: SimulatedNode, eventId: string): void
  /** At each sample: cheap. */
  onSample?(simulation: Simulation): void | Promise<void>
  /** At each fold point, and once more before `onEnd`. */
  onFold?(simulation: Simulation): void | Promise<void>
  /** When everything has healed and the time to converge is over. */
  onEnd?(simulation: Simulation): void | Promise<void>
}

/** Makes something happen on the nodes, from the start of the run on. */
export type WorkloadDriver = (simulation: Simulation, options: JsonObject) => void

/** What a module of one's own adds to scenarios: checks run always, workloads by `kind: own` and their name. */
export interface SimulationExtension {
  readonly checks?: readonly Check[]
  readonly workloads?: Readonly<Record<string, WorkloadDriver>>
}
