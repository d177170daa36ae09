import { concat, equalBytes } from '../../primitives/bytes.ts'
import { sha256 } from '../../primitives/sha256.ts'

/** Length of every hash here in bytes. */
export const HASH_BYTES = 32

const LEAF_PREFIX = Uint8Array.of(0x00)
const NODE_PREFIX = Uint8Array.of(0x01)

/** The hash of a leaf's data: SHA-256(0x00 ‖ data) (RFC 9162 section 2.1.1). */
export function leafHash(data: Uint8Array): Uint8Array {
  return sha256(concat(LEAF_PREFIX, data))
}

/** The hash of an inner node: SHA-256(0x01 ‖ left ‖ right). */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(concat(NODE_PREFIX, left, right))
}

/** The root over leaf hashes in order; of none, SHA-256 of nothing. */
export function merkleRoot(leafHashes: Iterable<Uint8Array>): Uint8Array {
  const accumulator = new MerkleAccumulator()
  for (const hash of leafHashes) accumulator.append(hash)
  return accumulator.root()
}

/** The inclusion proof of one leaf. To prove many leaves of one batch, make one `MerkleTree`. */
export function inclusionProof(leafHashes: readonly Uint8Array[], index: number): readonly Uint8Array[] {
  return new MerkleTree(leafHashes).inclusionProof(index)
}

/** What an inclusion proof claims: the leaf at `index` of `treeSize` leaves is under `root`. */
export interface InclusionClaim {
  readonly leafHash: Uint8Array
  readonly index: number
  readonly treeSize: number
  /** The sibling hashes from the leaf up to the root. */
  readonly path: readonly Uint8Array[]
  readonly root: Uint8Array
}

/** Whether an inclusion proof holds (RFC 9162 section 2.1.3.2). Indexes and sizes up to 2^53 − 1. */
export function verifyInclusion({ leafHash: leaf, index, treeSize, path, root }: InclusionClaim): boolean {
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(treeSize)) return false
  if (index < 0 || index >= treeSize) return false
  if (![leaf, root, ...path].every((hash) => hash.length === HASH_BYTES)) return false
  let node = index
  let last = treeSize - 1
  let hash = leaf
  for (const sibling of path) {
    if (last === 0) return false
    if (node % 2 === 1 || node === last) {
      hash = nodeHash(sibling, hash)
      // A right edge without a partner goes up unchanged; the path says nothing about those levels.
      while (node % 2 === 0 && node !== 0) {
        node = half(node)
        last = half(last)
      }
    } else {
      hash = nodeHash(hash, sibling)
    }
    node = half(node)
    last = half(last)
  }
  return last === 0 && equalBytes(hash, root)
}

/**
 * Computes a root from leaf hashes that come one by one. It keeps one hash for each complete subtree, so a million
 * leaves need twenty.
 */
export class MerkleAccumulator {
  /** Roots of the complete subtrees, the largest first; sizes are the powers of two that make up `#size`. */
  readonly #subtrees: Uint8Array[] = []
  #size = 0

  /** How many leaves were appended. */
  get size(): number {
    return this.#size
  }

  append(hash: Uint8Array): void {
    let merged = hash
    for (let rest = this.#size; rest % 2 === 1; rest = half(rest)) {
      merged = nodeHash(this.#subtrees.pop() as Uint8Array, merged)
    }
    this.#subtrees.push(merged)
    this.#size += 1
  }

  /** The root over what was appended so far; more can be appended afterwards. */
  root(): Uint8Array {
    if (this.#size === 0) return sha256('')
    return this.#subtrees.reduceRight((right, left) => nodeHash(left, right))
  }
}

/** A whole tree in memory (two hashes a leaf), for the proofs of all its leaves. */
export class MerkleTree {
  /** From the leaves up; a node without a partner stands unchanged in the next level. */
  readonly #levels: readonly (readonly Uint8Array[])[]

  constructor(leafHashes: readonly Uint8Array[]) {
    const levels = [leafHashes]
    let level = leafHashes
    while (level.length > 1) {
      level = nextLevel(level)
      levels.push(level)
    }
    this.#levels = levels
  }

  root(): Uint8Array {
    return this.#levels.at(-1)?.[0] ?? sha256('')
  }

  /** The sibling hashes of the leaf at `index`, from the leaf up. Throws `RangeError` where there is no such leaf. */
  inclusionProof(index: number): readonly Uint8Array[] {
    if (this.#levels[0]?.[index] === undefined) throw new RangeError(`no leaf ${index}`)
    const path: Uint8Array[] = []
    let position = index
    for (const level of this.#levels) {
      const sibling = level[position % 2 === 0 ? position + 1 : position - 1]
      if (sibling !== undefined) path.push(sibling)
      position = half(position)
    }
    return path
  }
}

function nextLevel(level: readonly Uint8Array[]): readonly Uint8Array[] {
  const above: Uint8Array[] = []
  for (let index = 0; index < level.length; index += 2) {
    const left = level[index] as Uint8Array
    const right = level[index + 1]
    above.push(right === undefined ? left : nodeHash(left, right))
  }
  return above
}

/** Half, rounded down. Not `>> 1`, which works on 32 bits only. */
function half(value: number): number {
  return Math.floor(value / 2)
}
