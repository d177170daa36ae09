import type { JsonValue } from '../../canonical-json/v1/json.ts'
import { fromHex } from '../../primitives/bytes.ts'

const QUANTITY = /^0x(?:0|[1-9a-f][0-9a-f]*)$/
const PADDED_QUANTITY = /^0x[0-9a-f]+$/

/**
 * The bytes of a quantity of JSON-RPC, big-endian without leading zeros, so none for 0; null for a value that is none,
 * or has more than `bytesMax` bytes (SPEC EE-3). `padded` lets it have leading zeros, as some nodes write signatures.
 */
export function bytesOfQuantity(
  value: JsonValue | undefined,
  bytesMax: number,
  padded: 'padded' | 'exact' = 'exact'
): Uint8Array | null {
  // 2 for `0x`: nothing longer is looked at.
  if (typeof value !== 'string' || value.length > 2 + 2 * bytesMax) return null
  if (!(padded === 'padded' ? PADDED_QUANTITY : QUANTITY).test(value)) return null
  const digits = value.slice(2).replace(/^0+/, '')
  return fromHex(digits.length % 2 === 0 ? digits : `0${digits}`)
}

/** The number of a quantity; null for a value that is none, or is above 2^53 − 1. */
export function numberOfQuantity(value: JsonValue | undefined): number | null {
  const bytes = bytesOfQuantity(value, 8)
  if (bytes === null) return null
  const number = bytes.reduce((sum, byte) => sum * 256 + byte, 0)
  return Number.isSafeInteger(number) ? number : null
}

/** The bytes of data of JSON-RPC, of which there have to be `length`, if given; null for a value that is none. */
export function bytesOfData(value: JsonValue | undefined, length?: number): Uint8Array | null {
  const digits = digitsOfData(value)
  if (digits === null || (length !== undefined && digits.length !== 2 * length)) return null
  return fromHex(digits)
}

/** The hex digits of data of JSON-RPC, lower case, without `0x`; null unless there are `length` bytes. */
export function hexOfData(value: JsonValue | undefined, length: number): string | null {
  const digits = digitsOfData(value)
  return digits?.length === 2 * length && /^[0-9a-f]*$/.test(digits) ? digits : null
}

/** Upper case is common in addresses, where it is a checksum. */
function digitsOfData(value: JsonValue | undefined): string | null {
  return typeof value === 'string' && value.startsWith('0x') ? value.slice(2).toLowerCase() : null
}
