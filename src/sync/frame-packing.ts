import type { SessionLimits } from './limits.ts'

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

/** How many tips of a chain a side names, so that each entry fits a frame of its own (RS-12). */
export function tipsNamedMax({ frameBytes, tipsNamed }: SessionLimits): number {
  return Math.min(tipsNamed, taggedMax(frameBytes))
}

/** How many positions with tags fit beside the head of an entry into a frame of its own. */
export function taggedMax(frameBytes: number): number {
  return Math.floor((frameBytes - FRAME_HEAD_BYTES - ENTRY_HEAD_BYTES) / TAGGED_BYTES_MAX)
}

/** What a frame of entries has beside them, at most: type, flags, the number of entries. */
export const FRAME_HEAD_BYTES = 16

/** Index, two lengths, and a bit for each tip that may be named (RS-12): what stands beside tips or samples. */
const ENTRY_HEAD_BYTES = 8 + 2 + 2 + 384

/** A position of the largest kind and a tag. */
const TAGGED_BYTES_MAX = 8 + 12
