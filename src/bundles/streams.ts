import { ANSWER_BYTES_MAX, encodeAnswer } from '../../protocols/bundle/v1/answer.ts'
import type { BundleAnswer } from '../../protocols/bundle/v1/answer.ts'
import { REQUEST_BYTES_MAX } from '../../protocols/bundle/v1/request.ts'
import type { Clock } from '../platform/clock.ts'
import { messageOf } from '../platform/errors.ts'
import { untilAborted } from '../platform/until-aborted.ts'
import { FrameError, frameStream } from '../streams/frames.ts'
import type { FrameReading, FrameStream } from '../streams/frames.ts'
import type { PeerStream, PeerStreams } from '../streams/peer-stream.ts'
import type { BundlePeers, Bundles } from './bundles.ts'
import type { Exchange } from './client.ts'

/** The libp2p protocol of bundles. */
export const BUNDLE_PROTOCOL = '/anchormesh/bundle/1'

// One page of 1 MiB over a slow link (35 KiB a second), building and checking included.
export const EXCHANGE_MS_MAX = 30_000

/** The peers of a mesh, as bundles need them. */
export function bundlePeers(streams: PeerStreams, clock: Clock): BundlePeers {
  return {
    connected: () => streams.connected(),
    exchange: (peerId, request, signal) => exchange(streams, { peerId, request, clock }, signal),
    penalise: (peerId) => streams.penalise(peerId)
  }
}

/** What serves the streams that peers open for bundles: one request, one answer. */
export function bundleProtocols(
  bundles: Bundles,
  clock: Clock
): Readonly<Record<string, (stream: PeerStream) => Promise<void>>> {
  return { [BUNDLE_PROTOCOL]: (stream) => serve(bundles, stream, clock) }
}

async function exchange(
  streams: PeerStreams,
  { peerId, request, clock }: { readonly peerId: string; readonly request: Uint8Array; readonly clock: Clock },
  signal: AbortSignal
): Promise<Exchange> {
  return await withinTime(clock, signal, async (limited) => {
    const opening = await untilAborted(streams.open(peerId, BUNDLE_PROTOCOL, limited), limited)
    if (!opening.ok) return { ok: false, reason: 'unreachable', detail: `${opening.reason}: ${opening.detail}` }
    const frames = frameStream(opening.stream, { frameBytesMax: ANSWER_BYTES_MAX })
    try {
      await untilAborted(frames.write(request), limited)
      const reading = await untilAborted(frames.read(), limited)
      if (reading?.ok === true) return { ok: true, answer: reading.frame }
      const detail = reading === null ? 'it ended without an answer' : reading.detail
      // A stream that broke is nobody's fault; a length that is none is.
      const reason = reading === null || reading.code === 'broken' ? 'unreachable' : 'broken'
      return { ok: false, reason, detail }
    } finally {
      await leave(frames, limited)
    }
  })
}

/** Runs `work` until its time is over; then, and where the stream broke, nobody was reached. */
async function withinTime(
  clock: Clock,
  signal: AbortSignal,
  work: (limited: AbortSignal) => Promise<Exchange>
): Promise<Exchange> {
  const limit = new AbortController()
  const cancel = clock.after(EXCHANGE_MS_MAX, () => limit.abort(new Error(`no answer within ${EXCHANGE_MS_MAX} ms`)))
  try {
    return await work(AbortSignal.any([signal, limit.signal]))
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof FrameError) && !limit.signal.aborted) throw error
    return { ok: false, reason: 'unreachable', detail: messageOf(error) }
  } finally {
    cancel()
  }
}

/** Answers one request. Never rejects: what a peer sends is never a defect here. */
async function serve(bundles: Bundles, stream: PeerStream, clock: Clock): Promise<void> {
  const limit = new AbortController()
  const cancel = clock.after(EXCHANGE_MS_MAX, () => limit.abort(new Error('the time of the exchange is over')))
  // [REJECT] BU-1. Apart, because what may come is far smaller than what may go.
  const requests = frameStream(readingSide(stream), { frameBytesMax: REQUEST_BYTES_MAX })
  const answers = frameStream(writingSide(stream), { frameBytesMax: ANSWER_BYTES_MAX })
  try {
    const reading = await untilAborted(requests.read(), limit.signal)
    const answer = await answerTo(reading, bundles, stream.peerId)
    if (answer === null) {
      stream.abort(new Error('no request came'))
      return
    }
    await untilAborted(answers.write(encodeAnswer(answer)), limit.signal)
    await leave(answers, limit.signal)
  } catch (error) {
    stream.abort(new Error(messageOf(error)))
  } finally {
    cancel()
  }
}

/** `null` where the stream ended or broke before there was a request. */
async function answerTo(reading: FrameReading, bundles: Bundles, peerId: string): Promise<BundleAnswer | null> {
  if (reading === null) return null
  if (reading.ok) return await bundles.answer(reading.frame, peerId)
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
