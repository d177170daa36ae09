/** The bounds of the log, each with its reason. */

// One synced write costs about as much as writing 100 events, so a group of this size makes the sync cheap; a larger
// one only makes the last of the group wait longer.
export const GROUP_RECORDS_MAX = 512

// Keeps a group within LevelDB's write buffer even when every event is of the greatest size.
export const GROUP_BYTES_MAX = 8 * 1024 * 1024

// What waits for a write is memory (at most 48 KiB an event); a caller beyond this is told that the log is busy.
export const QUEUED_RECORDS_MAX = 4_096

// So that 4,096 events of the greatest size don't take 192 MiB.
export const QUEUED_BYTES_MAX = 32 * 1024 * 1024

// A killed process loses at most this much of what `store.json` knows, never of the log itself.
export const CHECKPOINT_EVERY_MS = 1_000

// LevelDB needs room to compact (two tables of each level) and to roll its write-ahead log.
export const FREE_BYTES_MIN = 64 * 1024 * 1024

// A disk does not fill by 64 MiB in a second at the rate at which this log writes.
export const FREE_BYTES_CHECK_EVERY_MS = 1_000

// After a failed write the store must be opened anew; trying that at each append would only keep a full disk busy.
export const REOPEN_EVERY_MS = 1_000

// The predecessor of a new event is nearly always a recent one; 16,384 positions are about 4 MiB.
export const RECENT_POSITIONS_MAX = 16_384

// One for each branch that is written to, so that the store need not be asked which branch goes on; 16,384 are about
// 3 MiB.
export const WRITTEN_TIPS_MAX = 16_384

// What one step of reading a path hands on: enough for one range-sync message, little enough to have several in memory.
export const PATH_BATCH_EVENTS_MAX = 256

// As above, for large events. The last records read may go beyond it by what `PATH_READ_RECORDS_MAX` of them have.
export const PATH_BATCH_BYTES = 1024 * 1024

// Read at once, so that events of the greatest size take 1.5 MiB.
export const PATH_READ_RECORDS_MAX = 32

// Leaves of the log's tree that are stored as one entry: a put for every 256 records costs each next to nothing, and a
// proof reads a tile (8 KiB) or two. What has no tile yet is read from the records at the start: at most so many.
export const TILE_LEAVES = 256
