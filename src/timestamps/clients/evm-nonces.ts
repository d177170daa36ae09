import type { Clock } from '../../platform/clock.ts'

// Between the draft and its broadcast lies one entry in the log. A draft that was lost must not block the account.
const RESERVED_MS = 10 * 60_000

/** The nonces of one account that drafts hold, so that two drafts, prepared one after the other, take two. */
export class NonceReservations {
  readonly #clock: Clock
  readonly #held = new Map<number, { readonly batchRoot: string; readonly sinceMs: number }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * The smallest free nonce from `next` on, held for the root from now on. A root whose draft came to nothing before it
   * was sent gets the same one again.
   */
  take(next: number, batchRoot: string): number {
    for (const [nonce, { sinceMs }] of this.#held) {
      if (nonce < next || this.#clock.monotonicMs() - sinceMs > RESERVED_MS) this.#held.delete(nonce)
    }
    let nonce = next
    while ((this.#held.get(nonce)?.batchRoot ?? batchRoot) !== batchRoot) nonce += 1
    // One that it had before and does not need now would be waited for in vain.
    for (const [other, held] of this.#held) if (held.batchRoot === batchRoot) this.#held.delete(other)
    this.keep(nonce, batchRoot)
    return nonce
  }

  /** The root's draft is alive. */
  keep(nonce: number, batchRoot: string): void {
    this.#held.set(nonce, { batchRoot, sinceMs: this.#clock.monotonicMs() })
  }

  release(nonce: number): void {
    this.#held.delete(nonce)
  }
}
