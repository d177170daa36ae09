import type { UnverifiedSignature } from '../../protocols/delivery/v1/signed-body.ts'
import { verifyEd25519 } from '../../protocols/signature/v1/ed25519.ts'
import type { RequestCheck, RequestFacts, RequestGuard } from '../ingest/request-guard.ts'
import type { CountingTrail } from '../platform/audit.ts'
import type { PartnerKey, PartnerKeys } from './partner-keys.ts'

/** Why a signed request over HTTP is refused, whatever it asks for. */
export type PartnerRefusalCode =
  'WRONG_AUDIENCE' | 'TIMESTAMP_SKEW' | 'NODE_UNKNOWN' | 'SIGNATURE_INVALID' | 'OVERLOADED'

export interface PartnerRefusal<Code extends string = PartnerRefusalCode> {
  readonly ok: false
  readonly code: Code
  readonly detail: string
}

export type PartnerCheck = { readonly ok: true; readonly key: PartnerKey } | PartnerRefusal

export interface PartnerRequestsPorts {
  readonly guard: RequestGuard
  readonly partners: PartnerKeys
  readonly audit: CountingTrail
}

/** Who asks, for the audit log. */
export interface Asking {
  /** The address that the request came from: until a signature is good, who signed is only what somebody says. */
  readonly address: string
  /** The route. */
  readonly subject: string
}

/** The detail of a request whose nonce was used before (SPEC DE-13). */
export const REPLAY_DETAIL = 'replay'

/** What every kind of request that partners sign over HTTP goes through, and the audit of what fails. */
export class PartnerRequests {
  readonly #ports: PartnerRequestsPorts

  constructor(ports: PartnerRequestsPorts) {
    this.#ports = ports
  }

  /** SPEC DE-8 to DE-11, in this order: audience, time, key, signature. Takes nothing from anybody. */
  verify(request: RequestFacts, signature: UnverifiedSignature, asking: Asking): PartnerCheck {
    const { guard, partners } = this.#ports
    const { signer } = request
    // [REJECT] DE-8, DE-9.
    for (const check of [guard.audience(request), guard.time(request)]) if (!check.ok) return unguarded(check)
    // [REJECT] DE-10.
    const keys = partners.of(signer, signature.kid)
    if (keys.length === 0) return this.#unsigned('NODE_UNKNOWN', `no key ${signature.kid} of ${signer}`, asking)
    // [REJECT] DE-11.
    const key = keys.find((candidate) => verifyEd25519(candidate.key, signature.input, signature.signature))
    if (key !== undefined) return { ok: true, key }
    const detail = `the signature is not good under the key ${signature.kid} of ${signer}`
    return this.#unsigned('SIGNATURE_INVALID', detail, asking)
  }

  /** SPEC DE-13, for a request whose signature is good: its nonce is used up, durably, when this resolves. */
  async useNonce(request: RequestFacts, { subject }: Asking): Promise<{ readonly ok: true } | PartnerRefusal> {
    const taken = await this.#ports.guard.nonce(request)
    if (taken.ok) return taken
    if (taken.code !== 'REPLAY') return unguarded(taken)
    this.#ports.audit.count({
      action: 'REQUEST_REPLAYED',
      actor: request.signer,
      subject,
      outcome: 'refused',
      code: 'SIGNATURE_INVALID'
    })
    return { ok: false, code: 'SIGNATURE_INVALID', detail: REPLAY_DETAIL }
  }

  #unsigned(code: 'NODE_UNKNOWN' | 'SIGNATURE_INVALID', detail: string, { address, subject }: Asking): PartnerRefusal {
    this.#ports.audit.count({ action: 'REQUEST_SIGNATURE_REFUSED', actor: address, subject, outcome: 'refused', code })
    return { ok: false, code, detail }
  }
}

/** `REPLAY` is `SIGNATURE_INVALID` here: the signature was good for another request. */
function unguarded({ code, detail }: Extract<RequestCheck, { ok: false }>): PartnerRefusal {
  return code === 'REPLAY' ? { ok: false, code: 'SIGNATURE_INVALID', detail } : { ok: false, code, detail }
}
