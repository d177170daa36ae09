/** Smallest frame, that of the reference: 16 buckets, or 31 ids, and the end of the message fit into it well. */
export const FRAME_BYTES_MIN = 4_096

/** A range with fewer own items is answered with their ids (1 KiB): as the reference does, twice its 16 buckets. */
export const LIST_ITEMS_BELOW = 32

/** A message that has come this near to the frame's end is closed: what closes it takes less (SPEC NG-18). */
const FRAME_RESERVE_BYTES = 200

/** Version, then a skip with the longest bound: what can stand before a split. */
const BEFORE_SPLIT_BYTES = 45

/** The longest range with a fingerprint: timestamp 10 bytes, length 1, prefix 32, mode 1, fingerprint 16. */
const BUCKET_BYTES_MAX = 60

/** How a side writes. Both sides may differ in all of it. */
export interface WriteOptions {
  /** No message is longer, in bytes; 0 (the default) for no limit, else at least 4,096. */
  readonly frameBytesMax?: number
  /** Parts that a range is split into where fingerprints differ, at least 2; 16, if absent, as the reference does. */
  readonly splitBuckets?: number
}

/** How the side that begins writes. */
export interface OpeningOptions extends WriteOptions {
  /** Parts in the first message, at least 2; `splitBuckets`, if absent. With many items more of them save rounds. */
  readonly initialBuckets?: number
}

/** How the side writes that comes to know what differs, and how long it goes on. */
export interface InitiatorOptions extends OpeningOptions {
  /**
   * Messages that are sent at most; 32, if absent. Each round divides what differs by the buckets, so without frames
   * even 2^60 items need no more than 16; with them it is what differs, in frames.
   */
  readonly roundsMax?: number
}

/** Rounds, if an initiator does not say otherwise. */
export const ROUNDS_MAX = 32

/** Fewest parts of a split: one would say the same again. */
export const BUCKETS_MIN = 2

/** Parts of a split, if not said otherwise: those of the reference implementation. */
export const SPLIT_BUCKETS = 16

/** How long a message may become before it is closed, and into how many parts ranges go. */
export interface WriteLimits {
  readonly bytesMax: number
  readonly buckets: number
}

/** Reads options. Throws `RangeError` for one out of its range. */
export function writeLimits({ frameBytesMax = 0, splitBuckets = SPLIT_BUCKETS }: WriteOptions): WriteLimits {
  if (frameBytesMax !== 0) checkInteger('frameBytesMax', frameBytesMax, FRAME_BYTES_MIN)
  checkInteger('splitBuckets', splitBuckets, BUCKETS_MIN)
  if (frameBytesMax === 0) return { bytesMax: Number.POSITIVE_INFINITY, buckets: splitBuckets }
  const bytesMax = frameBytesMax - FRAME_RESERVE_BYTES
  // More than fit an empty message would be taken back each time, and nothing would ever be said.
  const fitting = Math.floor((bytesMax - BEFORE_SPLIT_BYTES) / BUCKET_BYTES_MAX)
  return { bytesMax, buckets: Math.min(splitBuckets, fitting) }
}

/** Throws `RangeError` unless the value is an integer of at least `least`. */
export function checkInteger(name: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least) throw new RangeError(`${name}: ${value}, at least ${least}`)
}
