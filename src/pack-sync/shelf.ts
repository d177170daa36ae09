import { isIntegerBetween, isStringLike, shapeProblem } from '../../protocols/canonical-json/v1/shape.ts'
import type { Shape } from '../../protocols/canonical-json/v1/shape.ts'
import { decodeCanonical, encodeCanonical } from '../../protocols/canonical-json/v1/codec.ts'
import { HASH_PATTERN } from '../../protocols/event/v1/envelope.ts'
import { PACK_PAGE_BYTES_MAX, bytesInPage, encodePackPage } from '../../protocols/pack-sync/v1/page.ts'
import type { PackRequest } from '../../protocols/pack-sync/v1/request.ts'
import { TOKEN_CHARACTERS_MAX } from '../../protocols/pack-sync/v1/request.ts'
import { fromBase64url, toBase64url, utf8 } from '../../protocols/primitives/bytes.ts'
import type { Clock } from '../platform/clock.ts'
import type { PullAnswer } from './transport.ts'

// What stands on a page beside its events.
const PAGE_FRAME_BYTES = 2_048

/** Where a pack stands among its organisation's: two of one number are a fork, and told apart by the event. */
export interface PackPlace {
  readonly packSeq: number
  readonly eventId: string
}

/** Packs as they are kept, as a port: what pages are made of. */
export interface PackShelf {
  /** The places of an organisation's packs in ascending order; null where nothing is known of it. */
  places(orgId: string): Promise<readonly PackPlace[] | null>
  /**
   * The events of one of `places`, the pack last: before it, with `links`, those of its chain since the pack of an
   * earlier place. Without the first `skip` of them.
   */
  events(
    place: PackPlace,
    places: readonly PackPlace[],
    options: { readonly links: boolean; readonly skip: number }
  ): AsyncIterable<Uint8Array>
}

/** Where a page ended: at a place, of which `sent` events were given; only for the request that it was given to. */
type Token = {
  readonly o: string
  readonly a: number
  readonly l: boolean
  readonly n: number
  readonly e: string
  readonly s: number
}

const INDEX = {
  is: (value: Parameters<typeof isIntegerBetween>[0]) => isIntegerBetween(value, 0, Number.MAX_SAFE_INTEGER),
  expected: 'an integer'
}
const TOKEN_SHAPE: Shape = {
  a: INDEX,
  e: { is: (value) => isStringLike(value, HASH_PATTERN), expected: 'an event id' },
  l: { is: (value) => typeof value === 'boolean', expected: 'true or false' },
  n: INDEX,
  o: { is: (value) => typeof value === 'string', expected: 'an organisation id' },
  s: INDEX
}

/** Makes the page that a request asks for (protocols/pack-sync/v1). */
export async function servePage(shelf: PackShelf, request: PackRequest, clock: Clock): Promise<PullAnswer> {
  const { orgId, afterPackSeq, limit, links = false, pageToken } = request
  const token = pageToken === undefined ? null : readToken(pageToken)
  // [REJECT] PS-3.
  const isOther = token !== null && (token.o !== orgId || token.a !== afterPackSeq || token.l !== links)
  if (isOther || (pageToken !== undefined && token === null))
    return { ok: false, reason: 'refused', code: 'bad-token', detail: 'this token belongs to no such request' }
  const places = await shelf.places(orgId)
  if (places === null)
    return { ok: false, reason: 'refused', code: 'unknown-organisation', detail: `nothing is known of ${orgId}` }
  const from = token === null ? null : { packSeq: token.n, eventId: token.e }
  const wanted = places.filter((place) => place.packSeq > afterPackSeq && (from === null || !isBefore(place, from)))
  const packs: Uint8Array[] = []
  let bytes = PAGE_FRAME_BYTES
  let next: Token | null = null
  for (const place of wanted) {
    const skip = token !== null && place.eventId === token.e ? token.s : 0
    let sent = skip
    for await (const wire of shelf.events(place, places, { links, skip })) {
      bytes += bytesInPage(wire)
      if (packs.length === limit || (packs.length > 0 && bytes > PACK_PAGE_BYTES_MAX)) {
        next = { o: orgId, a: afterPackSeq, l: links, n: place.packSeq, e: place.eventId, s: sent }
        break
      }
      packs.push(wire)
      sent += 1
    }
    if (next !== null) break
  }
  const headPackSeq = places.at(-1)?.packSeq ?? 0
  const nextPageToken = next === null ? null : toBase64url(utf8(encodeCanonical(next)))
  return { ok: true, page: encodePackPage({ packs, nextPageToken, headPackSeq, servedAt: clock.now() }) }
}

/** The order of places (PS-7). */
export function comparePlaces(left: PackPlace, right: PackPlace): number {
  if (left.packSeq !== right.packSeq) return left.packSeq - right.packSeq
  return left.eventId < right.eventId ? -1 : Number(left.eventId > right.eventId)
}

function isBefore(place: PackPlace, other: PackPlace): boolean {
  return comparePlaces(place, other) < 0
}

function readToken(text: string): Token | null {
  const bytes = text.length > TOKEN_CHARACTERS_MAX ? null : fromBase64url(text)
  if (bytes === null) return null
  const decoded = decodeCanonical(bytes)
  if (!decoded.ok || shapeProblem(decoded.value, TOKEN_SHAPE, 'token') !== null) return null
  return decoded.value as unknown as Token
}
