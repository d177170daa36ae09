import { decode, encode } from 'it-length-prefixed'
import type { LengthDecoderFunction } from 'it-length-prefixed'
import { pipe } from 'it-pipe'
import { messageOf } from '../platform/errors.ts'
import type { PeerStream } from './peer-stream.ts'

/** A length of five bytes holds more than any frame may have. */
const LENGTH_BYTES_MAX = 5

/** Chunks smaller than this are put together while a frame is incomplete: each one kept costs far more than a byte. */
const GATHER_BYTES = 16_384

/**
 * What is wrong with a stream of frames. `bad-frame`: a length that is not in its shortest form, is longer than five
 * bytes, or is zero. `too-big`: a frame above the limit. `broken`: the stream broke, or ended within a frame.
 */
export type FrameErrorCode = 'bad-frame' | 'too-big' | 'broken'

/** Frames cannot be read or written any more. */
export class FrameError extends Error {
  readonly code: FrameErrorCode

  constructor(code: FrameErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'FrameError'
    this.code = code
  }
}

/** What reading gives: a frame, why there is none, or null after the last one. */
export type FrameReading =
  | { readonly ok: true; readonly frame: Uint8Array }
  | { readonly ok: false; readonly code: FrameErrorCode; readonly detail: string }
  | null

/** Frames in both directions: each has its length before it, as unsigned LEB128 in the shortest form. */
export interface FrameStream {
  /** The PeerId of the other side. */
  readonly peerId: string
  /**
   * The next frame, in bytes of its own. After null or a failure, every further call gives the same. One call at a time:
   * another one meanwhile throws.
   */
  read(): Promise<FrameReading>
  /**
   * Resolves when the link has taken the frame. Throws `FrameError` `broken` when the stream breaks first, `RangeError`
   * for a frame that is empty or above the limit, and `Error` while another frame is written or after `end`.
   */
  write(frame: Uint8Array): Promise<void>
  /** Closes this side after what was written. Throws `FrameError` `broken`; a second call waits for the same. */
  end(): Promise<void>
  /**
   * Drops what still comes, so that nothing is read any more; resolves when the other side has closed or the stream is broken. What was written right
   * before an abort may be lost with it, so whoever has something to say at last waits for this first.
   */
  drained(): Promise<void>
  /** Breaks the stream for both sides. */
  abort(reason: Error): void
  /** Bytes that came, with the lengths. */
  readonly bytesRead: number
  /** Bytes that the link has taken, with the lengths. */
  readonly bytesWritten: number
}

/**
 * Frames over a stream, whose `source` and `sink` are used from here on by nobody else. It holds one frame and one chunk
 * of the stream in each direction. Whoever takes it has to call `end` or `abort`.
 * @param options.frameBytesMax bytes of the largest frame, without its length, in both directions
 */
export function frameStream(stream: PeerStream, options: { readonly frameBytesMax: number }): FrameStream {
  const reader = readFrames(stream, options.frameBytesMax)
  const writer = writeFrames(stream, options.frameBytesMax)
  return {
    peerId: stream.peerId,
    read: reader.read,
    write: writer.write,
    end: writer.end,
    drained: reader.drained,
    abort: (reason) => stream.abort(reason),
    get bytesRead() {
      return reader.bytes()
    },
    get bytesWritten() {
      return writer.bytes()
    }
  }
}

interface Reader {
  readonly read: () => Promise<FrameReading>
  readonly drained: () => Promise<void>
  readonly bytes: () => number
}

function readFrames(stream: PeerStream, frameBytesMax: number): Reader {
  let bytes = 0
  let last: FrameReading | undefined
  let reading = false
  /** The length of the frame that is under way; null between frames. */
  let frameBytes: number | null = null
  /** Bytes that the decoder holds beyond the length. */
  let held = 0

  const lengthDecoder = createLengthDecoder(frameBytesMax)
  // By hand, because a loop that is left would close it, and what comes then could not be drained.
  const source = stream.source[Symbol.asyncIterator]()
  async function* counted(): AsyncGenerator<Uint8Array> {
    for (let next = await source.next(); next.done !== true; next = await source.next()) {
      bytes += next.value.length
      yield next.value
    }
  }
  const frames = pipe(
    counted,
    async function* feed(chunks) {
      const missing = (): number => (frameBytes === null ? 0 : frameBytes - held)
      for await (const chunk of gather(chunks, missing)) {
        held += chunk.length
        yield chunk
      }
    },
    (chunks) =>
      decode(chunks, {
        lengthDecoder,
        maxDataLength: frameBytesMax,
        onLength(length) {
          frameBytes = length
          held -= lengthDecoder.bytes
        },
        onData({ byteLength }) {
          frameBytes = null
          held -= byteLength
        }
      })
  )

  const next = async (): Promise<FrameReading> => {
    try {
      const { done, value } = await frames.next()
      if (done !== true) return { ok: true, frame: ownBytes(value, value.byteLength) }
      // The decoder takes it for a clean end when the stream ends right after a length.
      if (frameBytes === null) return null
      return { ok: false, code: 'broken', detail: 'the stream ended within a frame' }
    } catch (error) {
      return { ok: false, code: error instanceof FrameError ? error.code : 'broken', detail: messageOf(error) }
    }
  }

  return {
    async read() {
      if (last !== undefined) return last
      if (reading) throw new Error('a frame is read already')
      reading = true
      const result = await next()
      reading = false
      // Drained meanwhile: what this put together may have a gap.
      if (last !== undefined) return last
      if (result === null || !result.ok) last = result
      return result
    },
    async drained() {
      last ??= { ok: false, code: 'broken', detail: 'what comes is dropped' }
      // A stream that breaks is over as well.
      const isOver = (): Promise<boolean> =>
        source.next().then(
          ({ done }) => done === true,
          () => true
        )
      while (!(await isOver()));
    },
    bytes: () => bytes
  }
}

/** Not the list's own copy, which is a part of a pool: a frame that is kept would keep 64 KiB. */
function ownBytes(parts: Iterable<Uint8Array>, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

/**
 * The library's own decoder takes a length in more bytes than it needs, and then counts those it would have needed. It
 * waits for more where this throws a `RangeError`.
 */
function createLengthDecoder(frameBytesMax: number): LengthDecoderFunction {
  const decodeLength: LengthDecoderFunction = (data) => {
    let length = 0
    for (let index = 0; index < LENGTH_BYTES_MAX; index += 1) {
      if (index >= data.byteLength) throw new RangeError('the length is not complete')
      const byte = data.get(index)
      length += (byte & 0x7f) * 2 ** (7 * index)
      if (byte >= 0x80) continue
      if (byte === 0 && index > 0) throw new FrameError('bad-frame', 'a length is not in its shortest form')
      if (length === 0) throw new FrameError('bad-frame', 'a frame is empty')
      if (length > frameBytesMax) throw new FrameError('too-big', `a frame of ${length} bytes, above ${frameBytesMax}`)
      decodeLength.bytes = index + 1
      return length
    }
    throw new FrameError('bad-frame', `a length of more than ${LENGTH_BYTES_MAX} bytes`)
  }
  decodeLength.bytes = 0
  return decodeLength
}

/** Puts small chunks together as long as they don't complete what is missing; delays nothing that could be used. */
async function* gather(chunks: AsyncIterable<Uint8Array>, missing: () => number): AsyncGenerator<Uint8Array> {
  let together = new Uint8Array()
  let length = 0
  for await (const chunk of chunks) {
    const wanted = Math.min(missing(), GATHER_BYTES)
    if (length + chunk.length < wanted) {
      if (length === 0) together = new Uint8Array(wanted)
      together.set(chunk, length)
      length += chunk.length
      continue
    }
    if (length > 0) yield together.subarray(0, length)
    length = 0
    yield chunk
  }
  if (length > 0) yield together.subarray(0, length)
}

interface Writer {
  readonly write: (frame: Uint8Array) => Promise<void>
  readonly end: () => Promise<void>
  readonly bytes: () => number
}

/** A frame on its way to the link. */
interface Waiting {
  readonly frame: Uint8Array
  readonly taken: () => void
  readonly failed: (reason: Error) => void
}

function writeFrames(stream: PeerStream, frameBytesMax: number): Writer {
  let bytes = 0
  let waiting: Waiting | null = null
  let failure: FrameError | null = null
  let ending = false
  let wake: (() => void) | null = null

  async function* outgoing(): AsyncGenerator<Uint8Array> {
    for (;;) {
      if (waiting === null) {
        if (ending) return
        await new Promise<void>((resolve) => {
          wake = resolve
        })
        continue
      }
      // One chunk, as every chunk of its own is a message of its own on the link.
      const chunk = encode.single(waiting.frame, { maxDataLength: frameBytesMax }).subarray()
      yield chunk
      bytes += chunk.length
      const { taken } = waiting
      waiting = null
      taken()
    }
  }

  const written = pipe(outgoing(), (chunks) => stream.sink(chunks)).catch((error: unknown) => {
    failure = new FrameError('broken', messageOf(error), { cause: error })
    waiting?.failed(failure)
    waiting = null
  })

  return {
    async write(frame) {
      if (frame.length === 0 || frame.length > frameBytesMax)
        throw new RangeError(`a frame of ${frame.length} bytes, of 1 to ${frameBytesMax}`)
      if (ending) throw new Error('this side is closed')
      if (failure !== null) throw failure
      if (waiting !== null) throw new Error('a frame is written already')
      await new Promise<void>((taken, failed) => {
        waiting = { frame, taken, failed }
        wake?.()
      })
    },
    async end() {
      ending = true
      wake?.()
      await written
      if (failure !== null) throw failure
    },
    bytes: () => bytes
  }
}
