import { NO_BODY_REFUSALS } from '../partners/body-refusals.ts'
import type { Counts } from '../platform/tally.ts'
import { Tally } from '../platform/tally.ts'
import type { FindingsCode } from './codes.ts'

/** What comes for tenants. */
export type FindingsKind = 'telemetry' | 'feedback'

/** What became of it; `failed`: neither taken nor refused, as when the disk is full. */
export type FindingsOutcome = 'taken' | 'failed' | FindingsCode

/** What came since the start, by kind and outcome. */
export type FindingsOutcomes = Readonly<Record<FindingsKind, Counts<FindingsOutcome>>>

const NO_OUTCOMES: Counts<FindingsOutcome> = {
  ...NO_BODY_REFUSALS,
  taken: 0,
  failed: 0,
  WRONG_AUDIENCE: 0,
  TIMESTAMP_SKEW: 0,
  REPLAY: 0,
  OVERLOADED: 0,
  NODE_UNKNOWN: 0,
  MAPPING_VIOLATION: 0,
  ATTESTATION_DENIED: 0,
  FINDING_EXISTS: 0,
  FINDING_UNKNOWN: 0
}

/** Counts what comes for tenants. */
export class FindingsBook {
  readonly #kinds = { telemetry: new Tally(NO_OUTCOMES), feedback: new Tally(NO_OUTCOMES) }

  add(kind: FindingsKind, outcome: FindingsOutcome): void {
    this.#kinds[kind].add(outcome)
  }

  get outcomes(): FindingsOutcomes {
    const { telemetry, feedback } = this.#kinds
    return { telemetry: telemetry.counts, feedback: feedback.counts }
  }

  /** For people: what was taken of each kind, and the refusals of both together, without what never happened. */
  get summary(): Readonly<Record<string, number>> {
    const summary = new Map<string, number>()
    for (const [kind, counts] of Object.entries(this.outcomes)) {
      for (const [outcome, count] of Object.entries(counts)) {
        const name = outcome === 'taken' ? kind : outcome
        if (count > 0) summary.set(name, (summary.get(name) ?? 0) + count)
      }
    }
    return Object.fromEntries(summary)
  }
}
