import type { GossipVerdict, Network, NetworkHandlers, NetworkStatus } from '../../src/network/network.ts'
import type { StreamOpening } from '../../src/streams/peer-stream.ts'
import { NAMESPACE } from '../support/identities.ts'

/** A mesh of which a node has nothing but the entrance of gossip: it reaches nobody. */
export class Entrance implements Network {
  #handlers: NetworkHandlers | null = null

  /** Asks the node, as gossip does, about what a peer passes on. */
  judge(wire: Uint8Array, peerId: string): Promise<GossipVerdict> {
    if (this.#handlers === null) throw new Error('the node was not started')
    return this.#handlers.judge(NAMESPACE, wire, peerId)
  }

  start(handlers: NetworkHandlers): Promise<void> {
    this.#handlers = handlers
    return Promise.resolve()
  }

  publish(): Promise<number> {
    return Promise.resolve(0)
  }

  prepare(): () => Promise<void> {
    return () => Promise.resolve()
  }

  status(): NetworkStatus {
    const gossip = { judged: 0, dropped: 0, late: 0, published: 0 }
    return { peerId: 'bench', multiaddrs: [], peers: [], topics: {}, gossip, refusedConnections: 0 }
  }

  connected(): readonly string[] {
    return []
  }

  open(): Promise<StreamOpening> {
    return Promise.resolve({ ok: false, reason: 'offline', detail: 'nobody is connected' })
  }

  penalise(peerId: string): void {
    throw new Error(`${peerId} did nothing wrong`)
  }

  stop(): Promise<void> {
    this.#handlers = null
    return Promise.resolve()
  }
}
