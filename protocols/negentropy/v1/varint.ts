/** The largest varint: 64 bits (SPEC NG-1). */
export const VARINT_MAX: bigint = 2n ** 64n - 1n

/** Digits of the largest varint: 64 bits at 7 a digit. */
export const VARINT_BYTES_MAX = 10

/**
 * A varint (SPEC NG-1): base-128 digits, the highest first, as few as possible. Throws `RangeError` for what is no
 * integer from 0 to 2^64 − 1; a `number` may go to 2^53 − 1.
 */
export function encodeVarint(value: number | bigint): Uint8Array {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) throw new RangeError(`no integer: ${value}`)
  if (value < 0 || value > VARINT_MAX) throw new RangeError(`no varint: ${value}`)
  if (value < 128) return Uint8Array.of(Number(value))
  const digits: number[] = []
  for (let rest = BigInt(value); rest > 0n; rest >>= 7n) digits.push(Number(rest & 127n) | 128)
  digits[0] = (digits[0] ?? 0) & 127
  return Uint8Array.from(digits.reverse())
}

/** The value of digits that were found to be a varint; up to seven fit a double. */
export function valueOfDigits(digits: Uint8Array): bigint {
  if (digits.length > 7) return digits.reduce((value, digit) => (value << 7n) | BigInt(digit & 127), 0n)
  return BigInt(digits.reduce((value, digit) => value * 128 + (digit & 127), 0))
}
