import {
  MESSAGE_BYTES_MAX,
  PACK_ANSWER_BYTES_MAX,
  decodePackAnswer,
  decodePackMessage,
  encodePackAnswer,
  encodePackMessage
} from '../../protocols/pack-sync/v1/message.ts'
import type { PackAnswer, PackMessage } from '../../protocols/pack-sync/v1/message.ts'
import { decodePackRequest, encodePackRequest } from '../../protocols/pack-sync/v1/request.ts'
import type { Clock } from '../platform/clock.ts'
import { messageOf } from '../platform/errors.ts'
import { untilAborted } from '../platform/until-aborted.ts'
import type { FrameReading, FrameStream } from '../streams/frames.ts'
import { FrameError, frameStream } from '../streams/frames.ts'
import type { PeerStream, PeerStreams } from '../streams/peer-stream.ts'
import { PACK_REQUESTS_OF_ASKER_MAX } from './server.ts'
import type { PackAsker, PackServing } from './server.ts'
import type { PackRefusal, PackTransport } from './transport.ts'

/** The libp2p protocol of packs. */
export const PACK_SYNC_PROTOCOL = '/anchormesh/pack-sync/1'

// One page of 1 MiB over a slow link (35 KiB a second), building it included.
export const PACK_EXCHANGE_MS_MAX = 30_000

// Of one peer: those that it may have under way, and as many that wait. Each holds one message of 48 KiB at the most.
export const PACK_STREAMS_OF_PEER_MAX = 2 * PACK_REQUESTS_OF_ASKER_MAX

export interface StreamTransportOptions {
  readonly streams: PeerStreams
  readonly peerId: string
  /** As people know the peer: its DID. */
  readonly name: string
  readonly clock: Clock
}

/** A peer of the mesh as a source of packs. */
export function streamTransport({ streams, peerId, name, clock }: StreamTransportOptions): PackTransport {
  const ask = (message: PackMessage, signal: AbortSignal): Promise<PackAnswer | PackRefusal> =>
    exchange({ streams, peerId, clock, payload: encodePackMessage(message) }, signal)
  return {
    name,
    pull: async (request, signal) => {
      const answer = await ask({ kind: 'pull', request: encodePackRequest(request) }, signal)
      if ('ok' in answer) return answer
      if (answer.kind === 'page') return { ok: true, page: answer.page }
      return answer.kind === 'error' ? refusalOf(answer) : broken('it answered with an outcome')
    },
    push: async (wire, signal) => {
      const answer = await ask({ kind: 'push', wire }, signal)
      if ('ok' in answer) return answer
      if (answer.kind === 'outcome') return { ok: true, outcome: answer.outcome }
      return answer.kind === 'error' ? refusalOf(answer) : broken('it answered with a page')
    },
    penalise: () => streams.penalise(peerId)
  }
}

/** What serves the streams that peers open for packs: one message, one answer. */
export function packSyncProtocols(
  serving: PackServing,
  didOfPeer: (peerId: string) => string | undefined,
  clock: Clock
): Readonly<Record<string, (stream: PeerStream) => Promise<void>>> {
  const open = new Map<string, number>()
  return {
    [PACK_SYNC_PROTOCOL]: async (stream) => {
      const streams = open.get(stream.peerId) ?? 0
      if (streams >= PACK_STREAMS_OF_PEER_MAX) {
        stream.abort(new Error('too many streams for packs'))
        return
      }
      open.set(stream.peerId, streams + 1)
      // Only peers that policy knows may connect; one that it has forgotten meanwhile is nobody's.
      const did = didOfPeer(stream.peerId) ?? `peer:${stream.peerId}`
      await serve(serving, { did, address: stream.peerId, via: 'sync' }, stream, clock)
      const left = (open.get(stream.peerId) ?? 1) - 1
      if (left === 0) open.delete(stream.peerId)
      else open.set(stream.peerId, left)
    }
  }
}

interface Exchange {
  readonly streams: PeerStreams
  readonly peerId: string
  readonly clock: Clock
  readonly payload: Uint8Array
}

async function exchange(
  { streams, peerId, clock, payload }: Exchange,
  signal: AbortSignal
): Promise<PackAnswer | PackRefusal> {
  signal.throwIfAborted()
  const limit = new AbortController()
  const late = new Error(`no answer within ${PACK_EXCHANGE_MS_MAX} ms`)
  const cancel = clock.after(PACK_EXCHANGE_MS_MAX, () => limit.abort(late))
  const limited = AbortSignal.any([signal, limit.signal])
  try {
    const opening = await untilAborted(streams.open(peerId, PACK_SYNC_PROTOCOL, limited), limited)
    if (!opening.ok) return { ok: false, reason: 'unreachable', detail: `${opening.reason}: ${opening.detail}` }
    const frames = frameStream(opening.stream, { frameBytesMax: PACK_ANSWER_BYTES_MAX })
    try {
      await untilAborted(frames.write(payload), limited)
      const reading = await untilAborted(frames.read(), limited)
      if (reading?.ok === true) return decodePackAnswer(reading.frame) ?? broken('what it answered is no answer')
      const detail = reading === null ? 'it ended without an answer' : reading.detail
      // A stream that broke is nobody's fault; a length that is none is.
      return reading === null || reading.code === 'broken'
        ? { ok: false, reason: 'unreachable', detail }
        : broken(detail)
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

/** Answers one message. Never rejects: what a peer sends is never a defect here. */
async function serve(serving: PackServing, asker: PackAsker, stream: PeerStream, clock: Clock): Promise<void> {
  const limit = new AbortController()
  const late = new Error('the time of the exchange is over')
  const cancel = clock.after(PACK_EXCHANGE_MS_MAX, () => limit.abort(late))
  // [REJECT] PS-12. Apart, because what may come is far smaller than what may go.
  const messages = frameStream(
    { ...sidesOf(stream), sink: () => Promise.resolve() },
    { frameBytesMax: MESSAGE_BYTES_MAX }
  )
  const answers = frameStream({ ...sidesOf(stream), source: NOTHING }, { frameBytesMax: PACK_ANSWER_BYTES_MAX })
  try {
    const reading = await untilAborted(messages.read(), limit.signal)
    const answer = await untilAborted(answerTo(reading, serving, asker), limit.signal)
    if (answer === null) {
      stream.abort(new Error('no message came'))
      return
    }
    await untilAborted(answers.write(encodePackAnswer(answer)), limit.signal)
    await leave(answers, limit.signal)
  } catch (error) {
    stream.abort(new Error(messageOf(error)))
  } finally {
    cancel()
  }
}

/** `null` where the stream ended or broke before there was a message. */
async function answerTo(reading: FrameReading, serving: PackServing, asker: PackAsker): Promise<PackAnswer | null> {
  if (reading === null) return null
  if (!reading.ok) {
    if (reading.code === 'broken') return null
    const code = reading.code === 'too-big' ? 'too-big' : 'bad-request'
    return { kind: 'error', code, detail: reading.detail }
  }
  const message = decodePackMessage(reading.frame)
  // [REJECT] PS-11.
  if (message === null) return { kind: 'error', code: 'bad-request', detail: 'neither a request nor an event' }
  if (message.kind === 'push') {
    const answer = await serving.takePack(message.wire, asker)
    return answer.ok ? { kind: 'outcome', outcome: answer.outcome } : errorOf(answer)
  }
  const decoding = decodePackRequest(message.request)
  if (!decoding.ok) return { kind: 'error', code: decoding.code, detail: decoding.detail }
  const answer = await serving.packPage(decoding.request, asker)
  return answer.ok ? { kind: 'page', page: answer.page } : errorOf(answer)
}

function errorOf(refusal: PackRefusal): PackAnswer {
  const code = refusal.reason === 'refused' ? refusal.code : 'busy'
  return { kind: 'error', code, detail: refusal.detail }
}

function refusalOf({ code, detail }: Extract<PackAnswer, { kind: 'error' }>): PackRefusal {
  return { ok: false, reason: 'refused', code, detail }
}

function broken(detail: string): PackRefusal {
  return { ok: false, reason: 'broken', detail }
}

function sidesOf(stream: PeerStream): PeerStream {
  const { peerId, source } = stream
  return { peerId, source, sink: (chunks) => stream.sink(chunks), abort: (reason) => stream.abort(reason) }
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
