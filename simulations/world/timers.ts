import { currentProcess } from './simulated-process.ts'
import type { VirtualTime } from './virtual-time.ts'

const DELAY_MS_MAX = 2_147_483_647

/**
 * A delay as Node's timers take it: whole milliseconds, and one where it is less, no number, or more than 31 bits. Who
 * waits for a fraction of a microsecond would wait for ever where time is counted in whole ones.
 */
export function timerMs(delayMs: number): number {
  return delayMs >= 1 && delayMs <= DELAY_MS_MAX ? Math.trunc(delayMs) : 1
}

type Callback = (...args: unknown[]) => void

/** What `setTimeout` and `setInterval` give back, with all that Node's timers can do. */
class VirtualTimer {
  readonly #time: VirtualTime
  readonly #process = currentProcess()
  readonly #delayMs: number
  readonly #run: () => void
  readonly #repeats: boolean
  #cancel: (() => void) | null = null
  #isRef = true

  constructor(time: VirtualTime, run: () => void, delayMs: number, repeats: boolean) {
    this.#time = time
    this.#run = run
    this.#delayMs = timerMs(delayMs)
    this.#repeats = repeats
    this.#set()
  }

  #set(): void {
    this.#cancel = this.#time.afterMs(this.#delayMs, this.#process, () => {
      this.#cancel = null
      if (this.#repeats) this.#set()
      this.#run()
    })
  }

  ref(): this {
    this.#isRef = true
    return this
  }

  unref(): this {
    this.#isRef = false
    return this
  }

  hasRef(): boolean {
    return this.#isRef
  }

  refresh(): this {
    this.close()
    this.#set()
    return this
  }

  close(): this {
    this.#cancel?.()
    this.#cancel = null
    return this
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

const clear = (timer: unknown): void => {
  if (timer instanceof VirtualTimer) timer.close()
}

/** The timers of `globalThis` and of `node:timers`, in virtual time. */
export function virtualTimers(time: VirtualTime): Record<string, unknown> {
  const timer =
    (repeats: boolean) =>
    (run: Callback, delayMs: unknown = 1, ...args: unknown[]): VirtualTimer =>
      new VirtualTimer(time, () => run(...args), Number(delayMs), repeats)
  return {
    setTimeout: timer(false),
    setInterval: timer(true),
    // In its turn among what happens now, so that it does not come before what was put on earlier.
    setImmediate: (run: Callback, ...args: unknown[]) => new VirtualTimer(time, () => run(...args), 0, false),
    clearTimeout: clear,
    clearInterval: clear,
    clearImmediate: clear
  }
}

/** Those of `node:timers/promises`. */
export function virtualTimerPromises(time: VirtualTime): Record<string, unknown> {
  const wait = async <Value>(delayMs: number, value?: Value, options?: { signal?: AbortSignal }): Promise<Value> => {
    const { signal } = options ?? {}
    signal?.throwIfAborted()
    return await new Promise((resolve, reject) => {
      const onAbort = (): void => {
        timer.close()
        reject(signal?.reason as Error)
      }
      const timer = new VirtualTimer(
        time,
        () => {
          signal?.removeEventListener('abort', onAbort)
          resolve(value as Value)
        },
        delayMs,
        false
      )
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }
  return {
    setTimeout: wait,
    async *setInterval(delayMs: number, value?: unknown, options?: { signal?: AbortSignal }) {
      for (;;) yield await wait(delayMs, value, options)
    },
    setImmediate: async (value?: unknown, options?: { signal?: AbortSignal }) => await wait(0, value, options),
    scheduler: {
      wait: async (delayMs: number, options?: { signal?: AbortSignal }) => await wait(delayMs, undefined, options),
      yield: async () => await wait(0)
    }
  }
}

/** `AbortSignal.timeout`, which libp2p ends everything with that takes too long. */
export function virtualAbortTimeout(time: VirtualTime): (delayMs: number) => AbortSignal {
  return (delayMs) => {
    const controller = new AbortController()
    time.afterMs(timerMs(delayMs), currentProcess(), () =>
      controller.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError'))
    )
    return controller.signal
  }
}

/** `Date` and the monotonic clocks, as the running process sees them. */
export function virtualDate(time: VirtualTime, RealDate: DateConstructor): DateConstructor {
  const now = (): number => Math.floor(time.shownMs())
  return new Proxy(RealDate, {
    get: (target, name): unknown => (name === 'now' ? now : Reflect.get(target, name)),
    construct: (target, args: unknown[], newTarget) =>
      Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget) as object,
    apply: () => new RealDate(now()).toString()
  })
}
