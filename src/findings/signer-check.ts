import type { UnverifiedSignature } from '../../protocols/delivery/v1/signed-body.ts'
import { verifyEd25519 } from '../../protocols/signature/v1/ed25519.ts'
import type { RequestFacts, RequestGuard } from '../ingest/request-guard.ts'
import type { PartnerKey, PartnerKeys } from '../partners/partner-keys.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import { refused } from './codes.ts'
import type { FindingsRefusal } from './codes.ts'

/** What every request that speaks for a tenant says of itself. */
export interface TenantRequestFacts extends RequestFacts {
  readonly kid: string
  readonly tenant: string
}

export interface SignerCheckPorts {
  readonly guard: RequestGuard
  /** The keys that may sign now. */
  readonly partners: PartnerKeys
  readonly policy: () => PolicyView
}

export type ProvenSigner = { readonly ok: true; readonly key: PartnerKey } | FindingsRefusal

/**
 * Who signed the request: checks 1 to 5 of TM-11. Nothing here can be used up, so who is refused can try again with the
 * same bytes. `routeTenant`: the tenant that the route names.
 */
export function checkSigner(
  facts: TenantRequestFacts,
  signature: UnverifiedSignature,
  routeTenant: string,
  { guard, partners }: SignerCheckPorts
): ProvenSigner {
  const { signer, kid, tenant } = facts
  // [REJECT] TM-11, 1: it is for this node.
  const audience = guard.audience(facts)
  if (!audience.ok) return audience
  // [REJECT] TM-11, 2: it is for the tenant whose route was asked.
  if (tenant !== routeTenant)
    return refused('MAPPING_VIOLATION', `it is signed for the tenant ${tenant}, and the route is of ${routeTenant}`)
  // [REJECT] TM-11, 3: signed within the skew.
  const time = guard.time(facts)
  if (!time.ok) return time
  // [REJECT] TM-11, 4: a key of the signer is known by this kid.
  const keys = partners.of(signer, kid)
  if (keys.length === 0 && partners.withKid(kid).length > 0)
    return refused('MAPPING_VIOLATION', `the key ${kid} is not one of ${signer}`)
  if (keys.length === 0) return refused('NODE_UNKNOWN', `no key ${kid} of ${signer} is in use here`)
  // [REJECT] TM-11, 5: the signature is good under it.
  const { input, signature: bytes } = signature
  const key = keys.find((one) => verifyEd25519(one.key, input, bytes))
  if (key === undefined)
    return refused('SIGNATURE_INVALID', `the signature is not good under a key ${kid} of ${signer}`)
  return { ok: true, key }
}

/**
 * [REJECT] TM-11, 6: the key is in the key domain of the tenant, and this node carries a namespace of the tenant. A key of
 * no domain speaks for none.
 */
export function speaksFor(tenant: string, key: PartnerKey, policy: PolicyView): boolean {
  return key.tenant === tenant && carriesTenant(tenant, policy)
}

/** Whether a namespace of the tenant is carried here. */
export function carriesTenant(tenant: string, { policy }: PolicyView): boolean {
  return Object.values(policy.namespaces).some((settings) => settings.tenant === tenant)
}
