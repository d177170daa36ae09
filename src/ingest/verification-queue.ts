import type { DecodedEvent } from '../../protocols/event/v1/codec.ts'
import type { KeyLookup, SignatureCheck } from '../events/verified.ts'
import { verifySignatures } from '../events/verified.ts'

interface Queued {
  readonly event: DecodedEvent
  readonly find: (kid: string) => KeyLookup
  readonly resolve: (check: SignatureCheck) => void
}

/**
 * Verifies signatures one after another in one go for all events that come in the same turn. A verification that runs
 * between other work costs a quarter more, because each throws the other's code and tables out of the processor's
 * caches.
 */
export class VerificationQueue {
  #queue: Queued[] = []
  #verified = 0

  /** Signatures verified since the start. */
  get count(): number {
    return this.#verified
  }

  /** The queue is as long as the callers that wait for it: each waits for one event. */
  verify(event: DecodedEvent, find: (kid: string) => KeyLookup): Promise<SignatureCheck> {
    return new Promise((resolve) => {
      this.#queue.push({ event, find, resolve })
      if (this.#queue.length === 1) queueMicrotask(() => this.#verifyAll())
    })
  }

  #verifyAll(): void {
    const queue = this.#queue
    this.#queue = []
    const count = (): void => {
      this.#verified += 1
    }
    for (const { event, find, resolve } of queue) resolve(verifySignatures(event, find, count))
  }
}
