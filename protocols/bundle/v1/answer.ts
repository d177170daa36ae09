import { decodeCanonical, encodeCanonical } from '../../canonical-json/v1/codec.ts'
import { shapeProblem } from '../../canonical-json/v1/shape.ts'
import type { Shape } from '../../canonical-json/v1/shape.ts'
import { concat, utf8 } from '../../primitives/bytes.ts'
import { PAGE_BYTES_MAX } from './page.ts'

/** Codes of errors (SPEC BU-19). */
export const BUNDLE_ERROR_CODES = [
  'bad-request',
  'too-big',
  'wrong-audience',
  'denied',
  'skew',
  'bad-signature',
  'unknown-key',
  'replay',
  'not-held',
  'busy'
] as const
export type BundleErrorCode = (typeof BUNDLE_ERROR_CODES)[number]

/** Longest text for people in an error. */
export const ERROR_DETAIL_CHARACTERS_MAX = 256
const ERROR_BYTES_MAX = 4_096
/** Largest answer in bytes: a page, and the octet that says that it is one. */
export const ANSWER_BYTES_MAX = PAGE_BYTES_MAX + 1

const PAGE_OCTET = 0x01
const ERROR_OCTET = 0x02

/** What a server answers: a page's wire bytes, or why there is none. */
export type BundleAnswer =
  | { readonly ok: true; readonly page: Uint8Array }
  | { readonly ok: false; readonly code: BundleErrorCode; readonly detail: string }

const ERROR_SHAPE: Shape = {
  code: {
    is: (value) => (BUNDLE_ERROR_CODES as readonly unknown[]).includes(value),
    expected: 'a code'
  },
  detail: {
    is: (value) => typeof value === 'string' && value.length <= ERROR_DETAIL_CHARACTERS_MAX,
    expected: 'a short text'
  }
}

/** The payload of the server's frame. Details that are too long are cut. */
export function encodeAnswer(answer: BundleAnswer): Uint8Array {
  if (answer.ok) return concat(Uint8Array.of(PAGE_OCTET), answer.page)
  const detail = answer.detail.slice(0, ERROR_DETAIL_CHARACTERS_MAX).toWellFormed()
  return concat(Uint8Array.of(ERROR_OCTET), utf8(encodeCanonical({ code: answer.code, detail })))
}

/** Reads the payload of the server's frame; null for what is neither a page nor an error by SPEC BU-19. */
export function decodeAnswer(payload: Uint8Array): BundleAnswer | null {
  if (payload[0] === PAGE_OCTET) return { ok: true, page: payload.subarray(1) }
  if (payload[0] !== ERROR_OCTET || payload.length > ERROR_BYTES_MAX) return null
  const decoded = decodeCanonical(payload.subarray(1))
  if (!decoded.ok || shapeProblem(decoded.value, ERROR_SHAPE, 'error') !== null) return null
  const { code, detail } = decoded.value as { code: BundleErrorCode; detail: string }
  return { ok: false, code, detail }
}
