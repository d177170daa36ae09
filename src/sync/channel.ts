import { decodeFrame } from '../../protocols/range-sync/v1/decode.ts'
import { encodeFrame } from '../../protocols/range-sync/v1/encode.ts'
import type { Frame, SyncErrorCode } from '../../protocols/range-sync/v1/frames.ts'
import { EVENTS_FRAME_BYTES_MAX } from '../../protocols/range-sync/v1/frames.ts'
import type { Clock } from '../platform/clock.ts'
import { InTurn } from '../platform/in-turn.ts'
import type { FrameStream } from '../streams/frames.ts'
import { FrameError, frameStream } from '../streams/frames.ts'
import type { PeerStream } from '../streams/peer-stream.ts'

/** How long nothing may come, or nothing of a frame be taken by the link (SPEC, "Limits"). */
export const SILENCE_MS = 30_000

/** What is told to the peer at the end goes out, and is read there, in this time or not at all. */
const FAREWELL_MS = 2_000

/**
 * Why a session ended before its end. `by: 'peer'`: it said so. `by: 'here'`: it broke a rule, was silent, or this side
 * has no room. `broken`: the stream was lost, or the node stops; nobody is to blame.
 */
export class SessionEnded extends Error {
  readonly code: SyncErrorCode | 'broken'
  readonly by: 'peer' | 'here'

  constructor(code: SyncErrorCode | 'broken', by: 'peer' | 'here', detail: string) {
    super(detail)
    this.name = 'SessionEnded'
    this.code = code
    this.by = by
  }
}

/** Frames of range-sync over one stream; throws `SessionEnded` for whatever ends the session too early. */
export class SessionChannel {
  readonly #stream: FrameStream
  readonly #clock: Clock
  /** The end of the line of those who write. */
  readonly #writing = new InTurn()

  /** From here on nobody else uses the stream. */
  constructor(stream: PeerStream, clock: Clock) {
    this.#stream = frameStream(stream, { frameBytesMax: EVENTS_FRAME_BYTES_MAX })
    this.#clock = clock
  }

  get bytesRead(): number {
    return this.#stream.bytesRead
  }

  get bytesWritten(): number {
    return this.#stream.bytesWritten
  }

  /** The next frame. */
  async read(): Promise<Frame> {
    const reading = await this.#inTime(this.#stream.read(), SILENCE_MS)
    if (reading === null) throw new SessionEnded('broken', 'peer', 'the peer closed the stream')
    if (!reading.ok) throw new SessionEnded(reading.code, 'here', reading.detail)
    const decoded = decodeFrame(reading.frame)
    if (!decoded.ok) throw new SessionEnded(decoded.code, 'here', decoded.detail)
    const { frame } = decoded
    // SPEC RS-5.
    if (frame.type === 'error') throw new SessionEnded(frame.code, 'peer', frame.detail)
    return frame
  }

  /** Resolves when the link has taken the frame: with the time that it took, in milliseconds. */
  async write(frame: Frame): Promise<number> {
    const bytes = encodeFrame(frame)
    return await this.#writing.run(async () => {
      const began = this.#clock.monotonicMs()
      await this.#inTime(this.#stream.write(bytes), SILENCE_MS)
      return this.#clock.monotonicMs() - began
    })
  }

  /** Closes this side after all that was written. */
  async end(): Promise<void> {
    await this.#writing.idle()
    await this.#inTime(this.#stream.end(), SILENCE_MS)
  }

  /** Ends the stream after `ended`, and tells the peer of it where it may not know. Never rejects. */
  async leave(ended: SessionEnded): Promise<void> {
    if (ended.by === 'here' && ended.code !== 'broken') {
      const told = this.write({ type: 'error', code: ended.code, detail: ended.message }).then(() => this.end())
      // Broken at once, the stream would lose it; and a peer that still writes does not hear it before that is read.
      const heard = Promise.all([told, this.#stream.drained()])
      // A peer that takes nothing any more will not hear it.
      await this.#inTime(heard, FAREWELL_MS).catch(() => undefined)
    }
    this.#stream.abort(ended)
  }

  async #inTime<Value>(work: Promise<Value>, delayMs: number): Promise<Value> {
    let cancel = (): void => {}
    const late = new Promise<never>((_, reject) => {
      cancel = this.#clock.after(delayMs, () => {
        reject(new SessionEnded('timeout', 'here', `nothing happened for ${delayMs} ms`))
      })
    })
    try {
      return await Promise.race([work, late])
    } catch (error) {
      if (error instanceof FrameError) throw new SessionEnded('broken', 'peer', error.message)
      throw error
    } finally {
      cancel()
      // The stream is given up then, and what still comes of the work is nobody's.
      work.catch(() => undefined)
    }
  }
}
