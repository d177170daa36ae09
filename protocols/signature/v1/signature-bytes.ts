import { fromHex } from '../../primitives/bytes.ts'

/** Length of an Ed25519 signature in bytes: R, then S. */
export const SIGNATURE_BYTES = 64

const R_BYTES = 32

/** The order of the prime-order group, L = 2^252 + 27742317777372353535851937790883648493, little-endian as S is. */
const GROUP_ORDER = bytesOf('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010')

/**
 * The y coordinates of the eight points of small order as they are encoded: orders 1, 2, 4 and, for two points each, 8
 * and 8. The sign bit of an encoding only chooses between x and −x, which have the same order, so it is not compared.
 */
const SMALL_ORDER_Y: readonly Uint8Array[] = [
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '0000000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a'
].map(bytesOf)

/**
 * The checks on a signature's own bytes: SPEC SIG-4 (64 bytes), SIG-5 (S below the group order) and SIG-6 (R not of
 * small order). Encodings of R that are not canonical need no look here: they never equal what SIG-7 compares with.
 */
export function hasSoundForm(signature: Uint8Array): boolean {
  return signature.length === SIGNATURE_BYTES && isScalarBelowOrder(signature) && !hasSmallOrderR(signature)
}

function isScalarBelowOrder(signature: Uint8Array): boolean {
  for (let index = GROUP_ORDER.length - 1; index >= 0; index -= 1) {
    const ofScalar = signature[R_BYTES + index] ?? 0
    const ofOrder = GROUP_ORDER[index] ?? 0
    if (ofScalar !== ofOrder) return ofScalar < ofOrder
  }
  return false
}

function hasSmallOrderR(signature: Uint8Array): boolean {
  return SMALL_ORDER_Y.some((y) => {
    for (let index = 0; index < R_BYTES - 1; index += 1) {
      if (signature[index] !== y[index]) return false
    }
    return ((signature[R_BYTES - 1] ?? 0) & 0x7f) === y[R_BYTES - 1]
  })
}

function bytesOf(hex: string): Uint8Array {
  return fromHex(hex) as Uint8Array
}
