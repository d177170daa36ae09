import * as asn1js from 'asn1js'
import type { Random } from '../../platform/random.ts'

/** What a query is posted as (RFC 3161 3.4). */
export const QUERY_MEDIA_TYPE = 'application/timestamp-query'

/** What a reply, granted or refused, comes back as (RFC 3161 3.4). */
export const REPLY_MEDIA_TYPE = 'application/timestamp-reply'

/** The named bits of `PKIFailureInfo` that a time-stamping authority may set (RFC 3161 2.4.2). */
export const FAILURE_BITS = {
  badAlg: 0,
  badRequest: 2,
  badDataFormat: 5,
  timeNotAvailable: 14,
  unacceptedPolicy: 15,
  unacceptedExtension: 16,
  addInfoNotAvailable: 17,
  systemFailure: 25
} as const

export type TimestampFailure = keyof typeof FAILURE_BITS

/** One failure as the DER of a named bit list: no trailing zero bits (X.690 11.2.2). */
export function encodeFailure(failure: TimestampFailure): asn1js.BitString {
  const bit = FAILURE_BITS[failure]
  const bytes = new Uint8Array(Math.floor(bit / 8) + 1)
  bytes[bytes.length - 1] = 0x80 >> (bit % 8)
  return new asn1js.BitString({ valueHex: bytes, unusedBits: 7 - (bit % 8) })
}

/** The names of the bits that are set; bits that RFC 3161 does not name are `bit N`. */
export function decodeFailures(failInfo: asn1js.BitString): readonly string[] {
  const named = new Map<number, string>(Object.entries(FAILURE_BITS).map(([name, bit]) => [bit, name]))
  const set: string[] = []
  for (const [index, byte] of failInfo.valueBlock.valueHexView.entries()) {
    for (let offset = 0; offset < 8; offset += 1) {
      const bit = index * 8 + offset
      if ((byte & (0x80 >> offset)) !== 0) set.push(named.get(bit) ?? `bit ${bit}`)
    }
  }
  return set
}

/**
 * Parses exactly one BER value. Throws on anything else, bytes after it included; callers turn that into their own
 * refusal, because the schema classes of `pkijs` throw as well.
 */
export function parseWhole(bytes: Uint8Array): asn1js.AsnType {
  const parsed = asn1js.fromBER(bytes)
  if (parsed.offset === -1) throw new Error(`no ASN.1 value: ${parsed.result.error}`)
  if (parsed.offset !== bytes.length) throw new Error(`${bytes.length - parsed.offset} bytes after the ASN.1 value`)
  return parsed.result
}

/** A DER value's bytes. */
export function derOf(value: asn1js.AsnType): Uint8Array<ArrayBuffer> {
  return new Uint8Array(value.toBER())
}

/**
 * An unpredictable positive INTEGER of exactly `byteLength` octets: the sign bit is clear, and the bit below it is set,
 * so that the encoding is minimal whatever is drawn.
 */
export function randomInteger(random: Random, byteLength: number): asn1js.Integer {
  const bytes = new Uint8Array(random.bytes(byteLength))
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40
  return new asn1js.Integer({ valueHex: bytes })
}
