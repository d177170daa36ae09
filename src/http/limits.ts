/** What a listener allows its clients. Durations in milliseconds. */
export interface ListenerLimits {
  /** From the start of a connection or request to the end of its header; with TLS also to the end of the handshake. */
  readonly headersTimeoutMs: number
  /** From the start of a request to the end of its body; 0: no limit. */
  readonly requestTimeoutMs: number
  /** How long a connection with a request under way may carry no byte in either direction. */
  readonly idleTimeoutMs: number
  /** How long a connection is kept open for a next request. */
  readonly keepAliveTimeoutMs: number
  /** How often the first two limits are looked at. */
  readonly timeoutCheckMs: number
  readonly connectionsMax: number
  /** How long requests under way may go on when the listener closes. */
  readonly closeGraceMs: number
}

export const PUBLIC_LIMITS: ListenerLimits = {
  // A header is at most 16 KiB, one or two packets; ten seconds are for a bad line, not for one byte at a time.
  headersTimeoutMs: 10_000,
  // The largest body is an event that is pushed, 48 KiB.
  requestTimeoutMs: 15_000,
  // The longest silence that is meant is `waitFor`, 5 s; a reader that takes nothing for 30 s is gone.
  idleTimeoutMs: 30_000,
  // Apps that poll ask every few seconds.
  keepAliveTimeoutMs: 10_000,
  // Node's default, 30 s, would make 40 s of the ten.
  timeoutCheckMs: 2_000,
  // A thousand subscribers (CONTRACT), and as many again who ask. About 30 KiB each, some 70 with TLS: 140 MiB when
  // somebody opens all of them. `http.connectionsMax` sets another.
  connectionsMax: 2_048,
  // A little longer than `waitFor`.
  closeGraceMs: 6_000
}

export const ADMIN_LIMITS: ListenerLimits = {
  headersTimeoutMs: 10_000,
  // Receipts and imports are uploaded for as long as they last; the idle limit ends those that stand still.
  requestTimeoutMs: 0,
  // An operator may read `events --follow` page by page; nothing else is silent for longer than HEARTBEAT_MS.
  idleTimeoutMs: 600_000,
  // A command asks at once or not at all.
  keepAliveTimeoutMs: 5_000,
  timeoutCheckMs: 2_000,
  // Commands of one operator, some of them followers.
  connectionsMax: 64,
  closeGraceMs: 6_000
}

/** Largest body that is read whole (CONTRACT, section 1). */
export const BODY_BYTES_MAX = 1024 * 1024

export { PAGE_LENGTH_DEFAULT, PAGE_LENGTH_MAX } from '../api/queries.ts'

// A filter that matches nothing must not read the whole log for one request. 10,000 records are read and parsed in some
// 150 ms, and a page then ends early, perhaps empty; `next` goes on from there.
export const EVENTS_LOOKED_AT_MAX = 10_000

// 500 events of the largest size would be 60 MB of JSON; a page ends early instead, and `next` goes on from there.
export const PAGE_EVENT_BYTES_MAX = 4 * 1024 * 1024

// fetch gives up on an answer that is silent for 300 s and can't be told otherwise, so a stream is never silent for
// long.
export const HEARTBEAT_MS = 15_000

// Progress is for a person's eyes; ten lines a second are more than they see.
export const PROGRESS_EVERY_MS = 100

// The longest line that a node streams is a policy record, in base64url and parsed: some 10 MiB with 10,000 peers. The
// client trusts its node; this only ends what is no line at all.
export const STREAM_LINE_BYTES_MAX = 16 * 1024 * 1024

// Uploads are handed to the socket in pieces of this size: one write for many receipts, little to hold in memory.
export const UPLOAD_CHUNK_BYTES = 64 * 1024
