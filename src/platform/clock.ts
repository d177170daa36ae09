/**
 * Time as a port. Nothing outside this folder reads a clock or sets a timer, so that a simulation can
 * run the whole node on virtual time.
 */
export interface Clock {
  /** Wall-clock time, integer milliseconds since 1970. */
  now(): number
  /** Milliseconds that never go back, for durations. The origin is arbitrary. */
  monotonicMs(): number
  /** Calls `run` once after `delayMs`. The returned function cancels it; cancelling twice is harmless. */
  after(delayMs: number, run: () => void): () => void
  /** Resolves after `delayMs`, or rejects with the signal's reason when it aborts first. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>
}

/** The machine's own clock. Its timers do not keep the process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs)
    timer.unref()
    return () => clearTimeout(timer)
  },
  sleep: (delayMs, signal) => sleepBy(systemClock, delayMs, signal)
}

/** `sleep` of a clock by its `after`. */
export function sleepBy({ after }: Pick<Clock, 'after'>, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason as Error)
      return
    }
    const onAbort = (): void => {
      cancel()
      reject(signal?.reason as Error)
    }
    const cancel = after(delayMs, () => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    })
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}
