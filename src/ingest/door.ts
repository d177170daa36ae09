import type { DecodedEvent } from '../../protocols/event/v1/codec.ts'
import { decodeEvent } from '../../protocols/event/v1/codec.ts'
import { EVENT_BYTES_MAX } from '../../protocols/event/v1/envelope.ts'
import { equalBytes } from '../../protocols/primitives/bytes.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import type { IgnoredCode, Outcome, PendingCode, Refusal } from '../events/outcome.ts'
import { ignored, pending, rejected } from '../events/outcome.ts'
import type { KeyLookup, VerifiedEvent } from '../events/verified.ts'
import type { ChainPlace } from '../log/event-index.ts'
import type { EventLog } from '../log/event-log.ts'
import { isStoreUnavailable } from '../log/level-store.ts'
import type { CountingTrail } from '../platform/audit.ts'
import { BoundedMap } from '../platform/bounded-map.ts'
import type { Clock } from '../platform/clock.ts'
import { messageOf } from '../platform/errors.ts'
import type { Logger } from '../platform/logger.ts'
import type { SignatureVerifiers } from '../platform/signature-verifiers.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { Keyring } from '../trust/keyring.ts'
import { packKeysOf } from '../trust/pack-keys.ts'
import { chainProblem } from './chain-problem.ts'
import type { Judging } from './judging.ts'
import { startJudging } from './judging.ts'
import { OutcomeBook } from './outcome-book.ts'
import type { PendingEvent } from './pending-pool.ts'
import { PendingPool } from './pending-pool.ts'
import { PositionQueue } from './position-queue.ts'
import { PeerRates } from './peer-rates.ts'
import { RateLimiter, perDay, perMinute } from './rate-limiter.ts'
import type { EventSource } from './source.ts'
import { VerificationQueue } from './verification-queue.ts'

// A replayed reject costs one hash instead of a verification; 16,384 of them are about 3 MiB.
const REJECTED_REMEMBERED_MAX = 16_384
// Verified but not taken in (rate, full disk, clock): when it comes again soon its signature is not checked again. At
// most 24 MiB.
const VERIFIED_KEPT_MAX = 512
// Verified in one go, about 5 ms in which nothing else runs.
const AGAIN_AT_ONCE = 32
// Two for each signer and one for each namespace: 8,000 signers, who are all named by policy. About 2 MiB.
const SIGNER_BUCKETS_MAX = 20_000
// Every event that waits in the pool, and as many that were refused for now; 8,192 ids are about 1 MiB.
const CHARGED_REMEMBERED_MAX = 8_192

export interface DoorPorts {
  readonly log: EventLog
  readonly keyring: Keyring
  /** The policy in force now. */
  readonly policy: () => PolicyView
  readonly clock: Clock
  readonly logger: Logger
  /** How far ahead of this node's clock an event's `ts` may be, in milliseconds. */
  readonly futureSkewMs: () => number
  /** Without them every signature is verified in the thread of the door. */
  readonly signatureVerifiers?: SignatureVerifiers | undefined
  /** Counts what is refused. */
  readonly audit?: CountingTrail
  /** How much each peer may send; a table of its own, if absent. */
  readonly peerRates?: PeerRates
}

/** Counts since the start. */
export interface DoorStatus {
  readonly outcomes: Readonly<Record<string, number>>
  readonly signaturesVerified: number
  readonly pending: { readonly events: number; readonly bytes: number; readonly dropped: number }
}

interface JudgingContext {
  readonly source: EventSource
  readonly onValidated: () => void
  readonly judging: Judging
}

/**
 * The one door: gossip, sync, HTTP and the command line all hand their bytes in here and get the same typed outcome
 * from the same checks in the same order. The first check that fails gives the code.
 */
export class IngestDoor {
  readonly #ports: DoorPorts
  readonly #book: OutcomeBook
  readonly #peerRates: PeerRates
  readonly #signerRates: RateLimiter
  readonly #pending = new PendingPool()
  readonly #rejected = new BoundedMap<string, Extract<Outcome, { outcome: 'rejected' }>>(REJECTED_REMEMBERED_MAX)
  readonly #verified = new BoundedMap<string, VerifiedEvent>(VERIFIED_KEPT_MAX)
  /** Ids of events that are not in the log, though their signers were charged for them. */
  readonly #charged = new BoundedMap<string, true>(CHARGED_REMEMBERED_MAX)
  /** What is being judged, by id: copies and successors wait for it. */
  readonly #judging = new Map<string, Judging>()
  readonly #positions: PositionQueue
  readonly #verifications: VerificationQueue

  constructor(ports: DoorPorts) {
    this.#ports = ports
    this.#book = new OutcomeBook(ports)
    this.#peerRates = ports.peerRates ?? new PeerRates(ports)
    this.#signerRates = new RateLimiter(ports.clock, SIGNER_BUCKETS_MAX)
    this.#positions = new PositionQueue(ports.log)
    this.#verifications = new VerificationQueue(ports.signatureVerifiers ?? null)
  }

  status(): DoorStatus {
    return { outcomes: this.#book.counts(), signaturesVerified: this.#verifications.count, pending: this.#pending.size }
  }

  /**
   * Judges one event's bytes. `accepted` comes only after the event is durable; `onValidated` is called earlier, when
   * nothing but the append is left, so that gossip may pass it on. Bad input is an outcome; a rejected promise is a
   * defect.
   */
  async submit(wire: Uint8Array, source: EventSource, onValidated: () => void = () => {}): Promise<Outcome> {
    const outcome = await this.#judgeOnce(wire, source, onValidated)
    this.#book.note(outcome, source)
    return outcome
  }

  /** Looks again at what waited for keys, after some were bound. Resolves when all of it is judged. */
  async keysBound(): Promise<void> {
    // A signature that fitted no key of a kid may fit one that was just bound to it.
    this.#rejected.clear()
    await this.#again(this.#pending.takeWaitingForKeys())
  }

  async #judgeOnce(wire: Uint8Array, source: EventSource, onValidated: () => void): Promise<Outcome> {
    // [REJECT] An event is at most 49,152 bytes (EV-1).
    if (wire.length > EVENT_BYTES_MAX)
      return rejected('EVENT_TOO_LARGE', `${wire.length} bytes; an event has at most ${EVENT_BYTES_MAX}`, null)
    // [IGNORE] Per peer before any costly work.
    if (!this.#withinRateOfPeer(source))
      return ignored('RATE_LIMITED', 'the peer sends faster than policy allows', null)
    // The caller's bytes often lie in the frame of a network: it would use them again, or all of it stay in memory
    // while the event waits.
    const own = Buffer.from(wire)
    const known = this.#known(own)
    if (known !== undefined) return known
    return await this.#judge(own, source, onValidated)
  }

  /** What was found of these very bytes before, as long as nothing has come that could change it. */
  #known(wire: Uint8Array): Outcome | undefined {
    if (this.#rejected.size === 0 && this.#pending.size.events === 0) return undefined
    const bytesHash = sha256Hex(wire)
    const waiting = this.#pending.get(bytesHash)
    if (waiting?.code === 'KEY_UNKNOWN') return pending('KEY_UNKNOWN', 'it waits for a key already', waiting.event.id)
    return this.#rejected.get(bytesHash)
  }

  /**
   * By the hash of the full bytes, never by id, or garbage signatures under a true id would keep the true event out.
   */
  #remember(wire: Uint8Array, outcome: Outcome): Outcome {
    if (outcome.outcome === 'rejected') this.#rejected.set(sha256Hex(wire), outcome)
    return outcome
  }

  async #judge(wire: Uint8Array, source: EventSource, onValidated: () => void): Promise<Outcome> {
    const decoded = decodeEvent(wire)
    // [REJECT] Canonical bytes of a known version and form, with exactly the signatures that they name (EV-1 to EV-12).
    if (!decoded.ok) return this.#remember(wire, rejected(decoded.code, decoded.detail, null))
    const { event } = decoded
    const refused = this.#refusedByPolicy(event, source)
    if (refused !== null) return refused
    // One at a time for each id, so that neither copies nor two sets of signatures over one event get in side by side.
    for (let other = this.#judging.get(event.id); other !== undefined; other = this.#judging.get(event.id)) {
      await other.ended.given()
      const same = this.#known(wire)
      if (same !== undefined) return same
    }
    const judging = startJudging()
    this.#judging.set(event.id, judging)
    try {
      return await this.#judgeUnderAllKeys(event, { source, onValidated, judging })
    } catch (error) {
      // A store that could not be opened again after a failed write can't be read either.
      if (isStoreUnavailable(error)) return ignored('STORE_FULL', messageOf(error), event.id)
      throw error
    } finally {
      this.#judging.delete(event.id)
      judging.queued.give()
      judging.ended.give()
    }
  }

  /** A key that is bound while a signature is checked may be the one that it needs. */
  async #judgeUnderAllKeys(event: DecodedEvent, context: JudgingContext): Promise<Outcome> {
    for (;;) {
      const { generation } = this.#ports.keyring
      const outcome = await this.#judgeEvent(event, context)
      const lacksKey = outcome.outcome === 'pending' && outcome.code === 'KEY_UNKNOWN'
      if ((outcome.outcome === 'rejected' || lacksKey) && this.#ports.keyring.generation !== generation) continue
      if (lacksKey) this.#wait(event, context, 'KEY_UNKNOWN', undefined, null)
      return this.#remember(event.wire, outcome)
    }
  }

  #refusedByPolicy(event: DecodedEvent, source: EventSource): Refusal | null {
    const { namespace, signer } = event.envelope
    const policy = this.#ports.policy()
    // [IGNORE] A namespace that is carried.
    if (!policy.carries(namespace))
      return ignored('NAMESPACE_NOT_CARRIED', `${namespace} is not carried here`, event.id)
    if (source.namespace !== undefined && source.namespace !== namespace) {
      return ignored('NAMESPACE_NOT_CARRIED', `an event of ${namespace} came by way of ${source.namespace}`, event.id)
    }
    // [IGNORE] A signer that is a member of it.
    if (!policy.isMember(namespace, signer))
      return ignored('SIGNER_NOT_MEMBER', `${signer} is no member of ${namespace}`, event.id)
    return null
  }

  async #judgeEvent(event: DecodedEvent, context: JudgingContext): Promise<Outcome> {
    const held = this.#isSurelyNew(event) ? undefined : await this.#positions.find(event.id)
    if (held !== undefined) return await this.#compareWithHeld(event, held)
    context.judging.isNew = true
    const verified = await this.#verifyOnce(event)
    return 'outcome' in verified ? verified : await this.#admit(verified, context)
  }

  /** Nothing is held that follows an open tip or an event that is new itself: most events need no look into the store. */
  #isSurelyNew({ envelope: { prev } }: DecodedEvent): boolean {
    return prev !== null && (this.#ports.log.isOpenTip(prev) || this.#judging.get(prev)?.isNew === true)
  }

  async #compareWithHeld(event: DecodedEvent, held: ChainPlace): Promise<Outcome> {
    // An event can come into the log by a write that seemed to have failed; then nobody has freed what waits for it.
    this.#free(event.id)
    const record = await this.#ports.log.read(held.logSeq)
    if (record !== undefined && equalBytes(record.payload, event.wire)) {
      return { outcome: 'duplicate', id: event.id, logSeq: held.logSeq }
    }
    // [REJECT] Under garbage it counts against the peer. Under a second good signature it does not: a hostile signer
    // could otherwise give one to each of two honest nodes and have them graylist each other.
    const verified = await this.#verifyOnce(event)
    if ('outcome' in verified && verified.outcome === 'rejected') return verified
    // [IGNORE] The first valid set of signatures is kept.
    return ignored('SAME_ID_OTHER_BYTES', 'the event is held with other signatures', event.id)
  }

  async #verifyOnce(event: DecodedEvent): Promise<VerifiedEvent | Refusal> {
    const before = this.#verifiedBefore(event)
    if (before !== undefined) return before
    // [PENDING] A key that was ever bound to the signer; [REJECT] one that is weak, and a signature that is not good
    // (EV-15, EV-16).
    const checked = await this.#verifications.verify(event, this.#keysOf(event))
    if (checked.ok) return checked.event
    const { code, detail } = checked
    return code === 'KEY_UNKNOWN' ? pending(code, detail, event.id) : rejected(code, detail, event.id)
  }

  /** The event in these very bytes, if it was verified when it came before and could not be taken in. */
  #verifiedBefore(event: DecodedEvent): VerifiedEvent | undefined {
    if (this.#verified.size === 0 && this.#pending.size.events === 0) return undefined
    const bytesHash = sha256Hex(event.wire)
    return this.#pending.get(bytesHash)?.verified ?? this.#verified.get(bytesHash)
  }

  /** The envelope's own kid must be bound already; a co-signer of a pack may be introduced by the pack itself. */
  #keysOf(event: DecodedEvent): (kid: string) => KeyLookup {
    const { signer, kid: own } = event.envelope
    const orgId = this.#ports.policy().orgOf(signer)
    let introduced: ((kid: string) => KeyLookup | undefined) | null = null
    return (kid) => {
      if (kid === own) return this.#ports.keyring.find(signer, kid, orgId)
      introduced ??= packKeysOf(event)
      return introduced(kid) ?? this.#ports.keyring.find(signer, kid, orgId)
    }
  }

  async #admit(event: VerifiedEvent, context: JudgingContext): Promise<Outcome> {
    const { source } = context
    const { prev, ts, signer, namespace } = event.envelope
    // [IGNORE] Per signer and namespace only after its signature is good, or garbage in its name would silence it; once
    // an event, or copies would.
    if (!this.#charged.has(event.id)) {
      const exceeded = this.#exceededRate(namespace, signer, source)
      if (exceeded !== null) return this.#keep(event, 'RATE_LIMITED', exceeded)
    }
    if (prev !== null) {
      const before = this.#ports.log.peek(prev) ?? (await this.#predecessor(prev))
      // [PENDING] The predecessor is held.
      if (before === undefined) return this.#waitForPredecessor(event, context, prev)
      // [REJECT] It is the event at authorSeq − 1 of the same chain, and `ts` does not go back.
      const broken = chainProblem(event, before)
      if (broken !== null) return rejected('CHAIN_BROKEN', broken, event.id)
    }
    // [IGNORE] `ts` is not beyond the future bound.
    if (ts > this.#ports.clock.now() + this.#ports.futureSkewMs())
      return this.#later(event, 'FUTURE_TIMESTAMP', 'its ts is too far ahead of the clock here')
    if (this.#ports.log.busy) return this.#later(event, 'OVERLOADED', 'too many events wait to be written')
    if (prev !== null && this.#ports.log.peek(prev) === undefined && (await this.#ports.log.find(prev)) === undefined) {
      return this.#later(event, 'STORE_FULL', 'its predecessor could not be written')
    }
    context.onValidated()
    return await this.#append(event, context)
  }

  /**
   * One that is being judged right now counts as soon as it waits to be written: a chain may come in faster than the
   * disk is.
   */
  async #predecessor(prev: string): Promise<ChainPlace | undefined> {
    const { log } = this.#ports
    await this.#judging.get(prev)?.queued.given()
    // Looked for once more at the end: while the store was read it may have come, and then nobody would wake who waits
    // for it.
    return log.peek(prev) ?? (await log.find(prev)) ?? log.peek(prev)
  }

  async #append(event: VerifiedEvent, { judging }: JudgingContext): Promise<Outcome> {
    try {
      const appended = this.#ports.log.append([{ scope: 'shared', event }])
      judging.isNew = false
      judging.queued.give()
      const [logged] = await appended
      if (logged === undefined) throw new Error('the log appended nothing')
      // It may have waited, and have come once more by another way.
      if (this.#pending.size.events > 0) this.#pending.remove(sha256Hex(event.wire))
      this.#free(event.id)
      return { outcome: 'accepted', id: event.id, logSeq: logged.record.logSeq }
    } catch (error) {
      if (isStoreUnavailable(error)) return this.#later(event, 'STORE_FULL', messageOf(error))
      throw error
    }
  }

  /** The event that was waited for is answered first; what it frees is judged after it. */
  #free(eventId: string): void {
    const waited = this.#pending.takeSuccessors(eventId)
    if (waited.length === 0) return
    this.#again(waited).catch((error: unknown) => {
      this.#ports.logger.error({ reason: messageOf(error) }, 'events that waited for a predecessor could not be judged')
    })
  }

  /** A few at a time: they share a write, and those after one that failed are still judged. */
  async #again(waited: readonly PendingEvent[]): Promise<void> {
    const failures: unknown[] = []
    for (let from = 0; from < waited.length; from += AGAIN_AT_ONCE) {
      const judged = await Promise.allSettled(
        waited.slice(from, from + AGAIN_AT_ONCE).map(async ({ event, verified, bytesHash, source }) => {
          if (verified !== undefined) this.#verified.set(bytesHash, verified)
          await this.submit(event.wire, { ...source, waited: true })
        })
      )
      for (const end of judged) if (end.status === 'rejected') failures.push(end.reason)
    }
    if (failures.length > 0) throw failures[0]
  }

  #waitForPredecessor(event: VerifiedEvent, context: JudgingContext, prev: string): Outcome {
    this.#charged.set(event.id, true)
    this.#wait(event, context, 'PREDECESSOR_MISSING', event, prev)
    return pending('PREDECESSOR_MISSING', `its predecessor ${prev} is not here yet`, event.id)
  }

  #wait(
    event: DecodedEvent,
    { source }: JudgingContext,
    code: PendingCode,
    verified: VerifiedEvent | undefined,
    predecessor: string | null
  ): void {
    this.#pending.add({ bytesHash: sha256Hex(event.wire), code, event, verified, source, predecessor })
  }

  #later(event: VerifiedEvent, code: IgnoredCode, detail: string): Outcome {
    this.#charged.set(event.id, true)
    return this.#keep(event, code, detail)
  }

  #keep(event: VerifiedEvent, code: IgnoredCode, detail: string): Outcome {
    this.#verified.set(sha256Hex(event.wire), event)
    return ignored(code, detail, event.id)
  }

  #withinRateOfPeer({ via, peer, namespace = '', waited }: EventSource): boolean {
    if (peer === undefined || via === 'sync' || waited === true) return true
    const { perPeer } = this.#ports.policy().rate(namespace)
    if (via === 'http') return this.#peerRates.takeOfClient(peer, 'events', namespace, perPeer)
    return this.#peerRates.takeOfPeer(peer, 'events', namespace, perPeer)
  }

  /** Which rate the event would exceed; `null` where it was taken from all of them. */
  #exceededRate(namespace: string, signer: string, { via, waited }: EventSource): string | null {
    if ((via !== 'gossip' && via !== 'http') || waited === true) return null
    const rate = this.#ports.policy().rate(namespace)
    const name = `signer!${namespace}!${signer}`
    const ofSigner = [perMinute(name, rate.perSigner), perDay(name, rate.dailyCap)]
    const ofNamespace = perMinute(`namespace!${namespace}`, rate.perNamespace)
    if (this.#signerRates.take(...ofSigner, ofNamespace)) return null
    return this.#signerRates.has(ofNamespace) ? 'the signer exceeds its rate' : 'the namespace exceeds its rate'
  }
}
