import { HASH_BYTES, nodeHash } from '../../batch/v1/merkle.ts'

/** Most hashes of a range proof: one a level on either side, of a tree of at most 2^53 leaves. */
export const PROOF_HASHES_MAX = 106

/** Consecutive leaves of a tree: `start` ≤ index < `start + count`. */
export interface Subtree {
  readonly start: number
  readonly count: number
}

/**
 * The subtrees whose hashes prove the leaves `from` ≤ index < `to` of a tree of `size` leaves, from left to right (SPEC
 * BU-14). Throws `RangeError` for a range that is empty or beyond the tree.
 */
export function provingSubtrees(size: number, from: number, to: number): readonly Subtree[] {
  if (!isRange(size, from, to)) throw new RangeError(`leaves ${from} to ${to} of ${size}`)
  const subtrees: Subtree[] = []
  const walk = (start: number, count: number): void => {
    if (start + count <= from || start >= to) {
      subtrees.push({ start, count })
      return
    }
    if (start >= from && start + count <= to) return
    const left = leftCount(count)
    walk(start, left)
    walk(start + left, count - left)
  }
  walk(0, size)
  return subtrees
}

/**
 * The root that the leaves at `from` and following of a tree of `size` leaves prove with these hashes (SPEC BU-14);
 * null where the hashes are too many, too few or not of 32 bytes, or the range is empty or beyond the tree.
 */
export function rootOfRange(
  size: number,
  from: number,
  leafHashes: readonly Uint8Array[],
  proof: readonly Uint8Array[]
): Uint8Array | null {
  const to = from + leafHashes.length
  if (!isRange(size, from, to) || proof.length > PROOF_HASHES_MAX) return null
  if (![...leafHashes, ...proof].every((hash) => hash.length === HASH_BYTES)) return null
  let used = 0
  const hashOf = (start: number, count: number): Uint8Array | null => {
    if (start + count <= from || start >= to) {
      used += 1
      return proof[used - 1] ?? null
    }
    if (count === 1) return leafHashes[start - from] ?? null
    const leaves = leftCount(count)
    const left = hashOf(start, leaves)
    const right = left === null ? null : hashOf(start + leaves, count - leaves)
    return left === null || right === null ? null : nodeHash(left, right)
  }
  const root = hashOf(0, size)
  return used === proof.length ? root : null
}

function isRange(size: number, from: number, to: number): boolean {
  return [size, from, to].every(Number.isSafeInteger) && from >= 0 && from < to && to <= size
}

/** The largest power of two below `count`, which is above 1 (BAT-7). */
function leftCount(count: number): number {
  let power = 2 ** Math.floor(Math.log2(count))
  // The logarithm of a number a little below a power of two may round up to it.
  while (power >= count) power /= 2
  return power
}
