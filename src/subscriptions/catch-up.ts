import { AnchormeshError, messageOf } from '../platform/errors.ts'
import type { Logger } from '../platform/logger.ts'
import { haltedError } from '../projections/fold-progress.ts'
import { tooOld, tooSlow } from './endings.ts'
import type { Ending } from './frames.ts'
import { FrameBundle } from './frames.ts'
import { CATCH_UPS_AT_ONCE } from './limits.ts'
import type { SubscriptionLimits } from './limits.ts'
import type { Place } from './place.ts'
import { encodePlace } from './place.ts'
import type { Reading, Source } from './reading.ts'
import { atOneMoment, framesFrom, standingOf } from './reading.ts'
import type { Subscriber } from './subscriber.ts'

/** Brings subscribers who miss much as near to now as their connections allow, each at its own pace. */
export class CatchUps {
  readonly #logger: Logger
  readonly #limits: SubscriptionLimits
  readonly #waiting: (() => Promise<void>)[] = []
  readonly #running = new Set<Promise<void>>()

  constructor(logger: Logger, limits: SubscriptionLimits) {
    this.#logger = logger
    this.#limits = limits
  }

  /** Begins as soon as there is room; `whenNear` is called once the subscriber has come so far, and is still there. */
  start(source: Source, subscriber: Subscriber, whenNear: () => void): void {
    this.#waiting.push(async () => {
      try {
        const ending = await catchUp(source, subscriber, this.#limits)
        if (ending !== null) subscriber.end(ending)
        else if (subscriber.isOpen) whenNear()
      } catch (error) {
        subscriber.end(this.#failed(error))
      }
    })
    this.#next()
  }

  /** Resolves once nothing reads any more; subscribers have been ended before. */
  async ended(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }

  #next(): void {
    while (this.#running.size < CATCH_UPS_AT_ONCE) {
      const work = this.#waiting.shift()
      if (work === undefined) return
      const running: Promise<void> = work().finally(() => {
        this.#running.delete(running)
        this.#next()
      })
      this.#running.add(running)
    }
  }

  #failed(error: unknown): Ending {
    const known = error instanceof AnchormeshError
    this.#logger.warn({ reason: messageOf(error) }, 'a subscriber could not be caught up')
    const code = known ? error.code : 'INTERNAL'
    const isShown = known && code === 'PROJECTION_HALTED'
    return { code, detail: isShown ? error.message : 'the node could not read; its log says why', retryable: true }
  }
}

/** Sends until nothing but the newest changes is missing. Returns why that can't be done, or `null`. */
async function catchUp(source: Source, subscriber: Subscriber, limits: SubscriptionLimits): Promise<Ending | null> {
  while (subscriber.isOpen) {
    if (source.instance.halted !== null) throw haltedError(source.instance)
    const step = await atOneMoment(source, (reading) => sendFrom(reading, subscriber, limits))
    if ('ending' in step) return step.ending
    subscriber.place = step.place
    tell(source, subscriber)
    if (step.isNear) return null
  }
  return null
}

/** In a run the cursor of before it is repeated, so one who has all rows must have it (SU-13). */
function tell({ context }: Source, subscriber: Subscriber): void {
  const { place, hasCaughtUp } = subscriber
  if (!hasCaughtUp || place === null) return
  const cursor = encodePlace(context, place)
  if (cursor === subscriber.told.cursor) return
  subscriber.send(FrameBundle.of({ frame: 'checkpoint', logSeq: place.logSeq, cursor }))
}

type Step = { readonly place: Place | null; readonly isNear: boolean } | { readonly ending: Ending }

async function sendFrom(reading: Reading, subscriber: Subscriber, limits: SubscriptionLimits): Promise<Step> {
  const { place } = subscriber
  const standing = standingOf(reading, place)
  if (standing === 'too-old') return { ending: tooOld(reading.state, place?.logSeq ?? 0) }
  // It waits among those who are near.
  if (standing === 'ahead' || standing === 'there') return { place, isNear: true }
  const frames = framesFrom(reading, place, limits.snapshotRowsAtOnce)
  let bundle = new FrameBundle()
  for (;;) {
    const next = await frames.next()
    if (next.done === true) {
      subscriber.send(bundle)
      await subscriber.drained()
      return subscriber.isOpen ? { place: next.value, isNear: next.value.after === null } : { ending: tooSlow() }
    }
    for (const frame of next.value) bundle.add(frame)
    if (bundle.size < limits.chunkBytes) continue
    subscriber.send(bundle)
    bundle = new FrameBundle()
    await subscriber.drained()
    if (subscriber.isOpen) continue
    await frames.return({ logSeq: 0, generation: 0, after: '' })
    return { ending: tooSlow() }
  }
}
