import type { FeedbackAction } from '../../protocols/feedback/v1/feedback.ts'
import type { Severity } from '../../protocols/telemetry/v1/finding.ts'
import type { LocalEvent } from '../events/local.ts'

/** Who signed for a tenant, and where the signed body is: a blob by its hash, which may have been erased. */
type TakenFrom = {
  readonly tenant: string
  readonly signer: string
  readonly kid: string
  /** SHA-256 of the canonical form of the whole body, hex. */
  readonly bodyHash: string
}

/** What a finding is judged by; its subject and detail stand in the body alone. */
export type ReportedFinding = {
  readonly findingId: string
  readonly kind: string
  readonly severity: Severity
  readonly score: number
}

/** The body of the local event `telemetry`: what an agent reported of one execution (protocols/telemetry/v1). */
export type TelemetryTaken = TakenFrom & {
  /** SHA-256 of what was signed, hex. */
  readonly reportId: string
  /** When it was signed, milliseconds since 1970. */
  readonly timestamp: number
  readonly executionId: string
  readonly attestationMeasurementHash: string
  readonly fingerprint: string
  readonly findings: readonly ReportedFinding[]
}

/** The body of the local event `feedback`: a judgement on a finding of the tenant (protocols/feedback/v1). */
export type FeedbackTaken = TakenFrom & {
  /** SHA-256 of what was signed, hex. */
  readonly feedbackId: string
  /** When it was signed, milliseconds since 1970. */
  readonly signedAt: number
  readonly findingId: string
  readonly fingerprint: string
  readonly attestationMeasurementHash: string
  readonly action: FeedbackAction
  /** Only of `adjust`. */
  readonly severity?: Severity
  /** Only of `adjust`. */
  readonly score?: number
  readonly rule: string
}

/** The body of a `telemetry` event; `null` for another local event. */
export function telemetryIn(event: LocalEvent): TelemetryTaken | null {
  return event.type === 'telemetry' ? (event.body as TelemetryTaken) : null
}

/** The body of a `feedback` event; `null` for another local event. */
export function feedbackIn(event: LocalEvent): FeedbackTaken | null {
  return event.type === 'feedback' ? (event.body as FeedbackTaken) : null
}
