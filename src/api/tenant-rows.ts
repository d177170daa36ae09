import { z } from 'zod'
import { FEEDBACK_ACTIONS } from '../../protocols/feedback/v1/feedback.ts'
import { SEVERITIES } from '../../protocols/telemetry/v1/finding.ts'

const severity = z.enum(SEVERITIES)
const score = z.int().min(0).max(1_000)
const state = { status: z.enum(['open', 'confirmed', 'dismissed']), severity, score }

const signed = { signer: z.string(), kid: z.string() }
const bound = { fingerprint: z.string(), attestationMeasurementHash: z.string() }

/** A finding of a tenant, as feedback left it. */
export const findingRow = z
  .object({
    tenant: z.string(),
    findingId: z.string(),
    kind: z.string(),
    ...state,
    /** What the report said. */
    reported: z.object({ severity, score }),
    executionId: z.string(),
    ...bound,
    ...signed,
    reportId: z.string(),
    timestamp: z.int(),
    /** What `forget` erases the report by. */
    bodyHash: z.string(),
    adjustmentCount: z.int(),
    /** The last 16, oldest first. */
    adjustments: z
      .array(
        z.object({
          feedbackId: z.string(),
          action: z.enum(FEEDBACK_ACTIONS),
          attestationMeasurementHash: z.string(),
          rule: z.string(),
          ...signed,
          signedAt: z.int(),
          from: z.object(state),
          to: z.object(state)
        })
      )
      .readonly()
  })
  .meta({ id: 'FindingRow' })

/** A judgement on a finding. */
export const feedbackRow = z
  .object({
    tenant: z.string(),
    findingId: z.string(),
    feedbackId: z.string(),
    action: z.enum(FEEDBACK_ACTIONS),
    /** Of `adjust` alone, where it is changed. */
    severity: severity.nullable(),
    score: score.nullable(),
    rule: z.string(),
    ...bound,
    ...signed,
    signedAt: z.int(),
    bodyHash: z.string()
  })
  .meta({ id: 'FeedbackRow' })
