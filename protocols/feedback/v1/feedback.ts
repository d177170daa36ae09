import type { JsonObject } from '../../canonical-json/v1/json.ts'
import { isJsonObject } from '../../canonical-json/v1/json.ts'
import { shapeProblem } from '../../canonical-json/v1/shape.ts'
import type { Shape } from '../../canonical-json/v1/shape.ts'
import { encodeSignedBody } from '../../delivery/v1/signed-body.ts'
import { sha256Hex } from '../../primitives/sha256.ts'
import { HASH, NAME, SCORE, SEVERITY, TIME, textWithin } from '../../telemetry/v1/finding.ts'
import type { Severity } from '../../telemetry/v1/finding.ts'
import type { TenantRequestDecoding } from '../../telemetry/v1/tenant-request.ts'
import { TENANT_REQUEST_SHAPE, decodeTenantRequest } from '../../telemetry/v1/tenant-request.ts'

/** Largest body in bytes: the longest names and a comment. */
export const FEEDBACK_BYTES_MAX = 16_384
/** The one schema of `data` in this version. */
export const FEEDBACK_SCHEMA = 'anchormesh.feedback/1'
/** Longest comment, in bytes of UTF-8: some sentences. */
export const COMMENT_BYTES_MAX = 2_048

/** What feedback does to a finding (SPEC FB-6). */
export const FEEDBACK_ACTIONS = ['confirm', 'dismiss', 'adjust', 'reopen'] as const
export type FeedbackAction = (typeof FEEDBACK_ACTIONS)[number]

export type FeedbackData = {
  readonly findingId: string
  /** Of the execution that found it, hex. */
  readonly fingerprint: string
  /** What that execution was measured as, hex. */
  readonly attestationMeasurementHash: string
  readonly action: FeedbackAction
  /** Only with `adjust`. */
  readonly severity?: Severity
  /** Only with `adjust`. */
  readonly score?: number
  /** By which rule of the signer it was decided. */
  readonly rule: string
  readonly comment?: string
}

/** A judgement on a finding (SPEC FB-4). Times are milliseconds since 1970. */
export type Feedback = {
  readonly v: 1
  readonly audience: string
  readonly signer: string
  readonly kid: string
  /** Whose finding it is. */
  readonly tenant: string
  readonly signedAt: number
  /** 16 random bytes, base64url. */
  readonly nonce: string
  readonly schema: typeof FEEDBACK_SCHEMA
  readonly data: FeedbackData
}

const FEEDBACK_SHAPE: Shape = {
  ...TENANT_REQUEST_SHAPE,
  data: { is: isJsonObject, expected: 'an object' },
  schema: { is: (value) => value === FEEDBACK_SCHEMA, expected: FEEDBACK_SCHEMA },
  signedAt: TIME
}

const DATA_SHAPE: Shape = {
  action: {
    is: (value) => (FEEDBACK_ACTIONS as readonly unknown[]).includes(value),
    expected: `one of ${FEEDBACK_ACTIONS.join(', ')}`
  },
  attestationMeasurementHash: HASH,
  comment: { ...textWithin(COMMENT_BYTES_MAX), optional: true },
  findingId: NAME,
  fingerprint: HASH,
  rule: NAME,
  score: { ...SCORE, optional: true },
  severity: { ...SEVERITY, optional: true }
}

/** Signs feedback, for `POST /v1/tenants/{tenant}/feedback`. `id` is its feedback id. Rejects as `sign` does. */
export async function encodeFeedback(
  feedback: Feedback,
  sign: (input: Uint8Array) => Promise<Uint8Array>
): Promise<{ readonly body: string; readonly id: string }> {
  const { body, canonical } = await encodeSignedBody(feedback, 'feedback', sign)
  return { body, id: sha256Hex(canonical) }
}

/** Reads feedback by SPEC FB-1 to FB-6; the first rule that fails gives the code. The signature is not verified. */
export function decodeFeedback(bytes: Uint8Array): TenantRequestDecoding<Feedback> {
  const form = { purpose: 'feedback', shape: FEEDBACK_SHAPE, bytesMax: FEEDBACK_BYTES_MAX }
  return decodeTenantRequest<Feedback>(bytes, form, dataProblem)
}

function dataProblem(value: JsonObject): string | null {
  // [REJECT] FB-5.
  const problem = shapeProblem(value['data'], DATA_SHAPE, 'data')
  if (problem !== null) return problem
  // [REJECT] FB-6.
  const { action, severity, score } = value['data'] as FeedbackData
  const changes = severity !== undefined || score !== undefined
  if (action === 'adjust' && !changes) return 'data: adjust needs severity or score'
  return action !== 'adjust' && changes ? 'data: severity and score only with adjust' : null
}
