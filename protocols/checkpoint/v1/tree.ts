import { HASH_BYTES, leafHash, nodeHash } from '../../batch/v1/merkle.ts'
import { concat, equalBytes } from '../../primitives/bytes.ts'
import { sha256 } from '../../primitives/sha256.ts'

/** The leaves with `begin <= index < end`. Those of the trees here always form a subtree of RFC 9162. */
export interface LeafRange {
  readonly begin: number
  readonly end: number
}

/** What the hash of a record is over, beside its position (SPEC CHK-1). */
export interface HashedRecord {
  /** 32 bytes; zeros before the first record. */
  readonly previousHash: Uint8Array
  /** 1: an event; 2: what the node learned or was told. */
  readonly scope: 1 | 2
  /** Milliseconds since 1970. */
  readonly recordedAt: number
  readonly bytes: Uint8Array
}

/** The chain hash of the record at a position (SPEC CHK-1): 32 bytes. */
export function recordHashAt(logSeq: number, { previousHash, scope, recordedAt, bytes }: HashedRecord): Uint8Array {
  const numbers = new Uint8Array(17)
  const view = new DataView(numbers.buffer)
  view.setBigUint64(0, BigInt(logSeq))
  view.setUint8(8, scope)
  view.setBigUint64(9, BigInt(recordedAt))
  return sha256(concat(previousHash, numbers, bytes))
}

/** The hash of the leaf of a record: its data are the 32 bytes of the record's chain hash (SPEC CHK-2). */
export function recordLeaf(recordHash: Uint8Array): Uint8Array {
  return leafHash(recordHash)
}

/** The root over no leaves (RFC 9162 section 2.1.1). */
export function emptyRoot(): Uint8Array {
  return sha256('')
}

/**
 * The subtrees whose hashes are PATH(index, D[size]) of RFC 9162 section 2.1.3.1, in the order of the proof. Throws
 * `RangeError` where there is no such leaf.
 */
export function inclusionRanges(index: number, size: number): readonly LeafRange[] {
  if (!isSize(index) || !isSize(size) || index >= size) throw new RangeError(`no leaf ${index} of ${size}`)
  const ranges: LeafRange[] = []
  let [begin, end] = [0, size]
  while (end - begin > 1) {
    const middle = begin + greatestPowerBelow(end - begin)
    if (index < middle) {
      ranges.push({ begin: middle, end })
      end = middle
    } else {
      ranges.push({ begin, end: middle })
      begin = middle
    }
  }
  return ranges.toReversed()
}

/**
 * The subtrees whose hashes are PROOF(from, D[to]) of RFC 9162 section 2.1.4.1, in the order of the proof. Throws
 * `RangeError` unless 0 < from ≤ to.
 */
export function consistencyRanges(from: number, to: number): readonly LeafRange[] {
  if (!isSize(from) || !isSize(to) || from < 1 || from > to) throw new RangeError(`no proof from ${from} to ${to}`)
  const ranges: LeafRange[] = []
  let [begin, end] = [0, to]
  // The subtree of the old leaves is known to who checks as long as it is the old tree itself.
  while (from !== end) {
    const middle = begin + greatestPowerBelow(end - begin)
    if (from <= middle) {
      ranges.push({ begin: middle, end })
      end = middle
    } else {
      ranges.push({ begin, end: middle })
      begin = middle
    }
  }
  if (begin > 0) ranges.push({ begin, end })
  return ranges.toReversed()
}

/** The complete subtrees that a range is made of, the largest first; their hashes fold to that of the range. */
export function completeSubtrees({ begin, end }: LeafRange): readonly LeafRange[] {
  const subtrees: LeafRange[] = []
  let from = begin
  while (from < end) {
    const size = greatestPowerUpTo(end - from)
    subtrees.push({ begin: from, end: from + size })
    from += size
  }
  return subtrees
}

/** The hash over subtrees as `completeSubtrees` has them; over none, that of the empty tree. */
export function hashOfSubtrees(hashes: readonly Uint8Array[]): Uint8Array {
  if (hashes.length === 0) return emptyRoot()
  return hashes.reduceRight((right, left) => nodeHash(left, right))
}

/** What a consistency proof claims: the tree of `to` leaves begins with that of `from`. */
export interface ConsistencyClaim {
  readonly from: number
  readonly fromRoot: Uint8Array
  readonly to: number
  readonly toRoot: Uint8Array
  readonly proof: readonly Uint8Array[]
}

/** Whether a consistency proof holds (RFC 9162 section 2.1.4.2; SPEC CHK-5). Sizes up to 2^53 − 1, from 1. */
export function verifyConsistency({ from, fromRoot, to, toRoot, proof }: ConsistencyClaim): boolean {
  if (!isSize(from) || !isSize(to) || from < 1 || from > to) return false
  if (![fromRoot, toRoot, ...proof].every((hash) => hash.length === HASH_BYTES)) return false
  if (from === to) return proof.length === 0 && equalBytes(fromRoot, toRoot)
  if (proof.length === 0) return false
  const path = isPowerOfTwo(from) ? [fromRoot, ...proof] : proof
  let [node, last] = [from - 1, to - 1]
  while (node % 2 === 1) [node, last] = [half(node), half(last)]
  let old = path[0] as Uint8Array
  let now = old
  for (const hash of path.slice(1)) {
    if (last === 0) return false
    if (node % 2 === 1 || node === last) {
      old = nodeHash(hash, old)
      now = nodeHash(hash, now)
      while (node % 2 === 0 && node !== 0) [node, last] = [half(node), half(last)]
    } else {
      now = nodeHash(now, hash)
    }
    ;[node, last] = [half(node), half(last)]
  }
  return last === 0 && equalBytes(old, fromRoot) && equalBytes(now, toRoot)
}

function isSize(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

function isPowerOfTwo(value: number): boolean {
  return greatestPowerUpTo(value) === value
}

/** The greatest power of two that is not above a number from 1. Not by shifts, which work on 32 bits only. */
function greatestPowerUpTo(value: number): number {
  let power = 2 ** Math.floor(Math.log2(value))
  // The logarithm is rounded: near 2^53 it can be one too much.
  while (power > value) power /= 2
  return power
}

/** The greatest power of two that is below a number from 2. */
function greatestPowerBelow(value: number): number {
  return greatestPowerUpTo(value - 1)
}

function half(value: number): number {
  return Math.floor(value / 2)
}
