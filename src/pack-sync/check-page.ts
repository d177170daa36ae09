import type { DecodedEvent } from '../../protocols/event/v1/codec.ts'
import { decodeEvent } from '../../protocols/event/v1/codec.ts'
import { decodePackPage } from '../../protocols/pack-sync/v1/page.ts'
import type { PackRequest } from '../../protocols/pack-sync/v1/request.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import { TRUST_NAMESPACE } from '../policy/names.ts'
import type { PackPlace } from './shelf.ts'
import { comparePlaces } from './shelf.ts'
import type { WalkCode } from './walk.ts'
import { isPackEvent } from './walk.ts'

/** As many pages as a row may have (PS-10): a quarter of a million events. */
export const PAGES_MAX = 4_096

/** What only a source that lies, or is broken, gives. */
export type PageCode = 'PACK_PAGE_INVALID' | 'PACK_TOKEN_LOOP' | 'PACK_PAGES_ENDLESS'

/** What an event on a page is: a pack, or one that stands between packs on their chain. */
export interface PageEvent {
  readonly event: DecodedEvent
  readonly isPack: boolean
}

/** A page whose form is right. */
export interface CheckedPage {
  readonly events: readonly PageEvent[]
  readonly nextPageToken: string | null
  readonly headPackSeq: number
  readonly servedAt: number
}

export type PageCheck =
  | { readonly ok: true; readonly page: CheckedPage }
  | { readonly ok: false; readonly code: PageCode | WalkCode; readonly detail: string }

/** Looks at the pages of one row, as they come, before anybody asks what their packs are worth. */
export class PageRow {
  readonly #request: Omit<PackRequest, 'pageToken'>
  /** Hashes of the tokens so far; at most `PAGES_MAX`. */
  readonly #tokens = new Set<string>()
  #pages = 0
  #last: PackPlace | null = null

  constructor(request: Omit<PackRequest, 'pageToken'>) {
    this.#request = request
  }

  /** The highest number of a pack that came; 0 before the first. */
  get highest(): number {
    return this.#last?.packSeq ?? 0
  }

  check(bytes: Uint8Array): PageCheck {
    this.#pages += 1
    // [REJECT] PS-10.
    if (this.#pages > PAGES_MAX)
      return { ok: false, code: 'PACK_PAGES_ENDLESS', detail: `more than ${PAGES_MAX} pages` }
    // [REJECT] PS-4 to PS-6.
    const decoding = decodePackPage(bytes)
    if (!decoding.ok) return wrong(decoding.detail)
    const { packs, nextPageToken, headPackSeq, servedAt } = decoding.page
    const { limit } = this.#request
    if (packs.length > limit) return wrong(`${packs.length} events where ${limit} were asked for`)
    // [REJECT] PS-10.
    if (nextPageToken !== null) {
      const name = sha256Hex(nextPageToken)
      if (this.#tokens.has(name))
        return { ok: false, code: 'PACK_TOKEN_LOOP', detail: 'it gave a page token a second time' }
      this.#tokens.add(name)
    }
    const events: PageEvent[] = []
    for (const wire of packs) {
      const read = this.#read(wire)
      if ('code' in read) return { ok: false, ...read }
      events.push(read)
    }
    if (this.highest > headPackSeq) return wrong(`pack ${this.highest} of a source that says it has ${headPackSeq}`)
    return { ok: true, page: { events, nextPageToken, headPackSeq, servedAt } }
  }

  /** [REJECT] PS-7. */
  #read(wire: Uint8Array): PageEvent | { readonly code: PageCode | WalkCode; readonly detail: string } {
    const { orgId, afterPackSeq, links = false } = this.#request
    const bad = (detail: string): { readonly code: PageCode; readonly detail: string } => {
      return { code: 'PACK_PAGE_INVALID', detail }
    }
    const decoding = decodeEvent(wire)
    if (!decoding.ok) return bad(`${decoding.code}: ${decoding.detail}`)
    const { event } = decoding
    if (event.envelope.namespace !== TRUST_NAMESPACE) return bad(`an event of ${event.envelope.namespace}`)
    if (!isPackEvent(event)) return links ? { event, isPack: false } : bad('an event that is no pack')
    const { packSeq, orgId: of } = event.envelope.body
    if (of !== orgId) return { code: 'PACK_SIGNER_FOREIGN', detail: `a pack of another organisation than ${orgId}` }
    if (typeof packSeq !== 'number') return { code: 'BODY_INVALID', detail: 'a pack without a number' }
    if (packSeq <= afterPackSeq) return bad(`pack ${packSeq}, where those after ${afterPackSeq} were asked for`)
    const place = { packSeq, eventId: event.id }
    if (this.#last !== null && comparePlaces(place, this.#last) <= 0)
      return bad(`pack ${packSeq} after pack ${this.#last.packSeq}`)
    this.#last = place
    return { event, isPack: true }
  }
}

function wrong(detail: string): PageCheck {
  return { ok: false, code: 'PACK_PAGE_INVALID', detail }
}
