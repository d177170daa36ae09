/** Parts entries among frames: as many in each as its bytes and number allow; one frame, without entries, for none. */
export function packed<Entry>(
  entries: readonly Entry[],
  bytesOf: (entry: Entry) => number,
  limits: { readonly bytes: number; readonly entries: number }
): readonly (readonly Entry[])[] {
  const packs: Entry[][] = []
  let pack: Entry[] = []
  let room = limits.bytes
  for (const entry of entries) {
    const bytes = bytesOf(entry)
    if (pack.length === limits.entries || (pack.length > 0 && bytes > room)) {
      packs.push(pack)
      pack = []
      room = limits.bytes
    }
    pack.push(entry)
    room -= bytes
  }
  return [...packs, pack]
}

/** What a frame of entries has beside them, at most: type, flags, the number of entries. */
export const FRAME_HEAD_BYTES = 16

/** Index, two lengths, and a bit for each tip that may be named (RS-12): what stands beside tips or samples. */
export const ENTRY_HEAD_BYTES = 8 + 2 + 2 + 384

/** A position of the largest kind and a tag. */
export const TAGGED_BYTES_MAX = 8 + 12
