import type { EventsPage } from '../api/answers.ts'
import { malformedAnswer } from './errors.ts'

/** The filters that name a column which rows and events have under the same name. */
const EQUAL = ['namespace', 'batchId', 'signer', 'type', 'owner', 'batchRoot'] as const

/**
 * Throws `ANSWER_MALFORMED` where something was not asked for: a column that a filter names has another value. Rows
 * without such a column are for the node to choose.
 */
export function requireFit(
  shown: readonly object[],
  filters: { readonly [Name in (typeof EQUAL)[number]]?: string | undefined }
): void {
  for (const name of EQUAL) {
    const asked = filters[name]
    if (asked === undefined) continue
    for (const one of shown) {
      const value = (one as Readonly<Record<string, unknown>>)[name]
      if (typeof value === 'string' && value !== asked)
        throw malformedAnswer(`asked for the ${name} ${asked}, got ${value}`)
    }
  }
}

/** Throws `ANSWER_MALFORMED` for a page of events that goes back, or of which the next one would not go on. */
export function requireProgress({ events, next }: EventsPage, after: number): void {
  let last = after
  for (const { logSeq } of events) {
    if (logSeq <= last) throw malformedAnswer(`position ${logSeq} does not come after ${last}`)
    last = logSeq
  }
  if (next !== null && (next <= after || next < last)) throw malformedAnswer(`a page ends at ${last} and says ${next}`)
}
