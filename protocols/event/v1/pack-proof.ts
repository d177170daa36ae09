import { inclusionProof, leafHash, verifyInclusion } from '../../batch/v1/merkle.ts'
import { encodeCanonical } from '../../canonical-json/v1/codec.ts'
import { fromHex, toHex, utf8 } from '../../primitives/bytes.ts'
import type { AnchorPack, PackKey } from './anchor-pack.ts'
import { packLeaves } from './anchor-pack.ts'

/** That a key is under the root of a pack (SPEC EV-38). */
export interface PackKeyProof {
  readonly key: PackKey
  /** The key's leaf; leaf 0 is that of the organisation and its threshold. */
  readonly index: number
  readonly treeSize: number
  /** The sibling hashes from the leaf up to the root, hex. */
  readonly path: readonly string[]
}

/** The proof for one of the keys that result from a pack; `null` where `kid` is none of them. */
export function provePackKey(
  resulting: Pick<AnchorPack, 'orgId' | 'threshold' | 'keys'>,
  kid: string
): PackKeyProof | null {
  const ordered = resulting.keys.toSorted((left, right) => (left.kid < right.kid ? -1 : 1))
  const place = ordered.findIndex((candidate) => candidate.kid === kid)
  const key = ordered[place]
  if (key === undefined) return null
  const leaves = packLeaves(resulting)
  return { key, index: place + 1, treeSize: leaves.length, path: inclusionProof(leaves, place + 1).map(toHex) }
}

/** Whether the key of a proof is under the pack root (hex). That the pack counts is another question (EV-40 to EV-46). */
export function verifyPackKeyProof({ key, index, treeSize, path }: PackKeyProof, root: string): boolean {
  const hashes = path.map(fromHex)
  const rootBytes = fromHex(root)
  if (index < 1 || rootBytes === null || !hashes.every((hash) => hash !== null)) return false
  const leaf = leafHash(utf8(encodeCanonical(key)))
  return verifyInclusion({ leafHash: leaf, index, treeSize, path: hashes, root: rootBytes })
}
