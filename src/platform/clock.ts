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

/** The machine's own clock. What is set by `after` does not keep the process alive; who sleeps has something to do. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs)
    timer.unref()
    return () => clearTimeout(timer)
  },
  sleep: sleepByTimer
}

/** `sleep` of whichever runtime this is. A process of Node stays alive until it is over. */
export function sleepByTimer(delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason as Error)
      return
    }
    const onAbort = (): void => {
      clearTimeout(timer)
      reject(signal?.reason as Error)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    }, delayMs)
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}
