import type { AuditAction, AuditEntry, AuditTrail, CountingTrail } from '../platform/audit.ts'
import type { Counts } from '../platform/tally.ts'
import { Tally } from '../platform/tally.ts'
import type { Clock } from '../platform/clock.ts'
import { COUNTED_PER_MINUTE_MAX } from './limits.ts'

const MINUTE_MS = 60_000
/** The actor of what is not told apart any more. */
const OTHERS = 'others'

/** What an operator wants to hear of at once; whatever else is audited can be read up. */
const NO_SECURITY_EVENTS = {
  ACCESS_REFUSED: 0,
  REQUEST_SIGNATURE_REFUSED: 0,
  REQUEST_MAPPING_REFUSED: 0,
  REQUEST_REPLAYED: 0,
  LOG_CHECKPOINT_ALARM: 0
} as const satisfies Partial<Counts<AuditAction>>
type SecurityAction = keyof typeof NO_SECURITY_EVENTS

/** Security events since the start, by action: each by itself, also those that share a record. */
export type SecurityCounts = Counts<SecurityAction>

interface Counted {
  readonly entry: AuditEntry
  count: number
}

/**
 * Makes one record of what is alike within a minute. When a minute has brought too many that differ, the further ones
 * are counted by action, outcome and code alone, for the actor `others`: somebody who can make up peers can't fill the
 * disk.
 */
export class CountedTrail implements CountingTrail {
  readonly #trail: AuditTrail
  readonly #clock: Clock
  readonly #counted = new Map<string, Counted>()
  readonly #security = new Tally<SecurityAction>(NO_SECURITY_EVENTS)
  #cancel: (() => void) | null = null

  constructor(trail: AuditTrail, clock: Clock) {
    this.#trail = trail
    this.#clock = clock
  }

  get security(): SecurityCounts {
    return this.#security.counts
  }

  record(entry: AuditEntry): void {
    this.#note(entry)
    this.#trail.record(entry)
  }

  count(entry: AuditEntry): void {
    this.#note(entry)
    this.#gather(entry)
  }

  #note({ action }: AuditEntry): void {
    if (isOfSecurity(action)) this.#security.add(action)
  }

  #gather(entry: AuditEntry): void {
    const known = this.#counted.get(keyOf(entry))
    if (known !== undefined) {
      known.count += 1
      return
    }
    if (this.#counted.size < COUNTED_PER_MINUTE_MAX || entry.actor === OTHERS) {
      this.#counted.set(keyOf(entry), { entry, count: 1 })
      // A minute from the first, so that an idle node has nothing to do.
      this.#cancel ??= this.#clock.after(MINUTE_MS, () => this.writeCounts())
      return
    }
    const { action, outcome, code } = entry
    this.#gather({ action, outcome, code, actor: OTHERS, subject: OTHERS })
  }

  async flushed(): Promise<void> {
    await this.#trail.flushed()
  }

  /** Records what was counted, before the minute is over. */
  writeCounts(): void {
    this.#cancel?.()
    this.#cancel = null
    for (const { entry, count } of this.#counted.values())
      this.#trail.record({ ...entry, detail: { count, ...entry.detail } })
    this.#counted.clear()
  }
}

function isOfSecurity(action: AuditAction): action is SecurityAction {
  return Object.hasOwn(NO_SECURITY_EVENTS, action)
}

function keyOf({ action, actor, subject, outcome, code }: AuditEntry): string {
  return JSON.stringify([action, actor, subject, outcome, code])
}
