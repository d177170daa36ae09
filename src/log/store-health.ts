import type { Clock } from '../platform/clock.ts'
import { AnchormeshError, messageOf } from '../platform/errors.ts'
import { FREE_BYTES_CHECK_EVERY_MS, FREE_BYTES_MIN, REOPEN_EVERY_MS } from './limits.ts'
import type { Store } from './store.ts'

/**
 * Whether the store can be written. After one write that failed, LevelDB refuses all others until it is opened anew;
 * and a disk with little room is left alone while there is still enough of it for LevelDB to work.
 */
export class StoreHealth {
  readonly #store: Store
  readonly #clock: Clock
  #fault: { readonly reason: string; readonly at: number } | null = null
  #free: { readonly at: number; readonly problem: string | null } = { at: -Infinity, problem: null }

  constructor(store: Store, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  /** Whether a write failed since the store was opened. */
  get isBroken(): boolean {
    return this.#fault !== null
  }

  /** Why nothing can be written, as far as is known; or `null`. */
  get problem(): string | null {
    return this.#fault?.reason ?? this.#free.problem
  }

  writeFailed(reason: string): void {
    this.#fault = { reason, at: this.#clock.monotonicMs() }
  }

  /** Throws `STORE_FULL` when the disk has too little room, or does not say how much it has. */
  async assureRoom(): Promise<void> {
    const now = this.#clock.monotonicMs()
    if (now - this.#free.at >= FREE_BYTES_CHECK_EVERY_MS) this.#free = { at: now, problem: await this.#roomProblem() }
    if (this.#free.problem !== null) throw storeFull(this.#free.problem)
  }

  /**
   * Opens the store anew and has `takeUp` look at what it holds. Tries it once a second, and only when there is room: a
   * store that was closed and can't be opened again can't be read either. Throws `STORE_FULL`.
   */
  async reopen(takeUp: () => Promise<void>): Promise<void> {
    if (this.#fault !== null && this.#clock.monotonicMs() - this.#fault.at < REOPEN_EVERY_MS)
      throw storeFull(this.#fault.reason)
    await this.assureRoom()
    try {
      await this.#store.reopen()
      await takeUp()
    } catch (error) {
      this.writeFailed(messageOf(error))
      throw storeFull(messageOf(error))
    }
    this.#fault = null
  }

  async #roomProblem(): Promise<string | null> {
    try {
      const free = await this.#store.freeBytes()
      return free < FREE_BYTES_MIN ? `${free} bytes are free on the disk; the log needs ${FREE_BYTES_MIN}` : null
    } catch (error) {
      return `the disk does not say how much room it has: ${messageOf(error)}`
    }
  }
}

/** The failure of a write for want of room, or of a store that can't be written for another reason. */
export function storeFull(reason: string): AnchormeshError {
  return new AnchormeshError('STORE_FULL', `the log can't be written: ${reason}`, {
    hint: 'free disk space; the node tries again by itself'
  })
}
