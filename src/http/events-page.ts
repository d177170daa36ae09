import type { EventsPage } from '../api/answers.ts'
import type { EventsQuery, LoggedEvent, Operations } from '../operations.ts'
import { EVENTS_LOOKED_AT_MAX, PAGE_EVENT_BYTES_MAX, PAGE_LENGTH_DEFAULT } from './limits.ts'

/**
 * A page of events. It ends at its length, or before that when it has grown large or has passed over many records that
 * the filter or `mayBeSeen` keeps out. Both are applied here, because only who sees every record can count them.
 */
export async function eventsPage(
  operations: Pick<Operations, 'events'>,
  query: EventsQuery,
  mayBeSeen: (event: LoggedEvent) => boolean = () => true
): Promise<EventsPage> {
  const { limit = PAGE_LENGTH_DEFAULT, after = 0 } = query
  const events: LoggedEvent[] = []
  let bytes = 0
  let looked = 0
  let last = after
  for await (const event of operations.events({ scope: 'all', after, limit: EVENTS_LOOKED_AT_MAX + 1 })) {
    if (looked === EVENTS_LOOKED_AT_MAX) return { events, next: last }
    looked += 1
    if (passes(event, query) && mayBeSeen(event)) {
      // One more than the page holds shows that there is a next one.
      if (events.length === limit || bytes > PAGE_EVENT_BYTES_MAX) return { events, next: last }
      events.push(event)
      bytes += event.bytes.length
    }
    last = event.logSeq
  }
  return { events, next: null }
}

/** Local records have neither namespace nor signer, so a filter by one keeps them out. */
function passes(logged: LoggedEvent, { scope = 'shared', ...filter }: EventsQuery): boolean {
  const fits = (member: 'namespace' | 'signer' | 'type'): boolean =>
    filter[member] === undefined || filter[member] === logged.event[member]
  return (scope === 'all' || scope === logged.scope) && fits('namespace') && fits('signer') && fits('type')
}
