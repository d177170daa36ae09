/** What DER allows and this reader found broken; the readers of this folder turn it into their own refusal. */
export class DerError extends Error {
  override readonly name = 'DerError'
}

/** One value: its identifier octet, its contents, and the whole of it with identifier and length. Views, not copies. */
export interface DerValue {
  readonly tag: number
  readonly content: Uint8Array
  readonly bytes: Uint8Array
}

/** Identifier octets of the universal types that RFC 5280, 5652 and 3161 use (X.690 8.1.2). */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  enumerated: 0x0a,
  sequence: 0x30,
  set: 0x31,
  utcTime: 0x17,
  generalizedTime: 0x18
} as const

const CONSTRUCTED = 0x20
const CONTEXT = 0x80
const HIGH_TAG_NUMBER = 0x1f

/** The identifier octet of `[number]` around a primitive value (IMPLICIT). */
export function contextPrimitive(number: number): number {
  return CONTEXT | number
}

/** The identifier octet of `[number]` around other values (EXPLICIT, or IMPLICIT of a SEQUENCE or SET). */
export function contextConstructed(number: number): number {
  return CONTEXT | CONSTRUCTED | number
}

/**
 * Reads values one after the other out of a constructed value's contents, and throws a `DerError` where they are not
 * DER: indefinite or overlong lengths, lengths beyond the end. It goes no deeper than it is asked to, so its time is
 * bounded by what is read. It stands here beside `asn1js` because that builds an object for every value of a token and
 * its certificates, which takes longer than all that a verification does here (`npm run bench -- rfc3161`), and reads
 * BER, in which one and the same token has many encodings.
 */
export class DerReader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(content: Uint8Array) {
    this.#bytes = content
  }

  get done(): boolean {
    return this.#at === this.#bytes.length
  }

  /** The identifier octet of what comes next; undefined at the end. */
  get tag(): number | undefined {
    return this.#bytes[this.#at]
  }

  /** The next value, whatever it is. `what` names it in the error. */
  any(what: string): DerValue {
    const start = this.#at
    const tag = this.#octet(what)
    if ((tag & HIGH_TAG_NUMBER) === HIGH_TAG_NUMBER) throw new DerError(`${what}: a tag number above 30`)
    const length = this.#length(what)
    const from = this.#at
    this.#at = from + length
    if (this.#at > this.#bytes.length) throw new DerError(`${what}: ends too early`)
    return { tag, content: this.#bytes.subarray(from, this.#at), bytes: this.#bytes.subarray(start, this.#at) }
  }

  /** The next value, which must have this identifier octet. */
  value(tag: number, what: string): DerValue {
    if (this.tag !== tag) throw new DerError(`${what}: ${this.done ? 'missing' : 'of another type'}`)
    return this.any(what)
  }

  /** The next value if it has this identifier octet. */
  optional(tag: number, what: string): DerValue | undefined {
    return this.tag === tag ? this.any(what) : undefined
  }

  /** A reader of the next value's contents. */
  inside(tag: number, what: string): DerReader {
    return new DerReader(this.value(tag, what).content)
  }

  /** All values up to the end, at most `max`: more are more than anybody needs. */
  all(what: string, max: number): DerValue[] {
    const values: DerValue[] = []
    while (!this.done) {
      if (values.length === max) throw new DerError(`${what}: more than ${max}`)
      values.push(this.any(what))
    }
    return values
  }

  /** Throws if anything is left. */
  end(what: string): void {
    if (!this.done) throw new DerError(`${what}: something follows`)
  }

  #octet(what: string): number {
    const octet = this.#bytes[this.#at]
    if (octet === undefined) throw new DerError(`${what}: ends too early`)
    this.#at += 1
    return octet
  }

  /** X.690 10.1: definite, and in the fewest octets. Four octets hold every length that memory does. */
  #length(what: string): number {
    const first = this.#octet(what)
    if (first < 0x80) return first
    const octets = first & 0x7f
    if (octets === 0 || octets > 4) throw new DerError(`${what}: no definite length`)
    let length = 0
    for (let index = 0; index < octets; index += 1) length = length * 256 + this.#octet(what)
    if (length < 0x80 || length < 256 ** (octets - 1)) throw new DerError(`${what}: an overlong length`)
    return length
  }
}

/** Reads exactly one value of this type; nothing may follow. */
export function readWhole(bytes: Uint8Array, tag: number, what: string): DerReader {
  const outer = new DerReader(bytes)
  const inner = outer.inside(tag, what)
  outer.end(what)
  return inner
}

/** An INTEGER or ENUMERATED, of either sign. */
export function readInteger({ content }: DerValue, what: string): bigint {
  const [first, second = 0] = content
  if (first === undefined) throw new DerError(`${what}: an empty INTEGER`)
  const overlong = content.length > 1 && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80))
  if (overlong) throw new DerError(`${what}: an overlong INTEGER`)
  const unsigned = BigInt(`0x${Buffer.from(content.buffer, content.byteOffset, content.length).toString('hex')}`)
  return first < 0x80 ? unsigned : unsigned - (1n << BigInt(8 * content.length))
}

/** An INTEGER from `min` to `max`. */
export function readSmall(value: DerValue, min: number, max: number, what: string): number {
  const integer = readInteger(value, what)
  if (integer < min || integer > max) throw new DerError(`${what}: not from ${min} to ${max}`)
  return Number(integer)
}

/** A BOOLEAN (X.690 11.1: TRUE is FF). */
export function readBoolean({ content }: DerValue, what: string): boolean {
  const [octet] = content
  if (content.length !== 1 || (octet !== 0 && octet !== 0xff)) throw new DerError(`${what}: no BOOLEAN`)
  return octet === 0xff
}

/** The octets of a BIT STRING that has no unused bits, as keys and signatures. */
export function readOctetBits({ content }: DerValue, what: string): Uint8Array {
  if (content.length === 0 || content[0] !== 0) throw new DerError(`${what}: not a whole number of octets`)
  return content.subarray(1)
}

/** The bits of a named bit list (X.690 11.2.2), as a function that tells whether bit N is set. */
export function readNamedBits({ content }: DerValue, what: string): (bit: number) => boolean {
  const [unused] = content
  if (unused === undefined || unused > 7 || (content.length === 1 && unused !== 0)) {
    throw new DerError(`${what}: no BIT STRING`)
  }
  return (bit) => ((content[1 + (bit >> 3)] ?? 0) & (0x80 >> (bit & 7))) !== 0
}

// Real ones have up to twenty. An arc without end would take time by the square of its length.
const OID_BYTES_MAX = 128

/** An OBJECT IDENTIFIER, dotted. */
export function readOid({ content }: DerValue, what: string): string {
  if (content.length > OID_BYTES_MAX)
    throw new DerError(`${what}: an OBJECT IDENTIFIER of more than ${OID_BYTES_MAX} octets`)
  let dotted = ''
  let arc = 0n
  let started = false
  for (const octet of content) {
    if (!started && octet === 0x80) throw new DerError(`${what}: an overlong OBJECT IDENTIFIER`)
    started = true
    arc = (arc << 7n) | BigInt(octet & 0x7f)
    if (octet >= 0x80) continue
    dotted += dotted === '' ? firstArcs(arc) : `.${arc}`
    arc = 0n
    started = false
  }
  if (dotted === '' || started) throw new DerError(`${what}: a broken OBJECT IDENTIFIER`)
  return dotted
}

/** X.690 8.19.4: the first two arcs share a number. */
function firstArcs(arc: bigint): string {
  const first = arc < 40n ? 0n : arc < 80n ? 1n : 2n
  return `${first}.${arc - first * 40n}`
}

/** A time of a certificate, a CRL or an OCSP response (RFC 5280 4.1.2.5), in milliseconds since 1970. */
export function readTime(value: DerValue, what: string): number {
  const text = latin1(value.content)
  if (value.tag === TAG.utcTime) {
    const match = /^(\d\d)(\d{10})Z$/.exec(text)
    if (match === null) throw new DerError(`${what}: not of the form YYMMDDhhmmssZ`)
    return calendarTime(`${Number(match[1]) < 50 ? '20' : '19'}${match[1]}${match[2]}`, '', what)
  }
  if (value.tag !== TAG.generalizedTime || !/^\d{14}Z$/.test(text)) {
    throw new DerError(`${what}: not of the form YYYYMMDDhhmmssZ`)
  }
  return calendarTime(text.slice(0, 14), '', what)
}

/** `YYYYMMDDhhmmss` and three digits of milliseconds, or none; a thirteenth month is no month. */
export function calendarTime(digits: string, milliseconds: string, what: string): number {
  const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(digits)
  if (match === null) throw new DerError(`${what}: no time`)
  const [, year, month, day, hour, minute, second] = match
  const iso = `${year}-${month}-${day}T${hour}:${minute}:${second}.${milliseconds.padEnd(3, '0')}Z`
  const date = new Date(iso)
  if (Number.isNaN(date.getTime()) || date.toISOString() !== iso) throw new DerError(`${what}: no time of any calendar`)
  return date.getTime()
}

/** The octets as characters, one each. */
export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}
