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
import { answerOnce, askOnce } from '../streams/one-exchange.ts'
import type { ExchangeLimits, RequestReading } from '../streams/one-exchange.ts'
import type { PeerStream, PeerStreams } from '../streams/peer-stream.ts'
import { PACK_REQUESTS_OF_ASKER_MAX } from './server.ts'
import type { PackAsker, PackServing } from './server.ts'
import type { PackRefusal, PackTransport } from './transport.ts'

/** The libp2p protocol of packs. */
export const PACK_SYNC_PROTOCOL = '/anchormesh/pack-sync/1'

/** One page of 1 MiB over a slow link (35 KiB a second), building it included; [REJECT] PS-12. */
const LIMITS: ExchangeLimits = {
  timeMs: 30_000,
  requestBytesMax: MESSAGE_BYTES_MAX,
  answerBytesMax: PACK_ANSWER_BYTES_MAX
}

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
  const ask = async (message: PackMessage, signal: AbortSignal): Promise<PackAnswer | PackRefusal> => {
    const asked = { streams, peerId, protocol: PACK_SYNC_PROTOCOL, request: encodePackMessage(message), clock }
    const exchange = await askOnce(asked, LIMITS, signal)
    if (!exchange.ok) return exchange
    return decodePackAnswer(exchange.answer) ?? broken('what it answered is no answer')
  }
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
      const asker: PackAsker = { did, address: stream.peerId, via: 'sync' }
      await answerOnce(stream, clock, LIMITS, async (request) =>
        encodePackAnswer(await answerTo(request, serving, asker))
      )
      const left = (open.get(stream.peerId) ?? 1) - 1
      if (left === 0) open.delete(stream.peerId)
      else open.set(stream.peerId, left)
    }
  }
}

async function answerTo(request: RequestReading, serving: PackServing, asker: PackAsker): Promise<PackAnswer> {
  if (!request.ok) return { kind: 'error', code: request.code, detail: request.detail }
  const message = decodePackMessage(request.frame)
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
