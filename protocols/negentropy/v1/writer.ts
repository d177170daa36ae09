import { INFINITY_TIMESTAMP } from './bound.ts'
import type { Bound } from './bound.ts'
import { encodeVarint } from './varint.ts'

/** The first byte of a message: version 1 of the protocol. */
export const VERSION_BYTE = 0x61

/** What stands behind a bound (SPEC NG-6). */
export const MODE_SKIP = 0
export const MODE_FINGERPRINT = 1
export const MODE_IDS = 2

/** Bytes to begin with; they double. */
const CAPACITY = 512

/** Writes a message range by range, in ascending order. Throws `RangeError` where a timestamp goes down. */
export class MessageWriter {
  #bytes = new Uint8Array(CAPACITY)
  #length = 0
  #lastTimestamp = 0n

  constructor() {
    this.bytes(Uint8Array.of(VERSION_BYTE))
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length
  }

  skip(upper: Bound): void {
    this.#begin(upper, MODE_SKIP)
  }

  fingerprint(upper: Bound, fingerprint: Uint8Array): void {
    this.#begin(upper, MODE_FINGERPRINT)
    this.bytes(fingerprint)
  }

  /** The head of a list; `count` ids follow as `bytes`. */
  ids(upper: Bound, count: number): void {
    this.#begin(upper, MODE_IDS)
    this.bytes(encodeVarint(count))
  }

  bytes(bytes: Uint8Array): void {
    const length = this.#length + bytes.length
    if (length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#bytes.length * 2, length))
      grown.set(this.#bytes)
      this.#bytes = grown
    }
    this.#bytes.set(bytes, this.#length)
    this.#length = length
  }

  /** Takes back what was written after `length` bytes. After that only a range to infinity may follow. */
  backTo(length: number): void {
    this.#length = length
    // The timestamp that was written last is not known any more; infinity is written without it.
    this.#lastTimestamp = INFINITY_TIMESTAMP
  }

  /** The message, in an array of its own. */
  message(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }

  #begin({ timestamp, idPrefix }: Bound, mode: number): void {
    this.bytes(encodeVarint(timestamp === INFINITY_TIMESTAMP ? 0n : timestamp - this.#lastTimestamp + 1n))
    this.#lastTimestamp = timestamp
    this.bytes(encodeVarint(idPrefix.length))
    this.bytes(idPrefix)
    this.bytes(encodeVarint(mode))
  }
}
