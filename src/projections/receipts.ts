import { sortableNumber } from '../log/keys.ts'
import type { LoggedRecord } from '../log/log-reader.ts'
import { NO_KEYS } from './projection.ts'
import type { FoldContext, Projection } from './projection.ts'
import { forgottenOf, leavesLearnedIn } from './receipt-records.ts'
import type { Forgotten, LeavesLearned, ReceiptStatus } from './receipt-records.ts'

/** What names a batch under one of the roots that were claimed for it. */
export type RootedBatch = {
  readonly namespace: string
  readonly owner: string
  readonly batchId: string
  readonly batchRoot: string
}

/** A leaf that this node knows. All of it is local. */
export type ReceiptRow = RootedBatch & {
  readonly index: number
  readonly receiptCount: number
  readonly leafHash: string
  /** Always: what does not stand under the root is not taken. */
  readonly checked: true
  readonly status: ReceiptStatus
}

/** Where the receipts of one batch begin. */
export const receiptsOfBatch = ({ namespace, batchId, owner, batchRoot }: RootedBatch): string =>
  `${namespace}!${batchId}!${owner}!${batchRoot}!`

/** The key of a leaf's row. */
export const receiptKey = (batch: RootedBatch, index: number): string => receiptsOfBatch(batch) + sortableNumber(index)

/** The fact that a receipt was told to be forgotten, by its leaf hash. */
export const forgottenKey = (leafHash: string): string => `f!${leafHash}`

/** The leaves that this node knows, one row each. */
export const receipts: Projection = {
  name: 'receipts',
  version: 3,
  layout: {
    key: ['namespace', 'batchId', 'owner', 'batchRoot', null],
    columns: ['index', 'receiptCount', 'leafHash', 'checked', 'status']
  },
  dependsOnPolicy: false,
  rowsChangeOften: false,
  namespacePrefix: (namespace) => `${namespace}!`,
  filters: {
    batchId: (row, value) => row['batchId'] === value,
    status: (row, value) => row['status'] === value
    // Signer and time go by what the root is worth: `queryReceipts`.
  },

  reads: rowKeys,

  fold(record, context) {
    if (record.scope !== 'local') return
    const learned = leavesLearnedIn(record.event)
    if (learned !== null) foldLearned(learned, context)
    const forgotten = forgottenOf(record.event)
    if (forgotten !== null) foldForgotten(forgotten, context)
  },

  shared: () => null
}

function rowKeys(record: LoggedRecord): readonly string[] {
  if (record.scope !== 'local') return NO_KEYS
  const learned = leavesLearnedIn(record.event)
  if (learned !== null) return learned.leaves.map((_, offset) => receiptKey(learned, learned.firstIndex + offset))
  return forgottenOf(record.event)?.places.map((place) => receiptKey(place, place.index)) ?? NO_KEYS
}

function foldLearned(learned: LeavesLearned, { rows }: FoldContext): void {
  const { leaves, firstIndex, erased, forgotten, renewed, ...rest } = learned
  const { namespace, batchId, owner, batchRoot, receiptCount } = rest
  for (const [offset, leafHash] of leaves.entries()) {
    const index = firstIndex + offset
    const key = receiptKey(learned, index)
    if (rows.at(key) !== undefined && !renewed.includes(offset)) continue
    const status = erased.includes(offset) ? 'erased' : forgotten.includes(offset) ? 'forgotten' : 'held'
    // Sealed here, the root was computed from these very leaves; from elsewhere, they were proven to stand under it.
    const row: ReceiptRow = {
      namespace,
      batchId,
      owner,
      batchRoot,
      index,
      receiptCount,
      leafHash,
      checked: true,
      status
    }
    rows.put(key, row)
  }
}

function foldForgotten({ receipt, places }: Forgotten, { rows, facts }: FoldContext): void {
  facts.put(forgottenKey(receipt), {})
  for (const place of places) {
    const key = receiptKey(place, place.index)
    const row = rows.at(key)
    if (row !== undefined) rows.put(key, { ...row, status: 'forgotten' })
  }
}
