import type { DecodedEvent } from '../../protocols/event/v1/codec.ts'
import type { KeyLookup, SignatureCheck, SignatureRequest } from '../events/verified.ts'
import { verifySignatures, verifySignaturesOfMany } from '../events/verified.ts'
import type { SignatureVerifiers } from '../platform/signature-verifiers.ts'

// On two cores, answers for 8 come as soon from threads as from here, and for 16 a sixth sooner. Above all, 16 here are
// 1.5 ms in which nothing else runs; fewer are gossip, which need not wake anybody.
const SHARED_FROM = 16

/**
 * Verifies signatures in one go for all events that come in the same turn: a few of them here, one after another,
 * because a verification that runs between other work costs a quarter more (each throws the other's code and tables
 * out of the processor's caches); many with the node's `SignatureVerifiers`.
 */
export class VerificationQueue {
  readonly #verifiers: SignatureVerifiers | null
  #queue: SignatureRequest[] = []
  #verified = 0

  /** Without verifiers everything is verified in this thread. */
  constructor(verifiers: SignatureVerifiers | null) {
    this.#verifiers = verifiers
  }

  /** Signatures verified since the start. */
  get count(): number {
    return this.#verified
  }

  /** The queue is as long as the callers that wait for it: each waits for one event. */
  verify(event: DecodedEvent, find: (kid: string) => KeyLookup): Promise<SignatureCheck> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ event, find, resolve, reject })
      if (this.#queue.length === 1) queueMicrotask(() => this.#verifyAll())
    })
  }

  #verifyAll(): void {
    const queue = this.#queue
    this.#queue = []
    const onVerifying = (): void => {
      this.#verified += 1
    }
    const least = this.#verifiers?.sharedFrom ?? SHARED_FROM
    if (this.#verifiers !== null && queue.length >= least) {
      void verifySignaturesOfMany(queue, { verifiers: this.#verifiers, least, onVerifying })
      return
    }
    for (const { event, find, resolve, reject } of queue) {
      try {
        resolve(verifySignatures(event, find, onVerifying))
      } catch (error) {
        reject(error)
      }
    }
  }
}
