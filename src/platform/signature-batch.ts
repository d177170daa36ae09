import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES } from '../../protocols/signature/v1/ed25519.ts'
import type { SignatureJob } from './signature-verifiers.ts'
import { jobInputBytes, writeJobInput } from './signature-verifiers.ts'

/** Verifies a signature whose parts lie in shared memory. */
export type VerifyShared = (publicKey: Uint8Array, input: Uint8Array, signature: Uint8Array) => boolean

/** The numbers at the beginning: how many jobs there are, the next to be taken, how many are done. */
const COUNT = 0
const NEXT = 1
const DONE = 2
const NUMBERS = 3

// Taken at a time: about 300 µs of work, so that threads end together and seldom meet at the counter.
const TAKEN_AT_ONCE = 4

const UNKNOWN = 0
const GOOD = 1
const BAD = 2

/** The bytes that a job takes beside its entry in the table. */
export function jobBytes(job: SignatureJob): number {
  return PUBLIC_KEY_BYTES + SIGNATURE_BYTES + jobInputBytes(job)
}

/**
 * Signatures in memory that all threads share: numbers, where each job ends, verdicts, then key, signature and signing
 * input of each job. Threads take jobs until none is left, so that a slow one holds up nobody.
 */
export class SignatureBatch {
  readonly shared: SharedArrayBuffer
  readonly #numbers: Int32Array
  readonly #ends: Uint32Array
  readonly #verdicts: Uint8Array
  readonly #bytes: Uint8Array

  /** Looks at what `pack` has made, in this thread or another. */
  constructor(shared: SharedArrayBuffer) {
    this.shared = shared
    this.#numbers = new Int32Array(shared, 0, NUMBERS)
    const count = this.#numbers[COUNT] ?? 0
    this.#ends = new Uint32Array(shared, endsAt(), count)
    this.#verdicts = new Uint8Array(shared, verdictsAt(count), count)
    this.#bytes = new Uint8Array(shared)
  }

  static pack(jobs: readonly SignatureJob[]): SignatureBatch {
    const first = verdictsAt(jobs.length) + jobs.length
    const shared = new SharedArrayBuffer(jobs.reduce((bytes, job) => bytes + jobBytes(job), first))
    new Int32Array(shared, 0, NUMBERS)[COUNT] = jobs.length
    const batch = new SignatureBatch(shared)
    let at = first
    for (const [index, job] of jobs.entries()) {
      batch.#bytes.set(job.key.bytes, at)
      // One of another length would lie over its neighbours, or pass for one that ends in zeros.
      if (job.signature.length === SIGNATURE_BYTES) batch.#bytes.set(job.signature, at + PUBLIC_KEY_BYTES)
      else batch.#verdicts[index] = BAD
      at += PUBLIC_KEY_BYTES + SIGNATURE_BYTES
      at += writeJobInput(job, batch.#bytes.subarray(at))
      batch.#ends[index] = at
    }
    return batch
  }

  get size(): number {
    return this.#verdicts.length
  }

  /** Takes jobs until none is left. Returns whether this thread was the one that did the last. */
  work(verify: VerifyShared): boolean {
    let done = 0
    for (;;) {
      const from = Atomics.add(this.#numbers, NEXT, TAKEN_AT_ONCE)
      if (from >= this.size) break
      const until = Math.min(from + TAKEN_AT_ONCE, this.size)
      for (let index = from; index < until; index += 1) this.#verify(index, verify)
      done += until - from
    }
    return done > 0 && Atomics.add(this.#numbers, DONE, done) + done === this.size
  }

  /** Does all that is not done yet, also what a thread took that died. What another does besides comes out the same. */
  finish(verify: VerifyShared): void {
    Atomics.store(this.#numbers, NEXT, this.size)
    for (let index = 0; index < this.size; index += 1) this.#verify(index, verify)
  }

  /** Whether each signature is good, once all is done. */
  verdicts(): boolean[] {
    return Array.from(this.#verdicts, (verdict) => verdict === GOOD)
  }

  #verify(index: number, verify: VerifyShared): void {
    if (this.#verdicts[index] !== UNKNOWN) return
    const from = this.#ends[index - 1] ?? verdictsAt(this.size) + this.size
    const signatureFrom = from + PUBLIC_KEY_BYTES
    const inputFrom = signatureFrom + SIGNATURE_BYTES
    const good = verify(
      this.#bytes.subarray(from, signatureFrom),
      this.#bytes.subarray(inputFrom, this.#ends[index]),
      this.#bytes.subarray(signatureFrom, inputFrom)
    )
    this.#verdicts[index] = good ? GOOD : BAD
  }
}

function endsAt(): number {
  return NUMBERS * Int32Array.BYTES_PER_ELEMENT
}

function verdictsAt(count: number): number {
  return endsAt() + count * Uint32Array.BYTES_PER_ELEMENT
}
