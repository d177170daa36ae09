import type { Store } from '../log/store.ts'
import type { Clock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'
import type { ReadScope } from '../policy/read-scope.ts'
import type { ProjectionEngine } from '../projections/engine.ts'
import type { Counts } from '../platform/tally.ts'
import type { EndCode, Loss, RefusalCode } from './endings.ts'
import type { SubscriptionLimits } from './limits.ts'
import type { FrameSink } from './sink.ts'
import type { Subscriber } from './subscriber.ts'
import type { RowVisibility } from './view.ts'

export interface SubscriptionPorts {
  readonly engine: ProjectionEngine
  readonly store: Pick<Store, 'snapshot'>
  readonly epoch: string
  readonly clock: Clock
  readonly logger: Logger
  /** The policy in force, by identity: another object is another policy. */
  readonly policy: () => object
  /**
   * What a reader may see now, who could see `scope` when it came. Asked once a second for each subscriber, so it must be
   * quick. Default: the same.
   */
  readonly again?: (scope: ReadScope) => Standing
  /** Default: by namespace. */
  readonly visibility?: RowVisibility
  /** Default `SUBSCRIPTION_LIMITS`. */
  readonly limits?: SubscriptionLimits
}

/** What a reader's credential opens now. */
export type Standing =
  | { readonly ok: true; readonly scope: ReadScope }
  | { readonly ok: false; readonly code: 'TOKEN_EXPIRED' | 'TOKEN_INVALID' }

export interface SubscriptionQuery {
  readonly projection: string
  readonly namespace?: string
  readonly cursor?: string
  readonly scope: ReadScope
  /** Where the reader is, for the bound on connections of one address. */
  readonly address: string
  /** Why its connection lets nobody in any more, or null. Asked once a second. Default: it always does. */
  readonly lost?: () => Loss | null
}

/** What a query for a subscription comes to. */
export type Opening =
  | { readonly ok: true; readonly start: (sink: FrameSink) => Pick<Subscriber, 'gone' | 'end'> }
  | { readonly ok: false; readonly code: 'ACCESS_DENIED' | 'TOO_MANY_SUBSCRIBERS'; readonly detail: string }

/** What metrics show. */
export interface SubscriptionStats {
  readonly subscribers: number
  readonly channels: number
  /** Since the start, each counted for every subscriber that it was handed to. */
  readonly framesSent: number
  readonly opened: number
  /** By code, since the start; of those that the node ended. */
  readonly ended: Counts<EndCode>
  /** By code, since the start; of those that did not begin. */
  readonly refused: Counts<RefusalCode>
}
