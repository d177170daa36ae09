import type { PartnerKey } from '../partners/partner-keys.ts'
import type { PolicyView } from '../policy/policy-view.ts'

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
