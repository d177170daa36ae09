/** Megabytes for each of the three spaces of young objects. */
const YOUNG_MB = 128
/** A large mesh needs its memory for itself. */
const LARGE_NODES = 500
const YOUNG_MB_OF_LARGE = 16
/** Percent by which the old objects of a large mesh grow until they are looked through again. */
const GROWTH_OF_LARGE = 20

/**
 * How V8 is started for a run of so many nodes. What a node makes while it takes in an event lives for some virtual
 * milliseconds, in which all other nodes run, too: in the 16 MB that are usual most of it is copied, and old, before it
 * can be dropped, which took a fifth of a run's time. Of a thousand nodes as much is garbage as is in use, unless V8 is
 * told to look for it sooner: a third more time, and less than 2 GiB.
 */
export function v8Flags(nodes: number): readonly string[] {
  // From the start on: until they have grown, what lives for a moment would be copied as if it stayed.
  if (nodes < LARGE_NODES) return [`--min-semi-space-size=${YOUNG_MB}`, `--max-semi-space-size=${YOUNG_MB}`]
  return [`--max-semi-space-size=${YOUNG_MB_OF_LARGE}`, `--heap-growing-percent=${GROWTH_OF_LARGE}`]
}
