import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import type { Figures } from './figures.ts'
import type { MeshSample, ModuleMark, RunRecord } from './run-record.ts'
import { spreadOf } from './spread.ts'
import type { Spread } from './spread.ts'
import { quantile, quantiles } from './statistics.ts'
import type { TraceEnd } from './trace-writer.ts'
import { sumOf } from './traffic.ts'

/** Equal steps of the distributions in a summary: percentiles. */
export const DISTRIBUTION_STEPS = 100

/**
 * `summary.json` of one run. Times ending in `_s` are virtual seconds; those of series, faults and failures count from
 * when all nodes ran.
 */
export type RunSummary = {
  readonly v: 1
  readonly kind: 'run'
  readonly scenario: string
  readonly asks: string
  readonly level: 'full' | 'gossip'
  readonly seed: string
  readonly versions: { readonly anchormesh: string; readonly commit: string | null; readonly node: string }
  /** As it was run. */
  readonly configuration: JsonObject
  /** SHA-256, in hex, of the files that the scenario names, by the names that it has for them. */
  readonly files: Readonly<Record<string, string>>
  /** Modules of one's own that took part. */
  readonly extensions: readonly ModuleMark[]
  readonly trace: TraceEnd & JsonObject
  /** From the start of all nodes until the faults were over, and until the run was. */
  readonly heal_s: number
  readonly end_s: number
  readonly figures: Figures
  /** Percentiles 0 to 100 in seconds; empty where there is nothing. */
  readonly distributions: {
    readonly propagation_s: readonly number[]
    readonly coverage_s: readonly number[]
    readonly healing_s: readonly number[]
  }
  /** One value for each sample. */
  readonly series: Series
  readonly protocols: readonly ProtocolTotals[]
  readonly topology: Topology
  readonly faults: readonly FaultTimes[]
  readonly failures: readonly FailureAtTime[]
}

export type Series = {
  readonly time_s: readonly number[]
  readonly online_nodes: readonly number[]
  readonly converged_nodes_ratio: readonly number[]
  readonly events: readonly number[]
  readonly batches_decided: readonly number[]
  readonly batches_agreed: readonly number[]
  readonly batches_disputed: readonly number[]
  readonly winner_changes: readonly number[]
  readonly bytes_sent: readonly number[]
  readonly messages_sent: readonly number[]
}

export type ProtocolTotals = {
  readonly protocol: string
  readonly bytes_sent: number
  readonly messages_sent: number
  readonly bytes_received: number
  readonly messages_received: number
}

/** Nodes are named by their place in `nodes`. */
export type Topology = {
  readonly nodes: readonly { readonly name: string; readonly organisation: string; readonly honest: boolean }[]
  readonly connections: readonly (readonly [number, number])[]
}

export type FaultTimes = {
  readonly fault: string
  readonly from_s: number
  readonly until_s: number | null
  readonly groups: readonly (readonly number[])[]
  readonly nodes: readonly number[]
}

export type FailureAtTime = {
  readonly check: string
  readonly node: string | null
  readonly detail: string
  readonly time_s: number
}

export function summarise(record: RunRecord, trace: TraceEnd): RunSummary {
  const { about, scenario, startedUs } = record
  const spread = spreadOf(record)
  const sinceStart = (us: number): number => seconds(us - startedUs)
  return {
    v: 1,
    kind: 'run',
    scenario: scenario.name,
    asks: scenario.asks,
    level: scenario.level,
    seed: about.seed,
    versions: { anchormesh: about.version, commit: about.commit, node: about.nodeVersion },
    configuration: about.scenario as JsonObject,
    files: hashesOf(about.files),
    extensions: about.extensions,
    trace: { ...trace },
    heal_s: sinceStart(record.healedUs),
    end_s: sinceStart(record.endedUs),
    figures: figuresOf(record, spread),
    distributions: {
      propagation_s: percentiles(spread.propagationUs),
      coverage_s: percentiles(spread.coverageUs),
      healing_s: percentiles(spread.healingUs.filter((us) => us !== null))
    },
    series: seriesOf(record.samples, sinceStart),
    protocols: [...record.traffic].map(([protocol, traffic]) => ({
      protocol,
      bytes_sent: traffic.sentBytes,
      messages_sent: traffic.sentMessages,
      bytes_received: traffic.receivedBytes,
      messages_received: traffic.receivedMessages
    })),
    topology: {
      nodes: record.nodes.map(({ name, orgId, isHonest }) => ({ name, organisation: orgId, honest: isHonest })),
      connections: record.connections
    },
    faults: record.faults.map(({ kind, fromUs, untilUs, groups, nodes }) => ({
      fault: kind,
      from_s: sinceStart(fromUs),
      until_s: untilUs === null ? null : sinceStart(untilUs),
      groups,
      nodes
    })),
    failures: record.failures.map(({ check, node = null, detail, atUs }) => ({
      check,
      node,
      detail,
      time_s: sinceStart(atUs)
    }))
  }
}

/** What of texts stands in a summary, by their names. */
export function hashesOf(files: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(files).map(([name, text]) => [name, sha256Hex(text)]))
}

function figuresOf(record: RunRecord, spread: Spread): Figures {
  const { healedUs, gossip, sync } = record
  const afterHeal = (us: number | null): number | null => (us === null ? null : seconds(Math.max(0, us - healedUs)))
  const propagation = ascending(spread.propagationUs)
  const catchUp = ascending(spread.catchUpUs)
  const coverage = ascending(spread.coverageUs)
  const healing = ascending(spread.healingUs.filter((us) => us !== null))
  const sent = sumOf([...record.traffic.values()])
  const accepted = acceptedByHonest(record)
  const last = record.samples.at(-1)
  return {
    convergence_s: afterHeal(record.convergedUs),
    events_convergence_s: afterHeal(record.eventsConvergedUs),
    propagation_p50_s: secondsAt(propagation, 0.5),
    propagation_p90_s: secondsAt(propagation, 0.9),
    propagation_p99_s: secondsAt(propagation, 0.99),
    catch_up_p50_s: secondsAt(catchUp, 0.5),
    catch_up_p99_s: secondsAt(catchUp, 0.99),
    coverage_p50_s: secondsAt(coverage, 0.5),
    coverage_p99_s: secondsAt(coverage, 0.99),
    healing_p50_s: secondsAt(healing, 0.5),
    healing_max_s: secondsAt(healing, 1),
    healed_nodes_ratio: ratio(healing.length, spread.healingUs.length),
    delivery_ratio: ratio(spread.delivered, spread.pairs),
    duplicates_per_delivery: ratio(gossip.duplicates, gossip.delivered),
    events_published: record.events.filter(({ publishedUs }) => publishedUs !== null).length,
    events_accepted: accepted,
    bytes_sent: sent.sentBytes,
    messages_sent: sent.sentMessages,
    bytes_sent_per_accepted_event: ratio(sent.sentBytes, accepted),
    sync_sessions: sync.sessions,
    sync_rounds: sync.rounds,
    sync_events: sync.eventsBrought,
    batches_agreed: last?.batchesAgreed ?? 0,
    batches_disputed: last?.batchesDisputed ?? 0,
    winner_changes: last?.winnerChanges ?? 0,
    failures: record.failures.length
  }
}

function acceptedByHonest({ accepts, nodes }: RunRecord): number {
  let count = 0
  for (let place = 0; place < accepts.node.length; place += 1)
    if (nodes[accepts.node.at(place)]?.isHonest === true) count += 1
  return count
}

function seriesOf(samples: readonly MeshSample[], sinceStart: (us: number) => number): Series {
  const sent = samples.map(({ traffic }) => sumOf(traffic.map(([, ofProtocol]) => ofProtocol)))
  return {
    time_s: samples.map(({ atUs }) => sinceStart(atUs)),
    online_nodes: samples.map(({ online }) => online),
    converged_nodes_ratio: samples.map(({ whole, online }) => ratio(whole, online) ?? 0),
    events: samples.map(({ events }) => events),
    batches_decided: samples.map(({ batchesDecided }) => batchesDecided),
    batches_agreed: samples.map(({ batchesAgreed }) => batchesAgreed),
    batches_disputed: samples.map(({ batchesDisputed }) => batchesDisputed),
    winner_changes: samples.map(({ winnerChanges }) => winnerChanges),
    bytes_sent: sent.map(({ sentBytes }) => sentBytes),
    messages_sent: sent.map(({ sentMessages }) => sentMessages)
  }
}

const ascending = (values: readonly number[]): Float64Array => Float64Array.from(values).sort()
const seconds = (us: number): number => us / 1_000_000
const ratio = (part: number, whole: number): number | null => (whole === 0 ? null : part / whole)

function secondsAt(us: Float64Array, share: number): number | null {
  const found = quantile(us, share)
  return found === null ? null : seconds(Math.round(found))
}

function percentiles(us: readonly number[]): number[] {
  return quantiles(us, DISTRIBUTION_STEPS).map((value) => seconds(Math.round(value)))
}
