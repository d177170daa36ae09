import type { RunLimits } from '../projections/changed-runs.ts'
import { RUN_LIMITS } from '../projections/changed-runs.ts'

/** What subscriptions may take of a node. Durations in milliseconds. */
export interface SubscriptionLimits {
  readonly subscribersMax: number
  /** Of one address that is not this machine's own. */
  readonly perAddressMax: number
  readonly channelsMax: number
  /** A connection with more bytes waiting than this is too slow. */
  readonly waitingBytesMax: number
  /** How long a connection may take nothing while rows wait for it. */
  readonly stalledMsMax: number
  /** What all readers of a channel get in one go, however fast their connections are. */
  readonly turnBytesMax: number
  /** What one reader that catches up is sent before its connection is waited for. */
  readonly chunkBytes: number
  /** Rows of a snapshot that are read from one moment of the store. */
  readonly snapshotRowsAtOnce: number
  /** How far apart the cursors of changes are. */
  readonly runs: RunLimits
}

export const SUBSCRIPTION_LIMITS: SubscriptionLimits = {
  // Half as many again as are promised; an idle one is some 20 KiB, so 30 MiB when all are taken.
  subscribersMax: 1_500,
  // An office behind one address; a proxy on this machine speaks for everybody.
  perAddressMax: 256,
  // One for each projection and set of visible namespaces that somebody reads. Each reads a change once, some 100 µs, so
  // that all of them cost less than the fold.
  channelsMax: 256,
  // Several seconds of a busy log. What waits is the same bytes for all readers of a channel, so that a thousand slow
  // ones hold little more than one does.
  waitingBytesMax: 1024 * 1024,
  // As long as a listener leaves a connection open that carries no byte.
  stalledMsMax: 30_000,
  // More than this, as of a sealed batch of a thousand receipts, each reads at its own pace, and nobody is thrown out for
  // it.
  turnBytesMax: 256 * 1024,
  // A write to a socket costs some 10 µs whatever its length; 64 KiB are 100 rows.
  chunkBytes: 64 * 1024,
  // Some 2 MiB: a moment of the store is not held for longer than it takes to send them.
  snapshotRowsAtOnce: 2_048,
  runs: RUN_LIMITS
}

/** Silence after which a keep-alive is sent (CONTRACT, section 4). */
export const KEEP_ALIVE_MS = 15_000

// A reader whose rows never change must not grow too old: changes are kept for four times as many positions at least.
export const CHECKPOINT_POSITIONS = 1_024
// And it should have to skip little after a restart.
export const CHECKPOINT_MS = 30_000

// Keep-alives and checkpoints are then late by a second at most, and looking at 1,500 subscribers takes some 50 µs.
export const TICK_MS = 1_000

// Places that are read for in one turn; those who wait for live changes wait for as many reads of at most the above.
export const PLACES_AT_ONCE = 16

// Each holds a moment of the store and at most some 5 MiB of keys and rows.
export const CATCH_UPS_AT_ONCE = 32

// How long a connection may take to read its terminal frame. Shorter than the grace of a listener that closes.
export const FAREWELL_MS = 5_000
