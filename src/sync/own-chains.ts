import { chainIdOf } from '../events/chain.ts'
import type { EventLog } from '../log/event-log.ts'
import type { LoggedRecord } from '../log/log-reader.ts'
import type { Clock } from '../platform/clock.ts'
import { AnchormeshError } from '../platform/errors.ts'
import type { Logger } from '../platform/logger.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { FinishedSession } from './session-book.ts'

/** After a start, or a peer's connecting, a session with it is over in about a second. */
const ASK_PEERS_MS = 5_000

/** A session that brings much takes longer, and may bring own events at its end; who waits for it wants an answer. */
const SESSION_MS = 60_000

/** What the watch over this node's own chains works with. */
export interface OwnChainsPorts {
  readonly log: Pick<EventLog, 'onAppended'>
  /** Who signs here now. */
  readonly signer: () => { readonly did: string; readonly kid: string }
  readonly policy: () => PolicyView
  /** PeerIds to which a connection stands. */
  readonly connected: () => readonly string[]
  /** Whether a session over the namespace is under way. */
  readonly isSyncing: (namespace: string) => boolean
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * Keeps this node from signing on top of a chain of which its peers hold more: its folder may have been restored from a
 * backup or be a copy, and a second event at a position that is taken would be an equivocation against itself.
 */
export class OwnChains {
  readonly #ports: OwnChainsPorts
  /** The chain of this node's events in each namespace that is carried, under the key that signs now. */
  #ownChains: {
    readonly policy: PolicyView
    readonly kid: string
    readonly namespaceOf: ReadonlyMap<string, string>
  } | null = null
  /** Namespaces in which a session with a peer came to its end since the start. */
  readonly #confirmed = new Set<string>()
  /** By namespace, the peers that have said since the start what they hold, or that they won't. */
  readonly #asked = new Map<string, Set<string>>()
  /** Namespaces in which own events came from outside, and no session came to its end since. */
  readonly #behind = new Set<string>()
  readonly #waiting = new Set<() => void>()
  /** Events that are being signed here. */
  readonly #signing = new Set<string>()
  readonly #stopLog: () => void
  /** When this node started or, if that was later, a peer connected. */
  #askingSinceMs: number
  #isStopped = false

  constructor(ports: OwnChainsPorts) {
    this.#ports = ports
    this.#askingSinceMs = ports.clock.monotonicMs()
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

  /** A peer connected. */
  noteConnected(): void {
    this.#askingSinceMs = this.#ports.clock.monotonicMs()
  }

  /**
   * Another policy is in force: peers may hold more of a chain in a namespace that was not carried until now, or whose
   * members were others.
   */
  policyChanged(): void {
    const { policy, clock } = this.#ports
    this.#askingSinceMs = clock.monotonicMs()
    for (const names of [this.#confirmed, this.#asked, this.#behind])
      for (const namespace of names.keys()) if (!policy().carries(namespace)) names.delete(namespace)
    this.#wakeAll()
  }

  /** A session ended. */
  noteSession({ peerId, namespace, report, othersRun }: FinishedSession): void {
    const isWhole = (report.end === 'equal' || report.end === 'synced') && !report.hasLeft
    if (isWhole || report.end === 'wrong-namespace') {
      this.#asked.set(namespace, (this.#asked.get(namespace) ?? new Set()).add(peerId))
    }
    if (isWhole) {
      this.#confirmed.add(namespace)
      // Another may be bringing this node's own events right now, and this peer not have had them.
      if (!othersRun) this.#behind.delete(namespace)
    }
    this.#wakeAll()
  }

  /**
   * Resolves when an event of this node may be signed in the namespace: every connected peer was asked since the start,
   * or there is none, or those that were not did not answer in time. Throws `OWN_CHAIN_BEHIND` while peers are known to
   * hold more of the chain, or may be about to send it.
   */
  async ready(namespace: string): Promise<void> {
    const { clock, logger } = this.#ports
    const beganMs = clock.monotonicMs()
    for (;;) {
      if (this.#isStopped) throw new AnchormeshError('NODE_NOT_RUNNING', 'the node stops')
      if (this.#isSettled(namespace)) return
      const leftMs = this.#waitUntil(namespace, beganMs) - clock.monotonicMs()
      if (leftMs <= 0) break
      await this.#woken(leftMs)
    }
    const isBehind = this.#behind.has(namespace)
    if (isBehind || (!this.#confirmed.has(namespace) && this.#ports.isSyncing(namespace))) {
      const problem = isBehind
        ? `peers hold more of this node's own chain in ${namespace}`
        : `a peer is still sending what it holds of ${namespace}, perhaps more of this node's own chain`
      throw new AnchormeshError('OWN_CHAIN_BEHIND', problem, {
        hint: `catch up first: anchormesh sync --namespace ${namespace}`
      })
    }
    if (!this.#confirmed.has(namespace)) {
      logger.warn({ namespace }, 'an event is signed though no peer could be asked what it holds of this chain')
    }
  }

  stop(): void {
    this.#isStopped = true
    this.#stopLog()
    this.#wakeAll()
  }

  #wakeAll(): void {
    for (const wake of this.#waiting) wake()
  }

  #isSettled(namespace: string): boolean {
    if (this.#behind.has(namespace)) return false
    if (!this.#hasPeers(namespace)) return true
    return this.#confirmed.has(namespace) && this.#allAsked(namespace)
  }

  #allAsked(namespace: string): boolean {
    const policy = this.#ports.policy()
    const asked = this.#asked.get(namespace)
    // Nobody opens a session with those whom routing leaves out.
    const routing = policy.routing(namespace)
    return this.#ports.connected().every((peerId) => {
      const did = policy.didOfPeer(peerId)
      const isAskable = did !== undefined && policy.isMember(namespace, did) && (routing?.includes(did) ?? true)
      return !isAskable || asked?.has(peerId) === true
    })
  }

  /** How long it is of use to wait: monotonic time. */
  #waitUntil(namespace: string, beganMs: number): number {
    const isUnknown = this.#behind.has(namespace) || !this.#confirmed.has(namespace)
    if (isUnknown && this.#ports.isSyncing(namespace)) return beganMs + SESSION_MS
    // What is behind is caught up with in the next session, which may be under way in a moment.
    return (this.#behind.has(namespace) ? beganMs : this.#askingSinceMs) + ASK_PEERS_MS
  }

  #hasPeers(namespace: string): boolean {
    const policy = this.#ports.policy()
    return policy.policy.peers.some(
      ({ did, peerId }) => did !== policy.self.did && peerId !== undefined && policy.isMember(namespace, did)
    )
  }

  #namespaceOf(): ReadonlyMap<string, string> {
    const policy = this.#ports.policy()
    const { did: signer, kid } = this.#ports.signer()
    if (this.#ownChains?.policy !== policy || this.#ownChains.kid !== kid) {
      const chains = policy.namespaces.map((namespace) => [chainIdOf({ signer, kid, namespace }), namespace] as const)
      this.#ownChains = { policy, kid, namespaceOf: new Map(chains) }
    }
    return this.#ownChains.namespaceOf
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
      const namespace = this.#namespaceOf().get(record.event.chain)
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
