import { fromBase64url, toBase64url } from '../../protocols/primitives/bytes.ts'
import { checkPublicKey } from '../../protocols/signature/v1/ed25519.ts'
import { publicKeyOfDidKey } from '../../protocols/signature/v1/did-key.ts'
import { storeWriter } from '../log/store-writer.ts'
import type { AuditAction, AuditEntry, CountingTrail } from '../platform/audit.ts'
import type { Clock } from '../platform/clock.ts'
import { AnchormeshError } from '../platform/errors.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { Keyring } from '../trust/keyring.ts'
import { usableKeys } from '../trust/usable-keys.ts'
import type { PartnerKey, PartnerKeys } from './partner-keys.ts'
import type { RegisteredKey } from './registered-nodes.ts'
import { RegisteredNodes } from './registered-nodes.ts'
import type { StandingKey, StandingKeysPorts } from './standing-keys.ts'
import { StandingKeys } from './standing-keys.ts'

export interface PartnerRegistryPorts extends StandingKeysPorts {
  readonly keyring: Keyring
  readonly policy: () => PolicyView
  readonly clock: Clock
  readonly audit: CountingTrail
}

/** What an operator registers. */
export interface NodeRegistration {
  readonly did: string
  readonly kid: string
  /** 32 bytes, base64url. */
  readonly publicKey: string
  /** The tenant in whose key domain the key is; of none, if absent: then it delivers to every namespace. */
  readonly tenant?: string
}

/** Why a key can't be registered, beside what is thrown. */
export type RegistrationRefusal = { readonly ok: false; readonly detail: string }

export type Registration =
  { readonly ok: true; readonly isNew: boolean; readonly registered: RegisteredKey } | RegistrationRefusal

/** What an operator does with the nodes outside the mesh. */
export interface NodeRegister {
  /**
   * Registers a key of a node. Refuses weak keys, and another key than its own for a did:key. Throws `KEY_EXISTS` for
   * another key of the same DID and kid and for a peer of the policy, whose keys come from there; `STORE_FULL`.
   */
  register(node: NodeRegistration): Promise<Registration>
  /** Ends that; `false` where no such key is registered. */
  unregister(did: string, kid: string): Promise<boolean>
  registered(): readonly RegisteredKey[]
}

/**
 * Who may sign requests over HTTP: the peers of the policy, with the keys that they may use now (`usableKeys`), and the
 * nodes that an operator registered. A DID that policy names has no other keys than those: one that its packs revoked
 * must not come back by being registered.
 */
export class PartnerRegistry implements PartnerKeys, NodeRegister {
  readonly #ports: PartnerRegistryPorts
  readonly #nodes: RegisteredNodes
  readonly #standing: StandingKeys
  /** The DIDs of peers by the kids that policy binds, and by their organisation; of the policy that it was made for. */
  #peers: { readonly policy: PolicyView; readonly byKid: Index; readonly byOrganisation: Index } | null = null

  constructor(ports: PartnerRegistryPorts) {
    this.#ports = ports
    const { store, log } = ports
    this.#nodes = new RegisteredNodes({ store, write: storeWriter(store, log) })
    this.#standing = new StandingKeys(ports)
  }

  /** Until it resolves nobody is known. */
  async start(): Promise<void> {
    await this.#standing.start()
    await this.#nodes.load()
  }

  stop(): void {
    this.#standing.stop()
  }

  of(did: string, kid: string): readonly PartnerKey[] {
    const orgId = this.#ports.policy().orgOf(did)
    if (orgId !== undefined) return this.#ofPeer(did, kid, orgId)
    const held = this.#nodes.find(did, kid)
    return held === undefined ? [] : [{ did, kid, key: held.key, tenant: held.registered.tenant }]
  }

  withKid(kid: string): readonly PartnerKey[] {
    const policy = this.#ports.policy()
    const { byKid, byOrganisation } = this.#indexed(policy)
    const organisations = this.#standing.organisationsWith(kid)
    const peers = new Set([
      ...(byKid.get(kid) ?? []),
      ...organisations.flatMap((orgId) => byOrganisation.get(orgId) ?? [])
    ])
    const registered = this.#nodes.withKid(kid).filter(({ registered: { did } }) => policy.orgOf(did) === undefined)
    return [...peers, ...registered.map((held) => held.registered.did)].flatMap((did) => this.of(did, kid))
  }

  knows(did: string): boolean {
    return this.#ports.policy().orgOf(did) !== undefined || this.#nodes.knows(did)
  }

  /** The keys of an organisation as its packs show them, in the order of their kids. */
  standing(orgId: string): readonly StandingKey[] {
    return this.#standing.ofOrganisation(orgId)
  }

  async register(node: NodeRegistration): Promise<Registration> {
    const { did, kid, publicKey, tenant = null } = node
    const bytes = fromBase64url(publicKey) ?? new Uint8Array()
    const checked = checkPublicKey(bytes)
    if (!checked.ok) return { ok: false, detail: `${checked.code}: ${checked.detail}` }
    const own = publicKeyOfDidKey(did)
    if (did.startsWith('did:key:') && (own === null || toBase64url(own) !== publicKey))
      return { ok: false, detail: `SIGNER_MISMATCH: the key is not that of ${did}` }
    const { policy, clock } = this.#ports
    if (policy().orgOf(did) !== undefined)
      throw new AnchormeshError('KEY_EXISTS', `${did} is a peer of the policy, and has its keys from there`, {
        hint: 'Bind the key in peers.yaml, or by an anchor pack of its organisation.'
      })
    const added = await this.#nodes.add({ did, kid, publicKey, tenant, registeredAt: clock.now() })
    if (added.isNew) this.#audited('NODE_REGISTERED', did, { kid, publicKey, tenant })
    return { ok: true, ...added }
  }

  async unregister(did: string, kid: string): Promise<boolean> {
    const removed = await this.#nodes.remove(did, kid)
    if (removed) this.#audited('NODE_REMOVED', did, { kid })
    return removed
  }

  registered(): readonly RegisteredKey[] {
    return this.#nodes.list()
  }

  #audited(action: AuditAction, subject: string, detail: NonNullable<AuditEntry['detail']>): void {
    this.#ports.audit.record({ action, actor: 'operator', subject, outcome: 'ok', code: null, detail })
  }

  #ofPeer(did: string, kid: string, orgId: string): readonly PartnerKey[] {
    const { keyring, policy } = this.#ports
    const found = keyring.find(did, kid, orgId)
    if (!found.ok) return []
    const view = policy()
    const standing = this.#standing.of(orgId, kid)
    const usable = usableKeys({ kid, everBound: found.keys, standing, configured: view.boundKeys(did) })
    const tenant = view.tenantOfKey(orgId, kid) ?? null
    return usable.ok ? usable.keys.map((key) => ({ did, kid, key, tenant })) : []
  }

  #indexed(policy: PolicyView): { readonly byKid: Index; readonly byOrganisation: Index } {
    if (this.#peers?.policy === policy) return this.#peers
    const byKid = new Map<string, string[]>()
    const byOrganisation = new Map<string, string[]>()
    for (const { did, orgId, keys } of policy.policy.peers) {
      for (const { kid } of keys) byKid.set(kid, [...(byKid.get(kid) ?? []), did])
      byOrganisation.set(orgId, [...(byOrganisation.get(orgId) ?? []), did])
    }
    this.#peers = { policy, byKid, byOrganisation }
    return this.#peers
  }
}

type Index = ReadonlyMap<string, readonly string[]>
