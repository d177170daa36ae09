import type { JsonValue } from '../../protocols/canonical-json/v1/json.ts'
import { encodeCanonical } from '../../protocols/canonical-json/v1/codec.ts'
import { fromBase64url, toBase64url } from '../../protocols/primitives/bytes.ts'
import { kidOfDidKey, publicKeyOfDidKey } from '../../protocols/signature/v1/did-key.ts'
import { checkPublicKey } from '../../protocols/signature/v1/ed25519.ts'
import type {
  FederationConfig,
  FinalityRule,
  NamespaceConfig,
  OrganisationConfig,
  PeerConfig,
  PeersConfig,
  Role
} from './config-schema.ts'
import { ROLES } from './config-schema.ts'
import { KeyRegister } from './key-register.ts'
import type { PolicyProblem, ProblemPlace } from './problems.ts'
import { sealingRailProblems } from './sealing-rails.ts'

export type { PolicyProblem } from './problems.ts'

/** A public key that configuration binds to a signer: base64url of 32 bytes, checked before it got here. */
export type BoundKey = { readonly kid: string; readonly publicKey: string; readonly tenant?: string }

/** Who signs, and for which organisation. */
export type PolicyMember = { readonly did: string; readonly orgId: string }

/** Who a DID is: its organisation, its PeerId in the mesh, the roles that it may be given and its keys by kid. */
export type PolicyPeer = {
  readonly did: string
  readonly orgId: string
  readonly peerId?: string
  readonly roles: readonly Role[]
  readonly keys: readonly BoundKey[]
}

/**
 * What one namespace allows. Lists of DIDs are sorted. `rate` is in events per minute, `dailyCap` in events per day.
 */
export type NamespacePolicy = {
  readonly tenant: string
  readonly members: Readonly<Record<Role, readonly string[]>>
  readonly finality: Readonly<Record<string, FinalityRule>>
  readonly quorum?: { readonly k: number; readonly of: readonly string[] }
  readonly rate: RateLimits
  readonly attestations: AttestationPolicy
  /** The DIDs that alone are asked for what the namespace lacks, in this order; everybody, if absent. */
  readonly routing?: readonly string[]
}

/** Which measurements an announce may name, sorted; those of a signer that is listed count in the place of all others. */
export type AttestationPolicy = {
  readonly required: boolean
  readonly measurements: readonly string[]
  readonly signers?: Readonly<Record<string, readonly string[]>>
}

export type RateLimits = {
  readonly perPeer: number
  readonly perSigner: number
  readonly perNamespace: number
  readonly dailyCap: number
}

/** What policy pins of an organisation's packs: `pins` are sorted by number. */
export type OrganisationPins = {
  readonly orgId: string
  /** How many signatures its first pack needs. */
  readonly threshold: number
  readonly firstPack?: string
  readonly pins?: readonly { readonly packSeq: number; readonly hash: string }[]
}

/** Certificates of a time-stamping authority, in DER as base64url, sorted. */
export type TsaCertificates = {
  /** What its tokens must lead to. */
  readonly roots: readonly string[]
  /** What may lead there beside the certificates in a token; they are believed no more than those. */
  readonly certificates: readonly string[]
}

/** What a time-stamping authority's tokens are checked against. */
export type TsaPolicy = TsaCertificates & {
  /** The policies (OIDs) that a token may be issued under, sorted; any, if empty. */
  readonly policies: readonly string[]
  /** How far off a token may say that its time can be, in milliseconds; as it likes, if absent. */
  readonly accuracyMsMax?: number
}

/**
 * Everything that decides what an event may do at this node, in one JSON value: it goes whole into the local `policy`
 * event, and folds read policy only there. Addresses, providers and listeners are no part of it. Lists are in a fixed
 * order, so the same configuration gives the same canonical bytes.
 */
export type EffectivePolicy = {
  readonly v: 1
  readonly self: PolicyMember & {
    /** What the announces of this node name as the measurement of its environment. */
    readonly measurement?: string
  }
  readonly namespaces: Readonly<Record<string, NamespacePolicy>>
  /** Sorted by DID, this node included. */
  readonly peers: readonly PolicyPeer[]
  /** Sorted by organisation. */
  readonly organisations: readonly OrganisationPins[]
  readonly crossOrg: readonly { readonly from: string; readonly to: string; readonly operations: readonly string[] }[]
  readonly rails: {
    readonly btc: readonly string[]
    readonly eip155: readonly string[]
    readonly rfc3161: Readonly<Record<string, TsaPolicy>>
  }
}

/** This node as a signer: its DID, its organisation and the key that it signs with now. */
export interface PolicySelf {
  readonly did: string
  readonly orgId: string
  readonly kid: string
  readonly publicKey: Uint8Array
  /** Those that it signed with before: others know it by them, and its organisation's first packs are signed by them. */
  readonly formerKeys?: readonly BoundKey[]
}

export type EffectivePolicyResult =
  | { readonly ok: true; readonly policy: EffectivePolicy }
  | { readonly ok: false; readonly problems: readonly PolicyProblem[] }

/**
 * Puts both files and this node's identity together. This node needs no entry in `peers.yaml`: without one it may take
 * every role that a namespace lists it under; with one (a file shared by all nodes) its entry's roles hold.
 * Problems: an invalid or weak key, one kid for two keys or two tenants in an organisation, a DID or PeerId that
 * occurs twice, a DID under a namespace that nobody is, a signer without any key.
 */
export function effectivePolicy(
  federation: FederationConfig,
  peers: PeersConfig,
  self: PolicySelf,
  certificates: Readonly<Record<string, TsaCertificates>> = {}
): EffectivePolicyResult {
  const problems: PolicyProblem[] = []
  const { measurement } = federation.node
  const known = knownPeers(peers, self, problems)
  const dids = new Set(known.map((peer) => peer.did))
  checkNamespaces(federation, dids, problems)
  const organisations = sortedBy(peers.organisations.map(organisationPins), (organisation) => organisation.orgId)
  checkOrganisations(peers, problems)
  if (problems.length > 0) return { ok: false, problems }
  const namespaces = Object.entries(federation.namespaces).map(
    ([name, config]) => [name, namespacePolicy(config)] as const
  )
  return {
    ok: true,
    policy: {
      v: 1,
      self: { did: self.did, orgId: self.orgId, ...(measurement === undefined ? {} : { measurement }) },
      namespaces: Object.fromEntries(namespaces),
      peers: known,
      organisations,
      crossOrg: sortedBy(
        peers.crossOrg.allow.map((rule) => ({ ...rule, operations: rule.operations.toSorted() })),
        encodeCanonical
      ),
      rails: {
        btc: Object.keys(federation.rails.btc).sort(),
        eip155: Object.keys(federation.rails.eip155).sort(),
        rfc3161: Object.fromEntries(
          Object.entries(federation.rails.rfc3161).map(([tsa, { policies, accuracyMsMax }]) => [
            tsa,
            {
              roots: (certificates[tsa]?.roots ?? []).toSorted(),
              certificates: (certificates[tsa]?.certificates ?? []).toSorted(),
              policies: policies.toSorted(),
              ...(accuracyMsMax === undefined ? {} : { accuracyMsMax })
            }
          ])
        )
      }
    }
  }
}

/**
 * The policy of a `policy` event in this node's own log. It was made by `effectivePolicy`, so it is trusted: what is
 * no policy of this version is a defect and throws.
 */
export function parsePolicy(json: JsonValue): EffectivePolicy {
  const policy = json as Partial<EffectivePolicy> | null
  if (policy?.v !== 1 || policy.namespaces === undefined || !Array.isArray(policy.peers)) {
    throw new TypeError('a policy event in the log holds no policy of version 1')
  }
  return policy as EffectivePolicy
}

function organisationPins({ orgId, threshold, firstPack, pins }: OrganisationConfig): OrganisationPins {
  return {
    orgId,
    threshold,
    ...(firstPack === undefined ? {} : { firstPack }),
    ...(pins.length === 0 ? {} : { pins: pins.toSorted((left, right) => left.packSeq - right.packSeq) })
  }
}

function attestationPolicy({ required, measurements, signers }: NamespaceConfig['attestations']): AttestationPolicy {
  const own = Object.entries(signers).map(([did, allowed]) => [did, allowed.toSorted()] as const)
  return {
    required,
    measurements: measurements.toSorted(),
    ...(own.length === 0 ? {} : { signers: Object.fromEntries(own) })
  }
}

function namespacePolicy(config: NamespaceConfig): NamespacePolicy {
  const { tenant, members, finality, quorum, rate, attestations, routing } = config
  return {
    tenant,
    members: {
      announce: members.announce.toSorted(),
      serve: members.serve.toSorted(),
      request: members.request.toSorted()
    },
    finality,
    ...(quorum === undefined ? {} : { quorum: { k: quorum.k, of: quorum.of.toSorted() } }),
    rate,
    attestations: attestationPolicy(attestations),
    ...(routing.ask.length === 0 ? {} : { routing: routing.ask })
  }
}

function checkOrganisations({ organisations }: PeersConfig, problems: PolicyProblem[]): void {
  organisations.forEach(({ orgId, firstPack, pins }, index) => {
    if (organisations.findIndex((other) => other.orgId === orgId) < index) {
      problems.push(inPeers(['organisations', index, 'orgId'], `names ${orgId} a second time`))
    }
    pins.forEach(({ packSeq, hash }, place) => {
      if (packSeq === 1 && firstPack !== undefined && firstPack !== hash) {
        const path = ['organisations', index, 'pins', place, 'hash']
        problems.push(inPeers(path, `is not the firstPack of ${orgId}`))
      }
      if (pins.findIndex((other) => other.packSeq === packSeq) < place) {
        const path = ['organisations', index, 'pins', place, 'packSeq']
        problems.push(inPeers(path, `pins pack ${packSeq} of ${orgId} a second time`))
      }
    })
  })
}

function checkNamespaces(federation: FederationConfig, dids: ReadonlySet<string>, problems: PolicyProblem[]): void {
  const check = (did: string, path: readonly (string | number)[]): void => {
    if (dids.has(did)) return
    problems.push({ ...inFederation(path, `${did} is neither this node nor in peers.yaml`), code: 'UNKNOWN_DID' })
  }
  const checkDids = (listed: readonly string[], path: readonly (string | number)[]): void => {
    listed.forEach((did, index) => check(did, [...path, index]))
  }
  for (const [name, config] of Object.entries(federation.namespaces)) {
    for (const role of ROLES) checkDids(config.members[role], ['namespaces', name, 'members', role])
    checkDids(config.quorum?.of ?? [], ['namespaces', name, 'quorum', 'of'])
    checkDids(config.routing.ask, ['namespaces', name, 'routing', 'ask'])
    for (const did of Object.keys(config.attestations.signers)) {
      check(did, ['namespaces', name, 'attestations', 'signers', did])
    }
  }
  for (const name of Object.keys(federation.sealing)) {
    if (!Object.hasOwn(federation.namespaces, name)) {
      problems.push(inFederation(['sealing', name], `${name} is not among the namespaces`))
    }
  }
  problems.push(...sealingRailProblems(federation).map(({ path, message }) => inFederation(path, message)))
}

function knownPeers(peers: PeersConfig, self: PolicySelf, problems: PolicyProblem[]): PolicyPeer[] {
  const pinned = new Set(
    peers.organisations
      .filter(({ firstPack, pins }) => firstPack !== undefined || pins.some(({ packSeq }) => packSeq === 1))
      .map(({ orgId }) => orgId)
  )
  const kids = new KeyRegister(problems)
  const known = new Map<string, PolicyPeer>()
  const peerIds = new Set<string>()

  const own = ownKey(self, problems)
  const ownKeys = [own, ...(self.formerKeys ?? []).filter(({ kid }) => kid !== own.kid)]
  for (const key of ownKeys) kids.bind(self.orgId, key, { file: 'federation.yaml', path: ['node', 'did'] })
  peers.peers.forEach((peer, index) => {
    const at = (...rest: (string | number)[]): (string | number)[] => ['peers', index, ...rest]
    if (known.has(peer.did)) problems.push(inPeers(at('did'), `names ${peer.did} a second time`))
    if (peer.peerId !== undefined && peerIds.has(peer.peerId)) {
      problems.push(inPeers(at('peerId'), `${peer.peerId} already belongs to another DID`))
    }
    if (peer.peerId !== undefined) peerIds.add(peer.peerId)
    if (peer.did === self.did && peer.orgId !== self.orgId) {
      problems.push(inPeers(at('orgId'), `is ${peer.orgId}, but this node's own orgId is ${self.orgId}`))
    }
    const keys = peerKeys(peer, index, kids, problems)
    if (peer.did === self.did) keys.push(...ownKeys.filter(({ kid }) => !keys.some((key) => key.kid === kid)))
    if (peer.keys.length === 0 && !peer.did.startsWith('did:key:') && !pinned.has(peer.orgId)) {
      problems.push(inPeers(at('keys'), `names no key of ${peer.did}, so nothing it signs could be verified`))
    }
    known.set(peer.did, {
      did: peer.did,
      orgId: peer.orgId,
      ...(peer.peerId === undefined ? {} : { peerId: peer.peerId }),
      roles: peer.roles.toSorted(),
      keys: sortedBy(keys, ({ kid }) => kid)
    })
  })
  if (!known.has(self.did)) {
    known.set(self.did, {
      did: self.did,
      orgId: self.orgId,
      roles: ROLES.toSorted(),
      keys: sortedBy(ownKeys, ({ kid }) => kid)
    })
  }
  return sortedBy([...known.values()], ({ did }) => did)
}

function ownKey(self: PolicySelf, problems: PolicyProblem[]): BoundKey {
  const fault = keyFault(self.publicKey)
  if (fault !== null) problems.push({ file: 'federation.yaml', path: ['node', 'did'], ...fault })
  return { kid: self.kid, publicKey: toBase64url(self.publicKey) }
}

/** The keys of one entry: those it lists, and for a did:key the one that the DID itself is. */
function peerKeys(peer: PeerConfig, index: number, kids: KeyRegister, problems: PolicyProblem[]): BoundKey[] {
  const keys = new Map<string, BoundKey>()
  if (peer.did.startsWith('did:key:')) {
    const place: ProblemPlace = { file: 'peers.yaml', path: ['peers', index, 'did'] }
    const kid = kidOfDidKey(peer.did)
    const publicKey = publicKeyOfDidKey(peer.did)
    if (kid === null || publicKey === null) {
      problems.push({ ...place, message: 'is not the did:key of an Ed25519 key' })
    } else {
      const own = { kid, publicKey: toBase64url(publicKey) }
      const fault = keyFault(publicKey)
      if (fault !== null) problems.push({ ...place, ...fault })
      else if (kids.bind(peer.orgId, own, place)) keys.set(kid, own)
    }
  }
  peer.keys.forEach((key, keyIndex) => {
    const path = ['peers', index, 'keys', keyIndex]
    const publicKey = fromBase64url(key.publicKey)
    const fault = publicKey === null ? { message: 'is not base64url in its one correct form' } : keyFault(publicKey)
    if (fault !== null) {
      problems.push({ file: 'peers.yaml', path: [...path, 'publicKey'], ...fault })
    } else if (
      peer.keys.findIndex(({ kid, publicKey: bound }) => kid === key.kid && bound === key.publicKey) < keyIndex
    ) {
      problems.push(inPeers([...path, 'kid'], `names ${key.kid} a second time`))
    } else if (kids.bind(peer.orgId, key, { file: 'peers.yaml', path: [...path, 'kid'] })) {
      keys.set(key.kid, key)
      kids.list(peer.orgId, key, { file: 'peers.yaml', path: [...path, key.tenant === undefined ? 'kid' : 'tenant'] })
    }
  })
  return [...keys.values()]
}

function keyFault(publicKey: Uint8Array): { readonly message: string; readonly code: 'KEY_WEAK' } | null {
  const checked = checkPublicKey(publicKey)
  return checked.ok ? null : { message: `is a key that can't be used: ${checked.detail}`, code: checked.code }
}

function inFederation(path: readonly (string | number)[], message: string): PolicyProblem {
  return { file: 'federation.yaml', path, message }
}

function inPeers(path: readonly (string | number)[], message: string): PolicyProblem {
  return { file: 'peers.yaml', path, message }
}

/** By UTF-16 code units, as JCS sorts keys. */
function sortedBy<T>(items: readonly T[], key: (item: T) => string): T[] {
  return items.toSorted((left, right) => (key(left) < key(right) ? -1 : Number(key(left) > key(right))))
}
