import { concat, utf8 } from '../../protocols/primitives/bytes.ts'
import { sha256 } from '../../protocols/primitives/sha256.ts'
import type { Random } from '../../src/platform/random.ts'

const BLOCK_BYTES = 32
const COUNTER_BYTES = 8
/** A double holds 53 bits; seven bytes are the fewest that have them. */
const FRACTION_BYTES = 7

/** Randomness that is all decided by one seed. Not for secrets. */
export interface SeededRandom extends Random {
  readonly seed: string
  /** An integer from 0 up to, but not including, `limit`. */
  below(limit: number): number
  /**
   * A generator of its own, so that what one part of a run draws does not move what another draws. Its seed is
   * `<seed>/<name>`.
   */
  fork(name: string): SeededRandom
}

/**
 * The generator of a seed: the byte stream SHA-256(seed ‖ 0) ‖ SHA-256(seed ‖ 1) ‖ …, the seed in UTF-8 and the counter
 * as eight bytes, big-endian. It is the same in every language and on every processor, and costs about a microsecond
 * for 32 bytes.
 */
export function seededRandom(seed: string): SeededRandom {
  const prefix = utf8(seed)
  const hashed = concat(prefix, new Uint8Array(COUNTER_BYTES))
  const position = new DataView(hashed.buffer, hashed.byteOffset + prefix.length)
  let block: Uint8Array = new Uint8Array(0)
  let counter = 0
  let used = 0

  const nextBlock = (): void => {
    position.setBigUint64(0, BigInt(counter))
    block = sha256(hashed)
    counter += 1
    used = 0
  }

  const nextByte = (): number => {
    if (used === block.length) nextBlock()
    used += 1
    return block[used - 1] ?? 0
  }

  const bytes = (length: number): Uint8Array => {
    const drawn = new Uint8Array(length)
    for (let filled = 0; filled < length;) {
      if (used === block.length) nextBlock()
      const part = block.subarray(used, Math.min(BLOCK_BYTES, used + length - filled))
      drawn.set(part, filled)
      filled += part.length
      used += part.length
    }
    return drawn
  }

  /** 53 bits, the most that a number holds. Links draw one for each frame, so no array is made. */
  const fraction = (): number => {
    let high = 0
    for (let byte = 1; byte < FRACTION_BYTES; byte += 1) high = high * 256 + nextByte()
    return (high * 32 + (nextByte() >> 3)) / 2 ** 53
  }

  return {
    seed,
    bytes,
    fraction,
    below: (limit) => Math.floor(fraction() * limit),
    fork: (name) => seededRandom(`${seed}/${name}`)
  }
}
