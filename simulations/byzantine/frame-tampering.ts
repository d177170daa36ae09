import { concat } from '../../protocols/primitives/bytes.ts'
import type { PeerStream } from '../../src/streams/peer-stream.ts'

/** What is sent in the place of a frame; `null`: nothing more at all. */
export type Rewrite = (frame: Uint8Array) => readonly Uint8Array[] | null

/** A stream of which each frame that this side writes is put through `rewrite`. */
export function tamperedStream(stream: PeerStream, rewrite: Rewrite): PeerStream {
  return {
    peerId: stream.peerId,
    source: stream.source,
    sink: (source) => stream.sink(rewritten(source, rewrite)),
    abort: (reason) => stream.abort(reason)
  }
}

async function* rewritten(source: AsyncIterable<Uint8Array>, rewrite: Rewrite): AsyncGenerator<Uint8Array> {
  let unread: Uint8Array = new Uint8Array()
  for await (const chunk of source) {
    unread = concat(unread, chunk)
    for (let frame = firstFrame(unread); frame !== null; frame = firstFrame(unread)) {
      unread = unread.slice(frame.end)
      const sent = rewrite(frame.bytes)
      if (sent === null) return
      for (const bytes of sent) yield onStream(bytes)
    }
  }
}

/** A frame as it stands on the stream, with its length. */
export function onStream(frame: Uint8Array): Uint8Array {
  return concat(lengthOf(frame.length), frame)
}

/** Unsigned LEB128. */
function lengthOf(length: number): Uint8Array {
  const octets: number[] = []
  for (let rest = length; ; rest = Math.floor(rest / 128)) {
    octets.push(rest < 128 ? rest : (rest % 128) | 0x80)
    if (rest < 128) return Uint8Array.from(octets)
  }
}

/** The first whole frame of what was written, and where it ends. */
function firstFrame(bytes: Uint8Array): { readonly bytes: Uint8Array; readonly end: number } | null {
  let length = 0
  for (const [index, octet] of bytes.entries()) {
    length += (octet & 0x7f) * 128 ** index
    if (octet >= 0x80) continue
    const end = index + 1 + length
    return end > bytes.length ? null : { bytes: bytes.slice(index + 1, end), end }
  }
  return null
}
