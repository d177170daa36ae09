import { checkCrossOrgPolicy } from './cross-org.ts'
import type { NamespacePolicy } from './policy.ts'
import type { PolicyView } from './policy-view.ts'

/** Why policy gives an event no effect. */
export type PolicyEffectCode = 'ROLE_MISSING' | 'MAPPING_VIOLATION' | 'ATTESTATION_DENIED' | 'CROSS_ORG_DENIED'

/** The code, and for people what policy expected in the place of what it found. */
export interface PolicyEffect {
  readonly code: PolicyEffectCode
  readonly detail: string
}

/** Which key signed, and where. */
export interface SignedFacts {
  readonly namespace: string
  readonly signer: string
  readonly kid: string
}

/** What policy looks at in an announce. */
export interface AnnounceFacts extends SignedFacts {
  /** The organisation whose batch it is. */
  readonly owner: string
  /** Whether it brings evidence for the root that it names. */
  readonly hasEvidence: boolean
  readonly attestationMeasurementHash?: string
}

/** One rule: pure, and silent where it has nothing against the event. */
type EffectRule<Facts> = (facts: Facts, policy: PolicyView) => PolicyEffect | null

/**
 * In this order; the first rule that has something against the event gives the code. The role comes last: evidence in an
 * event that lacks nothing but that still proves what it proves (WIN-1), and must not get by the other rules with it.
 */
const ANNOUNCE_RULES: readonly EffectRule<AnnounceFacts>[] = [isOfTenant, isMeasured, mayTimestamp, mayAnnounce]
const ATTESTATION_RULES: readonly EffectRule<SignedFacts>[] = [isOfTenant]

// An operator sees by these what was meant; a detail is shown in one line.
const MEASUREMENTS_NAMED_MAX = 4

/** Why an announce has no effect under the policy, ownership of the root apart; `null` when it has. */
export function policyEffect(facts: AnnounceFacts, policy: PolicyView): PolicyEffect | null {
  return firstOf(ANNOUNCE_RULES, facts, policy)
}

/** Why an attestation on evidence has no effect under the policy; `null` when it has. */
export function attestationEffect(facts: SignedFacts, policy: PolicyView): PolicyEffect | null {
  return firstOf(ATTESTATION_RULES, facts, policy)
}

function firstOf<Facts>(rules: readonly EffectRule<Facts>[], facts: Facts, policy: PolicyView): PolicyEffect | null {
  for (const rule of rules) {
    const effect = rule(facts, policy)
    if (effect !== null) return effect
  }
  return null
}

/** [NO EFFECT] The role in `peers.yaml`, and the DID under the namespace. */
function mayAnnounce({ namespace, signer }: AnnounceFacts, policy: PolicyView): PolicyEffect | null {
  if (policy.hasRole(namespace, signer, 'announce')) return null
  return { code: 'ROLE_MISSING', detail: `${signer} may not announce in ${namespace}` }
}

/** [NO EFFECT] A key that is in the key domain of a tenant counts in namespaces of that tenant alone. */
function isOfTenant({ namespace, signer, kid }: SignedFacts, policy: PolicyView): PolicyEffect | null {
  const orgId = policy.orgOf(signer)
  const settings = policy.settings(namespace)
  const tenant = orgId === undefined ? undefined : policy.tenantOfKey(orgId, kid)
  if (tenant === undefined || settings === undefined || tenant === settings.tenant) return null
  const detail = `the key ${kid} of ${orgId} signs for the tenant ${tenant}, and ${namespace} belongs to ${settings.tenant}`
  return { code: 'MAPPING_VIOLATION', detail }
}

/** [NO EFFECT] The measurement is one of those that the signer may name, and is there where one is required. */
function isMeasured(
  { namespace, signer, attestationMeasurementHash: named }: AnnounceFacts,
  policy: PolicyView
): PolicyEffect | null {
  const attestations = policy.settings(namespace)?.attestations
  if (attestations === undefined) return null
  const { required } = attestations
  const allowed = measurementsOf(signer, attestations)
  if (named === undefined) {
    if (!required) return null
    return denied(`it names no measurement, and ${namespace} asks for ${listed(allowed ?? [])}`)
  }
  if (allowed === null || allowed.includes(named)) return null
  return denied(`${signer} may not name the measurement ${named} in ${namespace}, but ${listed(allowed)}`)
}

/** [NO EFFECT] Evidence for the root of another organisation needs a rule of `crossOrg`. */
function mayTimestamp({ signer, owner, hasEvidence }: AnnounceFacts, policy: PolicyView): PolicyEffect | null {
  const from = policy.orgOf(signer)
  if (!hasEvidence || from === undefined) return null
  const checked = checkCrossOrgPolicy(policy.policy, { from, to: owner, operation: 'timestamp' })
  return checked.ok ? null : { code: checked.code, detail: checked.detail }
}

/** The measurements that the signer may name; `null` where nothing keeps it from naming any. */
function measurementsOf(
  signer: string,
  { required, measurements, signers }: NamespacePolicy['attestations']
): readonly string[] | null {
  const own = signers !== undefined && Object.hasOwn(signers, signer) ? signers[signer] : undefined
  return own ?? (required || measurements.length > 0 ? measurements : null)
}

/**
 * Why policy does not let the signer name this measurement for a tenant as a whole, in words; `null` where it does: where
 * none of the tenant's namespaces restricts measurements, or one of those that do allows it.
 */
export function tenantMeasurementProblem(
  { tenant, signer, named }: { readonly tenant: string; readonly signer: string; readonly named: string },
  { policy }: PolicyView
): string | null {
  const restricted = Object.values(policy.namespaces).flatMap((settings) => {
    const allowed = settings.tenant === tenant ? measurementsOf(signer, settings.attestations) : null
    return allowed === null ? [] : [allowed]
  })
  if (restricted.length === 0 || restricted.some((allowed) => allowed.includes(named))) return null
  const allowed = [...new Set(restricted.flat())]
  return `${signer} may not name the measurement ${named} for ${tenant}, but ${listed(allowed)}`
}

function denied(detail: string): PolicyEffect {
  return { code: 'ATTESTATION_DENIED', detail }
}

function listed(allowed: readonly string[]): string {
  if (allowed.length === 0) return 'none at all'
  const shown = allowed.slice(0, MEASUREMENTS_NAMED_MAX).join(' or ')
  const more = allowed.length - MEASUREMENTS_NAMED_MAX
  return more > 0 ? `one of ${shown} and ${more} more` : shown
}
