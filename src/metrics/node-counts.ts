import type { AccessCounts } from '../access/reader-access.ts'
import type { AnchoringCounts } from '../anchoring/anchoring.ts'
import type { SecurityCounts } from '../audit/counted-trail.ts'
import type { DeliveryCounts } from '../deliveries/deliveries.ts'
import type { FindingsOutcomes } from '../findings/outcomes.ts'
import type { PackSyncCounts } from '../pack-sync/outcomes.ts'
import type { SubscriptionStats } from '../subscriptions/ports.ts'
import type { SessionEnds } from '../sync/session-book.ts'
import type { CheckpointCounts } from '../transparency/publisher.ts'
import type { VerificationCounts } from '../verification/verification.ts'

/** What the parts of a node count, and its status does not show: too much for a person, and what alarms are made of. */
export interface NodeCounts {
  readonly subscriptions: SubscriptionStats
  readonly deliveries: DeliveryCounts
  readonly findings: FindingsOutcomes
  /** Tokens and tickets that opened nothing. */
  readonly access: AccessCounts
  readonly security: SecurityCounts
  readonly verification: VerificationCounts
  readonly anchoring: AnchoringCounts
  readonly packSync: PackSyncCounts
  readonly syncEnds: SessionEnds
  readonly checkpoint: CheckpointStanding
  readonly stores: { readonly log: StoreRoom; readonly blobs: StoreRoom }
}

/** The newest checkpoint of this node's log. */
export interface CheckpointStanding {
  readonly attempts: CheckpointCounts
  /** When it was signed, milliseconds since 1970; 0 where there is none. */
  readonly signedAt: number
  /** Records that the log holds behind it. */
  readonly lag: number
}

export interface StoreRoom {
  readonly bytes: number
  /** Where the store stands; `Infinity` in memory. */
  readonly freeBytes: number
}
