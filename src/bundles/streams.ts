import { ANSWER_BYTES_MAX, encodeAnswer } from '../../protocols/bundle/v1/answer.ts'
import type { BundleAnswer } from '../../protocols/bundle/v1/answer.ts'
import { REQUEST_BYTES_MAX } from '../../protocols/bundle/v1/request.ts'
import type { Clock } from '../platform/clock.ts'
import { answerOnce, askOnce } from '../streams/one-exchange.ts'
import type { ExchangeLimits, RequestReading } from '../streams/one-exchange.ts'
import type { PeerStream, PeerStreams } from '../streams/peer-stream.ts'
import type { BundlePeers, Bundles } from './bundles.ts'

/** The libp2p protocol of bundles. */
export const BUNDLE_PROTOCOL = '/anchormesh/bundle/1'

/** One page of 1 MiB over a slow link (35 KiB a second), building and checking included; [REJECT] BU-1. */
const LIMITS: ExchangeLimits = {
  timeMs: 30_000,
  requestBytesMax: REQUEST_BYTES_MAX,
  answerBytesMax: ANSWER_BYTES_MAX
}

/** The peers of a mesh, as bundles need them. */
export function bundlePeers(streams: PeerStreams, clock: Clock): BundlePeers {
  return {
    connected: () => streams.connected(),
    exchange: (peerId, request, signal) =>
      askOnce({ streams, peerId, protocol: BUNDLE_PROTOCOL, request, clock }, LIMITS, signal),
    penalise: (peerId) => streams.penalise(peerId)
  }
}

/** What serves the streams that peers open for bundles: one request, one answer. */
export function bundleProtocols(
  bundles: Bundles,
  clock: Clock
): Readonly<Record<string, (stream: PeerStream) => Promise<void>>> {
  return {
    [BUNDLE_PROTOCOL]: (stream) =>
      answerOnce(stream, clock, LIMITS, async (request) =>
        encodeAnswer(await answerTo(request, bundles, stream.peerId))
      )
  }
}

async function answerTo(request: RequestReading, bundles: Bundles, peerId: string): Promise<BundleAnswer> {
  return request.ok ? await bundles.answer(request.frame, peerId) : request
}
