import { decodeEvent } from '../../protocols/event/v1/codec.ts'
import { chainIdOf } from '../events/chain.ts'
import type { Outcome } from '../events/outcome.ts'
import { BoundedMap } from '../platform/bounded-map.ts'
import type { EventSource } from '../ingest/source.ts'
import { SessionEnded } from './channel.ts'

/**
 * Frames of events that are judged at the same time: while one is written to the disk the next is verified. More would
 * only be memory, 256 KiB each.
 */
const FRAMES_AT_ONCE_MAX = 4

/**
 * What a peer may send that is of no use here: where it admits other signers it sends whole chains once, and is told
 * the next time. Beyond this it wastes our time, at some 0.1 ms an event.
 */
const USELESS_MAX = 65_536

/** Chains that are noted as not wanted in one session; the next sessions note more. */
const REFUSED_CHAINS_MAX = 4_096

/** Events whose successors can't be taken either; an older one costs a look at the log. */
const FAILED_REMEMBERED_MAX = 16_384

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

/** Takes the events of a session to the door, some frames at a time, and judges the peer by what comes of them. */
export class EventsReceiver {
  readonly #door: SessionDoor
  readonly #source: EventSource
  readonly #heldBefore: number
  readonly #underway: Promise<void>[] = []
  readonly #failed = new BoundedMap<string, true>(FAILED_REMEMBERED_MAX)
  readonly #ignored = new Map<string, number>()
  /** Chains whose events can't be taken as things are. */
  readonly refusedChains = new Set<string>()
  #count = 0
  #accepted = 0
  #duplicate = 0
  #pending = 0
  #problem: SessionEnded | null = null

  /**
   * `heldBefore`: the log position up to which the peer was told what is held here, 0 where it was not told of all.
   */
  constructor(door: SessionDoor, source: EventSource, heldBefore: number) {
    this.#door = door
    this.#source = source
    this.#heldBefore = heldBefore
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
      this.#problem ??= error instanceof SessionEnded ? error : new SessionEnded('broken', 'here', String(error))
    })
    this.#underway.push(judged)
    if (this.#underway.length >= FRAMES_AT_ONCE_MAX) await this.#underway.shift()
    if (this.#problem !== null) throw this.#problem
  }

  /** Resolves when all that came is judged. */
  async settled(): Promise<void> {
    await Promise.all(this.#underway.splice(0))
    if (this.#problem !== null) throw this.#problem
  }

  async #judge(events: readonly Uint8Array[]): Promise<void> {
    await Promise.all(events.map(async (wire) => this.#note(wire, await this.#submit(wire))))
  }

  async #submit(wire: Uint8Array): Promise<Outcome | 'skipped'> {
    if (this.#failed.size > 0 && this.#followsFailed(wire)) return 'skipped'
    let outcome = await this.#door.submit(wire, this.#source)
    for (let tries = 0; isOverload(outcome) && tries < OVERLOAD_TRIES_MAX; tries += 1) {
      await this.#underway[0]
      outcome = await this.#door.submit(wire, this.#source)
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
        return
      case 'duplicate':
        this.#duplicate += 1
        // [REJECT] RS-19.
        if (outcome.logSeq <= this.#heldBefore) {
          throw new SessionEnded('lied', 'here', `event ${outcome.id} came, though it was told to be held`)
        }
        this.#checkUse()
        return
      case 'pending':
        this.#pending += 1
        this.#checkUse()
        if (outcome.code === 'KEY_UNKNOWN') this.#refuseChain(wire)
        return
      case 'rejected':
        // [REJECT] RS-5: every node must reject it, so the peer did too, or made it.
        throw new SessionEnded('lied', 'here', `${outcome.code}: ${outcome.detail}`)
      default:
        this.#noteIgnored(wire, outcome)
    }
  }

  #noteIgnored(wire: Uint8Array, { code, detail, id }: Extract<Outcome, { readonly outcome: 'ignored' }>): void {
    // [REJECT] RS-19.
    if (code === 'NAMESPACE_NOT_CARRIED') throw new SessionEnded('lied', 'here', detail)
    // Nothing more can be taken, from nobody.
    if (code === 'STORE_FULL' || code === 'OVERLOADED') throw new SessionEnded('busy', 'here', `${code}: ${detail}`)
    if (id !== null && code !== 'SAME_ID_OTHER_BYTES') this.#failed.set(id, true)
    this.#addIgnored(code)
    if (code === 'SIGNER_NOT_MEMBER') this.#refuseChain(wire)
  }

  #addIgnored(code: string): void {
    this.#ignored.set(code, (this.#ignored.get(code) ?? 0) + 1)
    this.#checkUse()
  }

  #refuseChain(wire: Uint8Array): void {
    const decoded = decodeEvent(wire)
    if (decoded.ok && this.refusedChains.size < REFUSED_CHAINS_MAX) {
      this.refusedChains.add(chainIdOf(decoded.event.envelope))
    }
  }

  #checkUse(): void {
    const useless = this.#duplicate + this.notTaken
    if (useless > USELESS_MAX + this.#accepted) {
      throw new SessionEnded('too-big', 'here', `${useless} events that are of no use here`)
    }
  }
}

function isOverload(outcome: Outcome): boolean {
  return outcome.outcome === 'ignored' && outcome.code === 'OVERLOADED'
}
