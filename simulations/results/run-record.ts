import type { Failure } from '../model/simulation.ts'
import type { ProtocolTraffic } from '../network/traffic.ts'
import type { Scenario, ScenarioFile } from '../scenario/schema.ts'
import type { Column } from './column.ts'
import type { NodeSamples } from './node-samples.ts'

/**
 * What a run hands over when it is over: everything that its files and figures are made from, and nothing of the real
 * time that it took. Times are virtual microseconds since the start of the run, unless a name says otherwise; nodes and
 * events are numbers, by which they stand in their lists.
 */
export interface RunRecord {
  readonly about: RunAbout
  readonly scenario: Scenario
  /** When all nodes that are there from the start ran: zero of the times that scenarios and result files speak of. */
  readonly startedUs: number
  /** When the faults were over. */
  readonly healedUs: number
  readonly endedUs: number
  /** When the checks found that all nodes hold the same; `null`: never. */
  readonly convergedUs: number | null
  /** When after the heal all honest nodes that were on first held all events that any of them held; `null`: never. */
  readonly eventsConvergedUs: number | null
  readonly nodes: readonly RecordedNode[]
  /** Who was connected with whom when the first partition began, or at the end, where there was none. */
  readonly connections: readonly (readonly [number, number])[]
  readonly faults: readonly FaultSpan[]
  readonly events: readonly RecordedEvent[]
  readonly accepts: Accepts
  readonly samples: readonly MeshSample[]
  /** Of each sample the rows of all nodes, in their order. */
  readonly nodeSamples: NodeSamples
  /** Over all nodes, at the end. */
  readonly traffic: ReadonlyMap<string, ProtocolTraffic>
  readonly gossip: { readonly received: number; readonly duplicates: number; readonly delivered: number }
  readonly sync: SyncFigures
  readonly failures: readonly (Failure & { readonly atUs: number })[]
}

/** What makes the same run again, and which program made it. */
export interface RunAbout {
  /** As written. */
  readonly scenario: ScenarioFile
  /** The texts of the files that the scenario names, by the names that it has for them. */
  readonly files: Readonly<Record<string, string>>
  readonly seed: string
  /** Modules of one's own that took part. */
  readonly extensions: readonly ModuleMark[]
  /** Whether the trace holds each frame. */
  readonly traceFrames: boolean
  /** Of Node.js. */
  readonly nodeVersion: string
  /** Of the source, with `-dirty` where it was changed since; `null` where it is not known. */
  readonly commit: string | null
  /** Of the package. */
  readonly version: string
}

/** Which module it is, wherever it lies. */
export interface ModuleMark {
  /** Of its file, without the folder. */
  readonly name: string
  /** SHA-256 of its contents, in hex; what it imports is not in it. */
  readonly sha256: string
}

export interface RecordedNode {
  readonly name: string
  readonly orgId: string
  /** Whether it has played by the rules to the end. */
  readonly isHonest: boolean
  readonly isOnAtEnd: boolean
}

/** Something that the scenario did, from when to when. */
export interface FaultSpan {
  readonly kind: string
  readonly fromUs: number
  /** `null`: it was not undone. */
  readonly untilUs: number | null
  /** Of a partition: who could reach each other. */
  readonly groups: readonly (readonly number[])[]
  /** Of others: the nodes that it was done to. */
  readonly nodes: readonly number[]
}

export interface RecordedEvent {
  readonly id: string
  /** When a workload was told that it is safe; `null` for what came into the mesh in other ways. */
  readonly publishedUs: number | null
  /** When the first node held it. */
  readonly firstUs: number
  /** The node that held it first. */
  readonly origin: number
  /**
   * The nodes that nothing from there could reach then: they were off, or every way was cut; `null` for what was there
   * before the start.
   */
  readonly apart: ReadonlySet<number> | null
}

/** Each time at which an event became safe on a node that did not hold it, in order. */
export interface Accepts {
  readonly event: Column
  readonly node: Column
  readonly atUs: Column
}

/** The mesh at one time. What is said of nodes is said of honest ones that are on. */
export interface MeshSample {
  readonly atUs: number
  readonly online: number
  /** Those that hold all events that any of them holds. */
  readonly whole: number
  /** Events that any of them holds. */
  readonly events: number
  /** Batches of which any of them knows a winner, those of which all know the same, and those of which two differ. */
  readonly batchesDecided: number
  readonly batchesAgreed: number
  readonly batchesDisputed: number
  /** Times so far that the winner of a batch changed on a node that had one. */
  readonly winnerChanges: number
  /** Over all nodes since the start of the run, by protocol, in the order of their names. */
  readonly traffic: readonly (readonly [protocol: string, traffic: ProtocolTraffic])[]
}

/** Sessions of range-sync that have ended, each counted once, at the node that opened it. */
export interface SyncFigures {
  readonly sessions: number
  readonly rounds: number
  /** Events that came by them and were news, on either side. */
  readonly eventsBrought: number
}
