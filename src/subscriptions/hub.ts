import { AnchormeshError } from '../platform/errors.ts'
import { Tally } from '../platform/tally.ts'
import { haltedError } from '../projections/fold-progress.ts'
import type { ProjectionInstance } from '../projections/instance.ts'
import { CatchUps } from './catch-up.ts'
import { Channel } from './channel.ts'
import { NO_ENDS, NO_REFUSALS, countedAs, stopping, tooOld, tooSlow } from './endings.ts'
import type { Ending } from './frames.ts'
import { FrameBundle } from './frames.ts'
import { KEEP_ALIVE_MS, SUBSCRIPTION_LIMITS, TICK_MS } from './limits.ts'
import type { SubscriptionLimits } from './limits.ts'
import type { Opening, SubscriptionPorts, SubscriptionQuery, SubscriptionStats } from './ports.ts'
import type { Place } from './place.ts'
import { decodePlace } from './place.ts'
import type { Source } from './reading.ts'
import { standingOf } from './reading.ts'
import { Subscriber } from './subscriber.ts'
import { viewOf, visibleByNamespace } from './view.ts'

/** Everybody who follows projections of this node, and what they share. */
export class SubscriptionHub {
  readonly #ports: SubscriptionPorts
  readonly #limits: SubscriptionLimits
  readonly #channels = new Map<string, Channel>()
  readonly #subscribers = new Map<Subscriber, Channel>()
  readonly #byAddress = new Map<string, number>()
  readonly #catchUps: CatchUps
  readonly #ended = new Tally(NO_ENDS)
  readonly #refused = new Tally(NO_REFUSALS)
  #framesSent = 0
  #opened = 0
  #policy: object
  #stopped = false
  #stopWatching: (() => void) | null = null
  #cancelTick: (() => void) | null = null

  constructor(ports: SubscriptionPorts) {
    this.#ports = ports
    this.#limits = ports.limits ?? SUBSCRIPTION_LIMITS
    this.#catchUps = new CatchUps(ports.logger, this.#limits)
    this.#policy = ports.policy()
  }

  stats(): SubscriptionStats {
    return {
      subscribers: this.#subscribers.size,
      channels: this.#channels.size,
      framesSent: this.#framesSent,
      opened: this.#opened,
      ended: this.#ended.counts,
      refused: this.#refused.counts
    }
  }

  /**
   * Looks at a query before anything is answered; `start` then has the frames sent, and must be called at once. Throws
   * `UNKNOWN_PROJECTION`, `QUERY_INVALID`, `CURSOR_FOREIGN`, `CURSOR_FUTURE`, `CURSOR_TOO_OLD` (each with `oldest`),
   * `PROJECTION_HALTED`, `NODE_NOT_RUNNING`.
   */
  open(query: SubscriptionQuery): Opening {
    try {
      const opening = this.#open(query)
      if (!opening.ok) this.#refused.add(opening.code)
      return opening
    } catch (error) {
      this.#refused.add(countedAs(error instanceof AnchormeshError ? error.code : '', NO_REFUSALS))
      throw error
    }
  }

  #open(query: SubscriptionQuery): Opening {
    const { engine, visibility = visibleByNamespace } = this.#ports
    if (this.#stopped || engine.closed) throw new AnchormeshError('NODE_NOT_RUNNING', stopping().detail)
    const instance = engine.instance(query.projection)
    const { scope, namespace, address } = query
    if (namespace !== undefined && !visibility.mayName(scope, namespace))
      return { ok: false, code: 'ACCESS_DENIED', detail: 'this reader may not see the namespace' }
    const source = this.#sourceOf(instance, query)
    const place = query.cursor === undefined ? null : this.#placeOf(source, query.cursor)
    if (instance.halted !== null) throw haltedError(instance)
    if (!this.#hasRoom(source, address))
      return { ok: false, code: 'TOO_MANY_SUBSCRIBERS', detail: 'as many subscribe as this node can serve' }
    return {
      ok: true,
      start: (sink) => {
        const channel = this.#channelOf(source)
        const subscriber = new Subscriber({
          sink,
          scope,
          address,
          namespace,
          lost: query.lost,
          place,
          cursor: query.cursor ?? null,
          clock: this.#ports.clock,
          onEnd: (ended, code) => this.#left(ended, code)
        })
        this.#subscribers.set(subscriber, channel)
        this.#byAddress.set(address, (this.#byAddress.get(address) ?? 0) + 1)
        this.#opened += 1
        this.#begin()
        channel.join(subscriber)
        return subscriber
      }
    }
  }

  /** Ends the subscriptions of those who may read no more. Also done by itself, once a second. */
  recheck(): void {
    const { again, policy, visibility = visibleByNamespace } = this.#ports
    const isNewPolicy = this.#policy !== policy()
    this.#policy = policy()
    for (const [subscriber, { source }] of this.#subscribers) {
      const loss = subscriber.lost?.() ?? null
      if (loss !== null) {
        subscriber.end({ code: loss.code, detail: loss.detail, retryable: false })
        continue
      }
      const { scope, namespace } = subscriber
      const standing = again?.(scope) ?? { ok: true, scope }
      if (!standing.ok) {
        subscriber.end({ code: standing.code, detail: LET_IN_NO_MORE, retryable: false })
        continue
      }
      if (scope === standing.scope && !isNewPolicy) continue
      subscriber.scope = standing.scope
      const view = viewOf(source.instance, namespace, standing.scope, visibility)
      // What it may see may also be more than before, of which its cursor knows nothing.
      if (view.name !== source.view.name)
        subscriber.end({ code: 'ACCESS_DENIED', detail: 'what this reader may see has changed', retryable: true })
    }
  }

  /** Ends all subscriptions, as when the listener closes; others may be opened afterwards. */
  endAll(): void {
    for (const subscriber of this.#subscribers.keys()) subscriber.end(stopping())
  }

  /** Ends all subscriptions for good; resolves once nothing reads in the store any more. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.endAll()
    this.#cancelTick?.()
    this.#stopWatching?.()
    await this.#catchUps.ended()
    for (const channel of this.#channels.values()) await channel.ended()
  }

  #sourceOf(instance: ProjectionInstance, { namespace, scope }: SubscriptionQuery): Source {
    const { store, epoch, visibility = visibleByNamespace } = this.#ports
    const view = viewOf(instance, namespace, scope, visibility)
    const context = { epoch, projection: instance.projection.name, view: view.digest }
    return { store, instance, view, context, runs: this.#limits.runs }
  }

  #placeOf({ context, instance }: Source, cursor: string): Place {
    const bounds = { oldest: instance.state.journalFrom, head: this.#ports.engine.head }
    const place = decodePlace(context, bounds, cursor)
    if (standingOf(instance, place) === 'too-old') {
      const { detail, oldest } = tooOld(instance.state, place.logSeq)
      throw new AnchormeshError('CURSOR_TOO_OLD', detail, { hint: 'start without a cursor', detail: { oldest } })
    }
    return place
  }

  #hasRoom(source: Source, address: string): boolean {
    const { subscribersMax, perAddressMax, channelsMax } = this.#limits
    if (this.#subscribers.size >= subscribersMax) return false
    if (!this.#channels.has(nameOf(source)) && this.#channels.size >= channelsMax) return false
    return isOwnAddress(address) || (this.#byAddress.get(address) ?? 0) < perAddressMax
  }

  #channelOf(source: Source): Channel {
    const name = nameOf(source)
    const { clock, logger } = this.#ports
    const channel =
      this.#channels.get(name) ??
      new Channel({
        source,
        clock,
        logger,
        limits: this.#limits,
        catchUp: (joined, subscriber) => this.#catchUps.start(joined.source, subscriber, () => joined.join(subscriber)),
        onSent: (frames, subscribers) => {
          this.#framesSent += frames * subscribers
        }
      })
    this.#channels.set(name, channel)
    return channel
  }

  #left(subscriber: Subscriber, code: string | null): void {
    this.#subscribers.get(subscriber)?.leave(subscriber)
    this.#subscribers.delete(subscriber)
    const left = (this.#byAddress.get(subscriber.address) ?? 0) - 1
    if (left > 0) this.#byAddress.set(subscriber.address, left)
    else this.#byAddress.delete(subscriber.address)
    if (code !== null) this.#ended.add(countedAs(code, NO_ENDS))
  }

  /** From the first subscriber on, until the last is gone. */
  #begin(): void {
    this.#stopWatching ??= this.#ports.engine.onAdvanced(() => this.#advanced())
    this.#cancelTick ??= this.#ports.clock.after(TICK_MS, () => this.#tick())
  }

  #advanced(): void {
    if (this.#ports.engine.closed) this.endAll()
    for (const channel of this.#channels.values()) channel.advanced()
  }

  #tick(): void {
    this.#cancelTick = null
    this.recheck()
    const nowMs = this.#ports.clock.monotonicMs()
    const inUse = new Set(this.#subscribers.values())
    for (const [name, channel] of this.#channels) {
      channel.tick(nowMs)
      if (channel.isEmpty && !inUse.has(channel)) this.#channels.delete(name)
    }
    this.#lookAtConnections(nowMs)
    if (this.#subscribers.size > 0 || this.#channels.size > 0) this.#begin()
    else {
      this.#stopWatching?.()
      this.#stopWatching = null
    }
  }

  #lookAtConnections(nowMs: number): void {
    const { waitingBytesMax, stalledMsMax } = this.#limits
    const made = new Map<string, FrameBundle>()
    for (const subscriber of this.#subscribers.keys()) {
      const isSlow = subscriber.waitingBytes > waitingBytesMax || subscriber.stalledMs(nowMs) > stalledMsMax
      if (isSlow) subscriber.end(tooSlow())
      else if (nowMs - subscriber.sentAtMs >= KEEP_ALIVE_MS) {
        const { cursor, logSeq } = subscriber.told
        const key = `${logSeq} ${cursor}`
        const bundle = made.get(key) ?? FrameBundle.of({ frame: 'keep-alive', logSeq, cursor })
        made.set(key, bundle)
        subscriber.send(bundle)
        this.#framesSent += 1
      }
    }
  }
}

/** The ending that tells a reader over an open connection what `open` threw. */
export function endingOf(error: AnchormeshError): Ending {
  const { code, message, detail } = error
  const oldest = detail?.['oldest']
  const epoch = detail?.['epoch']
  return {
    code,
    detail: message,
    retryable: code === 'NODE_NOT_RUNNING' || code === 'PROJECTION_HALTED',
    ...(typeof oldest === 'number' ? { oldest } : {}),
    ...(typeof epoch === 'string' ? { epoch } : {})
  }
}

const LET_IN_NO_MORE = 'what let this reader in does so no more'

const nameOf = ({ context, view }: Source): string => `${context.projection} ${view.name}`

/** Of this machine, also written as IPv6 (RFC 4291 section 2.5.5.2). */
function isOwnAddress(address: string): boolean {
  const bare = address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address
  return bare === '::1' || bare.startsWith('127.')
}
