import { VARINT_MAX } from './varint.ts'

/** The timestamp above all others, 2^64 − 1: no item may have it (SPEC NG-2). */
export const INFINITY_TIMESTAMP: bigint = VARINT_MAX

/** What is reconciled: an id with a timestamp to sort by. */
export interface Item {
  /** From 0 to 2^64 − 2, in any unit that both sides use. */
  readonly timestamp: bigint
  /** 32 bytes. */
  readonly id: Uint8Array
}

/** A place in the order of items (SPEC NG-5): before the item with this timestamp and an id of the prefix and zeros. */
export interface Bound {
  /** `INFINITY_TIMESTAMP` for the end of all. */
  readonly timestamp: bigint
  /** 0 to 32 bytes. */
  readonly idPrefix: Uint8Array
}

const NO_BYTES = new Uint8Array()

/** Where the first range begins. */
export const FIRST_BOUND: Bound = { timestamp: 0n, idPrefix: NO_BYTES }

/** Where the last range ends. */
export const INFINITY_BOUND: Bound = { timestamp: INFINITY_TIMESTAMP, idPrefix: NO_BYTES }

/** Whether a bound is the end of all. */
export function isInfinity(bound: Bound): boolean {
  return bound.timestamp === INFINITY_TIMESTAMP
}

/** Compares by timestamp, then by prefix, missing bytes being zero: below zero where `left` comes first. */
export function compareBounds(left: Bound, right: Bound): number {
  if (left.timestamp !== right.timestamp) return left.timestamp < right.timestamp ? -1 : 1
  return comparePadded(left.idPrefix, right.idPrefix)
}

/** Compares as if the shorter one went on with zeros. */
export function comparePadded(left: Uint8Array, right: Uint8Array): number {
  const length = Math.max(left.length, right.length)
  for (let index = 0; index < length; index += 1) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

/**
 * The shortest bound between two neighbours (SPEC NG-16): the timestamp of the second alone where they differ in it,
 * else with its id up to the first byte in which they differ.
 */
export function boundBetween(before: Item, after: Item): Bound {
  if (before.timestamp !== after.timestamp) return { timestamp: after.timestamp, idPrefix: NO_BYTES }
  let shared = 0
  while (shared < after.id.length && before.id[shared] === after.id[shared]) shared += 1
  return { timestamp: after.timestamp, idPrefix: after.id.subarray(0, shared + 1) }
}
