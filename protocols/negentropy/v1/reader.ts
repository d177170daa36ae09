import { equalBytes, toHex } from '../../primitives/bytes.ts'
import { compareBounds, comparePadded, FIRST_BOUND, INFINITY_TIMESTAMP, isInfinity } from './bound.ts'
import type { Bound } from './bound.ts'
import { EMPTY_FINGERPRINT, FINGERPRINT_BYTES, ID_BYTES } from './fingerprint.ts'
import { valueOfDigits, VARINT_BYTES_MAX, VARINT_MAX } from './varint.ts'
import { MODE_FINGERPRINT, MODE_IDS, MODE_SKIP, VERSION_BYTE } from './writer.ts'

/** Why bytes are no message of version 1. */
export type MessageCode =
  | 'TRUNCATED'
  | 'VERSION_UNKNOWN'
  | 'VARINT_NOT_MINIMAL'
  | 'VARINT_TOO_LARGE'
  | 'TIMESTAMP_TOO_LARGE'
  | 'ID_PREFIX_TOO_LONG'
  | 'INFINITY_WITH_PREFIX'
  | 'RANGES_NOT_ASCENDING'
  | 'MODE_UNKNOWN'
  | 'ID_LIST_TOO_LONG'
  | 'ID_OUTSIDE_RANGE'
  | 'IDS_NOT_ASCENDING'
  | 'ID_TWICE'
  | 'TRAILING_BYTES'

/** A range as it stands in a message; its lower bound is the upper one of the range before it. */
export type Range =
  | { readonly mode: 'skip'; readonly upper: Bound }
  | { readonly mode: 'fingerprint'; readonly upper: Bound; readonly fingerprint: Uint8Array }
  /** `ids` holds them one after the other, 32 bytes each. */
  | { readonly mode: 'ids'; readonly upper: Bound; readonly ids: Uint8Array }

export interface MessageFailure {
  readonly code: MessageCode
  readonly detail: string
}

/** Thrown and caught in this file alone, so that reading does not ask after each field whether it went well. */
class Refusal extends Error {
  readonly code: MessageCode

  constructor(code: MessageCode, detail: string) {
    super(detail)
    this.code = code
  }
}

/** The range that the reference implementation may write behind one to infinity (SPEC NG-9). */
const EMPTY_TAIL = Uint8Array.of(0, 0, MODE_FINGERPRINT, ...EMPTY_FINGERPRINT)

/**
 * Reads a message range by range, by SPEC NG-1 to NG-12; so a long message takes no more memory than it has bytes.
 * What it returns are views of the message.
 */
export class MessageReader {
  readonly #bytes: Uint8Array
  #at = 0
  #lower: Bound = FIRST_BOUND
  #failure: MessageFailure | null = null

  constructor(message: Uint8Array) {
    this.#bytes = message
  }

  /** Why `next` ended, where it did not end well. */
  get failure(): MessageFailure | null {
    return this.#failure
  }

  /** The next range; null at the end of the message, and for ever after a failure. */
  next(): Range | null {
    if (this.#failure !== null) return null
    try {
      return this.#next()
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      this.#failure = { code: error.code, detail: `at byte ${this.#at}: ${error.message}` }
      return null
    }
  }

  #next(): Range | null {
    if (this.#at === 0) this.#version()
    if (this.#at === this.#bytes.length) return null
    if (isInfinity(this.#lower)) return this.#tail()
    const upper = this.#bound()
    if (compareBounds(upper, this.#lower) <= 0) {
      throw new Refusal('RANGES_NOT_ASCENDING', 'an upper bound is not above the lower one')
    }
    const range = this.#payload(upper)
    this.#lower = upper
    return range
  }

  #version(): void {
    const [version = 0] = this.#take(1)
    if (version !== VERSION_BYTE) throw new Refusal('VERSION_UNKNOWN', `version byte ${version}`)
  }

  /** Nothing follows infinity, but for the one empty range that changes nothing. */
  #tail(): null {
    if (!equalBytes(this.#bytes.subarray(this.#at), EMPTY_TAIL)) {
      throw new Refusal('TRAILING_BYTES', 'bytes after the range that ends at infinity')
    }
    this.#at = this.#bytes.length
    return null
  }

  #bound(): Bound {
    const encoded = this.#varint()
    const timestamp = encoded === 0n ? INFINITY_TIMESTAMP : this.#lower.timestamp + encoded - 1n
    if (encoded !== 0n && timestamp >= INFINITY_TIMESTAMP) throw new Refusal('TIMESTAMP_TOO_LARGE', 'beyond 2^64 - 2')
    const length = this.#varint()
    if (length > ID_BYTES) throw new Refusal('ID_PREFIX_TOO_LONG', `${length} bytes`)
    if (encoded === 0n && length > 0n) throw new Refusal('INFINITY_WITH_PREFIX', `${length} bytes`)
    return { timestamp, idPrefix: this.#take(Number(length)) }
  }

  #payload(upper: Bound): Range {
    const mode = this.#varint()
    if (mode === BigInt(MODE_SKIP)) return { mode: 'skip', upper }
    if (mode === BigInt(MODE_FINGERPRINT)) {
      return { mode: 'fingerprint', upper, fingerprint: this.#take(FINGERPRINT_BYTES) }
    }
    if (mode !== BigInt(MODE_IDS)) throw new Refusal('MODE_UNKNOWN', `mode ${mode}`)
    const count = this.#varint()
    const left = this.#bytes.length - this.#at
    if (count * BigInt(ID_BYTES) > left) throw new Refusal('ID_LIST_TOO_LONG', `${count} ids in ${left} bytes`)
    const ids = this.#take(Number(count) * ID_BYTES)
    checkIds(ids, this.#lower, upper)
    return { mode: 'ids', upper, ids }
  }

  #varint(): bigint {
    const start = this.#at
    if (this.#bytes[start] === 0x80) throw new Refusal('VARINT_NOT_MINIMAL', 'a leading zero digit')
    let digit = 0x80
    while (digit >= 0x80) {
      if (this.#at - start === VARINT_BYTES_MAX) throw new Refusal('VARINT_TOO_LARGE', 'more than 64 bits')
      digit = this.#bytes[this.#at] ?? -1
      if (digit < 0) throw new Refusal('TRUNCATED', 'a varint without its end')
      this.#at += 1
    }
    const value = this.#at - start === 1 ? BigInt(digit) : valueOfDigits(this.#bytes.subarray(start, this.#at))
    if (value > VARINT_MAX) throw new Refusal('VARINT_TOO_LARGE', 'more than 64 bits')
    return value
  }

  #take(length: number): Uint8Array {
    const left = this.#bytes.length - this.#at
    if (length > left) throw new Refusal('TRUNCATED', `${length} bytes wanted, ${left} left`)
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }
}

/** An id as a key of a map. */
export function idKey(ids: Uint8Array, at = 0): string {
  return String.fromCharCode(...ids.subarray(at, at + ID_BYTES))
}

/**
 * A list does not say the timestamps of its ids, so their order and place show only where the range is within one
 * timestamp; elsewhere no id may stand twice.
 */
function checkIds(ids: Uint8Array, lower: Bound, upper: Bound): void {
  if (!isWithinOneTimestamp(lower, upper)) {
    checkTwice(ids)
    return
  }
  for (let at = 0; at < ids.length; at += ID_BYTES) {
    const id = ids.subarray(at, at + ID_BYTES)
    const isBelow = comparePadded(id, lower.idPrefix) < 0
    if (isBelow || (lower.timestamp === upper.timestamp && comparePadded(id, upper.idPrefix) >= 0)) {
      throw new Refusal('ID_OUTSIDE_RANGE', toHex(id))
    }
    const order = at === 0 ? 1 : comparePadded(id, ids.subarray(at - ID_BYTES, at))
    if (order === 0) throw new Refusal('ID_TWICE', toHex(id))
    if (order < 0) throw new Refusal('IDS_NOT_ASCENDING', toHex(id))
  }
}

function checkTwice(ids: Uint8Array): void {
  if (ids.length <= ID_BYTES) return
  const seen = new Set<string>()
  for (let at = 0; at < ids.length; at += ID_BYTES) {
    const key = idKey(ids, at)
    if (seen.has(key)) throw new Refusal('ID_TWICE', toHex(ids.subarray(at, at + ID_BYTES)))
    seen.add(key)
  }
}

function isWithinOneTimestamp(lower: Bound, upper: Bound): boolean {
  if (lower.timestamp === upper.timestamp) return true
  // An upper bound at the very beginning of the next timestamp holds none of it.
  return lower.timestamp + 1n === upper.timestamp && upper.idPrefix.every((byte) => byte === 0)
}
