import type { Clock } from '../platform/clock.ts'
import { RateLimiter, perMinute } from './rate-limiter.ts'

// Two buckets (what it may, and what it sends beyond) for each admitted peer, namespace and kind: 80 peers with 64
// namespaces. About 2 MiB. More are only forgotten, and so filled.
const PEER_BUCKETS_MAX = 20_000
// Addresses of HTTP clients cost nothing to invent; in a table of their own they push out each other, and no peer.
const CLIENT_BUCKETS_MAX = 4_096

export interface PeerRatesPorts {
  readonly clock: Clock
  /** The peer sent more than twice what it may, again. Called once for each time that much more came. */
  readonly onExcess?: (peerId: string) => void
}

/** What is counted apart: events of gossip, and requests. */
export type RateKind = 'events' | 'requests'

/**
 * How much each peer may send, before any costly work is done for it. What is beyond a peer's rate is refused, which costs it nothing: an
 * honest peer may have a busy minute, or a higher limit of its own. So as much again is borne with; only what comes beyond
 * that, which takes more than twice the rate for longer than a minute, is told to `onExcess`.
 */
export class PeerRates {
  readonly #ports: PeerRatesPorts
  readonly #peers: RateLimiter
  readonly #clients: RateLimiter

  constructor(ports: PeerRatesPorts) {
    this.#ports = ports
    this.#peers = new RateLimiter(ports.clock, PEER_BUCKETS_MAX)
    this.#clients = new RateLimiter(ports.clock, CLIENT_BUCKETS_MAX)
  }

  /** Whether the peer may send one more of the kind in the namespace; takes it from what it may in a minute. */
  takeOfPeer(peerId: string, kind: RateKind, namespace: string, rate: number): boolean {
    const name = `${kind}!${namespace}!${peerId}`
    if (this.#peers.take(perMinute(name, rate))) return true
    const beyond = perMinute(`beyond!${name}`, rate)
    if (!this.#peers.take(beyond)) {
      this.#peers.refill(beyond)
      this.#ports.onExcess?.(peerId)
    }
    return false
  }

  /** The same for who has no connection that proves a peer: an HTTP client, by its address. */
  takeOfClient(address: string, kind: RateKind, namespace: string, rate: number): boolean {
    return this.#clients.take(perMinute(`${kind}!${namespace}!${address}`, rate))
  }
}
