import { BUNDLE_ERROR_CODES } from '../../protocols/bundle/v1/answer.ts'
import { OUTCOME_CODES } from '../events/outcome.ts'
import type { NodeStatus } from '../operations.ts'
import { PROJECTIONS } from '../projections/all.ts'
import { MS_PER_SECOND, counter, gauge } from './definition.ts'
import type { MetricDefinition } from './definition.ts'

type Definition = MetricDefinition<NodeStatus>

const sumOf = <Item>(items: readonly Item[], read: (item: Item) => number): number =>
  items.reduce((sum, item) => sum + read(item), 0)

const NODE: readonly Definition[] = [
  {
    name: 'build_info',
    type: 'gauge',
    help: 'Always 1; the label says which release runs.',
    labels: ['version'],
    samples: ({ version }) => [{ labels: { version }, value: 1 }]
  },
  gauge(
    'start_time_seconds',
    'When the node was started, in seconds since 1970.',
    ({ startedAt }) => startedAt / MS_PER_SECOND
  ),
  gauge('healthy', '1 while nothing keeps the node from its work, else 0.', ({ health }) => Number(health.ok)),
  gauge('warnings', 'What the operator should look at (anchormesh status).', ({ warnings }) => warnings.length)
]

const LOG: readonly Definition[] = [
  gauge('log_records', 'Records of the log: its last position.', ({ log }) => log.logSeq),
  {
    name: 'namespace_events',
    type: 'gauge',
    help: 'Shared events of a carried namespace.',
    labels: ['namespace'],
    samples: ({ namespaces }) => namespaces.map(({ namespace, events }) => ({ labels: { namespace }, value: events }))
  },
  {
    name: 'projection_lag_records',
    type: 'gauge',
    help: 'Records of the log that a projection has not folded yet.',
    labels: ['projection'],
    samples: ({ projections, log }) =>
      PROJECTIONS.map(({ name }) => {
        const state = projections.find((projection) => projection.name === name)
        return { labels: { projection: name }, value: Math.max(0, log.logSeq - (state?.logSeq ?? 0)) }
      })
  },
  {
    name: 'projection_halted',
    type: 'gauge',
    help: '1 where a projection failed and stands still, else 0.',
    labels: ['projection'],
    samples: ({ projections }) =>
      PROJECTIONS.map(({ name }) => {
        const halted = projections.some((projection) => projection.name === name && projection.state === 'halted')
        return { labels: { projection: name }, value: Number(halted) }
      })
  }
]

/** Each with its name in `status` (`outcomeName`). */
const OUTCOMES: readonly { readonly outcome: string; readonly code: string; readonly name: string }[] = [
  ...['accepted', 'duplicate'].map((outcome) => ({ outcome, code: '', name: outcome })),
  ...Object.entries(OUTCOME_CODES).flatMap(([outcome, codes]) =>
    codes.map((code) => ({ outcome, code, name: `${outcome}(${code})` }))
  )
]

const INGEST: readonly Definition[] = [
  {
    name: 'ingest_events_total',
    type: 'counter',
    help: 'Events that came to the ingest door, by what became of them.',
    labels: ['outcome', 'code'],
    samples: ({ ingest }) =>
      OUTCOMES.map(({ outcome, code, name }) => ({ labels: { outcome, code }, value: ingest.outcomes[name] ?? 0 }))
  },
  counter(
    'signatures_verified_total',
    'Signatures of events that were verified.',
    ({ ingest }) => ingest.signaturesVerified
  ),
  gauge('pending_events', 'Events that wait for a key or a predecessor.', ({ ingest }) => ingest.pending.events),
  gauge('pending_bytes', 'Their size.', ({ ingest }) => ingest.pending.bytes)
]

const VERIFICATION: readonly Definition[] = [
  gauge(
    'timestamp_anchors_undecided',
    'Timestamp anchors without a verdict that stands.',
    ({ verification }) => verification.undecided
  ),
  gauge(
    'timestamp_anchors_waiting',
    'Of these, those that wait for another try.',
    ({ verification }) => verification.waiting
  ),
  gauge(
    'timestamp_anchors_checking',
    'Timestamp anchors that are being checked now.',
    ({ verification }) => verification.running
  ),
  gauge(
    'timestamp_anchors_unconfirmed',
    'Verified timestamp anchors that could not be looked at again when their time came.',
    ({ verification }) => verification.unconfirmed
  ),
  gauge(
    'timestamp_providers_failing',
    'Providers of the verifiers whose last answer was a failure.',
    ({ verification }) => verification.providers.filter(({ failure }) => failure !== null).length
  ),
  gauge('anchorings_under_way', 'Evidence that this node is making.', ({ anchoring }) => anchoring.underWay),
  gauge('anchorings_failed', 'Evidence that could not be made.', ({ anchoring }) => anchoring.failed),
  gauge('receipts_queued', 'Receipts that wait to be sealed by schedule.', ({ anchoring }) =>
    sumOf(anchoring.sealing, ({ receipts }) => receipts)
  )
]

const RECEIPTS: readonly Definition[] = [
  gauge(
    'receipts_missing',
    'Receipts of other organisations that this node may have and has not.',
    ({ receipts }) => receipts.missing
  ),
  gauge(
    'receipts_missing_oldest_seconds',
    'For how long the oldest of them has been missing.',
    ({ receipts }) => (receipts.oldestMs ?? 0) / MS_PER_SECOND
  ),
  {
    name: 'bundle_requests_total',
    type: 'counter',
    help: 'Requests for receipts that were answered: page, or the code of the error.',
    labels: ['answer'],
    samples: ({ receipts }) =>
      ['page', ...BUNDLE_ERROR_CODES].map((answer) => ({ labels: { answer }, value: receipts.served[answer] ?? 0 }))
  }
]

const AUDIT: readonly Definition[] = [
  gauge('audit_records', 'Audit records that are kept.', ({ audit }) => audit?.records ?? 0),
  gauge('audit_queue', 'Audit records that wait to be written.', ({ audit }) => audit?.queue ?? 0),
  counter('audit_lost_total', 'Audit records whose detail was lost.', ({ audit }) => audit?.lost ?? 0),
  gauge(
    'audit_syslog_behind',
    'Audit records that the collector has not got yet.',
    ({ audit }) => audit?.syslog?.behind ?? 0
  ),
  counter(
    'audit_syslog_missed_total',
    'Audit records that the collector never gets, because they were dropped or damaged before.',
    ({ audit }) => audit?.syslog?.missed ?? 0
  ),
  gauge('audit_syslog_failing', '1 while the collector does not take what is sent, else 0.', ({ audit }) =>
    Number(audit?.syslog?.state === 'waiting')
  )
]

const MESH: readonly Definition[] = [
  gauge('peers_known', 'Peers that policy names.', ({ network }) => network?.peers.length ?? 0),
  gauge(
    'peers_connected',
    'Of these, those that are connected.',
    ({ network }) => (network?.peers ?? []).filter(({ connected }) => connected).length
  ),
  counter('connections_refused_total', 'Connections of strangers.', ({ network }) => network?.refusedConnections ?? 0),
  ...(
    [
      ['judged', 'Messages of gossip that were judged.'],
      ['dropped', 'Messages of gossip that were not judged, because the queue was full.'],
      ['late', 'Messages of gossip that were judged too late to be passed on.'],
      ['published', 'Events that were handed to gossip.']
    ] as const
  ).map(([what, help]) =>
    counter<NodeStatus>(`gossip_${what}_total`, help, ({ network }) => network?.gossip[what] ?? 0)
  ),
  {
    name: 'gossip_mesh_peers',
    type: 'gauge',
    help: 'Peers in the gossip mesh of a carried namespace.',
    labels: ['namespace'],
    samples: ({ namespaces, network }) =>
      namespaces.map(({ namespace }) => ({ labels: { namespace }, value: network?.topics[namespace]?.mesh ?? 0 }))
  }
]

const SYNC: readonly Definition[] = [
  gauge('sync_sessions_running', 'Sync sessions that are open.', ({ sync }) =>
    sumOf(sync, ({ isRunning }) => Number(isRunning))
  ),
  ...(
    [
      ['sessions', 'sync_sessions_total', 'Sync sessions, whoever opened them.'],
      ['rounds', 'sync_rounds_total', 'Rounds of all sync sessions.'],
      ['bytes', 'sync_bytes_total', 'Bytes that sync sessions carried, both ways.'],
      ['sent', 'sync_events_sent_total', 'Events that were sent in sync sessions.'],
      ['received', 'sync_events_received_total', 'Events that came in sync sessions and were new.'],
      ['duplicate', 'sync_events_duplicate_total', 'Events that came in sync sessions though they were here.']
    ] as const
  ).map(([figure, name, help]) =>
    counter<NodeStatus>(name, help, ({ sync }) => sumOf(sync, ({ total }) => total[figure]))
  )
]

/** What is read off the status of a node, in the order of the exposition. */
export const STATUS_METRICS: readonly Definition[] = [
  ...NODE,
  ...LOG,
  ...INGEST,
  ...VERIFICATION,
  ...RECEIPTS,
  ...AUDIT,
  ...MESH,
  ...SYNC
]
