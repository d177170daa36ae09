import type { EventLog } from '../log/event-log.ts'
import type { Store } from '../log/store.ts'
import type { Clock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'

/** What the projections of a node stand on. */
export interface EnginePorts {
  readonly log: EventLog
  readonly store: Store
  readonly clock: Clock
  readonly logger: Logger
}
