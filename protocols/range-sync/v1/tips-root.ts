import { concat } from '../../primitives/bytes.ts'
import { sha256 } from '../../primitives/sha256.ts'

/** How many buckets the chains of a namespace fall into, by the first 12 bits of the chain id (RS-1). */
export const BUCKETS = 4_096

/** How many consecutive buckets share a group hash, and how many groups there are (RS-1). */
export const BUCKETS_IN_GROUP = 64

const HASH_BYTES = 32
const BUCKET = Uint8Array.of(0x00)
const GROUP = Uint8Array.of(0x01)
const ROOT = Uint8Array.of(0x02)

/** The bucket of a chain id (32 bytes): 0 to 4,095. */
export function bucketOf(chainId: Uint8Array): number {
  return ((chainId[0] ?? 0) << 4) | ((chainId[1] ?? 0) >> 4)
}

/**
 * The chain state: SHA-256 of the chain id and the ids of its tips, each 32 bytes; the ids in ascending order by byte.
 */
export function chainState(chainId: Uint8Array, tipIds: readonly Uint8Array[]): Uint8Array {
  return sha256(concat(chainId, ...tipIds))
}

/** The hash of a bucket: of the states of its chains (32 bytes each), in ascending order of chain id (RS-1). */
export function bucketHash(states: readonly Uint8Array[]): Uint8Array {
  return sha256(concat(BUCKET, ...states))
}

/** The hash of a group: of the hashes of its 64 buckets (RS-1). Throws `RangeError` for another number of them. */
export function groupHash(buckets: readonly Uint8Array[]): Uint8Array {
  return hashOfAll(GROUP, buckets, BUCKETS_IN_GROUP)
}

/** The tips root: of the hashes of the 64 groups (RS-1). Throws `RangeError` for another number of them. */
export function tipsRoot(groups: readonly Uint8Array[]): Uint8Array {
  return hashOfAll(ROOT, groups, BUCKETS / BUCKETS_IN_GROUP)
}

function hashOfAll(level: Uint8Array, hashes: readonly Uint8Array[], count: number): Uint8Array {
  if (hashes.length !== count || !hashes.every(({ length }) => length === HASH_BYTES)) {
    throw new RangeError(`expected ${count} hashes of ${HASH_BYTES} bytes`)
  }
  return sha256(concat(level, ...hashes))
}
