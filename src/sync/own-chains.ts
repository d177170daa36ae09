import { chainIdOf } from '../events/chain.ts'
import type { EventLog } from '../log/event-log.ts'
import type { LoggedRecord } from '../log/log-reader.ts'
import type { Clock } from '../platform/clock.ts'
import { AnchormeshError } from '../platform/errors.ts'
import type { Logger } from '../platform/logger.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { FinishedSession } from './sync-service.ts'

/** After a start the first peers are connected, and a session with one of them is over, in about a second. */
const ASK_PEERS_MS = 5_000

/** What the watch over this node's own chains works with. */
export interface OwnChainsPorts {
  readonly log: EventLog
  readonly self: { readonly did: string; readonly kid: string }
  readonly policy: () => PolicyView
  /** PeerIds to which a connection stands. */
  readonly connected: () => readonly string[]
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * Keeps this node from signing on top of a chain of which its peers hold more: its folder may have been restored from a
 * backup or be a copy, and a second event at a position that is taken would be an equivocation against itself.
 */
export class OwnChains {
  readonly #ports: OwnChainsPorts
  readonly #namespaceOf = new Map<string, string>()
  /** Namespaces in which a peer was asked since the start. */
  readonly #confirmed = new Set<string>()
  /** Namespaces in which own events came from outside, and no session came to its end since. */
  readonly #behind = new Set<string>()
  readonly #waiting = new Set<() => void>()
  /** Events that are being signed here. */
  readonly #signing = new Set<string>()
  readonly #stopLog: () => void
  readonly #startedMs: number
  #stopped = false

  constructor(ports: OwnChainsPorts) {
    this.#ports = ports
    this.#startedMs = ports.clock.monotonicMs()
    for (const namespace of ports.policy().namespaces) {
      this.#namespaceOf.set(chainIdOf({ signer: ports.self.did, kid: ports.self.kid, namespace }), namespace)
    }
    this.#stopLog = ports.log.onAppended((records) => this.#watch(records))
  }

  /** Namespaces of which peers are known to hold more of the own chain. */
  get behind(): readonly string[] {
    return [...this.#behind]
  }

  /** An event with this id is about to be handed in here. */
  signing(eventId: string): void {
    this.#signing.add(eventId)
  }

  /** It was handed in, whatever came of it. */
  signed(eventId: string): void {
    this.#signing.delete(eventId)
  }

  /** A session ended. */
  noteSession({ namespace, report, othersRun }: FinishedSession): void {
    if ((report.end !== 'equal' && report.end !== 'synced') || report.hasLeft) return
    this.#confirmed.add(namespace)
    // Another may be bringing this node's own events right now, and this peer not have had them.
    if (!othersRun) this.#behind.delete(namespace)
    for (const wake of this.#waiting) wake()
  }

  /**
   * Resolves when an event of this node may be signed in the namespace: a peer was asked since the start, or there is
   * none, or none answered in time. Throws `OWN_CHAIN_BEHIND` while peers are known to hold more of the chain.
   */
  async ready(namespace: string): Promise<void> {
    const { clock, logger } = this.#ports
    const untilMs =
      Math.max(this.#startedMs, this.#ports.connected().length > 0 ? clock.monotonicMs() : 0) + ASK_PEERS_MS
    while (!this.#stopped && !this.#isSettled(namespace) && clock.monotonicMs() < untilMs) {
      await this.#woken(untilMs - clock.monotonicMs())
    }
    if (this.#behind.has(namespace)) {
      throw new AnchormeshError('OWN_CHAIN_BEHIND', `peers hold more of this node's own chain in ${namespace}`, {
        hint: `catch up first: anchormesh sync --namespace ${namespace}`
      })
    }
    if (!this.#isSettled(namespace)) {
      logger.warn({ namespace }, 'an event is signed though no peer could be asked what it holds of this chain')
    }
  }

  stop(): void {
    this.#stopped = true
    this.#stopLog()
    for (const wake of this.#waiting) wake()
  }

  #isSettled(namespace: string): boolean {
    return !this.#behind.has(namespace) && (this.#confirmed.has(namespace) || !this.#hasPeers(namespace))
  }

  #hasPeers(namespace: string): boolean {
    const policy = this.#ports.policy()
    return policy.policy.peers.some(
      ({ did, peerId }) => did !== policy.self.did && peerId !== undefined && policy.isMember(namespace, did)
    )
  }

  async #woken(withinMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        cancel()
        this.#waiting.delete(wake)
        resolve()
      }
      const cancel = this.#ports.clock.after(withinMs, wake)
      this.#waiting.add(wake)
    })
  }

  #watch(records: readonly LoggedRecord[]): void {
    for (const record of records) {
      if (record.scope !== 'shared' || this.#signing.has(record.event.id)) continue
      const namespace = this.#namespaceOf.get(record.event.chain)
      if (namespace === undefined || this.#behind.has(namespace) || !this.#hasPeers(namespace)) continue
      this.#behind.add(namespace)
      const { authorSeq } = record.event.envelope
      this.#ports.logger.warn(
        { namespace, authorSeq },
        'an event of this node came from a peer; nothing more is signed here until a sync has brought them all'
      )
    }
  }
}
