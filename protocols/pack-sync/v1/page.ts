import { decodeCanonical, encodeCanonical } from '../../canonical-json/v1/codec.ts'
import { isIntegerBetween, isStringLike, shapeProblem } from '../../canonical-json/v1/shape.ts'
import type { Shape } from '../../canonical-json/v1/shape.ts'
import { EVENT_BYTES_MAX } from '../../event/v1/envelope.ts'
import { fromBase64url, toBase64url, utf8 } from '../../primitives/bytes.ts'
import { LIMIT_MAX, TOKEN_PATTERN } from './request.ts'

/** Largest page in bytes: fifteen of the largest events, or 256 packs of usual size. */
export const PACK_PAGE_BYTES_MAX = 1_048_576

/** A page of an organisation's packs (SPEC PS-5); events as wire bytes. */
export type PackPage = {
  readonly packs: readonly Uint8Array[]
  /** What to ask with for the next page; null after the last. */
  readonly nextPageToken: string | null
  /** The highest number of a pack that the source has of the organisation; 0 without any. */
  readonly headPackSeq: number
  /** The source's clock, milliseconds since 1970. */
  readonly servedAt: number
}

export type PackPageDecoding =
  | { readonly ok: true; readonly page: PackPage }
  | { readonly ok: false; readonly code: 'too-big' | 'bad-page'; readonly detail: string }

const INTEGER = {
  is: (value: Parameters<typeof isIntegerBetween>[0]) => isIntegerBetween(value, 0, Number.MAX_SAFE_INTEGER),
  expected: 'an integer from 0'
}
const PAGE_SHAPE: Shape = {
  headPackSeq: INTEGER,
  nextPageToken: {
    is: (value) => value === null || isStringLike(value, TOKEN_PATTERN),
    expected: 'a page token or null'
  },
  packs: {
    is: (value) => Array.isArray(value) && value.length <= LIMIT_MAX,
    expected: `a list of at most ${LIMIT_MAX}`
  },
  servedAt: INTEGER
}

/** Bytes that an event adds to a page: base64url, quotes and comma. */
export function bytesInPage(wire: Uint8Array): number {
  return Math.ceil((wire.length * 4) / 3) + 3
}

export function encodePackPage({ packs, nextPageToken, headPackSeq, servedAt }: PackPage): Uint8Array {
  return utf8(encodeCanonical({ packs: packs.map(toBase64url), nextPageToken, headPackSeq, servedAt }))
}

/** Reads a page by SPEC PS-4 to PS-6. What its events are worth is not looked at. */
export function decodePackPage(bytes: Uint8Array): PackPageDecoding {
  // [REJECT] PS-4.
  if (bytes.length > PACK_PAGE_BYTES_MAX) return { ok: false, code: 'too-big', detail: `${bytes.length} bytes` }
  const decoded = decodeCanonical(bytes)
  if (!decoded.ok) return badPage(`${decoded.code}: ${decoded.detail}`)
  // [REJECT] PS-5.
  const problem = shapeProblem(decoded.value, PAGE_SHAPE, 'page')
  if (problem !== null) return badPage(problem)
  const { packs, ...rest } = decoded.value as unknown as Omit<PackPage, 'packs'> & { packs: readonly unknown[] }
  const wires: Uint8Array[] = []
  for (const [index, text] of packs.entries()) {
    const wire = typeof text === 'string' ? fromBase64url(text) : null
    if (wire === null || wire.length === 0 || wire.length > EVENT_BYTES_MAX)
      return badPage(`page.packs[${index}]: expected an event in base64url`)
    wires.push(wire)
  }
  // [REJECT] PS-6.
  if (wires.length === 0 && rest.nextPageToken !== null) return badPage('page: a next page after an empty one')
  return { ok: true, page: { ...rest, packs: wires } }
}

function badPage(detail: string): PackPageDecoding {
  return { ok: false, code: 'bad-page', detail }
}
