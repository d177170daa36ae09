import { decodeCanonical, encodeCanonical } from '../../canonical-json/v1/codec.ts'
import type { JsonObject } from '../../canonical-json/v1/json.ts'
import { isIntegerBetween, isStringLike, shapeProblem } from '../../canonical-json/v1/shape.ts'
import type { Shape } from '../../canonical-json/v1/shape.ts'
import { NAME_PATTERN } from '../../event/v1/announce.ts'
import { utf8 } from '../../primitives/bytes.ts'

/** Largest request in bytes: the longest names and token are 1 KiB. */
export const REQUEST_BYTES_MAX = 4_096
/** Most events of a page that may be asked for. */
export const LIMIT_MAX = 256
/** Longest page token in characters: room for a place, and for a check of it. */
export const TOKEN_CHARACTERS_MAX = 1_024
/** Page tokens mean nothing to who is given them; they travel in URLs as they are. */
export const TOKEN_PATTERN = /^[A-Za-z0-9_-]{1,1024}$/

/** What is asked of a source of packs (SPEC PS-2). */
export type PackRequest = {
  readonly orgId: string
  /** The asker has this organisation's packs up to here; 0 asks for all. */
  readonly afterPackSeq: number
  /** Where the page before ended; of the same source, organisation and `afterPackSeq`. */
  readonly pageToken?: string
  /** Most events that the page may have. */
  readonly limit: number
  /** Asks for the events between packs on their chains, too. */
  readonly links?: true
}

export type PackRequestDecoding =
  | { readonly ok: true; readonly request: PackRequest }
  | { readonly ok: false; readonly code: 'too-big' | 'bad-request'; readonly detail: string }

const REQUEST_SHAPE: Shape = {
  afterPackSeq: { is: (value) => isIntegerBetween(value, 0, Number.MAX_SAFE_INTEGER), expected: 'an integer from 0' },
  limit: { is: (value) => isIntegerBetween(value, 1, LIMIT_MAX), expected: `an integer from 1 to ${LIMIT_MAX}` },
  links: { is: (value) => value === true, expected: 'true', optional: true },
  orgId: { is: (value) => isStringLike(value, NAME_PATTERN), expected: 'an organisation id' },
  pageToken: { is: (value) => isStringLike(value, TOKEN_PATTERN), expected: 'a page token', optional: true }
}

/** Why a value is no request (SPEC PS-2), in words; null when it is one. */
export function requestProblem(request: JsonObject): string | null {
  return shapeProblem(request, REQUEST_SHAPE, 'request')
}

export function encodePackRequest(request: PackRequest): Uint8Array {
  return utf8(encodeCanonical(request))
}

/** Reads a request by SPEC PS-1 and PS-2. */
export function decodePackRequest(bytes: Uint8Array): PackRequestDecoding {
  // [REJECT] PS-1.
  if (bytes.length > REQUEST_BYTES_MAX) return { ok: false, code: 'too-big', detail: `${bytes.length} bytes` }
  const decoded = decodeCanonical(bytes)
  if (!decoded.ok) return { ok: false, code: 'bad-request', detail: `${decoded.code}: ${decoded.detail}` }
  // [REJECT] PS-2.
  const problem = shapeProblem(decoded.value, REQUEST_SHAPE, 'request')
  if (problem !== null) return { ok: false, code: 'bad-request', detail: problem }
  return { ok: true, request: decoded.value as unknown as PackRequest }
}
