import type { LocalEvent } from '../events/local.ts'
import { batchSealedOf } from './batch-sealed.ts'
import type { BatchSealed } from './batch-sealed.ts'

/**
 * What became of a leaf: its receipt is a blob here (`held`); it was told to be forgotten here; or whoever handed the
 * batch over no longer had it (`erased`), so that only its hash is known.
 */
export type ReceiptStatus = 'held' | 'forgotten' | 'erased'

/**
 * The body of the local event `bundle-imported`: consecutive leaves of a batch that came from another node and were
 * checked against the root. Only hashes: the receipts are blobs under their leaf hash.
 */
export type BundleImported = BatchSealed & {
  /** Offsets into `leaves`, ascending: those whose receipt did not come. */
  readonly erased: readonly number[]
  /** Offsets of those that this node was told to forget, in another batch. */
  readonly forgotten: readonly number[]
  /** Offsets of those that were `erased` before, and came now. */
  readonly renewed: readonly number[]
}

/** Where a receipt stands: the same record can be a leaf of several batches. */
export type ReceiptPlace = {
  readonly namespace: string
  readonly owner: string
  readonly batchId: string
  readonly batchRoot: string
  readonly index: number
  readonly receiptCount: number
  /** What it was until now. */
  readonly was: 'held' | 'erased'
}

/** The body of the local event `forgotten`: a receipt is erased, and never taken or given out again. */
export type Forgotten = {
  /** Its leaf hash, hex. */
  readonly receipt: string
  readonly reason: string
  readonly places: readonly ReceiptPlace[]
}

/** Leaves of a batch that this node came to know of, by its own seal or by a bundle. */
export type LeavesLearned = BundleImported & { readonly sealedHere: boolean }

const NONE: readonly number[] = []

/** The leaves that a local event adds; `null` for one of another kind. */
export function leavesLearnedIn(event: LocalEvent): LeavesLearned | null {
  const sealed = batchSealedOf(event)
  if (sealed !== null) return { ...sealed, sealedHere: true, erased: NONE, forgotten: NONE, renewed: NONE }
  if (event.type !== 'bundle-imported') return null
  return { ...(event.body as BundleImported), sealedHere: false }
}

/** The body of a `forgotten` event; `null` for another local event. */
export function forgottenOf(event: LocalEvent): Forgotten | null {
  return event.type === 'forgotten' ? (event.body as Forgotten) : null
}
