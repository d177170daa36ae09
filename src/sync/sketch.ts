import { concat } from '../../protocols/primitives/bytes.ts'
import { sha256 } from '../../protocols/primitives/sha256.ts'
import { SKETCH_ENTRY_BYTES } from '../../protocols/range-sync/v1/frames.ts'

/** What stands for a chain in a sketch: 5 bytes of the salted hash of its state (SPEC RS-9). */
export function sketchEntry(salt: Uint8Array, state: Uint8Array): Uint8Array {
  return sha256(concat(salt, state)).subarray(0, SKETCH_ENTRY_BYTES)
}
