import type { Outcome } from '../events/outcome.ts'
import { outcomeName } from '../events/outcome.ts'
import type { CountingTrail } from '../platform/audit.ts'
import { NO_AUDIT } from '../platform/audit.ts'
import { BoundedMap } from '../platform/bounded-map.ts'
import type { Clock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'
import type { EventSource } from './source.ts'

// Twenty lines of a kind show what happens; a peer that floods would otherwise fill the disk with log lines.
const LINES_PER_MINUTE = 20
const MINUTE_MS = 60_000
// A peer has a line budget for each outcome; 4,096 pairs are a few hundred KiB.
const BUDGETS_MAX = 4_096

interface OutcomeBookPorts {
  readonly clock: Clock
  readonly logger: Logger
  readonly audit?: CountingTrail
}

/** Counts every outcome by name, logs those that a person may want to see, and has refusals audited. */
export class OutcomeBook {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #audit: CountingTrail
  readonly #counts = new Map<string, number>()
  readonly #budgets = new BoundedMap<string, { minute: number; lines: number }>(BUDGETS_MAX)

  constructor({ clock, logger, audit = NO_AUDIT }: OutcomeBookPorts) {
    this.#clock = clock
    this.#logger = logger
    this.#audit = audit
  }

  counts(): Record<string, number> {
    return Object.fromEntries([...this.#counts].sort(([left], [right]) => (left < right ? -1 : 1)))
  }

  note(outcome: Outcome, source: EventSource): void {
    const name = outcomeName(outcome)
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1)
    const { via, peer } = source
    if (!('code' in outcome)) {
      this.#logger.debug({ outcome: name, id: outcome.id, logSeq: outcome.logSeq, via, peer }, 'event')
      return
    }
    if (outcome.outcome !== 'pending') this.#auditRefusal(outcome.code, source)
    const lines = this.#lines(`${peer ?? via} ${name}`)
    const isOver = lines > LINES_PER_MINUTE
    // At debug every event has its line. Garbage is none, and a peer can send more of it than disks hold.
    if (isOver && (outcome.outcome !== 'rejected' || outcome.id === null)) return
    const fields = {
      outcome: name,
      id: outcome.id,
      detail: outcome.detail,
      via,
      peer,
      ...(lines === LINES_PER_MINUTE ? { more: 'not logged this minute' } : {})
    }
    if (isOver) this.#logger.debug(fields, 'event rejected')
    else if (outcome.outcome === 'rejected') this.#logger.warn(fields, 'event rejected')
    else this.#logger.info(fields, `event ${outcome.outcome}`)
  }

  #auditRefusal(code: string, { via, peer }: EventSource): void {
    const actor = peer ?? (via === 'own' ? 'node' : 'operator')
    this.#audit.count({ action: 'EVENTS_REFUSED', actor, subject: via, outcome: 'refused', code })
  }

  #lines(key: string): number {
    const minute = Math.floor(this.#clock.monotonicMs() / MINUTE_MS)
    const known = this.#budgets.get(key)
    const lines = known?.minute === minute ? known.lines + 1 : 1
    this.#budgets.set(key, { minute, lines })
    return lines
  }
}
