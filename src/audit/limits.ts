/** The bounds of the audit log, each with its reason. */

// One synced write costs about as much as writing 100 records; a group of this size makes the sync cheap.
export const GROUP_RECORDS_MAX = 512

// A node that decides a thousand things a second for four seconds while its disk stands still loses no detail; at most
// 4 KiB each, 16 MiB.
export const QUEUED_RECORDS_MAX = 4_096

// After a write that failed the store must be opened anew, which the log tries once a second.
export const RETRY_AFTER_MS = 1_000

// Deleted in one batch with what is written: twice what a group adds, so that a backlog of retention shrinks.
export const RETIRED_AT_ONCE_MAX = 1_024

// Records are kept for hours at the least, so nobody misses one that is gone an hour late.
export const RETENTION_EVERY_MS = 60 * 60_000

// Looked at when the log is opened: some 10 ms. The whole chain is for `audit --verify`.
export const CHECKED_AT_OPEN = 256

// Peers and codes that are told apart in one minute. A mesh of tens of peers has a handful of each; and at 128 records a
// minute it takes a flood of five days to push a million records out.
export const COUNTED_PER_MINUTE_MAX = 128

// One damaged record usually shows as two problems; a hundred show the pattern.
export const PROBLEMS_LISTED_MAX = 100

// What the detail of a record may take as JSON, so that the record stays within 4,096 bytes.
export const DETAIL_BYTES_MAX = 2_000
export const DETAIL_TEXT_BYTES_MAX = 512

// Sent on one connection before it is closed to learn that all of it came (AU-17): a handshake costs as much as some
// hundred messages.
export const SENT_AT_ONCE_MAX = 1_000
// A connection that is slow or has little to send is closed as well, so that a break repeats little.
export const CONFIRM_AFTER_MS = 10_000
// What a person does comes in bursts, and a burst needs one connection.
export const LINGER_MS = 1_000
// Read and written at once: half a MiB at the most.
export const SENT_PER_WRITE_MAX = 64

// A collector that restarts is back within seconds; one that is away for days is asked every five minutes.
export const RECONNECT_MS = 1_000
export const RECONNECT_MS_MAX = 300_000
