import * as asn1js from 'asn1js'
import type { Random } from '../../platform/random.ts'
import { FAILURE_BITS } from '../rfc3161/failures.ts'
import type { TimestampFailure } from '../rfc3161/failures.ts'

/** What a query is posted as (RFC 3161 3.4). */
export const QUERY_MEDIA_TYPE = 'application/timestamp-query'

/** What a reply, granted or refused, comes back as (RFC 3161 3.4). */
export const REPLY_MEDIA_TYPE = 'application/timestamp-reply'

/** One failure as the DER of a named bit list: no trailing zero bits (X.690 11.2.2). */
export function encodeFailure(failure: TimestampFailure): asn1js.BitString {
  const bit = FAILURE_BITS[failure]
  const bytes = new Uint8Array(Math.floor(bit / 8) + 1)
  bytes[bytes.length - 1] = 0x80 >> (bit % 8)
  return new asn1js.BitString({ valueHex: bytes, unusedBits: 7 - (bit % 8) })
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
