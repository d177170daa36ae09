import type { AuditAction, CountingTrail } from '../platform/audit.ts'
import type { FindingsCode, FindingsRefusal } from './codes.ts'

/** Where a request came from. */
export interface RequestOrigin {
  /** The address, or the network of it that limits are counted by. */
  readonly address: string
  readonly requestId: string
}

/** What is told of one request. */
export interface ToldRequest {
  readonly action: 'TELEMETRY_TAKEN' | 'FEEDBACK_TAKEN'
  readonly tenant: string
  readonly origin: RequestOrigin
  /** What it says of its signer; `null` where it had not even the form. */
  readonly claimed: { readonly signer: string; readonly kid: string } | null
}

/** The refusals that an auditor asks after; the others are slips of senders. */
const SECURITY_ACTIONS: Readonly<Partial<Record<FindingsCode, AuditAction>>> = {
  SIGNATURE_INVALID: 'REQUEST_SIGNATURE_REFUSED',
  NODE_UNKNOWN: 'REQUEST_SIGNATURE_REFUSED',
  WRONG_AUDIENCE: 'REQUEST_MAPPING_REFUSED',
  MAPPING_VIOLATION: 'REQUEST_MAPPING_REFUSED',
  ATTESTATION_DENIED: 'REQUEST_MAPPING_REFUSED',
  REPLAY: 'REQUEST_REPLAYED'
}

/** Tells the audit log of requests that speak for tenants. */
export class FindingsAudit {
  readonly #audit: CountingTrail
  readonly #isCarried: (tenant: string) => boolean

  constructor(audit: CountingTrail, isCarried: (tenant: string) => boolean) {
    this.#audit = audit
    this.#isCarried = isCarried
  }

  tell(
    { action, tenant, origin, claimed }: ToldRequest,
    taken: { readonly ok: true; readonly answer: { readonly logSeq: number } } | FindingsRefusal
  ): void {
    const { address, requestId } = origin
    // Other names are whatever somebody wrote, and count together.
    const subject = this.#isCarried(tenant) ? tenant : 'unknown'
    if (taken.ok) {
      const { signer: actor = address, kid = '' } = claimed ?? {}
      const detail = { kid, logSeq: taken.answer.logSeq, address }
      this.#audit.record({ action, actor, subject, outcome: 'ok', code: null, requestId, detail })
      return
    }
    const security = SECURITY_ACTIONS[taken.code]
    if (security === undefined) return
    // Who signed is only what somebody says: counted by where it came from, or names could be made up.
    const said = claimed === null ? {} : { signer: claimed.signer, kid: claimed.kid }
    const detail = { ...said, reason: taken.detail }
    this.#audit.count({ action: security, actor: address, subject, outcome: 'refused', code: taken.code, detail })
  }
}
