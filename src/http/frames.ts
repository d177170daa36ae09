import { EVENT_BYTES_MAX } from '../../protocols/event/v1/envelope.ts'

/** The media type of streams of events: each is its length (uint32, big endian) and its wire bytes. */
export const FRAMES_MEDIA_TYPE = 'application/vnd.anchormesh.events'

const LENGTH_BYTES = 4

/** A stream of frames that ends inside of one. */
export class FrameCut extends Error {
  /** From 1. */
  readonly frame: number

  constructor(frame: number) {
    super(`the stream ends inside frame ${frame}`)
    this.name = 'FrameCut'
    this.frame = frame
  }
}

/** One event's wire bytes as a frame. */
export function frameOf(wire: Uint8Array): Uint8Array {
  const frame = new Uint8Array(LENGTH_BYTES + wire.length)
  new DataView(frame.buffer).setUint32(0, wire.length)
  frame.set(wire, LENGTH_BYTES)
  return frame
}

/**
 * The events of a stream of frames, one in memory at a time. Of one that is longer than an event may be, only so much
 * is handed on as shows that (`EVENT_BYTES_MAX` + 1 bytes), so that the door refuses it like any other. Throws
 * `FrameCut`.
 */
export async function* readFrames(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let frame = new FrameInProgress()
  let number = 1
  for await (const chunk of chunks) {
    let rest = chunk
    while (rest.length > 0) {
      rest = frame.take(rest)
      if (!frame.isWhole) continue
      yield frame.wire
      frame = new FrameInProgress()
      number += 1
    }
  }
  if (!frame.isEmpty) throw new FrameCut(number)
}

class FrameInProgress {
  readonly #header = new Uint8Array(LENGTH_BYTES)
  #taken = 0
  #length = 0
  #wire = new Uint8Array()

  get isEmpty(): boolean {
    return this.#taken === 0
  }

  get isWhole(): boolean {
    return this.#taken >= LENGTH_BYTES && this.#taken === LENGTH_BYTES + this.#length
  }

  get wire(): Uint8Array {
    return this.#wire
  }

  /** Takes what belongs to this frame and returns the rest. */
  take(bytes: Uint8Array): Uint8Array {
    const wanted = this.#taken < LENGTH_BYTES ? LENGTH_BYTES - this.#taken : LENGTH_BYTES + this.#length - this.#taken
    const part = bytes.subarray(0, wanted)
    if (this.#taken < LENGTH_BYTES) {
      this.#header.set(part, this.#taken)
      this.#taken += part.length
      if (this.#taken === LENGTH_BYTES) this.#open()
    } else {
      const at = this.#taken - LENGTH_BYTES
      if (at < this.#wire.length) this.#wire.set(part.subarray(0, this.#wire.length - at), at)
      this.#taken += part.length
    }
    return bytes.subarray(part.length)
  }

  #open(): void {
    this.#length = new DataView(this.#header.buffer).getUint32(0)
    this.#wire = new Uint8Array(Math.min(this.#length, EVENT_BYTES_MAX + 1))
  }
}
