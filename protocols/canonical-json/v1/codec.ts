import canonicalize from 'canonicalize'
import type { JsonValue } from './json.ts'
import { firstViolation } from './scan.ts'

/**
 * How deeply arrays and objects may stand in one another; the outermost counts as 1. An event needs 6; 32 leaves room
 * for bodies yet unknown and keeps every recursive reader, in any language, far from the end of its stack.
 */
export const DEPTH_MAX = 32

/** Why bytes are not canonical JSON. */
export type CanonicalCode = 'MALFORMED' | 'NOT_CANONICAL' | 'DUPLICATE_KEY' | 'NUMBER_NOT_IJSON' | 'LONE_SURROGATE'

export type CanonicalDecoding =
  | { readonly ok: true; readonly value: JsonValue }
  | { readonly ok: false; readonly code: CanonicalCode; readonly detail: string }

// A byte order mark is kept, so that JSON.parse refuses it.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * The canonical form (RFC 8785) of a value. Throws `TypeError` on what I-JSON can't hold: `undefined`, functions,
 * big integers, objects of a class, numbers beyond ±(2^53 − 1), lone surrogates, more than `DEPTH_MAX` levels.
 */
export function encodeCanonical(value: unknown): string {
  return assertIJson(value, 1) ? JSON.stringify(value) : (canonicalize(value) as string)
}

/**
 * Reads canonical JSON. The bytes must be exactly the canonical form of the value they hold (SPEC CJ-1 to CJ-5); the
 * code is that of the first rule that fails, in the SPEC's order.
 */
export function decodeCanonical(bytes: Uint8Array): CanonicalDecoding {
  const read = readJson(bytes)
  if (!read.ok) return read
  const { text, value } = read
  // Where members stand in canonical order, JSON.stringify writes the canonical form, several times faster than any
  // library. The other values with a canonical text are those with members like "10", which engines put first.
  if (isOrderedIJson(value, 1) && JSON.stringify(value) === text) return { ok: true, value }
  const carefully = checkIJson(text, value)
  if (!carefully.ok) return carefully
  // [REJECT] CJ-5: the canonical form of what it holds.
  const canonical = encodeCanonical(value)
  if (canonical === text) return carefully
  return { ok: false, code: 'NOT_CANONICAL', detail: `differs at character ${firstDifference(canonical, text)}` }
}

/**
 * Reads JSON that need not be canonical, by SPEC CJ-1 to CJ-4: for values whose canonical form somebody signed, and sent in
 * whatever form their tools write. All readers of what passes hold the same value.
 */
export function decodeIJson(bytes: Uint8Array): CanonicalDecoding {
  const read = readJson(bytes)
  return read.ok ? checkIJson(read.text, read.value) : read
}

type JsonReading =
  { readonly ok: true; readonly text: string; readonly value: JsonValue } | Extract<CanonicalDecoding, { ok: false }>

function readJson(bytes: Uint8Array): JsonReading {
  let text: string
  // [REJECT] CJ-1: well-formed UTF-8.
  try {
    text = decoder.decode(bytes)
  } catch {
    return { ok: false, code: 'MALFORMED', detail: 'not UTF-8' }
  }
  // [REJECT] CJ-2: one JSON text.
  try {
    return { ok: true, text, value: JSON.parse(text) as JsonValue }
  } catch (error) {
    return { ok: false, code: 'MALFORMED', detail: (error as SyntaxError).message }
  }
}

function checkIJson(text: string, value: JsonValue): CanonicalDecoding {
  // [REJECT] CJ-3: at most 32 levels.
  if (!isWithinDepth(value, 1)) return { ok: false, code: 'MALFORMED', detail: `more than ${DEPTH_MAX} levels` }
  // [REJECT] CJ-4: I-JSON.
  const violation = firstViolation(text)
  return violation === null ? { ok: true, value } : { ok: false, ...violation }
}

function isOrderedIJson(value: JsonValue | undefined, depth: number): boolean {
  if (typeof value === 'string') return value.isWellFormed()
  if (typeof value === 'number') return Math.abs(value) <= Number.MAX_SAFE_INTEGER
  if (typeof value !== 'object' || value === null) return true
  if (depth > DEPTH_MAX) return false
  if (isList(value)) return value.every((element) => isOrderedIJson(element, depth + 1))
  let previous: string | undefined
  for (const key of Object.keys(value)) {
    if (previous !== undefined && previous >= key) return false
    if (!key.isWellFormed() || !isOrderedIJson(value[key], depth + 1)) return false
    previous = key
  }
  return true
}

function isWithinDepth(value: JsonValue, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true
  return depth <= DEPTH_MAX && Object.values<JsonValue>(value).every((member) => isWithinDepth(member, depth + 1))
}

/**
 * Throws for what I-JSON can't hold. Returns whether the members stand in canonical order, so that `JSON.stringify`
 * writes the canonical form.
 */
function assertIJson(value: unknown, depth: number): boolean {
  if (value === null || typeof value === 'boolean') return true
  if (typeof value === 'string') return assertWellFormed(value)
  if (typeof value === 'number') {
    if (Math.abs(value) <= Number.MAX_SAFE_INTEGER) return true
    throw new TypeError(`canonical JSON: ${value} is no I-JSON number`)
  }
  if (typeof value !== 'object') throw new TypeError(`canonical JSON: ${typeof value} has no JSON form`)
  if (depth > DEPTH_MAX) throw new TypeError(`canonical JSON: more than ${DEPTH_MAX} levels`)
  let ordered = true
  if (Array.isArray(value)) {
    // By index and not by forEach: a hole must be refused, not skipped.
    for (let index = 0; index < value.length; index += 1) ordered = assertIJson(value[index], depth + 1) && ordered
    return ordered
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) {
    throw new TypeError('canonical JSON: an object of a class has no JSON form')
  }
  let previous: string | undefined
  for (const key of Object.keys(value)) {
    assertWellFormed(key)
    if (previous !== undefined && previous >= key) ordered = false
    ordered = assertIJson((value as Record<string, unknown>)[key], depth + 1) && ordered
    previous = key
  }
  return ordered
}

function assertWellFormed(text: string): true {
  if (text.isWellFormed()) return true
  throw new TypeError('canonical JSON: a string has a lone surrogate')
}

function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value)
}

function firstDifference(left: string, right: string): number {
  let index = 0
  while (index < left.length && left[index] === right[index]) index += 1
  return index
}
