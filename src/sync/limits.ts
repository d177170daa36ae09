import {
  CHAINS_FRAMES_MAX,
  CHAINS_IN_FRAME_MAX,
  FRAME_BYTES_MAX,
  ROUNDS_MAX,
  SAMPLES_MAX,
  SKETCH_CHAINS_MAX,
  TIPS_NAMED_MAX
} from '../../protocols/range-sync/v1/frames.ts'

/** How much of what the protocol allows a side makes use of. Both sides may differ in all of it. */
export interface SessionLimits {
  /** Largest frame that is written, in bytes, at least 4,096; `events` have their own limit. */
  readonly frameBytes: number
  /** With more chains than this a responder opens a tree. */
  readonly sketchChains: number
  readonly chainsInFrame: number
  /** Frames of `chains`, and of `answer`. */
  readonly chainsFrames: number
  readonly tipsNamed: number
  readonly samples: number
  /** Messages of `negentropy`, and probes, that are sent. */
  readonly rounds: number
  /** Ids that are looked up in a session for what the peer names or asks of chains with forks. */
  readonly lookups: number
}

/** Those of the SPEC. */
export const SESSION_LIMITS: SessionLimits = {
  frameBytes: FRAME_BYTES_MAX,
  sketchChains: SKETCH_CHAINS_MAX,
  chainsInFrame: CHAINS_IN_FRAME_MAX,
  chainsFrames: CHAINS_FRAMES_MAX,
  tipsNamed: TIPS_NAMED_MAX,
  samples: SAMPLES_MAX,
  rounds: ROUNDS_MAX,
  // Some 55 µs each, so at most about seven seconds of work, between other work, for all forked chains of a session:
  // 10,000 forks, each within the one before, need most of it. A chain without forks takes about 0.5 ms beside this.
  lookups: 131_072
}
