import { fromHex, toHex } from '../../primitives/bytes.ts'
import { sha256 } from '../../primitives/sha256.ts'

/** Bitcoin's hash: SHA-256 of the SHA-256 (32 bytes). */
export function hash256(data: Uint8Array): Uint8Array {
  return sha256(sha256(data))
}

/** A hash as Bitcoin's tools print it: its bytes in reverse order, 64 hex digits (SPEC BE-1). */
export function printedHash(hash: Uint8Array): string {
  return toHex(hash.toReversed())
}

/** The 32 bytes of a hash that was printed by Bitcoin's tools; null for anything but 64 lower-case hex digits. */
export function hashOfPrinted(printed: string): Uint8Array | null {
  const bytes = fromHex(printed)
  return bytes?.length === 32 ? bytes.reverse() : null
}
