import type { Severity } from '../../protocols/telemetry/v1/finding.ts'
import { sortableNumber } from '../log/keys.ts'
import { feedbackIn } from './finding-records.ts'
import type { FeedbackTaken } from './finding-records.ts'
import { NO_KEYS } from './projection.ts'
import type { Projection } from './projection.ts'

/** A judgement on a finding. All of it is this node's own. */
export type FeedbackRow = Omit<FeedbackTaken, 'severity' | 'score'> & {
  /** Of `adjust` alone, where it is changed. */
  readonly severity: Severity | null
  /** Of `adjust` alone, where it is changed. */
  readonly score: number | null
}

/** Where the feedback on a finding begins, in the order in which it was applied. */
export const feedbackOn = (tenant: string, findingId: string): string => `${tenant}!${findingId}!`

/** Everything that was said of the findings of tenants. */
export const feedback: Projection = {
  name: 'feedback',
  version: 1,
  layout: {
    key: ['tenant', 'findingId', null, 'feedbackId'],
    columns: [
      'action',
      'severity',
      'score',
      'rule',
      'fingerprint',
      'attestationMeasurementHash',
      'signer',
      'kid',
      'signedAt',
      'bodyHash'
    ]
  },
  dependsOnPolicy: false,
  rowsChangeOften: false,
  namespacePrefix: () => null,
  filters: {
    signer: (row, value) => row['signer'] === value,
    status: (row, value) => row['action'] === value,
    fromTs: (row, value) => (row as FeedbackRow).signedAt >= Number(value),
    toTs: (row, value) => (row as FeedbackRow).signedAt <= Number(value)
  },

  reads(record) {
    const taken = record.scope === 'local' ? feedbackIn(record.event) : null
    return taken === null ? NO_KEYS : [keyOf(taken, record.record.logSeq)]
  },

  fold(record, { rows }) {
    const taken = record.scope === 'local' ? feedbackIn(record.event) : null
    if (taken === null) return
    const row: FeedbackRow = { ...taken, severity: taken.severity ?? null, score: taken.score ?? null }
    rows.put(keyOf(taken, record.record.logSeq), row)
  },

  shared: () => null
}

function keyOf({ tenant, findingId, feedbackId }: FeedbackTaken, logSeq: number): string {
  return `${feedbackOn(tenant, findingId)}${sortableNumber(logSeq)}!${feedbackId}`
}
