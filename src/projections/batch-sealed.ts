import type { LocalEvent } from '../events/local.ts'

/**
 * The body of the local event `batch-sealed`: some consecutive leaves of a batch that this node sealed. A large batch
 * takes several, in one append. Only hashes: the receipts are blobs under their leaf hash.
 */
export type BatchSealed = {
  readonly namespace: string
  readonly owner: string
  readonly batchId: string
  readonly batchRoot: string
  readonly receiptCount: number
  /** The index of the first of `leaves` in the batch. */
  readonly firstIndex: number
  /** Leaf hashes, hex. */
  readonly leaves: readonly string[]
}

// Their leaf hashes are written in one atomic append: 262,144 are 17 MiB of log. A larger set is two batches. No more
// are fetched either: a batch must not be larger only because it comes from elsewhere.
export const BATCH_RECEIPTS_MAX = 262_144

// 256 leaves are 17 KiB, well below the size of an event, and one row each in `receipts`.
export const LEAVES_PER_RECORD = 256

/** The body of a `batch-sealed` event; `null` for another local event. */
export function batchSealedOf(event: LocalEvent): BatchSealed | null {
  return event.type === 'batch-sealed' ? (event.body as BatchSealed) : null
}
