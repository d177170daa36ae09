import { isJsonObject } from './json.ts'
import type { JsonValue } from './json.ts'

/** One member of an object: what its value must be, and that in words. */
export interface Member {
  readonly is: (value: JsonValue) => boolean
  readonly expected: string
  readonly optional?: true
}

/** The members that an object may have. */
export type Shape = Readonly<Record<string, Member>>

/** Names can be as long as the sender likes; a log line should not. */
const SHOWN_CHARS_MAX = 40

/**
 * Why the value is not an object with all members of the shape and no others, in words that begin with `name`; null
 * when it is. Members are looked up as own properties, so `__proto__` and the like are unknown members as any other.
 */
export function shapeProblem(value: JsonValue | undefined, shape: Shape, name: string): string | null {
  if (!isJsonObject(value)) return `${name}: expected an object`
  for (const key of Object.keys(value)) {
    const member = Object.hasOwn(shape, key) ? shape[key] : undefined
    if (member === undefined) return `${name}: unknown member ${shown(key)}`
    if (!member.is(value[key] as JsonValue)) return `${name}.${key}: expected ${member.expected}`
  }
  for (const key of Object.keys(shape)) {
    if (shape[key]?.optional !== true && !Object.hasOwn(value, key)) return `${name}.${key}: missing`
  }
  return null
}

/** A foreign text for a message: quoted, well-formed and cut. */
export function shown(text: string): string {
  const cut = text.length <= SHOWN_CHARS_MAX ? text : `${text.slice(0, SHOWN_CHARS_MAX)}…`
  return JSON.stringify(cut.toWellFormed())
}

/** Whether the value is an integer in a range whose bounds are safe integers. */
export function isIntegerBetween(value: JsonValue | undefined, least: number, most: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most
}

/** Whether the value is a string that matches. The pattern must be anchored and without the flags `g` and `y`. */
export function isStringLike(value: JsonValue | undefined, pattern: RegExp): value is string {
  return typeof value === 'string' && pattern.test(value)
}
