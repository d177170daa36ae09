import type { UnverifiedSignature } from '../../protocols/delivery/v1/signed-body.ts'
import type { RequestFacts } from '../ingest/request-guard.ts'
import type { CountingTrail } from '../platform/audit.ts'
import type { PartnerKey } from './partner-keys.ts'
import { checkSigner } from './signer-check.ts'
import type { SignerCheckPorts, SignerRefusal } from './signer-check.ts'

/** Why a signed request over HTTP is refused, whatever it asks for. */
export type PartnerRefusalCode =
  'WRONG_AUDIENCE' | 'TIMESTAMP_SKEW' | 'NODE_UNKNOWN' | 'SIGNATURE_INVALID' | 'OVERLOADED'

export interface PartnerRefusal<Code extends string = PartnerRefusalCode> {
  readonly ok: false
  readonly code: Code
  readonly detail: string
}

export type PartnerCheck = { readonly ok: true; readonly key: PartnerKey } | PartnerRefusal

export interface PartnerRequestsPorts extends SignerCheckPorts {
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
const REPLAY_DETAIL = 'replay'

/** What every kind of request that partners sign over HTTP goes through, and the audit of what fails. */
export class PartnerRequests {
  readonly #ports: PartnerRequestsPorts

  constructor(ports: PartnerRequestsPorts) {
    this.#ports = ports
  }

  /** SPEC DE-8 to DE-11, in this order: audience, time, key, signature. Takes nothing from anybody. */
  verify(request: RequestFacts, signature: UnverifiedSignature, asking: Asking): PartnerCheck {
    const checked = checkSigner(request, signature, this.#ports)
    if (checked.ok) return checked
    const { code } = checked
    if (code === 'NODE_UNKNOWN' || code === 'SIGNATURE_INVALID') {
      const { address: actor, subject } = asking
      this.#ports.audit.count({ action: 'REQUEST_SIGNATURE_REFUSED', actor, subject, outcome: 'refused', code })
    }
    return partnerRefusal(checked)
  }

  /** SPEC DE-13, for a request whose signature is good: its nonce is used up, durably, when this resolves. */
  async useNonce(request: RequestFacts, { subject }: Asking): Promise<{ readonly ok: true } | PartnerRefusal> {
    const taken = await this.#ports.guard.nonce(request)
    if (taken.ok) return taken
    if (taken.code !== 'REPLAY') return partnerRefusal(taken)
    this.#ports.audit.count({
      action: 'REQUEST_REPLAYED',
      actor: request.signer,
      subject,
      outcome: 'refused',
      code: 'SIGNATURE_INVALID'
    })
    return { ok: false, code: 'SIGNATURE_INVALID', detail: REPLAY_DETAIL }
  }
}

/** `REPLAY` is `SIGNATURE_INVALID` here: the signature was good for another request. No place is asked for. */
function partnerRefusal({ code, detail }: SignerRefusal): PartnerRefusal {
  const isOfSignature = code === 'REPLAY' || code === 'MAPPING_VIOLATION'
  return { ok: false, code: isOfSignature ? 'SIGNATURE_INVALID' : code, detail }
}
