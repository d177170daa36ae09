import { sortableNumber } from '../log/keys.ts'
import { batchSealedOf } from './batch-sealed.ts'
import { NO_KEYS } from './projection.ts'
import type { Projection } from './projection.ts'

/** Where the receipts of one batch begin. */
export const receiptsOfBatch = (namespace: string, batchId: string, owner: string): string =>
  `${namespace}!${batchId}!${owner}!`

/** The receipts that this node holds: one row a leaf. All of it is local. */
export const receipts: Projection = {
  name: 'receipts',
  version: 2,
  layout: {
    key: ['namespace', 'batchId', 'owner', null],
    columns: ['index', 'receiptCount', 'batchRoot', 'leafHash', 'checked']
  },
  dependsOnPolicy: false,
  rowsChangeOften: false,
  namespacePrefix: (namespace) => `${namespace}!`,
  filters: { batchId: (row, value) => row['batchId'] === value },

  reads(record) {
    const sealed = record.scope === 'local' ? batchSealedOf(record.event) : null
    if (sealed === null) return NO_KEYS
    const prefix = receiptsOfBatch(sealed.namespace, sealed.batchId, sealed.owner)
    return sealed.leaves.map((_, offset) => prefix + sortableNumber(sealed.firstIndex + offset))
  },

  fold(record, { rows }) {
    const sealed = record.scope === 'local' ? batchSealedOf(record.event) : null
    if (sealed === null) return
    const { namespace, batchId, owner, batchRoot, receiptCount } = sealed
    for (const [offset, leafHash] of sealed.leaves.entries()) {
      const index = sealed.firstIndex + offset
      const key = receiptsOfBatch(namespace, batchId, owner) + sortableNumber(index)
      if (rows.at(key) !== undefined) continue
      // Sealed here, the root was computed from these very leaves.
      rows.put(key, { namespace, batchId, owner, index, receiptCount, batchRoot, leafHash, checked: true })
    }
  },

  shared: () => null
}
