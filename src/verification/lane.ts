import type { TimestampVerifier } from '../timestamps/verifier.ts'

// Checks mostly wait for a provider. Eight keep a few providers busy, and leave the processor to ingest when they
// compute.
const CHECKS_AT_ONCE = 8
// Keys of rows, with what is known of each: about 4 MiB. Others stay in the projection until half of these are done.
export const QUEUED_MAX = 10_000
// The same for rows that wait for another try or another look; others are found again by the next pass.
export const WAITING_MAX = 10_000

/** What one verifier has to do: no verifier waits for another, whose providers may hang. */
export class Lane {
  readonly verifier: TimestampVerifier
  /** Keys of rows whose turn has come, in order. */
  readonly queue = new Set<string>()
  /** Whether rows were left in the projection because the queue was full. */
  hasLeftRows = false
  running = 0
  waiting = 0

  constructor(verifier: TimestampVerifier) {
    this.verifier = verifier
  }

  get isFull(): boolean {
    return this.queue.size >= QUEUED_MAX
  }

  get isHalfEmpty(): boolean {
    return this.queue.size <= QUEUED_MAX / 2
  }

  get canWait(): boolean {
    return this.waiting < WAITING_MAX
  }

  get canRun(): boolean {
    return this.running < CHECKS_AT_ONCE && this.queue.size > 0
  }

  /** The key whose turn it is. */
  next(): string | undefined {
    for (const key of this.queue) {
      this.queue.delete(key)
      return key
    }
    return undefined
  }
}
