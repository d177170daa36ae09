import type { UnverifiedSignature } from '../../protocols/delivery/v1/signed-body.ts'
import { verifyEd25519 } from '../../protocols/signature/v1/ed25519.ts'
import type { RequestCode, RequestFacts, RequestGuard } from '../ingest/request-guard.ts'
import type { PartnerKey, PartnerKeys } from './partner-keys.ts'

export interface SignerCheckPorts {
  readonly guard: RequestGuard
  /** The keys that may sign now. */
  readonly partners: PartnerKeys
}

/** Why it is not known who signed a request. */
export interface SignerRefusal {
  readonly ok: false
  readonly code: RequestCode | 'NODE_UNKNOWN' | 'SIGNATURE_INVALID' | 'MAPPING_VIOLATION'
  readonly detail: string
}

/** What kinds of requests differ in. */
export interface SignerRules {
  /** `MAPPING_VIOLATION` with this detail, once the audience is right; default null: it is asked where it belongs. */
  readonly misplaced?: string | null
  /** Whether the kid of somebody else is a `MAPPING_VIOLATION`; default: it is as unknown as one of nobody. */
  readonly tellsForeignKids?: boolean
}

export type ProvenSigner = { readonly ok: true; readonly key: PartnerKey } | SignerRefusal

/**
 * Who signed a request over HTTP, of whatever kind: audience, place, time, key, signature, in this order (DE-8 to DE-11,
 * TM-11). Nothing here can be used up, so who is refused can try again with the same bytes.
 */
export function checkSigner(
  facts: RequestFacts,
  { kid, input, signature }: UnverifiedSignature,
  { guard, partners }: SignerCheckPorts,
  { misplaced = null, tellsForeignKids = false }: SignerRules = {}
): ProvenSigner {
  const { signer } = facts
  // [REJECT] DE-8; TM-11, 1: it is for this node.
  const audience = guard.audience(facts)
  if (!audience.ok) return audience
  // [REJECT] TM-11, 2: it is for the tenant whose route was asked.
  if (misplaced !== null) return refused('MAPPING_VIOLATION', misplaced)
  // [REJECT] DE-9; TM-11, 3: signed within the skew.
  const time = guard.time(facts)
  if (!time.ok) return time
  // [REJECT] DE-10; TM-11, 4: a key of the signer is known by this kid.
  const keys = partners.of(signer, kid)
  if (keys.length === 0 && tellsForeignKids && partners.withKid(kid).length > 0)
    return refused('MAPPING_VIOLATION', `the key ${kid} is not one of ${signer}`)
  if (keys.length === 0) return refused('NODE_UNKNOWN', `no key ${kid} of ${signer} is in use here`)
  // [REJECT] DE-11; TM-11, 5: the signature is good under it.
  const key = keys.find((one) => verifyEd25519(one.key, input, signature))
  if (key !== undefined) return { ok: true, key }
  return refused('SIGNATURE_INVALID', `the signature is not good under a key ${kid} of ${signer}`)
}

function refused(code: SignerRefusal['code'], detail: string): SignerRefusal {
  return { ok: false, code, detail }
}
