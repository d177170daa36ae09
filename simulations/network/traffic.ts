import type { Stream } from '@libp2p/interface'
import type { GossipRouter } from '../../src/network/libp2p/gossip.ts'

/** What has gone over the streams of one protocol. */
export interface ProtocolTraffic {
  sentBytes: number
  sentMessages: number
  receivedBytes: number
  receivedMessages: number
}

/** Counts that outlive the node which they are of. */
export interface TrafficCounts {
  /** What goes over its streams, without what lies under them, by protocol. */
  readonly traffic: Map<string, ProtocolTraffic>
  /** Messages of carried topics: new ones, copies, and both with what was refused at sight. */
  readonly gossip: { received: number; duplicates: number; delivered: number }
}

/** The counts of one protocol. A message is what is sent, or arrives, in one piece. */
export function trafficOf(counts: TrafficCounts, protocol: string): ProtocolTraffic {
  const known = counts.traffic.get(protocol)
  if (known !== undefined) return known
  const ofProtocol = { sentBytes: 0, sentMessages: 0, receivedBytes: 0, receivedMessages: 0 }
  counts.traffic.set(protocol, ofProtocol)
  return ofProtocol
}

/** Counts what goes over one stream from now on. */
export function countStream(counts: TrafficCounts, stream: Stream): void {
  const ofProtocol = trafficOf(counts, stream.protocol)
  const send = stream.send.bind(stream)
  stream.send = (data) => {
    ofProtocol.sentBytes += data.byteLength
    ofProtocol.sentMessages += 1
    return send(data)
  }
  if (stream.readBufferLength > 0) {
    ofProtocol.receivedBytes += stream.readBufferLength
    ofProtocol.receivedMessages += 1
  }
  // A listener would take in what waits for the stream's real reader.
  wrap(stream, 'onData', (data) => {
    if (!isBytes(data)) return
    ofProtocol.receivedBytes += data.byteLength
    ofProtocol.receivedMessages += 1
  })
}

/** Counts what a router makes of the messages that it is sent. */
export function countGossip(counts: TrafficCounts, router: GossipRouter): void {
  const { gossip } = counts
  const received = (): void => void (gossip.received += 1)
  // gossipsub 17.1 tells its scores of each message exactly once.
  wrap(router.score, 'validateMessage', received)
  wrap(router.score, 'rejectMessage', received)
  wrap(router.score, 'duplicateMessage', () => {
    received()
    gossip.duplicates += 1
  })
  router.addEventListener('gossipsub:message', () => void (gossip.delivered += 1))
}

/** Has `seen` told of each call of a method that has no public hook. */
function wrap(holder: object, name: string, seen: (argument: unknown) => void): void {
  const method: unknown = Reflect.get(holder, name)
  if (typeof method !== 'function') throw new TypeError(`there is no ${name} to count by`)
  Reflect.set(holder, name, (...args: readonly unknown[]): unknown => {
    seen(args[0])
    return Reflect.apply(method, holder, args) as unknown
  })
}

function isBytes(value: unknown): value is { readonly byteLength: number } {
  return typeof value === 'object' && value !== null && 'byteLength' in value
}
