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

/** `after` by a timer that keeps a process of Node alive. */
export const afterAwake: Clock['after'] = (delayMs, run) => {
  const timer = setTimeout(run, delayMs)
  return () => clearTimeout(timer)
}

/**
 * The machine's own clock. What is to be done later does not keep the process alive; who sleeps does, or a verb that
 * waits would end before it is done.
 */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs)
    timer.unref()
    return () => clearTimeout(timer)
  },
  sleep: (delayMs, signal) => sleepBy({ after: afterAwake }, delayMs, signal)
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
