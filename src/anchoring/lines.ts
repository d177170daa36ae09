import { untilAborted } from '../platform/until-aborted.ts'

/** Runs work one after another within each line, and not more than `atOnce` of it over all lines. */
export class Lines {
  readonly #atOnce: number
  readonly #ends = new Map<string, Promise<unknown>>()
  readonly #waiting: (() => void)[] = []
  #running = 0

  constructor(atOnce: number) {
    this.#atOnce = atOnce
  }

  /** Settles as `work` does; rejects when `signal` aborts before its turn has come. */
  async inLine<Result>(line: string, work: () => Promise<Result>, signal?: AbortSignal): Promise<Result> {
    const before = this.#ends.get(line) ?? Promise.resolve()
    const run = async (): Promise<Result> => {
      await this.#slot(signal)
      try {
        return await work()
      } finally {
        this.#running -= 1
        this.#waiting.shift()?.()
      }
    }
    const result = before.then(run)
    // The next in line goes on whether this one succeeds or not.
    const end = result.catch(() => undefined)
    this.#ends.set(line, end)
    try {
      return await result
    } finally {
      if (this.#ends.get(line) === end) this.#ends.delete(line)
    }
  }

  async #slot(signal: AbortSignal | undefined): Promise<void> {
    while (this.#running >= this.#atOnce) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#waiting.push(resolve)
      try {
        await (signal === undefined ? promise : untilAborted(promise, signal))
      } catch (error) {
        // Who waits no longer must not be woken in the place of one who does.
        const at = this.#waiting.indexOf(resolve)
        if (at >= 0) this.#waiting.splice(at, 1)
        else this.#waiting.shift()?.()
        throw error
      }
    }
    signal?.throwIfAborted()
    this.#running += 1
  }
}
