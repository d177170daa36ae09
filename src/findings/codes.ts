import type { SignedBodyCode } from '../../protocols/delivery/v1/signed-body.ts'
import type { RequestCode } from '../ingest/request-guard.ts'

/** Why telemetry or feedback is not taken (protocols/telemetry/v1 TM-1 to TM-12, protocols/feedback/v1 FB-1 to FB-11). */
export type FindingsCode =
  | SignedBodyCode
  | RequestCode
  | 'NODE_UNKNOWN'
  | 'MAPPING_VIOLATION'
  | 'ATTESTATION_DENIED'
  | 'FINDING_EXISTS'
  | 'FINDING_UNKNOWN'

/** What refused a request, in the same words for the sender and for the audit log. */
export interface FindingsRefusal {
  readonly ok: false
  readonly code: FindingsCode
  readonly detail: string
}

export function refused(code: FindingsCode, detail: string): FindingsRefusal {
  return { ok: false, code, detail }
}
