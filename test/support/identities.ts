import { federationSchema, peersSchema } from '../../src/policy/config-schema.ts'
import type { EffectivePolicy } from '../../src/policy/policy.ts'
import { effectivePolicy } from '../../src/policy/policy.ts'
import { localSigner } from '../../src/trust/local-signer.ts'
import type { Signer } from '../../src/trust/signer.ts'
import { sha256 } from '../../protocols/primitives/sha256.ts'
import { toBase64url } from '../../protocols/primitives/bytes.ts'

export const NAMESPACE = 'dao:test'

export interface TestMember {
  readonly orgId: string
  readonly signer: Signer
}

/** A signer whose key follows from its name, so that every run has the same DIDs. */
export function member(name: string, orgId: string = `org-${name}`): TestMember {
  return { orgId, signer: localSigner(sha256(`member ${name}`)) }
}

export interface PolicyOptions {
  readonly namespaces?: readonly string[]
  /** Those who may announce; by default all members. */
  readonly announcers?: readonly TestMember[]
  readonly rate?: {
    readonly perPeer?: number
    readonly perSigner?: number
    readonly perNamespace?: number
    readonly dailyCap?: number
  }
  /** The tenants of members' keys, by organisation; by default none is named. */
  readonly tenants?: Readonly<Record<string, string>>
  readonly attestations?: Readonly<Record<string, unknown>>
  /** What organisations may do to each other; by default everything. */
  readonly crossOrg?: readonly { readonly from: string; readonly to: string; readonly operations: readonly string[] }[]
  /** The only ones to ask in every namespace. */
  readonly ask?: readonly TestMember[]
  /** What this node says that it runs in. */
  readonly measurement?: string
  /** Of every namespace. */
  readonly quorum?: { readonly k: number; readonly of: readonly TestMember[] }
  readonly organisations?: readonly {
    readonly orgId: string
    readonly threshold: number
    readonly firstPack?: string
    readonly pins?: readonly { readonly packSeq: number; readonly hash: string }[]
  }[]
}

/** What lets all organisations do everything to each other. */
export const EVERYTHING = { from: '*', to: '*', operations: ['*'] }

/** The policy of a node of `self` in which all members belong to every namespace. */
export function policyOf(
  self: TestMember,
  members: readonly TestMember[],
  options: PolicyOptions = {}
): EffectivePolicy {
  const dids = members.map(({ signer }) => signer.did)
  const announcers = (options.announcers ?? members).map(({ signer }) => signer.did)
  const lists = { announce: announcers, serve: dids, request: dids }
  const { quorum } = options
  const tenantOf = (orgId: string): { readonly tenant?: string } => {
    const tenant = options.tenants?.[orgId]
    return tenant === undefined ? {} : { tenant }
  }
  const settings = {
    tenant: 'test',
    members: lists,
    rate: options.rate ?? {},
    attestations: options.attestations ?? {},
    routing: { ask: (options.ask ?? []).map(({ signer }) => signer.did) },
    ...(quorum === undefined ? {} : { quorum: { k: quorum.k, of: quorum.of.map(({ signer }) => signer.did) } })
  }
  const namespaces = Object.fromEntries((options.namespaces ?? [NAMESPACE]).map((name) => [name, settings]))
  const { measurement } = options
  const own = measurement === undefined ? {} : { measurement }
  const node = { did: self.signer.did, orgId: self.orgId, ...own }
  const federation = federationSchema.parse({ v: 1, node, namespaces })
  const peers = peersSchema.parse({
    v: 1,
    peers: members.map(({ orgId, signer }) => ({
      did: signer.did,
      orgId,
      roles: ['announce', 'serve', 'request'],
      keys: [{ kid: signer.kid, publicKey: toBase64url(signer.publicKey), ...tenantOf(orgId) }]
    })),
    crossOrg: { allow: options.crossOrg ?? [EVERYTHING] },
    organisations: options.organisations ?? []
  })
  const { did, kid, publicKey } = self.signer
  const result = effectivePolicy(federation, peers, { did, kid, publicKey, orgId: self.orgId })
  if (!result.ok) throw new Error(JSON.stringify(result.problems))
  return result.policy
}
