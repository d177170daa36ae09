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
  readonly rate?: { readonly perPeer?: number; readonly perSigner?: number; readonly dailyCap?: number }
  /** Of every namespace. */
  readonly quorum?: { readonly k: number; readonly of: readonly TestMember[] }
  readonly organisations?: readonly {
    readonly orgId: string
    readonly threshold: number
    readonly firstPack?: string
    readonly pins?: readonly { readonly packSeq: number; readonly hash: string }[]
  }[]
}

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
  const settings = {
    tenant: 'test',
    members: lists,
    rate: options.rate ?? {},
    ...(quorum === undefined ? {} : { quorum: { k: quorum.k, of: quorum.of.map(({ signer }) => signer.did) } })
  }
  const namespaces = Object.fromEntries((options.namespaces ?? [NAMESPACE]).map((name) => [name, settings]))
  const federation = federationSchema.parse({ v: 1, node: { did: self.signer.did, orgId: self.orgId }, namespaces })
  const peers = peersSchema.parse({
    v: 1,
    peers: members.map(({ orgId, signer }) => ({
      did: signer.did,
      orgId,
      roles: ['announce', 'serve', 'request'],
      keys: [{ kid: signer.kid, publicKey: toBase64url(signer.publicKey) }]
    })),
    organisations: options.organisations ?? []
  })
  const { did, kid, publicKey } = self.signer
  const result = effectivePolicy(federation, peers, { did, kid, publicKey, orgId: self.orgId })
  if (!result.ok) throw new Error(JSON.stringify(result.problems))
  return result.policy
}
