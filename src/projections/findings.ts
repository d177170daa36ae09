import type { FeedbackAction } from '../../protocols/feedback/v1/feedback.ts'
import type { Severity } from '../../protocols/telemetry/v1/finding.ts'
import { feedbackIn, telemetryIn } from './finding-records.ts'
import type { FeedbackTaken, TelemetryTaken } from './finding-records.ts'
import { NO_KEYS } from './projection.ts'
import type { FoldContext, Projection } from './projection.ts'

// What an app shows beside a finding; the projection `feedback` has all. A row stays below 16 KiB with the longest names.
export const ADJUSTMENTS_MAX = 16

export type FindingStatus = 'open' | 'confirmed' | 'dismissed'

/** What feedback can change of a finding. */
export type FindingState = {
  readonly status: FindingStatus
  readonly severity: Severity
  /** 0 to 1,000. */
  readonly score: number
}

/** A feedback that was applied: who judged by which rule, in view of which measurement, and what that changed. */
export type Adjustment = {
  readonly feedbackId: string
  readonly action: FeedbackAction
  readonly attestationMeasurementHash: string
  readonly kid: string
  readonly rule: string
  readonly signer: string
  /** Milliseconds since 1970. */
  readonly signedAt: number
  readonly from: FindingState
  readonly to: FindingState
}

/** A finding of a tenant, as feedback left it. All of it is this node's own. */
export type FindingRow = FindingState & {
  readonly tenant: string
  readonly findingId: string
  readonly kind: string
  /** What the report said. */
  readonly reported: { readonly severity: Severity; readonly score: number }
  readonly executionId: string
  readonly fingerprint: string
  readonly attestationMeasurementHash: string
  readonly signer: string
  readonly kid: string
  readonly reportId: string
  /** When the report was signed, milliseconds since 1970. */
  readonly timestamp: number
  /** The blob that holds the report. */
  readonly bodyHash: string
  /** How often it was judged. */
  readonly adjustmentCount: number
  /** The last of them, oldest first. */
  readonly adjustments: readonly Adjustment[]
}

/** The key of a finding's row. An id is known once in a tenant. */
export const findingKey = (tenant: string, findingId: string): string => `${tenant}!${findingId}`

const STATUS_AFTER: Readonly<Partial<Record<FeedbackAction, FindingStatus>>> = {
  confirm: 'confirmed',
  dismiss: 'dismissed',
  reopen: 'open'
}

/** What agents found for tenants, as feedback left it: telemetry and feedback, in the order of the log. */
export const findings: Projection = {
  name: 'findings',
  version: 1,
  layout: {
    key: ['tenant', 'findingId'],
    columns: [
      'kind',
      'status',
      'severity',
      'score',
      'reported',
      'executionId',
      'fingerprint',
      'attestationMeasurementHash',
      'signer',
      'kid',
      'reportId',
      'timestamp',
      'bodyHash',
      'adjustmentCount',
      'adjustments'
    ]
  },
  dependsOnPolicy: false,
  rowsChangeOften: true,
  namespacePrefix: () => null,
  filters: {
    signer: (row, value) => row['signer'] === value,
    status: (row, value) => row['status'] === value,
    fromTs: (row, value) => (row as FindingRow).timestamp >= Number(value),
    toTs: (row, value) => (row as FindingRow).timestamp <= Number(value)
  },

  reads(record) {
    if (record.scope !== 'local') return NO_KEYS
    const telemetry = telemetryIn(record.event)
    if (telemetry !== null) return telemetry.findings.map(({ findingId }) => findingKey(telemetry.tenant, findingId))
    const feedback = feedbackIn(record.event)
    return feedback === null ? NO_KEYS : [findingKey(feedback.tenant, feedback.findingId)]
  },

  fold(record, context) {
    if (record.scope !== 'local') return
    const telemetry = telemetryIn(record.event)
    if (telemetry !== null) foldTelemetry(telemetry, context)
    const feedback = feedbackIn(record.event)
    if (feedback !== null) foldFeedback(feedback, context)
  },

  shared: () => null
}

function foldTelemetry(telemetry: TelemetryTaken, { rows }: FoldContext): void {
  const { findings: reported, ...report } = telemetry
  for (const { findingId, kind, severity, score } of reported) {
    const key = findingKey(telemetry.tenant, findingId)
    // What is known stays what it was first reported as.
    if (rows.at(key) !== undefined) continue
    const row: FindingRow = {
      ...report,
      findingId,
      kind,
      status: 'open',
      severity,
      score,
      reported: { severity, score },
      adjustmentCount: 0,
      adjustments: []
    }
    rows.put(key, row)
  }
}

function foldFeedback(feedback: FeedbackTaken, { rows }: FoldContext): void {
  const key = findingKey(feedback.tenant, feedback.findingId)
  const row = rows.at(key) as FindingRow | undefined
  if (row === undefined || !isBoundTo(feedback, row)) return
  rows.put(key, adjusted(row, feedback))
}

/** Whether feedback names the execution that the finding came from, and the measurement of its environment. */
export function isBoundTo(
  { fingerprint, attestationMeasurementHash }: Pick<FeedbackTaken, 'fingerprint' | 'attestationMeasurementHash'>,
  row: Pick<FindingRow, 'fingerprint' | 'attestationMeasurementHash'>
): boolean {
  return fingerprint === row.fingerprint && attestationMeasurementHash === row.attestationMeasurementHash
}

/** The finding after one more feedback (protocols/feedback/v1, FB-13). */
export function adjusted(row: FindingRow, feedback: FeedbackTaken): FindingRow {
  const { status, severity, score } = row
  const from = { status, severity, score }
  const to = {
    status: STATUS_AFTER[feedback.action] ?? status,
    severity: feedback.severity ?? severity,
    score: feedback.score ?? score
  }
  const { feedbackId, action, attestationMeasurementHash, kid, rule, signer, signedAt } = feedback
  const adjustment: Adjustment = {
    feedbackId,
    action,
    attestationMeasurementHash,
    kid,
    rule,
    signer,
    signedAt,
    from,
    to
  }
  return {
    ...row,
    ...to,
    adjustmentCount: row.adjustmentCount + 1,
    adjustments: [...row.adjustments, adjustment].slice(-ADJUSTMENTS_MAX)
  }
}
