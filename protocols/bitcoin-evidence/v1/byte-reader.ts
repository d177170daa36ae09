import { Refusal } from './refusal.ts'

/** The largest vector that Bitcoin Core reads (`MAX_SIZE` in `serialize.h`): 32 MiB. */
const COMPACT_SIZE_MAX = 0x0200_0000

/** Reads bytes from front to back; refuses with the code that it was made with. What it returns are views. */
export class ByteReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #code: 'BTC_MALFORMED' | 'OTS_MALFORMED'
  #at = 0

  constructor(bytes: Uint8Array, code: 'BTC_MALFORMED' | 'OTS_MALFORMED') {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#code = code
  }

  /** How many bytes were read. */
  get at(): number {
    return this.#at
  }

  get remaining(): number {
    return this.#bytes.length - this.#at
  }

  refuse(detail: string): never {
    throw new Refusal(this.#code, detail)
  }

  take(length: number): Uint8Array {
    const from = this.#pass(length)
    return this.#bytes.subarray(from, this.#at)
  }

  octet(): number {
    return this.#bytes[this.#pass(1)] ?? 0
  }

  /** The next octet, which stays unread; undefined at the end. */
  peek(): number | undefined {
    return this.#bytes[this.#at]
  }

  /** An unsigned little-endian number of up to six bytes. */
  littleEndian(length: number): number {
    const from = this.#pass(length)
    let value = 0
    for (let at = this.#at - 1; at >= from; at -= 1) value = value * 256 + (this.#bytes[at] ?? 0)
    return value
  }

  /** An unsigned little-endian number of eight bytes. */
  bigLittleEndian(): bigint {
    const from = this.#pass(8)
    return this.#view.getBigUint64(from, true)
  }

  /** A CompactSize (SPEC BE-3): a count or a length, in its shortest form. */
  compactSize(): number {
    const first = this.octet()
    if (first < 0xfd) return first
    const [length, min] = first === 0xfd ? [2, 0xfd] : first === 0xfe ? [4, 0x1_0000] : [8, 0x1_0000_0000]
    // Eight bytes are beyond the limit in any form, so the upper two need no look for a value.
    const value = this.littleEndian(Math.min(length, 6))
    if (length === 8 || value > COMPACT_SIZE_MAX) this.refuse('a length is out of all bounds')
    if (value < min) this.refuse('a length is not in its shortest form')
    return value
  }

  /** A count of elements that take at least `bytesMin` each, so that nothing is allocated for what can't be there. */
  count(bytesMin: number): number {
    const count = this.compactSize()
    if (count * bytesMin > this.remaining) this.refuse(`${count} elements do not fit into ${this.remaining} bytes`)
    return count
  }

  /** A varuint of OpenTimestamps (SPEC BE-15): base-128 digits, the lowest first, as few as possible. */
  varuint(): number {
    let value = 0
    for (let unit = 1; ; unit *= 128) {
      if (unit > Number.MAX_SAFE_INTEGER) this.refuse('a number has too many digits')
      const digit = this.octet()
      value += (digit & 127) * unit
      if (value > Number.MAX_SAFE_INTEGER) this.refuse('a number is above 2^53 − 1')
      if (digit >= 128) continue
      if (digit === 0 && unit > 1) this.refuse('a number is not in its shortest form')
      return value
    }
  }

  /** Bytes behind their length, a varuint from `min` to `max`. */
  varbytes(min: number, max: number): Uint8Array {
    const length = this.varuint()
    if (length < min || length > max) this.refuse(`${length} bytes where ${min} to ${max} are allowed`)
    return this.take(length)
  }

  end(): void {
    if (this.remaining > 0) this.refuse(`${this.remaining} bytes follow its end`)
  }

  /** Goes on by `length` and returns where that began. */
  #pass(length: number): number {
    const from = this.#at
    if (length > this.remaining) this.refuse(`it ends early: ${length} bytes wanted, ${this.remaining} there`)
    this.#at = from + length
    return from
  }
}
