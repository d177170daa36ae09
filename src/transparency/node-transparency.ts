import type { AuthoredEvent, Author } from '../authoring/author.ts'
import type { EventLog } from '../log/event-log.ts'
import type { Store } from '../log/store.ts'
import type { AuditTrail } from '../platform/audit.ts'
import type { Clock } from '../platform/clock.ts'
import { messageOf } from '../platform/errors.ts'
import type { Logger } from '../platform/logger.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { ProjectionEngine } from '../projections/engine.ts'
import type { Keyring } from '../trust/keyring.ts'
import type { Signer } from '../trust/signer.ts'
import { AlarmWatch } from './alarm-watch.ts'
import { LogProofs } from './log-proofs.ts'
import { lastCheckpoint } from './kept-checkpoints.ts'
import { CheckpointPublisher } from './publisher.ts'
import type { CheckpointCounts } from './publisher.ts'

export interface TransparencyPorts {
  readonly engine: ProjectionEngine
  readonly log: EventLog
  readonly store: Store
  readonly keyring: Keyring
  readonly author: Author
  readonly publish: (event: AuthoredEvent) => Promise<unknown>
  readonly policy: () => PolicyView
  readonly signer: () => Signer
  readonly audit: AuditTrail
  readonly clock: Clock
  readonly logger: Logger
  /** Time between two checkpoints, in milliseconds; without it none is published. */
  readonly checkpointMs: () => number | undefined
  readonly holdsDraft: () => boolean
}

/** What metrics show of the checkpoints of this node's own log. */
export interface CheckpointFigures {
  readonly attempts: CheckpointCounts
  /** The newest that is folded: when it was signed (ms since 1970), and how many records it speaks of. `null`: none. */
  readonly newest: { readonly ts: number; readonly size: number } | null
}

/** The log of a running node as a transparency log: proofs on demand, checkpoints for others, alarms about theirs. */
export class NodeTransparency {
  readonly proofs: LogProofs
  readonly #ports: TransparencyPorts
  readonly #alarms: AlarmWatch
  readonly #publisher: CheckpointPublisher

  constructor(ports: TransparencyPorts) {
    this.#ports = ports
    this.proofs = new LogProofs(ports)
    this.#alarms = new AlarmWatch(ports)
    this.#publisher = new CheckpointPublisher(ports)
  }

  /** Builds the tree of a store that has none in the background; nothing waits for it but who asks for a proof. */
  start(): void {
    const { log, logger } = this.#ports
    log.tree.ready().catch((error: unknown) => {
      if (!log.closed) logger.warn({ reason: messageOf(error) }, 'the tree over the log could not be built yet')
    })
    this.#alarms.start()
    this.#publisher.start()
  }

  /** To be told when the settings may be others. */
  settingsChanged(): void {
    this.#publisher.settingsChanged()
  }

  async stop(): Promise<void> {
    await this.#publisher.stop()
    await this.#alarms.stop()
  }

  async figures(): Promise<CheckpointFigures> {
    const { did, kid } = this.#ports.signer()
    const newest = await lastCheckpoint(this.#ports, { signer: did, kid })
    return { attempts: this.#publisher.counts, newest: newest === null ? null : { ts: newest.ts, size: newest.size } }
  }

  async warnings(): Promise<readonly string[]> {
    return await this.#alarms.warnings()
  }
}
