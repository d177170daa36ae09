import type { Clock } from '../platform/clock.ts'
import { messageOf } from '../platform/errors.ts'
import type { Logger } from '../platform/logger.ts'
import { tooOld, tooSlow } from './endings.ts'
import type { Ending } from './frames.ts'
import { FrameBundle } from './frames.ts'
import { CHECKPOINT_MS, CHECKPOINT_POSITIONS, PLACES_AT_ONCE } from './limits.ts'
import type { SubscriptionLimits } from './limits.ts'
import type { Place } from './place.ts'
import { encodePlace } from './place.ts'
import type { Reading, Source, Standing } from './reading.ts'
import { atOneMoment, collect, placeOf, standingOf } from './reading.ts'
import type { Subscriber } from './subscriber.ts'

export interface ChannelOptions {
  readonly source: Source
  readonly clock: Clock
  readonly logger: Logger
  readonly limits: SubscriptionLimits
  /** Brings a subscriber near to now, which then joins again. */
  readonly catchUp: (channel: Channel, subscriber: Subscriber) => void
  /** Frames were handed to so many subscribers. */
  readonly onSent: (frames: number, subscribers: number) => void
}

/**
 * All subscribers who see the same rows. What changes is read once and encoded once; each turn brings everybody who has
 * the same from one moment of the store to the next, so nobody gets a change twice, or misses one, on joining.
 */
export class Channel {
  readonly source: Source
  readonly #options: ChannelOptions
  readonly #joining = new Set<Subscriber>()
  readonly #live = new Set<Subscriber>()
  /** Where all who are live are. */
  #place: Place = { logSeq: 0, generation: 0, after: null }
  /** Up to where, and since when, they have a cursor. */
  #told = { logSeq: 0, generation: 0, atMs: 0 }
  #turns: Promise<void> | null = null
  #failed = false
  #restUntilMs = -Infinity

  constructor(options: ChannelOptions) {
    this.#options = options
    this.source = options.source
  }

  get isEmpty(): boolean {
    return this.#joining.size === 0 && this.#live.size === 0 && this.#turns === null
  }

  /** From now on the subscriber gets all that it has not; as soon as it is where the others are, together with them. */
  join(subscriber: Subscriber): void {
    this.#joining.add(subscriber)
    this.advanced()
  }

  leave(subscriber: Subscriber): void {
    this.#joining.delete(subscriber)
    this.#live.delete(subscriber)
  }

  /** The projection may have moved on. */
  advanced(): void {
    if (this.#turns !== null || !this.#hasWork()) return
    this.#turns = this.#takeTurns()
      .catch((error: unknown) => {
        // Nothing was sent of it. It is tried again with the next tick.
        this.#failed = true
        this.#options.logger.warn({ reason: messageOf(error) }, 'changes could not be read for subscribers')
      })
      .finally(() => {
        this.#turns = null
        if (!this.#failed) this.advanced()
      })
  }

  /** Now and then: what is due by the clock. */
  tick(nowMs: number): void {
    this.#failed = false
    this.advanced()
    if (this.#turns === null && this.#live.size > 0) {
      const isDue = nowMs - this.#told.atMs >= CHECKPOINT_MS && this.#place.logSeq > this.#told.logSeq
      if (isDue) this.#checkpoint()
    }
  }

  /** Resolves once it reads no more; its subscribers have been ended before. */
  async ended(): Promise<void> {
    while (this.#turns !== null) await this.#turns
  }

  #hasWork(): boolean {
    const { instance } = this.source
    if (this.#live.size === 0 && this.#joining.size === 0) return false
    if (instance.halted !== null) return true
    if (this.#live.size > 0 && isMissing(standingOf(instance, this.#place))) return true
    for (const { place } of this.#joining) if (standingOf(instance, place) !== 'ahead') return true
    return false
  }

  async #takeTurns(): Promise<void> {
    while (this.#hasWork()) {
      const { instance } = this.source
      if (instance.halted !== null) {
        this.#endAll({
          code: 'PROJECTION_HALTED',
          detail: `projection ${instance.projection.name} halted`,
          retryable: true
        })
        return
      }
      await this.#rest()
      const beganMs = this.#options.clock.monotonicMs()
      await atOneMoment(this.source, (reading) => this.#turn(reading))
      const endedMs = this.#options.clock.monotonicMs()
      this.#restUntilMs = endedMs + Math.min(endedMs - beganMs, REST_MS_MAX)
    }
  }

  /** While changes come faster than they can be sent, several are sent in one go, and the node has time for others. */
  async #rest(): Promise<void> {
    const { clock } = this.#options
    const restMs = this.#restUntilMs - clock.monotonicMs()
    if (restMs >= 1) await clock.sleep(restMs)
  }

  async #turn(reading: Reading): Promise<void> {
    // First those who have been promised changes as they come.
    if (this.#live.size > 0) await this.#bringLive(reading)
    // Who joins must be where the others are.
    if (this.#live.size > 0 && standingOf(reading, this.#place) !== 'there') return
    const groups = [...Map.groupBy(this.#joining, ({ place }) => keyOf(place)).values()]
    for (const group of groups.slice(0, PLACES_AT_ONCE)) await this.#bringJoining(reading, group)
    // The others come first next time.
    for (const group of groups.slice(0, PLACES_AT_ONCE)) this.#behindOthers(group)
  }

  async #bringLive(reading: Reading): Promise<void> {
    const standing = standingOf(reading, this.#place)
    if (!isMissing(standing)) return
    if (standing === 'too-old') {
      for (const subscriber of this.#live) subscriber.end(tooOld(reading.state, this.#place.logSeq))
      return
    }
    const collected = await collect(reading, this.#place, this.#options.limits.turnBytesMax)
    // In a run of several the cursor of before is repeated (SU-9), so they must have it.
    const isRun = collected === null || collected.bundle.length > 1
    const isUntold = this.#told.logSeq !== this.#place.logSeq || this.#told.generation !== this.#place.generation
    if (isRun && isUntold) this.#checkpoint()
    if (collected === null) {
      for (const subscriber of this.#live) this.#sendAway(subscriber, this.#place)
      return
    }
    const { bundle, place } = collected
    this.#place = place
    if (bundle.length > 0) {
      this.#sendAll(this.#live, bundle)
      this.#hasTold()
    } else if (place.logSeq - this.#told.logSeq >= CHECKPOINT_POSITIONS) this.#checkpoint()
  }

  async #bringJoining(reading: Reading, group: readonly Subscriber[]): Promise<void> {
    const place = group[0]?.place ?? null
    const standing = standingOf(reading, place)
    if (standing === 'ahead') return
    if (standing === 'too-old') {
      for (const subscriber of group) subscriber.end(tooOld(reading.state, place?.logSeq ?? 0))
      return
    }
    const collected = await collect(reading, place, this.#options.limits.turnBytesMax)
    const stillThere = group.filter((subscriber) => this.#joining.has(subscriber))
    if (collected === null) {
      for (const subscriber of stillThere) this.#sendAway(subscriber, place)
      return
    }
    this.#sendAll(stillThere, collected.bundle)
    const there = placeOf(reading)
    const { logSeq } = there
    const cursor = encodePlace(this.source.context, there)
    const news = stillThere.filter(({ hasCaughtUp }) => !hasCaughtUp)
    // From here on all have the same cursor.
    const untold = stillThere.filter(({ hasCaughtUp, told }) => hasCaughtUp && told.cursor !== cursor)
    this.#sendAll(news, FrameBundle.of({ frame: 'caught-up', logSeq, cursor }))
    this.#sendAll(untold, FrameBundle.of({ frame: 'checkpoint', logSeq, cursor }))
    for (const subscriber of stillThere) {
      if (!this.#joining.delete(subscriber)) continue
      subscriber.hasCaughtUp = true
      if (this.#live.size === 0) {
        this.#place = there
        this.#hasTold()
      }
      this.#live.add(subscriber)
    }
  }

  #behindOthers(group: readonly Subscriber[]): void {
    for (const subscriber of group) if (this.#joining.delete(subscriber)) this.#joining.add(subscriber)
  }

  /** What it misses is more than is sent without a look at how fast its connection is. */
  #sendAway(subscriber: Subscriber, place: Place | null): void {
    this.leave(subscriber)
    subscriber.place = place
    this.#options.catchUp(this, subscriber)
  }

  #sendAll(subscribers: Iterable<Subscriber>, bundle: FrameBundle): void {
    const { limits, onSent } = this.#options
    let count = 0
    for (const subscriber of subscribers) {
      subscriber.send(bundle)
      count += 1
      if (subscriber.waitingBytes > limits.waitingBytesMax) subscriber.end(tooSlow())
    }
    onSent(bundle.length, count)
  }

  #checkpoint(): void {
    const { logSeq } = this.#place
    const cursor = encodePlace(this.source.context, this.#place)
    this.#sendAll(this.#live, FrameBundle.of({ frame: 'checkpoint', logSeq, cursor }))
    this.#hasTold()
  }

  #hasTold(): void {
    const { logSeq, generation } = this.#place
    this.#told = { logSeq, generation, atMs: this.#options.clock.monotonicMs() }
  }

  #endAll(ending: Ending): void {
    for (const members of [this.#joining, this.#live]) for (const subscriber of members) subscriber.end(ending)
  }
}

// Sending to 1,500 takes some 15 ms; a longer turn was held up by something else, and readers should not wait for that
// twice.
const REST_MS_MAX = 50

const isMissing = (standing: Standing): boolean => standing === 'behind' || standing === 'too-old'

const keyOf = (place: Place | null): string =>
  place === null ? '' : `${place.logSeq} ${place.generation} ${place.after ?? ''}${place.after === null ? '' : '!'}`
