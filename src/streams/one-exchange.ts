import type { Clock } from '../platform/clock.ts'
import { messageOf } from '../platform/errors.ts'
import { untilAborted } from '../platform/until-aborted.ts'
import { FrameError, frameStream } from './frames.ts'
import type { FrameReading, FrameStream } from './frames.ts'
import type { PeerStream, PeerStreams } from './peer-stream.ts'

/** What one exchange may take: milliseconds for all of it, bytes each way. */
export interface ExchangeLimits {
  readonly timeMs: number
  readonly requestBytesMax: number
  readonly answerBytesMax: number
}

/** What came of asking a peer. */
export type Exchange =
  | { readonly ok: true; readonly answer: Uint8Array }
  /** `broken`: the frame itself is none that an honest server sends. */
  | { readonly ok: false; readonly reason: 'unreachable' | 'broken'; readonly detail: string }

/** A request as it came, or why its frame is none. */
export type RequestReading =
  | { readonly ok: true; readonly frame: Uint8Array }
  | { readonly ok: false; readonly code: 'too-big' | 'bad-request'; readonly detail: string }

export interface AskedPeer {
  readonly streams: PeerStreams
  readonly peerId: string
  readonly protocol: string
  readonly request: Uint8Array
  readonly clock: Clock
}

/**
 * Opens a stream to a peer, sends one frame and waits for one. Past its time, and where the stream broke, nobody was
 * reached. Rejects with the reason of `signal` once that aborts.
 */
export async function askOnce(
  { streams, peerId, protocol, request, clock }: AskedPeer,
  { timeMs, answerBytesMax }: Pick<ExchangeLimits, 'timeMs' | 'answerBytesMax'>,
  signal: AbortSignal
): Promise<Exchange> {
  signal.throwIfAborted()
  const limit = new AbortController()
  const cancel = clock.after(timeMs, () => limit.abort(new Error(`no answer within ${timeMs} ms`)))
  const limited = AbortSignal.any([signal, limit.signal])
  try {
    const opening = await untilAborted(streams.open(peerId, protocol, limited), limited)
    if (!opening.ok) return { ok: false, reason: 'unreachable', detail: `${opening.reason}: ${opening.detail}` }
    const frames = frameStream(opening.stream, { frameBytesMax: answerBytesMax })
    try {
      await untilAborted(frames.write(request), limited)
      return exchangeOf(await untilAborted(frames.read(), limited))
    } finally {
      await leave(frames, limited)
    }
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof FrameError) && !limit.signal.aborted) throw error
    return { ok: false, reason: 'unreachable', detail: messageOf(error) }
  } finally {
    cancel()
  }
}

/**
 * Answers the one frame of a stream that a peer opened; `answerTo` is not asked where the stream ended or broke before
 * there was one. Never rejects: what a peer sends is never a defect here.
 */
export async function answerOnce(
  stream: PeerStream,
  clock: Clock,
  { timeMs, requestBytesMax, answerBytesMax }: ExchangeLimits,
  answerTo: (request: RequestReading) => Promise<Uint8Array>
): Promise<void> {
  const limit = new AbortController()
  const cancel = clock.after(timeMs, () => limit.abort(new Error('the time of the exchange is over')))
  // Apart, because what may come is far smaller than what may go.
  const requests = frameStream(readingSide(stream), { frameBytesMax: requestBytesMax })
  const answers = frameStream(writingSide(stream), { frameBytesMax: answerBytesMax })
  try {
    const request = requestOf(await untilAborted(requests.read(), limit.signal))
    if (request === null) {
      stream.abort(new Error('no request came'))
      return
    }
    const answer = await untilAborted(answerTo(request), limit.signal)
    await untilAborted(answers.write(answer), limit.signal)
    await leave(answers, limit.signal)
  } catch (error) {
    stream.abort(new Error(messageOf(error)))
  } finally {
    cancel()
  }
}

function exchangeOf(reading: FrameReading): Exchange {
  if (reading?.ok === true) return { ok: true, answer: reading.frame }
  const detail = reading === null ? 'it ended without an answer' : reading.detail
  // A stream that broke is nobody's fault; a length that is none is.
  const reason = reading === null || reading.code === 'broken' ? 'unreachable' : 'broken'
  return { ok: false, reason, detail }
}

/** `null` where the stream ended or broke before there was a request. */
function requestOf(reading: FrameReading): RequestReading | null {
  if (reading === null || reading.ok) return reading
  if (reading.code === 'broken') return null
  return { ok: false, code: reading.code === 'too-big' ? 'too-big' : 'bad-request', detail: reading.detail }
}

function readingSide(stream: PeerStream): PeerStream {
  const { peerId, source } = stream
  return { peerId, source, sink: () => Promise.resolve(), abort: (reason) => stream.abort(reason) }
}

function writingSide(stream: PeerStream): PeerStream {
  const sink: PeerStream['sink'] = (source) => stream.sink(source)
  return { peerId: stream.peerId, source: NOTHING, sink, abort: (reason) => stream.abort(reason) }
}

const NOTHING: AsyncIterable<Uint8Array> = {
  [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve({ done: true, value: undefined }) })
}

/** Closes this side in order, or breaks the stream where that is not to be had. */
async function leave(frames: FrameStream, signal: AbortSignal): Promise<void> {
  try {
    await untilAborted(frames.end(), signal)
  } catch (error) {
    frames.abort(new Error(messageOf(error)))
  }
}
