import type { Clock } from '../../platform/clock.ts'
import { messageOf } from '../../platform/errors.ts'
import type { Logger } from '../../platform/logger.ts'
import type { Random } from '../../platform/random.ts'

/**
 * The most a peer waits for its first dial. Two nodes that start in the same instant would both dial and keep two
 * connections; spread over a quarter of a second, a LAN handshake (tens of milliseconds) is usually faster.
 */
export const FIRST_DIAL_WITHIN_MS = 250

/** A restarted process listens again within a second or two, so the first attempts come that fast. */
export const REDIAL_BASE_MS = 1_000

/**
 * How long a healed partition may go unnoticed, because then neither side has restarted and both only wait. A hundred
 * unreachable peers cost two dials a second at this rate.
 */
export const REDIAL_MAX_MS = 60_000

/**
 * A connection that ends sooner was no success: a peer whose `peers.yaml` does not bind us closes right after the
 * handshake, and resetting the backoff would redial it every second for ever.
 */
export const STABLE_AFTER_MS = 10_000

/** Two addresses of a peer at libp2p's 6 s each, and something for name resolution. */
export const DIAL_DEADLINE_MS = 15_000

/** A handshake is about 10 ms of CPU, so eight at a time keep the event loop free for the connections that exist. */
export const PARALLEL_DIALS_MAX = 8

/** What the keeper needs from the network that it keeps. */
export interface KeeperDeps {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Dials one peer at all its addresses; rejects when no connection came about or the signal aborted. */
  dial(peerId: string, signal: AbortSignal): Promise<void>
}

/**
 * Keeps a set of peers connected. libp2p 3 redials nobody by itself, so a mesh that lost a link would never get it
 * back. The network reports what it sees; the keeper decides when to dial: exponential backoff with jitter, from the
 * start again once a connection has been stable.
 */
export interface Keeper {
  /** Keeps this peer from now on, with a first dial soon. Saying it again changes nothing. */
  keep(peerId: string): void
  /** Dials this peer no more; a dial that is under way goes on. */
  drop(peerId: string): void
  /** The first connection to the peer opened, whoever dialled. */
  connected(peerId: string): void
  /** The last connection to the peer closed. */
  disconnected(peerId: string): void
  /** The wall-clock time (ms) of the next attempt, while the peer waits for one. */
  nextDialAt(peerId: string): number | undefined
  /** Dials nobody any more; resolves when the dials under way have ended. */
  stop(): Promise<void>
}

type State =
  | { readonly at: 'waiting'; readonly dueAt: number; readonly cancel: () => void }
  | { readonly at: 'queued'; readonly dueAt: number }
  | { readonly at: 'dialling' }
  | { readonly at: 'connected'; readonly sinceMs: number }

interface KeptPeer {
  readonly peerId: string
  /** Attempts in a row that brought no stable connection. */
  failures: number
  state: State
}

/** A keeper with nobody to keep yet. */
export function createKeeper(deps: KeeperDeps): Keeper {
  const { clock, random, logger } = deps
  const peers = new Map<string, KeptPeer>()
  const queue: KeptPeer[] = []
  const dials = new Map<Promise<void>, AbortController>()
  let stopped = false

  const wait = (peer: KeptPeer, delayMs: number): void => {
    const cancel = clock.after(delayMs, () => enqueue(peer))
    peer.state = { at: 'waiting', dueAt: clock.now() + Math.round(delayMs), cancel }
  }

  const enqueue = (peer: KeptPeer): void => {
    peer.state = { at: 'queued', dueAt: clock.now() }
    queue.push(peer)
    dialNext()
  }

  const dialNext = (): void => {
    while (!stopped && dials.size < PARALLEL_DIALS_MAX) {
      const peer = queue.shift()
      if (peer === undefined) return
      if (peer.state.at === 'queued') dial(peer)
    }
  }

  const dial = (peer: KeptPeer): void => {
    const controller = new AbortController()
    const cancelDeadline = clock.after(DIAL_DEADLINE_MS, () => controller.abort(new Error('the dial took too long')))
    const state: State = { at: 'dialling' }
    peer.state = state
    const attempt = deps.dial(peer.peerId, controller.signal).then(
      () => settle(peer, state, undefined),
      (error: unknown) => settle(peer, state, error)
    )
    dials.set(attempt, controller)
    void attempt.then(() => {
      cancelDeadline()
      dials.delete(attempt)
      dialNext()
    })
  }

  /** Ends an attempt. Where the network has meanwhile reported a connection, or the loss of one, that stands. */
  const settle = (peer: KeptPeer, state: State, error: unknown): void => {
    if (stopped || peer.state !== state) return
    if (error === undefined) {
      peer.state = { at: 'connected', sinceMs: clock.monotonicMs() }
      return
    }
    retry(peer)
    const fields = { peerId: peer.peerId, failures: peer.failures, error: messageOf(error) }
    if (peer.failures === 1) logger.info(fields, 'a known peer could not be reached; it is tried again')
    else logger.debug(fields, 'a known peer is still out of reach')
  }

  const retry = (peer: KeptPeer): void => {
    wait(peer, redialDelayMs(peer.failures, random.fraction()))
    peer.failures += 1
  }

  return {
    keep(peerId) {
      if (stopped || peers.has(peerId)) return
      const delayMs = random.fraction() * FIRST_DIAL_WITHIN_MS
      const peer: KeptPeer = { peerId, failures: 0, state: { at: 'dialling' } }
      peers.set(peerId, peer)
      wait(peer, delayMs)
    },
    drop(peerId) {
      const peer = peers.get(peerId)
      if (peer === undefined) return
      if (peer.state.at === 'waiting') peer.state.cancel()
      // Neither the queue nor a dial under way goes on with it.
      peer.state = { at: 'connected', sinceMs: clock.monotonicMs() }
      peers.delete(peerId)
    },
    connected(peerId) {
      const peer = peers.get(peerId)
      if (peer === undefined || stopped) return
      if (peer.state.at === 'waiting') peer.state.cancel()
      peer.state = { at: 'connected', sinceMs: clock.monotonicMs() }
    },
    disconnected(peerId) {
      const peer = peers.get(peerId)
      if (peer?.state.at !== 'connected' || stopped) return
      if (clock.monotonicMs() - peer.state.sinceMs >= STABLE_AFTER_MS) peer.failures = 0
      retry(peer)
    },
    nextDialAt(peerId) {
      const state = peers.get(peerId)?.state
      return state?.at === 'waiting' || state?.at === 'queued' ? state.dueAt : undefined
    },
    async stop() {
      stopped = true
      queue.length = 0
      for (const { state } of peers.values()) if (state.at === 'waiting') state.cancel()
      peers.clear()
      for (const controller of dials.values()) controller.abort(new Error('the network stops'))
      await Promise.all(dials.keys())
    }
  }
}

/**
 * The delay before the attempt that follows `failures` failed ones, in milliseconds: doubled each time up to
 * `REDIAL_MAX_MS`, and of that a random point in the upper half (`fraction` in [0, 1)), so that nodes that lost each
 * other in the same instant don't dial in the same instant.
 */
export function redialDelayMs(failures: number, fraction: number): number {
  const ceilingMs = Math.min(REDIAL_MAX_MS, REDIAL_BASE_MS * 2 ** Math.min(failures, 16))
  return ceilingMs / 2 + (fraction * ceilingMs) / 2
}
