import type { Clock } from '../platform/clock.ts'
import type { ReadScope } from '../policy/read-scope.ts'
import type { Loss } from './endings.ts'
import type { Ending, FramePlace } from './frames.ts'
import { FrameBundle, terminalFrame } from './frames.ts'
import { FAREWELL_MS } from './limits.ts'
import type { Place } from './place.ts'
import type { FrameSink } from './sink.ts'

export interface SubscriberOptions {
  readonly sink: FrameSink
  readonly scope: ReadScope
  readonly address: string
  /** The one that it named. */
  readonly namespace: string | undefined
  readonly lost: (() => Loss | null) | undefined
  readonly place: Place | null
  readonly cursor: string | null
  readonly clock: Clock
  /** Called once, when it has ended in whatever way. */
  readonly onEnd: (subscriber: Subscriber, code: string | null) => void
}

/** One connection that frames go to. */
export class Subscriber {
  /** What it may see, as it was last looked at. */
  scope: ReadScope
  readonly address: string
  readonly namespace: string | undefined
  /** Why its connection lets nobody in any more; asked again and again. */
  readonly lost: (() => Loss | null) | undefined
  /** What it has, while it catches up and waits to join the others; then it is where its channel is. */
  place: Place | null
  hasCaughtUp = false
  /** When the last byte was handed to its connection (monotonic). */
  sentAtMs: number
  #open = true
  #cursor: string | null
  #logSeq: number
  #written = 0
  #taken: { readonly bytes: number; readonly atMs: number }
  readonly #sink: FrameSink
  readonly #clock: Clock
  readonly #onEnd: SubscriberOptions['onEnd']

  constructor(options: SubscriberOptions) {
    this.scope = options.scope
    this.address = options.address
    this.namespace = options.namespace
    this.lost = options.lost
    this.place = options.place
    this.#cursor = options.cursor
    this.#logSeq = options.place?.logSeq ?? 0
    this.#sink = options.sink
    this.#clock = options.clock
    this.#onEnd = options.onEnd
    this.sentAtMs = options.clock.monotonicMs()
    this.#taken = { bytes: 0, atMs: this.sentAtMs }
  }

  get isOpen(): boolean {
    return this.#open
  }

  /** Where it can go on after what it was sent. */
  get told(): FramePlace {
    return { logSeq: this.#logSeq, cursor: this.#cursor }
  }

  get waitingBytes(): number {
    return this.#sink.waitingBytes
  }

  /** How long bytes have waited for a connection that takes none; 0 where none wait. Looked at now and then. */
  stalledMs(nowMs: number): number {
    const waiting = this.#sink.waitingBytes
    const taken = this.#written - waiting
    if (waiting === 0 || taken !== this.#taken.bytes) this.#taken = { bytes: taken, atMs: nowMs }
    return nowMs - this.#taken.atMs
  }

  /** Hands frames to the connection, however slow it is. */
  send(bundle: FrameBundle): void {
    if (!this.#open || bundle.length === 0) return
    const bytes = bundle.bytes(this.#sink.form)
    this.#sink.write(bytes)
    this.#written += bytes.length
    this.#cursor = bundle.cursor
    this.#logSeq = bundle.logSeq
    this.sentAtMs = this.#clock.monotonicMs()
  }

  /** Resolves once the connection has taken what was sent, or is gone. */
  async drained(): Promise<void> {
    if (!this.#open || this.#sink.waitingBytes === 0) return
    await this.#sink.drained()
  }

  /** Says why it ends, and closes the connection. */
  end(ending: Ending): void {
    if (!this.#open) return
    this.send(FrameBundle.of(terminalFrame(ending, this.told)))
    this.#open = false
    this.#sink.end(ending)
    // One that does not read its last frame is not waited for.
    this.#clock.after(FAREWELL_MS, () => this.#sink.destroy())
    this.#onEnd(this, ending.code)
  }

  /** The connection is gone. */
  gone(): void {
    if (!this.#open) return
    this.#open = false
    this.#onEnd(this, null)
  }
}
