import type { DecodedEvent } from '../../protocols/event/v1/codec.ts'
import { decodeEvent } from '../../protocols/event/v1/codec.ts'
import type { PackPlace, PackShelf } from './shelf.ts'
import { comparePlaces } from './shelf.ts'
import { isPackEvent } from './walk.ts'

/** A shelf of events at hand, in whatever order; what is no event is passed over. */
export function shelfOfEvents(wires: Iterable<Uint8Array>): PackShelf {
  const events = new Map<string, DecodedEvent>()
  const places = new Map<string, PackPlace[]>()
  for (const wire of wires) {
    const decoding = decodeEvent(wire)
    if (!decoding.ok || events.has(decoding.event.id)) continue
    const { event } = decoding
    events.set(event.id, event)
    const { orgId, packSeq } = event.envelope.body
    if (!isPackEvent(event) || typeof orgId !== 'string' || typeof packSeq !== 'number') continue
    const ofOrganisation = places.get(orgId) ?? []
    ofOrganisation.push({ packSeq, eventId: event.id })
    places.set(orgId, ofOrganisation)
  }
  for (const ofOrganisation of places.values()) ofOrganisation.sort(comparePlaces)
  return {
    places: (orgId) => Promise.resolve(places.get(orgId) ?? null),
    async *events({ eventId }, _places, { links, skip }) {
      const path: DecodedEvent[] = []
      for (let event = events.get(eventId); event !== undefined;) {
        path.push(event)
        const before: DecodedEvent | undefined = events.get(event.envelope.prev ?? '')
        event = links && before !== undefined && !isPackEvent(before) ? before : undefined
      }
      for (const { wire } of path.reverse().slice(skip)) yield wire
    }
  }
}
