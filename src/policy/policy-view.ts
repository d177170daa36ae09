import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { encodeCanonical } from '../../protocols/canonical-json/v1/codec.ts'
import { utf8 } from '../../protocols/primitives/bytes.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import { BoundedMap } from '../platform/bounded-map.ts'
import { allowedPairs } from './cross-org.ts'
import type { FinalityRule, Role } from './config-schema.ts'
import { ROLES } from './config-schema.ts'
import { TRUST_NAMESPACE } from './names.ts'
import type {
  BoundKey,
  EffectivePolicy,
  NamespacePolicy,
  PolicyMember,
  PolicyPeer,
  RateLimits,
  TsaPolicy
} from './policy.ts'

/** A member of a namespace. */
export type Member = PolicyMember

/**
 * One effective policy, indexed for questions. `carries`, `isMember`, `orgOf` and `hasRole` are asked for each event
 * and are plain look-ups; digests are worked out once, when first asked for. Asking about a namespace that is not
 * carried is no error: nobody is a member there.
 *
 * The reserved namespace `_trust` is always carried: its members are all DIDs of the policy, and a DID has the roles
 * there that `peers.yaml` gives it.
 */
export interface PolicyView {
  readonly policy: EffectivePolicy
  readonly self: EffectivePolicy['self']
  /** The carried namespaces: `_trust` first (it is synced first), the others sorted. */
  readonly namespaces: readonly string[]
  carries(namespace: string): boolean
  /** Whether the DID is listed under the namespace, in whatever role. */
  isMember(namespace: string, did: string): boolean
  orgOf(did: string): string | undefined
  /** Needs both: the role in `peers.yaml` and the DID under the namespace in `federation.yaml`. */
  hasRole(namespace: string, did: string, role: Role): boolean
  /** Sorted by DID. */
  members(namespace: string): readonly Member[]
  /** The keys that configuration binds to the DID (a did:key's own among them), sorted by kid. */
  boundKeys(did: string): readonly BoundKey[]
  /** The tenant in whose key domain policy puts the key; undefined for a key that is in none, and signs for all. */
  tenantOfKey(orgId: string, kid: string): string | undefined
  /** The DID that a connection's PeerId speaks for. */
  didOfPeer(peerId: string): string | undefined
  /** The settings of a configured namespace; undefined for `_trust` and what is not carried. */
  settings(namespace: string): NamespacePolicy | undefined
  rate(namespace: string): RateLimits
  /** The DIDs that alone are asked for what the namespace lacks, the first first; `null` where everybody is. */
  routing(namespace: string): readonly string[] | null
  /** When an anchor on `chainId` is final; undefined where the namespace does not list the chain. */
  finality(namespace: string, chainId: string): FinalityRule | undefined
  /** SHA-256 (hex) over the JCS of `members(namespace)`: nodes with equal ones admit the same signers. */
  membershipDigest(namespace: string): string
  /**
   * SHA-256 (hex) over what decides effect and winners in the namespace: tenant, roles, finality, quorum, attestations,
   * and of the rest only what touches it: tenants of its members' keys, pinned packs of their organisations, which of
   * them may timestamp for which, what tokens of the time-stamping authorities that its finality lists are checked
   * against. Addresses, limits and providers are not in it.
   */
  policyDigest(namespace: string): string
}

/**
 * What the tokens of an authority are checked against; undefined where policy does not name it. Evidence names its
 * authority as it likes, by what every object has (`constructor`) too.
 */
export function authorityPolicy({ rails: { rfc3161 } }: EffectivePolicy, tsa: string): TsaPolicy | undefined {
  return Object.hasOwn(rfc3161, tsa) ? rfc3161[tsa] : undefined
}

// Packs are few; what a busy mesh of organisations publishes in a year would still pass within one minute.
const TRUST_RATE: RateLimits = { perPeer: 6_000, perSigner: 600, perNamespace: 60_000, dailyCap: 100_000 }

interface NamespaceIndex {
  readonly settings: NamespacePolicy | undefined
  readonly members: readonly Member[]
  readonly dids: ReadonlySet<string>
  readonly roles: Readonly<Record<Role, ReadonlySet<string>>>
}

// The configuration's own and those of the log are mostly the same, and a process may run many nodes of one mesh; with
// a thousand members one is a megabyte.
const VIEWS_SHARED_MAX = 8
const views = new BoundedMap<string, PolicyView>(VIEWS_SHARED_MAX)

/**
 * Indexes `policy`. The view never changes; a reload makes a new one. Policies that differ in nothing but whose they
 * are share what it is made of.
 */
export function viewPolicy(policy: EffectivePolicy): PolicyView {
  const { self, ...shared } = policy
  // Not canonical, because folds compare parts of a policy as they are written.
  const name = sha256Hex(utf8(JSON.stringify(shared)))
  const view = cached(views, name, () => indexed(policy))
  return { ...view, self, policy: { ...view.policy, self } }
}

function indexed(policy: EffectivePolicy): PolicyView {
  const peers = new Map(policy.peers.map((peer) => [peer.did, peer]))
  const peerIds = new Map(
    policy.peers.flatMap(({ peerId, did }) => (peerId === undefined ? [] : [[peerId, did] as const]))
  )
  const tenants = new Map(policy.peers.flatMap(tenantsOf))
  const namespaces = new Map<string, NamespaceIndex>([[TRUST_NAMESPACE, trustIndex(policy)]])
  for (const name of Object.keys(policy.namespaces).sort()) {
    namespaces.set(name, namespaceIndex(policy.namespaces[name] as NamespacePolicy, peers))
  }
  const membershipDigests = new Map<string, string>()
  const policyDigests = new Map<string, string>()

  return {
    policy,
    self: policy.self,
    namespaces: [...namespaces.keys()],
    carries: (namespace) => namespaces.has(namespace),
    isMember: (namespace, did) => namespaces.get(namespace)?.dids.has(did) ?? false,
    orgOf: (did) => peers.get(did)?.orgId,
    hasRole: (namespace, did, role) => namespaces.get(namespace)?.roles[role].has(did) ?? false,
    members: (namespace) => namespaces.get(namespace)?.members ?? [],
    boundKeys: (did) => peers.get(did)?.keys ?? [],
    tenantOfKey: (orgId, kid) => tenants.get(keyName(orgId, kid)),
    didOfPeer: (peerId) => peerIds.get(peerId),
    settings: (namespace) => namespaces.get(namespace)?.settings,
    rate: (namespace) => namespaces.get(namespace)?.settings?.rate ?? TRUST_RATE,
    routing: (namespace) => namespaces.get(namespace)?.settings?.routing ?? null,
    finality: (namespace, chainId) => finalityOf(namespaces.get(namespace)?.settings, chainId),
    membershipDigest: (namespace) =>
      cached(membershipDigests, namespace, () => digest(namespaces.get(namespace)?.members ?? [])),
    policyDigest: (namespace) =>
      cached(policyDigests, namespace, () => digest(decidingPolicy(policy, namespaces.get(namespace))))
  }
}

const keyName = (orgId: string, kid: string): string => `${orgId}\n${kid}`

function tenantsOf({ orgId, keys }: PolicyPeer): readonly (readonly [string, string])[] {
  return keys.flatMap(({ kid, tenant }) => (tenant === undefined ? [] : [[keyName(orgId, kid), tenant] as const]))
}

function trustIndex(policy: EffectivePolicy): NamespaceIndex {
  const members = policy.peers.map(({ did, orgId }) => ({ did, orgId }))
  return {
    settings: undefined,
    members,
    dids: new Set(members.map(({ did }) => did)),
    roles: roleSets((role) => policy.peers.filter(({ roles }) => roles.includes(role)).map(({ did }) => did))
  }
}

function namespaceIndex(settings: NamespacePolicy, peers: ReadonlyMap<string, PolicyPeer>): NamespaceIndex {
  const dids = new Set(ROLES.flatMap((role) => settings.members[role]))
  const members = [...dids].sort().flatMap((did) => {
    const peer = peers.get(did)
    return peer === undefined ? [] : [{ did, orgId: peer.orgId }]
  })
  const roles = roleSets((role) => settings.members[role].filter((did) => peers.get(did)?.roles.includes(role)))
  return { settings, members, dids: new Set(members.map(({ did }) => did)), roles }
}

function roleSets(didsOf: (role: Role) => readonly string[]): NamespaceIndex['roles'] {
  return { announce: new Set(didsOf('announce')), serve: new Set(didsOf('serve')), request: new Set(didsOf('request')) }
}

/** The chain's own rule, else that of its whole rail (`btc:*`). */
function finalityOf(settings: NamespacePolicy | undefined, chainId: string): FinalityRule | undefined {
  if (settings === undefined) return undefined
  const rail = `${chainId.slice(0, chainId.indexOf(':'))}:*`
  for (const pattern of [chainId, rail]) {
    if (Object.hasOwn(settings.finality, pattern)) return settings.finality[pattern]
  }
  return undefined
}

function decidingPolicy(policy: EffectivePolicy, index: NamespaceIndex | undefined): JsonObject {
  const settings = index?.settings
  const organisations = new Set(index?.members.map(({ orgId }) => orgId))
  const authorities = Object.entries(policy.rails.rfc3161).filter(
    ([tsa]) => finalityOf(settings, `rfc3161:${tsa}`) !== undefined
  )
  const tenants = policy.peers.filter(({ orgId }) => organisations.has(orgId)).flatMap(tenantsOf)
  return {
    tenant: settings?.tenant ?? null,
    // `_trust` belongs to nobody.
    keyTenants: settings === undefined ? {} : Object.fromEntries(tenants),
    roles: Object.fromEntries(ROLES.map((role) => [role, [...(index?.roles[role] ?? [])].sort()])),
    finality: settings?.finality ?? {},
    quorum: settings?.quorum ?? null,
    attestations: settings?.attestations ?? null,
    organisations: policy.organisations.filter(({ orgId }) => organisations.has(orgId)),
    timestamp: settings === undefined ? [] : allowedPairs(policy, 'timestamp', organisations),
    authorities: Object.fromEntries(authorities)
  }
}

function digest(value: Parameters<typeof encodeCanonical>[0]): string {
  return sha256Hex(encodeCanonical(value))
}

function cached<Value>(
  cache: Pick<Map<string, Value>, 'get'> & { set(key: string, value: Value): unknown },
  key: string,
  make: () => Value
): Value {
  const known = cache.get(key)
  if (known !== undefined) return known
  const made = make()
  cache.set(key, made)
  return made
}
