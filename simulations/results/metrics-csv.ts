import type { CsvValue } from './csv.ts'
import { csvLine } from './csv.ts'
import { NODE_STATES } from './node-samples.ts'
import type { NodeSamples } from './node-samples.ts'
import type { MeshSample, RecordedNode, RunRecord } from './run-record.ts'

interface Row {
  readonly seed: string
  readonly timeS: number
  readonly sample: MeshSample
}

interface NodeRow extends Row {
  readonly node: RecordedNode
  readonly samples: NodeSamples
  /** In the columns of `samples`. */
  readonly place: number
}

/** A column of a CSV file, and what stands in it. */
export interface CsvColumn<OfRow> {
  readonly name: string
  readonly about: string
  readonly value: (row: OfRow) => CsvValue
}

const sampled = (name: string, of: keyof NodeSamples, about: string): CsvColumn<NodeRow> => ({
  name,
  about,
  value: ({ samples, place }) => samples[of].at(place)
})

const TIME: readonly CsvColumn<Row>[] = [
  { name: 'seed', about: 'seed of the run', value: ({ seed }) => seed },
  {
    name: 'time_s',
    about: 'virtual seconds since all nodes ran that are there from the start',
    value: ({ timeS }) => timeS
  }
]

/** `metrics.csv`: a row for each sample and node. What counts something counts from the start of the run. */
export const METRICS_COLUMNS: readonly CsvColumn<NodeRow>[] = [
  ...TIME,
  { name: 'node', about: 'name of the node', value: ({ node }) => node.name },
  { name: 'organisation', about: 'its organisation', value: ({ node }) => node.orgId },
  { name: 'honest', about: '1: it plays by the rules, 0: not', value: ({ node }) => Number(node.isHonest) },
  {
    name: 'state',
    about: NODE_STATES.map((state) => `\`${state}\``).join(', '),
    value: ({ samples, place }) => NODE_STATES[samples.state.at(place)] ?? null
  },
  sampled('connected_peers', 'connections', 'nodes that it is connected with'),
  sampled('events_held', 'eventsHeld', 'events that are safe in its log'),
  {
    name: 'events_in_mesh',
    about: 'events that any honest node which is on holds: equal to `events_held` on one that has all',
    value: ({ sample }) => sample.events
  },
  sampled('batches_with_winner', 'winners', 'batches of which it knows a winner'),
  sampled('bytes_sent', 'bytesSent', 'bytes that it sent on streams'),
  sampled('bytes_received', 'bytesReceived', 'bytes that came on its streams'),
  sampled('messages_sent', 'messagesSent', 'messages that it sent on streams'),
  sampled('messages_received', 'messagesReceived', 'messages that came on its streams'),
  sampled('gossip_messages_received', 'gossipReceived', 'messages that gossip brought'),
  sampled('gossip_messages_duplicate', 'gossipDuplicates', 'those of them that had come before'),
  sampled('gossip_messages_delivered', 'gossipDelivered', 'those of them that were handed to the node'),
  sampled('sync_sessions', 'syncSessions', 'sessions of range-sync that it opened and that ended'),
  sampled('sync_rounds', 'syncRounds', 'rounds of those sessions')
]

interface ProtocolRow extends Row {
  readonly protocol: string
  readonly traffic: MeshSample['traffic'][number][1]
}

/** `protocols.csv`: a row for each sample and protocol, summed over all nodes, from the start of the run. */
export const PROTOCOL_COLUMNS: readonly CsvColumn<ProtocolRow>[] = [
  ...TIME,
  { name: 'protocol', about: 'name of the protocol of libp2p', value: ({ protocol }) => protocol },
  { name: 'bytes_sent', about: 'bytes sent on its streams', value: ({ traffic }) => traffic.sentBytes },
  { name: 'messages_sent', about: 'messages sent', value: ({ traffic }) => traffic.sentMessages },
  { name: 'bytes_received', about: 'bytes received', value: ({ traffic }) => traffic.receivedBytes },
  { name: 'messages_received', about: 'messages received', value: ({ traffic }) => traffic.receivedMessages }
]

/** The lines of `metrics.csv`, the header first. */
export function* metricsLines(record: RunRecord): Generator<string> {
  const { nodes, nodeSamples: samples } = record
  yield csvLine(METRICS_COLUMNS.map(({ name }) => name))
  let place = 0
  for (const sample of record.samples) {
    const row = rowOf(record, sample)
    for (const node of nodes) {
      yield csvLine(METRICS_COLUMNS.map(({ value }) => value({ ...row, node, samples, place })))
      place += 1
    }
  }
}

/** The lines of `protocols.csv`, the header first. */
export function* protocolLines(record: RunRecord): Generator<string> {
  yield csvLine(PROTOCOL_COLUMNS.map(({ name }) => name))
  for (const sample of record.samples) {
    const row = rowOf(record, sample)
    for (const [protocol, traffic] of sample.traffic)
      yield csvLine(PROTOCOL_COLUMNS.map(({ value }) => value({ ...row, protocol, traffic })))
  }
}

function rowOf({ about, startedUs }: RunRecord, sample: MeshSample): Row {
  return { seed: about.seed, timeS: (sample.atUs - startedUs) / 1_000_000, sample }
}
