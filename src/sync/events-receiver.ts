import { decodeEvent } from '../../protocols/event/v1/codec.ts'
import { chainIdOf } from '../events/chain.ts'
import type { Outcome } from '../events/outcome.ts'
import { BoundedMap } from '../platform/bounded-map.ts'
import type { Clock } from '../platform/clock.ts'
import type { EventSource } from '../ingest/source.ts'
import { SessionEnded } from './channel.ts'

/**
 * Frames of events that are judged at the same time: while one is written to the disk the next is verified. More would
 * only be memory, 256 KiB each.
 */
const FRAMES_AT_ONCE_MAX = 4

/**
 * What may come that is not taken: a peer that admits other signers sends whole chains once, and is told the next time.
 * Beyond this, some 6 s of work, the session ends; what was refused is known then, and the next one goes on without it.
 */
const USELESS_MAX = 65_536

/** Chains that are noted as not wanted in one session; the next sessions note more. */
const REFUSED_CHAINS_MAX = 4_096

/** Events whose successors can't be taken either; an older one costs a look at the log. */
const FAILED_REMEMBERED_MAX = 16_384

/** The log writes a group in about this time. */
const OVERLOAD_WAIT_MS = 20

/** A full queue of the log empties in less; then the peer waits. */
const OVERLOAD_TRIES_MAX = 50

/** The door, as a session uses it. */
export interface SessionDoor {
  submit(wire: Uint8Array, source: EventSource): Promise<Outcome>
}

/** What came of the events that came. */
export interface Received {
  readonly accepted: number
  /** Were here already, by another way or another session. */
  readonly duplicate: number
  /** Wait for a key or a predecessor. */
  readonly pending: number
  /** By code: not taken now, or not by this node's policy. */
  readonly ignored: Readonly<Record<string, number>>
}

/** What the peer was told of this side before it sent anything. */
export interface ToldPeer {
  /** The log position that the session's view is of. */
  readonly logSeq: number
  /** Whether it was told of all that is held up to there. */
  readonly isAll: boolean
  /** Ids of chains of which it was told that nothing is to be sent. */
  readonly unwanted: ReadonlySet<string>
}

/** What a receiver works with. `signal`: the session has ended. */
export interface ReceiverPorts {
  readonly door: SessionDoor
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** Takes the events of a session to the door, some frames at a time, and judges the peer by what comes of them. */
export class EventsReceiver {
  readonly #ports: ReceiverPorts
  readonly #source: EventSource
  readonly #told: ToldPeer
  readonly #underway: Promise<void>[] = []
  readonly #failed = new BoundedMap<string, true>(FAILED_REMEMBERED_MAX)
  readonly #ignored = new Map<string, number>()
  /** Chains whose events can't be taken as things are. */
  readonly refusedChains = new Set<string>()
  readonly #failure = Promise.withResolvers<never>()
  #count = 0
  #accepted = 0
  #duplicate = 0
  #pending = 0
  /** Events that were here when they came, and that the peer could not know of or was not told of. */
  #spare = 0
  /** Of the events that came, those that the log took after the view, by whichever way, and the last of them. */
  #takenSince = 0
  #lastTakenAt = 0
  #problem: SessionEnded | null = null
  #defect: { readonly error: unknown } | null = null

  constructor(ports: ReceiverPorts, source: EventSource, told: ToldPeer) {
    this.#ports = ports
    this.#source = source
    this.#told = told
    // Whoever waits for it is told; often nobody does.
    this.#failure.promise.catch(() => undefined)
  }

  /** Rejects with `SessionEnded` as soon as something came that the peer must not send, with a defect; else never settles. */
  get failed(): Promise<never> {
    return this.#failure.promise
  }

  /** What the peer must not have sent, as far as it is judged. */
  get problem(): SessionEnded | null {
    return this.#problem
  }

  /** How many events came. */
  get count(): number {
    return this.#count
  }

  get received(): Received {
    const ignored = Object.fromEntries(this.#ignored)
    return { accepted: this.#accepted, duplicate: this.#duplicate, pending: this.#pending, ignored }
  }

  /** How many of the events that came are not in the log, as far as they are judged. */
  get notTaken(): number {
    return this.#pending + [...this.#ignored.values()].reduce((sum, count) => sum + count, 0)
  }

  /** Resolves when there is room for another frame. Throws `SessionEnded` for what the peer must not send. */
  async take(events: readonly Uint8Array[]): Promise<void> {
    this.#count += events.length
    const judged = this.#judge(events).catch((error: unknown) => {
      // A defect of this node is thrown as it is, to be logged as one.
      if (error instanceof SessionEnded) this.#problem ??= error
      else this.#defect ??= { error }
      this.#failure.reject(error)
    })
    this.#underway.push(judged)
    if (this.#underway.length >= FRAMES_AT_ONCE_MAX) await this.#underway.shift()
    this.#throwFailure()
  }

  /** Resolves when all that came is judged. Throws as `take` does. */
  async settled(): Promise<void> {
    await this.judged()
    this.#throwFailure()
  }

  /** Resolves when all that came is judged, whatever came of it. */
  async judged(): Promise<void> {
    await Promise.all(this.#underway.splice(0))
  }

  #throwFailure(): void {
    if (this.#defect !== null) throw this.#defect.error
    if (this.#problem !== null) throw this.#problem
  }

  async #judge(events: readonly Uint8Array[]): Promise<void> {
    await Promise.all(events.map(async (wire) => this.#note(wire, await this.#submit(wire))))
  }

  async #submit(wire: Uint8Array): Promise<Outcome | 'skipped'> {
    if (this.#failed.size > 0 && this.#followsFailed(wire)) return 'skipped'
    const { door, clock, signal } = this.#ports
    let outcome = await door.submit(wire, this.#source)
    for (let tries = 0; isOverload(outcome) && tries < OVERLOAD_TRIES_MAX; tries += 1) {
      await clock.sleep(OVERLOAD_WAIT_MS, signal)
      outcome = await door.submit(wire, this.#source)
    }
    return outcome
  }

  /** What follows an event that this node does not take can't be taken either. */
  #followsFailed(wire: Uint8Array): boolean {
    const decoded = decodeEvent(wire)
    if (!decoded.ok) return false
    const { envelope, id } = decoded.event
    if (envelope.prev === null || !this.#failed.has(envelope.prev)) return false
    this.#failed.set(id, true)
    return true
  }

  #note(wire: Uint8Array, outcome: Outcome | 'skipped'): void {
    if (outcome === 'skipped') {
      this.#addIgnored('PREDECESSOR_REFUSED')
      return
    }
    switch (outcome.outcome) {
      case 'accepted':
        this.#accepted += 1
        this.#noteTaken(outcome.logSeq)
        return
      case 'duplicate':
        this.#duplicate += 1
        this.#noteTaken(outcome.logSeq)
        if (outcome.logSeq > this.#told.logSeq) return
        // [REJECT] RS-19.
        if (this.#told.isAll) {
          throw new SessionEnded('lied', 'here', `event ${outcome.id} came, though it was told to be held`)
        }
        this.#spare += 1
        this.#checkUse()
        return
      case 'pending':
        this.#pending += 1
        if (outcome.code === 'KEY_UNKNOWN') this.#refuseChain(wire)
        this.#checkUse()
        return
      case 'rejected':
        // [REJECT] RS-5: every node must reject it, so the peer did too, or made it.
        throw new SessionEnded('lied', 'here', `${outcome.code}: ${outcome.detail}`)
      default:
        this.#noteIgnored(wire, outcome)
    }
  }

  /**
   * The log took it since the session began, from this peer or another; who sends the same at that time does no wrong.
   * But each has a position of its own: of more events than there are positions some came twice.
   */
  #noteTaken(logSeq: number): void {
    if (logSeq <= this.#told.logSeq) return
    this.#takenSince += 1
    this.#lastTakenAt = Math.max(this.#lastTakenAt, logSeq)
    // [REJECT] RS-19.
    if (this.#takenSince > this.#lastTakenAt - this.#told.logSeq) {
      throw new SessionEnded('lied', 'here', 'an event came twice')
    }
  }

  #noteIgnored(wire: Uint8Array, { code, detail, id }: Extract<Outcome, { readonly outcome: 'ignored' }>): void {
    // [REJECT] RS-19.
    if (code === 'NAMESPACE_NOT_CARRIED') throw new SessionEnded('lied', 'here', detail)
    // Nothing more can be taken, from nobody.
    if (code === 'STORE_FULL' || code === 'OVERLOADED') throw new SessionEnded('busy', 'here', `${code}: ${detail}`)
    if (id !== null && code !== 'SAME_ID_OTHER_BYTES') this.#failed.set(id, true)
    if (code === 'SIGNER_NOT_MEMBER') this.#refuseChain(wire)
    this.#addIgnored(code)
  }

  #addIgnored(code: string): void {
    this.#ignored.set(code, (this.#ignored.get(code) ?? 0) + 1)
    this.#checkUse()
  }

  #refuseChain(wire: Uint8Array): void {
    const decoded = decodeEvent(wire)
    if (!decoded.ok) return
    const chain = chainIdOf(decoded.event.envelope)
    // [REJECT] RS-19.
    if (this.#told.unwanted.has(chain)) throw new SessionEnded('lied', 'here', `nothing was wanted of chain ${chain}`)
    if (this.refusedChains.size < REFUSED_CHAINS_MAX) this.refusedChains.add(chain)
  }

  #checkUse(): void {
    const useless = this.#spare + this.notTaken
    if (useless > USELESS_MAX + this.#accepted) {
      throw new SessionEnded('busy', 'here', `${useless} events that can't be taken now`)
    }
  }
}

function isOverload(outcome: Outcome): boolean {
  return outcome.outcome === 'ignored' && outcome.code === 'OVERLOADED'
}
