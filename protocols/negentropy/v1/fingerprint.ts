import { sha256 } from '../../primitives/sha256.ts'
import { encodeVarint } from './varint.ts'

/** Length of an id in bytes. */
export const ID_BYTES = 32

/** Length of a fingerprint in bytes: the beginning of a SHA-256. */
export const FINGERPRINT_BYTES = 16

/** Limbs of a sum, 32 bits each. */
export const SUM_LIMBS = 8

/** A sum of ids mod 2^256: eight limbs of 32 bits, the lowest first. */
export type IdSum = Uint32Array

/** The sum of no ids. */
export function emptySum(): IdSum {
  return new Uint32Array(SUM_LIMBS)
}

/** Adds to `sum` the id that stands in `ids` at the byte `at`: a little-endian number (SPEC NG-13). */
export function addId(sum: IdSum, ids: Uint8Array, at = 0): void {
  let carry = 0
  for (let limb = 0; limb < SUM_LIMBS; limb += 1) carry = addLimb(sum, limb, limbOf(ids, at + limb * 4), carry)
}

/** Takes from `sum` the id that stands in `ids` at the byte `at`. */
export function subtractId(sum: IdSum, ids: Uint8Array, at = 0): void {
  let carry = 1
  for (let limb = 0; limb < SUM_LIMBS; limb += 1) carry = addLimb(sum, limb, ~limbOf(ids, at + limb * 4), carry)
}

/** Adds to `sum` another that stands in `sums` at the limb `at`, so that many sums fit one array. */
export function addSum(sum: IdSum, sums: IdSum, at = 0): void {
  let carry = 0
  for (let limb = 0; limb < SUM_LIMBS; limb += 1) carry = addLimb(sum, limb, (sums[at + limb] ?? 0) | 0, carry)
}

/** Takes from `sum` another that stands in `sums` at the limb `at`: so the sum of a range is that of two prefixes. */
export function subtractSum(sum: IdSum, sums: IdSum, at = 0): void {
  let carry = 1
  for (let limb = 0; limb < SUM_LIMBS; limb += 1) carry = addLimb(sum, limb, ~(sums[at + limb] ?? 0), carry)
}

/** The fingerprint (16 bytes) of `count` ids with that sum (SPEC NG-13). */
export function fingerprintOf(sum: IdSum, count: number): Uint8Array {
  const varint = encodeVarint(count)
  const input = new Uint8Array(ID_BYTES + varint.length)
  for (let limb = 0; limb < SUM_LIMBS; limb += 1) {
    const value = sum[limb] ?? 0
    for (let byte = 0; byte < 4; byte += 1) input[limb * 4 + byte] = value >>> (byte * 8)
  }
  input.set(varint, ID_BYTES)
  return sha256(input).slice(0, FINGERPRINT_BYTES)
}

/** The fingerprint of no ids. */
export const EMPTY_FINGERPRINT: Uint8Array = fingerprintOf(emptySum(), 0)

/** Adds to one limb and returns the carry. In integers of 32 bits throughout, which runtimes add fastest. */
function addLimb(sum: IdSum, limb: number, value: number, carry: number): number {
  const before = (sum[limb] ?? 0) | 0
  const after = (before + value + carry) | 0
  sum[limb] = after
  return ((before & value) | ((before | value) & ~after)) >>> 31
}

function limbOf(ids: Uint8Array, at: number): number {
  const low = (ids[at] ?? 0) | ((ids[at + 1] ?? 0) << 8) | ((ids[at + 2] ?? 0) << 16)
  return low | ((ids[at + 3] ?? 0) << 24)
}
