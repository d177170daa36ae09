import { EventQueue } from './event-queue.ts'
import type { SimulatedProcess } from './simulated-process.ts'
import { currentProcess } from './simulated-process.ts'

// Caches that store "expires at" beside 0 for "never" misread times near 0, so a run begins at a plausible date.
export const START_US = 1_750_000_000_000_000

const US_PER_MS = 1_000

// A thousand nodes that start at once are some hundred thousand events of one time. More than this is a circle of events
// that wait for each other and never for time to pass.
const EVENTS_OF_ONE_TIME_MAX = 5_000_000

/** Cancels what was put on; harmless once it has happened. */
export type Cancel = () => void

/**
 * Time that goes on from one event to the next. Events of one time happen in the order in which they were put on, and
 * what an event starts (promises, ticks) has settled before the next one happens.
 */
export class VirtualTime {
  readonly #queue = new EventQueue()
  readonly #settle: (done: () => void) => void
  #nowUs = START_US
  #happened = 0
  /** How many had happened when time went on last. */
  #happenedBefore = 0
  #running = false

  /** `settle` calls back when all promises and ticks have settled: one real turn of the event loop. */
  constructor(settle: (done: () => void) => void) {
    this.#settle = settle
  }

  /** True time, integer microseconds since 1970. */
  get nowUs(): number {
    return this.#nowUs
  }

  /** Events that have happened since the start. */
  get happened(): number {
    return this.#happened
  }

  /** What the clock of the process, or of the running code's, shows: milliseconds since 1970, with fractions. */
  shownMs(process: SimulatedProcess | undefined = currentProcess()): number {
    return process?.clock?.wallMs(this.#nowUs) ?? this.#nowUs / US_PER_MS
  }

  /** What the process, or the running code, measures durations with. */
  monotonicMs(process: SimulatedProcess | undefined = currentProcess()): number {
    return process?.clock?.monotonicMs(this.#nowUs) ?? this.#nowUs / US_PER_MS
  }

  /** Has `run` happen in `process` (`null`: in the simulation itself) after `delayUs` of true time. */
  afterUs(delayUs: number, process: SimulatedProcess | null, run: () => void): Cancel {
    const happens = process === null ? run : () => process.happens(run)
    const event = this.#queue.add(this.#nowUs + Math.max(0, Math.round(delayUs)), happens)
    return () => this.#queue.cancel(event)
  }

  /** Has `run` happen in `process` after so many milliseconds of its own clock. */
  afterMs(delayMs: number, process: SimulatedProcess | undefined, run: () => void): Cancel {
    return this.afterUs((delayMs * US_PER_MS) / (process?.clock?.rate ?? 1), process ?? null, run)
  }

  /** Lets what waits in a paused process happen from now on. */
  resume(process: SimulatedProcess): void {
    process.resume((run) => void this.afterUs(0, process, run))
  }

  #goTo(atUs: number): void {
    this.#happened += 1
    if (atUs > this.#nowUs) this.#happenedBefore = this.#happened
    else if (this.#happened - this.#happenedBefore > EVENTS_OF_ONE_TIME_MAX)
      throw new Error(`time stands still at ${this.#nowUs} us: what happens then never ends`)
    this.#nowUs = atUs
  }

  /**
   * Lets time pass to `untilUs`, or to the event after which `isOver` is true. Rejects with what an event throws, and
   * then goes no further.
   */
  runUntil(untilUs: number, isOver: () => boolean = () => false): Promise<void> {
    if (this.#running) throw new Error('time runs already')
    this.#running = true
    return new Promise((resolve, reject) => {
      const step = (): void => {
        const event = isOver() ? undefined : this.#queue.takeUntil(untilUs)
        if (event === undefined) {
          this.#running = false
          if (!isOver()) this.#nowUs = Math.max(this.#nowUs, untilUs)
          resolve()
          return
        }
        try {
          this.#goTo(event.atUs)
          event.run()
        } catch (error) {
          this.#running = false
          reject(error instanceof Error ? error : new Error('an event threw something', { cause: error }))
          return
        }
        this.#settle(step)
      }
      this.#settle(step)
    })
  }
}
