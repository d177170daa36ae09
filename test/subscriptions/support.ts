import { FrameSequence } from '../../protocols/subscription/v1/sequence.ts'
import { frame as frameSchema } from '../../src/api/frames.ts'
import type { Frame } from '../../src/api/frames.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import type { ReadScope } from '../../src/policy/read-scope.ts'
import { SEES_ALL } from '../../src/policy/read-scope.ts'
import { SubscriptionHub } from '../../src/subscriptions/hub.ts'
import type { SubscriptionPorts, SubscriptionQuery } from '../../src/subscriptions/ports.ts'
import { SUBSCRIPTION_LIMITS } from '../../src/subscriptions/limits.ts'
import type { FrameForm, FrameSink } from '../../src/subscriptions/sink.ts'
import type { Ledger } from '../projections/support/ledger.ts'
import { settled } from '../support/settled.ts'

/** A hub over a ledger. */
export function hubOf(ledger: Ledger, options: Partial<SubscriptionPorts> = {}): SubscriptionHub {
  const { engine, store, clock, log } = ledger
  const policy = {}
  return new SubscriptionHub({
    engine,
    store,
    clock,
    epoch: log.epoch,
    logger: silentLogger,
    policy: () => policy,
    ...options
  })
}

/** So small that a few rows take every way there is. */
export const TINY_LIMITS = {
  ...SUBSCRIPTION_LIMITS,
  waitingBytesMax: 4_096,
  turnBytesMax: 1_024,
  chunkBytes: 300,
  snapshotRowsAtOnce: 3,
  runs: { rows: 3, rowsAtOnce: 14, rowsKept: 6 }
}

/** What a reader of these namespaces may see. */
export const scopeOf = (...namespaces: readonly string[]): ReadScope => ({
  actor: 'token:test',
  namespaces: new Set(namespaces),
  tenant: 'test',
  isOperator: false
})

/** Lets everything run that waits for nothing but promises and the store. */
export async function quietly(): Promise<void> {
  for (let turn = 0; turn < 12; turn += 1) await settled()
}

/** A connection in memory that a test can stop reading from, and the frames that came over it. */
export class Line {
  readonly frames: Frame[] = []
  readonly form: FrameForm
  /** What was wrong with frames. */
  readonly failures: unknown[] = []
  ended = false
  destroyed = false
  handle: { gone(): void } | null = null
  #stalled = false
  #held: Uint8Array[] = []
  #wakers: (() => void)[] = []
  #rest: Buffer = Buffer.alloc(0)
  readonly #sequence: FrameSequence
  readonly #onFrame: (frame: Frame) => void

  constructor(
    form: FrameForm,
    options: { readonly hasCursor?: boolean; readonly onFrame?: (frame: Frame) => void } = {}
  ) {
    this.form = form
    this.#sequence = new FrameSequence({ hasCursor: options.hasCursor ?? false })
    this.#onFrame = options.onFrame ?? ((): void => undefined)
  }

  get last(): Frame | undefined {
    return this.frames.at(-1)
  }

  get cursor(): string | undefined {
    return this.last?.cursor ?? undefined
  }

  get sink(): FrameSink {
    const waiting = (): number => this.#held.reduce((sum, { length }) => sum + length, 0)
    return {
      form: this.form,
      write: (bytes) => {
        if (this.#stalled) this.#held.push(bytes)
        else this.#take(bytes)
      },
      get waitingBytes() {
        return waiting()
      },
      drained: () =>
        new Promise((resolve) => {
          if (this.#stalled && !this.destroyed) this.#wakers.push(resolve)
          else resolve()
        }),
      end: () => {
        this.ended = true
      },
      destroy: () => {
        this.destroyed = true
        this.#wake()
      }
    }
  }

  stall(): void {
    this.#stalled = true
  }

  flow(): void {
    this.#stalled = false
    for (const bytes of this.#held.splice(0)) this.#take(bytes)
    this.#wake()
  }

  /** The connection breaks; what waits in it is lost. */
  cut(): void {
    this.destroyed = true
    this.#held = []
    this.handle?.gone()
    this.#wake()
  }

  #wake(): void {
    for (const wake of this.#wakers.splice(0)) wake()
  }

  #take(bytes: Uint8Array): void {
    if (this.destroyed) return
    this.#rest = Buffer.concat([this.#rest, bytes])
    for (let json = this.#nextJson(); json !== null; json = this.#nextJson()) {
      this.#takeFrame(json)
    }
  }

  /** What is wrong with a frame must not look like a broken connection to the hub. */
  #takeFrame(json: string): void {
    try {
      const frame = frameSchema.parse(JSON.parse(json))
      const broken = this.#sequence.take(frame)
      if (broken !== null) throw new Error(`${broken}: ${json} after ${JSON.stringify(this.frames.slice(-3))}`)
      this.frames.push(frame)
      this.#onFrame(frame)
    } catch (error) {
      this.failures.push(error)
    }
  }

  #nextJson(): string | null {
    if (this.#rest.length === 0) return null
    return this.form === 'events' ? this.#nextEvent() : this.#nextMessage()
  }

  #nextEvent(): string | null {
    const end = this.#rest.indexOf('\n\n')
    if (end < 0) return null
    const text = this.#rest.subarray(0, end).toString('utf8')
    this.#rest = this.#rest.subarray(end + 2)
    return text.slice(text.indexOf('data: ') + 'data: '.length)
  }

  #nextMessage(): string | null {
    const [, first = 0] = this.#rest
    const [header, length] = first < 126 ? [2, first] : [4, this.#rest.readUInt16BE(2)]
    const json = this.#rest.subarray(header, header + length).toString('utf8')
    this.#rest = this.#rest.subarray(header + length)
    return json
  }
}

/** Opens a subscription on the line. Throws what `open` throws, and where it is refused. */
export function connect(hub: SubscriptionHub, line: Line, query: Partial<SubscriptionQuery> = {}): Line {
  const opening = hub.open({ projection: 'counting', scope: SEES_ALL, address: '127.0.0.1', ...query })
  if (!opening.ok) throw new Error(opening.code)
  line.handle = opening.start(line.sink)
  return line
}
