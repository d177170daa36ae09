import { toBase64url } from '../../protocols/primitives/bytes.ts'
import { federationSchema, peersSchema } from '../../src/policy/config-schema.ts'
import type { FederationConfig, PeersConfig } from '../../src/policy/config-schema.ts'
import { effectivePolicy } from '../../src/policy/policy.ts'
import type { BoundKey, EffectivePolicy } from '../../src/policy/policy.ts'
import type { Signer } from '../../src/trust/signer.ts'
import type { Scenario } from '../scenario/schema.ts'
import type { CastMember } from './cast.ts'

/** What of a scenario a policy is made of. */
export type PolicyRules = Pick<Scenario, 'namespaces' | 'chains' | 'node'> & {
  readonly ablate?: Pick<Scenario['ablate'], 'bundles'>
  readonly quorum?: { readonly k: number; readonly of: readonly CastMember[] } | undefined
}

/** Settings that a scenario does not have: no limit but those that it names. */
const UNLIMITED = { perNamespace: 10_000_000, dailyCap: 1_000_000_000 }
const SECONDS = 60

/**
 * The members that a policy names. All nodes with the same roster share one policy, but for who they are themselves:
 * with a thousand members it is a megabyte.
 */
export class Roster {
  readonly members: readonly CastMember[]
  readonly #rules: PolicyRules
  readonly #grown = new Map<number, Roster>()
  #shared: EffectivePolicy | null = null

  constructor(members: readonly CastMember[], rules: PolicyRules) {
    this.members = members
    this.#rules = rules
  }

  /** The roster with one more member: always the same one, so that nodes that grow alike go on sharing. */
  with(member: CastMember): Roster {
    if (this.members.includes(member)) return this
    const known = this.#grown.get(member.index)
    if (known !== undefined) return known
    const members = [...this.members, member].sort((left, right) => left.index - right.index)
    const grown = new Roster(members, this.#rules)
    this.#grown.set(member.index, grown)
    return grown
  }

  /** The policy of one of the members. `formerKeys`: those that it signed with before `signer`. */
  policyOf(self: CastMember, signer: Signer, formerKeys: readonly BoundKey[]): EffectivePolicy {
    const { did, orgId } = { ...self.signer, ...self }
    if (formerKeys.length > 0) return this.#make(self, signer, formerKeys)
    const first = this.members[0] ?? self
    this.#shared ??= this.#make(first, first.signer, [])
    return { ...this.#shared, self: { did, orgId } }
  }

  #make(self: CastMember, { did, kid, publicKey }: Signer, formerKeys: readonly BoundKey[]): EffectivePolicy {
    const identity = { did, kid, publicKey, orgId: self.orgId, formerKeys }
    const made = effectivePolicy(this.#federation(self), this.#peers(), identity)
    if (!made.ok) throw new TypeError(`a scenario made no policy: ${JSON.stringify(made.problems)}`)
    return made.policy
  }

  #federation({ signer, orgId }: CastMember): FederationConfig {
    const { namespaces, quorum, node, chains, ablate } = this.#rules
    const known = new Set(this.members)
    const dids = this.members.map((member) => member.signer.did)
    const finality = Object.fromEntries(
      chains.map(({ chainId, finalityDepth }) => [
        chainId,
        chainId.startsWith('rfc3161:') ? {} : { depth: finalityDepth }
      ])
    )
    const named = quorum?.of.filter((member) => known.has(member)).map((member) => member.signer.did) ?? []
    const settings = {
      tenant: 'sim',
      members: { announce: dids, serve: dids, request: ablate?.bundles === true ? [] : dids },
      finality,
      rate: {
        ...(node.perSigner === undefined ? {} : { ...UNLIMITED, perSigner: node.perSigner * SECONDS }),
        ...(node.perPeer === undefined ? {} : { ...UNLIMITED, perPeer: node.perPeer * SECONDS })
      },
      ...(quorum === undefined ? {} : { quorum: { k: quorum.k, of: named } })
    }
    return federationSchema.parse({
      v: 1,
      node: { did: signer.did, orgId },
      namespaces: Object.fromEntries(namespaces.map((name) => [name, settings]))
    })
  }

  #peers(): PeersConfig {
    return peersSchema.parse({
      v: 1,
      peers: this.members.map(({ orgId, signer, peerId }) => ({
        did: signer.did,
        orgId,
        peerId,
        roles: ['announce', 'serve', 'request'],
        keys: [{ kid: signer.kid, publicKey: toBase64url(signer.publicKey) }]
      })),
      crossOrg: { allow: [{ from: '*', to: '*', operations: ['*'] }] }
    })
  }
}
