import { decodeCanonical, encodeCanonical } from '../../canonical-json/v1/codec.ts'
import { isStringLike, shapeProblem } from '../../canonical-json/v1/shape.ts'
import type { Shape } from '../../canonical-json/v1/shape.ts'
import { concat, utf8 } from '../../primitives/bytes.ts'
import { PACK_PAGE_BYTES_MAX } from './page.ts'

/** Codes of errors (SPEC PS-14). */
export const PACK_ERROR_CODES = [
  'bad-request',
  'too-big',
  'bad-token',
  'unknown-organisation',
  'denied',
  'busy'
] as const
export type PackErrorCode = (typeof PACK_ERROR_CODES)[number]

/** What became of an event that was pushed. */
export const PUSH_OUTCOMES = ['accepted', 'duplicate', 'pending', 'ignored', 'rejected'] as const

/** SPEC PS-13; `code` is empty where the outcome says all. */
export type PushOutcome = {
  readonly outcome: (typeof PUSH_OUTCOMES)[number]
  readonly code: string
  readonly detail: string
}

/** What the asker's one frame on a stream is (SPEC PS-11). */
export type PackMessage =
  { readonly kind: 'pull'; readonly request: Uint8Array } | { readonly kind: 'push'; readonly wire: Uint8Array }

/** What a source answers. */
export type PackAnswer =
  | { readonly kind: 'page'; readonly page: Uint8Array }
  | { readonly kind: 'outcome'; readonly outcome: PushOutcome }
  | { readonly kind: 'error'; readonly code: PackErrorCode; readonly detail: string }

/** Longest text for people. */
export const DETAIL_CHARACTERS_MAX = 256
const TEXT_BYTES_MAX = 4_096
/** Largest frame of the asker in bytes: an event, and the octet that says so. */
export const MESSAGE_BYTES_MAX = 49_153
/** Largest frame of the source in bytes: a page, and its octet. */
export const PACK_ANSWER_BYTES_MAX = PACK_PAGE_BYTES_MAX + 1

const PULL = 0x01
const PUSH = 0x02
const PAGE = 0x01
const ERROR = 0x02
const OUTCOME = 0x03

const DETAIL = {
  is: (value: unknown) => typeof value === 'string' && value.length <= DETAIL_CHARACTERS_MAX,
  expected: 'a short text'
}
const ERROR_SHAPE: Shape = {
  code: { is: (value) => (PACK_ERROR_CODES as readonly unknown[]).includes(value), expected: 'a code' },
  detail: DETAIL
}
const OUTCOME_SHAPE: Shape = {
  code: { is: (value) => isStringLike(value, /^[A-Z0-9_]{0,64}$/), expected: 'a code or nothing' },
  detail: DETAIL,
  outcome: { is: (value) => (PUSH_OUTCOMES as readonly unknown[]).includes(value), expected: 'an outcome' }
}

export function encodePackMessage(message: PackMessage): Uint8Array {
  return message.kind === 'pull'
    ? concat(Uint8Array.of(PULL), message.request)
    : concat(Uint8Array.of(PUSH), message.wire)
}

/** Reads the asker's frame; null for what is neither. */
export function decodePackMessage(payload: Uint8Array): PackMessage | null {
  if (payload[0] === PULL) return { kind: 'pull', request: payload.subarray(1) }
  if (payload[0] === PUSH) return { kind: 'push', wire: payload.subarray(1) }
  return null
}

/** The source's frame. Details that are too long are cut. */
export function encodePackAnswer(answer: PackAnswer): Uint8Array {
  if (answer.kind === 'page') return concat(Uint8Array.of(PAGE), answer.page)
  if (answer.kind === 'error') {
    const { code, detail } = answer
    return concat(Uint8Array.of(ERROR), utf8(encodeCanonical({ code, detail: cut(detail) })))
  }
  const { outcome, code, detail } = answer.outcome
  return concat(Uint8Array.of(OUTCOME), utf8(encodeCanonical({ code, detail: cut(detail), outcome })))
}

/** Reads the source's frame; null for what is none of the three by SPEC PS-12 to PS-14. */
export function decodePackAnswer(payload: Uint8Array): PackAnswer | null {
  if (payload[0] === PAGE) return { kind: 'page', page: payload.subarray(1) }
  if (payload.length > TEXT_BYTES_MAX || (payload[0] !== ERROR && payload[0] !== OUTCOME)) return null
  const decoded = decodeCanonical(payload.subarray(1))
  if (!decoded.ok) return null
  if (payload[0] === ERROR) {
    if (shapeProblem(decoded.value, ERROR_SHAPE, 'error') !== null) return null
    return { kind: 'error', ...(decoded.value as { code: PackErrorCode; detail: string }) }
  }
  if (shapeProblem(decoded.value, OUTCOME_SHAPE, 'outcome') !== null) return null
  return { kind: 'outcome', outcome: decoded.value as unknown as PushOutcome }
}

function cut(detail: string): string {
  return detail.slice(0, DETAIL_CHARACTERS_MAX).toWellFormed()
}
