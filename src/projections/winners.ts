import type { PolicyView } from '../policy/policy-view.ts'
import type { LoggedRecord } from '../log/log-reader.ts'
import type { FoldedClaim } from './claims.ts'
import { claimIn } from './claims.ts'
import { NO_KEYS } from './projection.ts'
import type { Projection } from './projection.ts'

const keyOf = ({ namespace, owner, announce }: FoldedClaim): string => `${namespace}!${owner}!${announce.batchId}`

/**
 * The winner of each batch that its owner announced: the strongest timestamp anchor that this node verified. Evidence counts only
 * after a verdict, so without one a batch is `proposed` and nothing has won.
 */
export const winners: Projection = {
  name: 'winners',
  version: 1,
  dependsOnPolicy: true,
  rowsChangeOften: false,
  namespacePrefix: (namespace) => `${namespace}!`,
  filters: {
    batchId: (row, value) => row['batchId'] === value,
    status: (row, value) => row['status'] === value
  },

  reads(record, policy) {
    const claim = countingClaim(record, policy)
    return claim === null ? NO_KEYS : [keyOf(claim)]
  },

  fold(record, { rows, policy }) {
    const claim = countingClaim(record, policy)
    if (claim === null || rows.at(keyOf(claim)) !== undefined) return
    rows.put(keyOf(claim), {
      namespace: claim.namespace,
      owner: claim.owner,
      batchId: claim.announce.batchId,
      status: 'proposed',
      batchRoot: null,
      winner: null,
      losers: [],
      earliestProvenTime: null,
      // Local: where this node first saw the batch announced.
      firstSeenLogSeq: record.record.logSeq
    })
  },

  shared(row) {
    const { firstSeenLogSeq: _local, ...shared } = row
    return shared
  }
}

function countingClaim(record: LoggedRecord, policy: PolicyView): FoldedClaim | null {
  const claim = claimIn(record, policy)
  return claim !== null && claim.byOwner && claim.effect === null ? claim : null
}
