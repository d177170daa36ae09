import { concat, equalBytes } from '../../primitives/bytes.ts'
import { hash256 } from './hashes.ts'

/**
 * The Merkle root that a branch leads to (SPEC BE-9): from the hash of the transaction (32 bytes, not reversed) at
 * place `index` of its block up. Null where the index has more bits than the branch has hashes, or the branch leads to
 * a place where a tree only repeats its last node (CVE-2012-2459).
 */
export function rootOfBranch(leaf: Uint8Array, index: number, branch: readonly Uint8Array[]): Uint8Array | null {
  let node = leaf
  let place = index
  for (const sibling of branch) {
    const isRight = place % 2 === 1
    // [INVALID] BE-9: a node at the right that equals the one at its left is a repetition, at which nothing stands.
    if (isRight && equalBytes(sibling, node)) return null
    node = hash256(isRight ? concat(sibling, node) : concat(node, sibling))
    place = Math.floor(place / 2)
  }
  return place === 0 ? node : null
}

/** The branch of the transaction at `index` in a block of these transaction hashes (SPEC BE-9, as it is written). */
export function branchOf(hashes: readonly Uint8Array[], index: number): readonly Uint8Array[] {
  const branch: Uint8Array[] = []
  let place = index
  for (let level = hashes; level.length > 1; level = levelAbove(level)) {
    const sibling = level[place % 2 === 0 ? place + 1 : place - 1] ?? level[place]
    if (sibling === undefined) throw new RangeError(`no transaction ${index} among ${hashes.length}`)
    branch.push(sibling)
    place = Math.floor(place / 2)
  }
  return branch
}

function levelAbove(level: readonly Uint8Array[]): readonly Uint8Array[] {
  const above: Uint8Array[] = []
  for (let index = 0; index < level.length; index += 2) {
    const left = level[index] as Uint8Array
    above.push(hash256(concat(left, level[index + 1] ?? left)))
  }
  return above
}
