import { MS_PER_SECOND, counter, countersBy, countersByBoth, gauge } from './definition.ts'
import type { MetricDefinition } from './definition.ts'
import type { NodeCounts, StoreRoom } from './node-counts.ts'

type Definition = MetricDefinition<NodeCounts>

const SUBSCRIPTIONS: readonly Definition[] = [
  gauge('subscribers', 'Subscriptions that are open.', ({ subscriptions }) => subscriptions.subscribers),
  gauge('subscription_channels', 'Sets of rows that somebody follows.', ({ subscriptions }) => subscriptions.channels),
  counter(
    'subscription_frames_sent_total',
    'Frames, each counted for every subscriber that it was handed to.',
    ({ subscriptions }) => subscriptions.framesSent
  ),
  counter('subscriptions_opened_total', 'Subscriptions that began.', ({ subscriptions }) => subscriptions.opened),
  countersBy(
    'subscriptions_ended_total',
    'Subscriptions that the node ended, by the code that it gave; INTERNAL also for stores that could not be read.',
    'code',
    ({ subscriptions }) => subscriptions.ended
  ),
  countersBy(
    'subscriptions_refused_total',
    'Subscriptions that did not begin, by the code that refused them.',
    'code',
    ({ subscriptions }) => subscriptions.refused
  )
]

const PARTNERS: readonly Definition[] = [
  countersBy(
    'challenges_total',
    'Requests for a challenge token: taken, the code that refused them, or failed.',
    'outcome',
    ({ deliveries }) => deliveries.challenges
  ),
  countersBy(
    'deliveries_total',
    'Deliveries: taken, the code that refused them, or failed (the disk, the signer).',
    'outcome',
    ({ deliveries }) => deliveries.deliveries
  ),
  countersBy(
    'telemetry_total',
    'Reports of agents: taken, the code that refused them, or failed.',
    'outcome',
    ({ findings }) => findings.telemetry
  ),
  countersBy(
    'feedback_total',
    'Feedback on findings: taken, the code that refused it, or failed.',
    'outcome',
    ({ findings }) => findings.feedback
  ),
  countersByBoth(
    'credentials_refused_total',
    'Tokens and tickets that were shown and opened nothing.',
    ['credential', 'code'],
    ({ access }) => ({ ...access })
  ),
  countersBy(
    'security_events_total',
    'Audited security events, each by itself, also those that share a record.',
    'action',
    ({ security }) => security
  )
]

const EVIDENCE: readonly Definition[] = [
  countersByBoth(
    'timestamp_checks_total',
    'Checks of timestamp anchors in the background or by verify-online, by what the verifier answered.',
    ['rail', 'result'],
    ({ verification }) => verification.checks
  ),
  gauge(
    'timestamp_checks_queued',
    'Timestamp anchors whose turn has come and that are not being checked yet.',
    ({ verification }) => verification.queued
  ),
  gauge(
    'timestamp_anchors_undecided_oldest_seconds',
    'For how long the oldest timestamp anchor without a verdict that stands has been in hand.',
    ({ verification }) => verification.oldestMs / MS_PER_SECOND
  ),
  countersByBoth(
    'anchorings_total',
    'Evidence that this node makes: announced; retried, for each step that failed; failed, when it is given up.',
    ['rail', 'outcome'],
    ({ anchoring }) => anchoring
  )
]

const EXCHANGE: readonly Definition[] = [
  countersByBoth(
    'sync_sessions_ended_total',
    'Sync sessions by who opened them (initiator: this node) and how they ended.',
    ['role', 'end'],
    ({ syncEnds }) => syncEnds
  ),
  countersByBoth(
    'pack_syncs_total',
    'Packs beside the mesh: pulls of an organisation from a source and pushes to a target.',
    ['direction', 'outcome'],
    ({ packSync }) => ({ ...packSync })
  )
]

const CHECKPOINT: readonly Definition[] = [
  countersBy(
    'checkpoint_attempts_total',
    'Attempts to publish a checkpoint: published, not-due (the log has not grown), or held (tried again soon).',
    'outcome',
    ({ checkpoint }) => checkpoint.attempts
  ),
  gauge(
    'checkpoint_timestamp_seconds',
    'When the newest checkpoint of this log was signed, in seconds since 1970; 0 where there is none.',
    ({ checkpoint }) => checkpoint.signedAt / MS_PER_SECOND
  ),
  gauge(
    'checkpoint_lag_records',
    'Records of the log behind its newest checkpoint.',
    ({ checkpoint }) => checkpoint.lag
  )
]

const perStore = (name: string, help: string, read: (room: StoreRoom) => number): Definition => ({
  name,
  type: 'gauge',
  help,
  labels: ['store'],
  samples: ({ stores }) => Object.entries(stores).map(([store, room]) => ({ labels: { store }, value: read(room) }))
})

const STORES: readonly Definition[] = [
  perStore('store_bytes', 'Size of a store on disk.', ({ bytes }) => bytes),
  perStore('store_free_bytes', 'Free bytes where a store stands.', ({ freeBytes }) => freeBytes)
]

/** What is read off the counts of a node's parts, in the order of the exposition. */
export const COUNT_METRICS: readonly Definition[] = [
  ...STORES,
  ...SUBSCRIPTIONS,
  ...PARTNERS,
  ...EVIDENCE,
  ...EXCHANGE,
  ...CHECKPOINT
]
