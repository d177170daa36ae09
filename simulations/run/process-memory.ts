/** Megabytes for each of the three spaces of young objects. */
const YOUNG_MB = 128
/** A large mesh needs its memory for itself. */
const LARGE_NODES = 500
const YOUNG_MB_OF_LARGE = 16
/** Percent by which the old objects of a large mesh grow until they are looked through again. */
const GROWTH_OF_LARGE = 10
/** Bytes from which on an array of a large mesh has pages of its own. */
const OWN_PAGES_OF_LARGE = 65_536

/**
 * How V8 is started for a run of so many nodes. What a node makes while it takes in an event lives for some virtual
 * milliseconds, in which all other nodes run, too: in the 16 MB that are usual most of it is copied, and old, before it
 * can be dropped, which took a fifth of a run's time. Of a thousand nodes as much is garbage as is in use, unless V8 is
 * told to look for it sooner: that takes time, and keeps a run within 2 GiB.
 */
export function v8Flags(nodes: number): readonly string[] {
  // From the start on: until they have grown, what lives for a moment would be copied as if it stayed.
  if (nodes < LARGE_NODES) return [`--min-semi-space-size=${YOUNG_MB}`, `--max-semi-space-size=${YOUNG_MB}`]
  return [`--max-semi-space-size=${YOUNG_MB_OF_LARGE}`, `--heap-growing-percent=${GROWTH_OF_LARGE}`]
}

/**
 * How the allocator of the C library is started for a run of so many nodes. Each node reads and writes the membership of
 * a thousand, half a megabyte; glibc would put such arrays between small ones after the first was freed, and keep the
 * holes that they leave: half a GiB. Other C libraries do not know these names.
 */
export function allocatorSettings(nodes: number): Readonly<Record<string, string>> {
  if (nodes < LARGE_NODES) return {}
  return { MALLOC_MMAP_THRESHOLD_: String(OWN_PAGES_OF_LARGE), MALLOC_TRIM_THRESHOLD_: String(OWN_PAGES_OF_LARGE) }
}
