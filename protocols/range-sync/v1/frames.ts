/** The frames of range-sync as values (SPEC RS-4 to RS-20). */

/** Largest frame in bytes, type and payload (RS-3). */
export const FRAME_BYTES_MAX = 65_536

/** Largest `events` frame in bytes (RS-3). */
export const EVENTS_FRAME_BYTES_MAX = 262_144

/** Most events in one frame (RS-18). */
export const EVENTS_IN_FRAME_MAX = 256

/** Most chains that one `chains` frame names on either side (RS-12). */
export const CHAINS_IN_FRAME_MAX = 1_024

/** Most frames of `chains`, of `answer` or of a probe that follow one another (RS-12). */
export const CHAINS_FRAMES_MAX = 64

/** Most chains in a sketch (RS-9). */
export const SKETCH_CHAINS_MAX = 4_096

/** Most tips that are named of one chain (RS-12). */
export const TIPS_NAMED_MAX = 3_072

/** Most samples in one `probe` (RS-17). */
export const SAMPLES_MAX = 2_048

/** Most rounds of `negentropy`, and of `probe` (RS-17). */
export const ROUNDS_MAX = 32

export const MEMBERSHIP_BYTES = 16
export const SALT_BYTES = 16
export const ROOT_BYTES = 32
/** Of the salted hash that stands for a chain in a sketch (RS-9). */
export const SKETCH_ENTRY_BYTES = 5
/** Of a chain prefix, of a tag of an id, and of an item's id where it is named (RS-12). */
export const CHAIN_PREFIX_BYTES = 16
export const TAG_BYTES = 12
export const ITEM_PREFIX_BYTES = 12

/** Codes of `error` (RS-5). */
export const ERROR_CODES = ['busy', 'wrong-namespace', 'too-big', 'bad-frame', 'lied', 'timeout'] as const
export type SyncErrorCode = (typeof ERROR_CODES)[number]

/** A place in a chain and the salted tag of the event there (12 bytes). */
export interface TaggedPosition {
  readonly position: number
  readonly tag: Uint8Array
}

/** A chain of the initiator, by its prefix (16 bytes) and tips; without tips it is not wanted. */
export interface NamedChain {
  readonly prefix: Uint8Array
  readonly tips: readonly TaggedPosition[]
}

/** What the responder says of a chain of which it lacks tips. */
export interface AnsweredChain {
  /** In the `mine` of all `chains` frames. */
  readonly index: number
  /** Of the initiator's tips, which the responder holds. */
  readonly held: readonly boolean[]
  readonly tips: readonly TaggedPosition[]
}

export interface ProbedChain {
  readonly index: number
  readonly held: readonly boolean[]
  readonly asked: readonly TaggedPosition[]
}

/** Which entries of the responder's the initiator has: a bit each after a sketch, else the items that it lacks. */
export type Matched =
  | { readonly of: 'sketch'; readonly bits: readonly boolean[] }
  | { readonly of: 'tree'; readonly missing: readonly Uint8Array[] }

export type Frame =
  | {
      readonly type: 'hello'
      readonly namespace: string
      readonly membership: Uint8Array
      readonly root: Uint8Array
      readonly chains: number
    }
  | { readonly type: 'equal'; readonly membership: Uint8Array }
  | {
      readonly type: 'sketch'
      readonly membership: Uint8Array
      readonly salt: Uint8Array
      /** Five bytes a chain, in ascending order of chain id. */
      readonly entries: readonly Uint8Array[]
    }
  | {
      readonly type: 'tree'
      readonly membership: Uint8Array
      readonly salt: Uint8Array
      readonly chains: number
      /** A message of negentropy/v1, as it came. */
      readonly message: Uint8Array
    }
  | { readonly type: 'negentropy'; readonly message: Uint8Array }
  | {
      readonly type: 'chains'
      readonly more: boolean
      readonly matched: Matched
      readonly mine: readonly NamedChain[]
    }
  | { readonly type: 'answer'; readonly more: boolean; readonly chains: readonly AnsweredChain[] }
  | { readonly type: 'probe'; readonly more: boolean; readonly chains: readonly ProbedChain[] }
  | { readonly type: 'events'; readonly events: readonly Uint8Array[] }
  | { readonly type: 'done'; readonly sent: number; readonly notTaken: number; readonly left: number }
  | { readonly type: 'error'; readonly code: SyncErrorCode; readonly detail: string }

export type FrameType = Frame['type']

/** The octet of each type (RS-4). */
export const FRAME_OCTETS: Readonly<Record<FrameType, number>> = {
  hello: 0x01,
  equal: 0x02,
  sketch: 0x03,
  tree: 0x04,
  negentropy: 0x05,
  chains: 0x06,
  answer: 0x07,
  probe: 0x08,
  events: 0x09,
  done: 0x0a,
  error: 0x0f
}

/** The version that stands in `hello` (RS-8). */
export const VERSION = 0x01

/** Most bytes of a text in a frame. */
export const TEXT_BYTES_MAX = 256
