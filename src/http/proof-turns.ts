import type { FastifyRequest } from 'fastify'
import { RequestRefused } from './errors.ts'

// A proof reads the leaves of its batch: a second's work for one of the largest size. More at once would hold up
// everybody else.
export const PROOFS_AT_ONCE_MAX = 4
// Most batches are small, and their proofs the work of milliseconds, so a few readers who ask in one moment are served
// one after another. Of the largest size these take 8 s, well within the time that a connection may be silent.
export const PROOFS_WAITING_MAX = 32

/** Bounds how many answers with proofs of receipts are put together at once, by whatever route they were asked for. */
export class ProofTurns {
  /** Those that wait, and have not begun, are not among them. */
  #underWay = 0
  readonly #waiting: (() => void)[] = []

  /**
   * Settles as `work` does, which begins when there is a place. Throws `OVERLOADED` where too many wait already. Work
   * whose reader went away while it waited is not begun.
   */
  async run<Answer>({ raw }: FastifyRequest, work: () => Promise<Answer>): Promise<Answer> {
    await this.#place()
    try {
      if (raw.socket.destroyed) throw new RequestRefused('OVERLOADED', 'nobody waits for this proof any more')
      return await work()
    } finally {
      const next = this.#waiting.shift()
      // Who waits takes the place itself: nobody who comes in between can have it.
      if (next === undefined) this.#underWay -= 1
      else next()
    }
  }

  async #place(): Promise<void> {
    if (this.#underWay < PROOFS_AT_ONCE_MAX) {
      this.#underWay += 1
      return
    }
    if (this.#waiting.length === PROOFS_WAITING_MAX)
      throw new RequestRefused('OVERLOADED', `${PROOFS_WAITING_MAX} answers with proofs wait for their turn already`)
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting.push(resolve)
    await promise
  }
}
