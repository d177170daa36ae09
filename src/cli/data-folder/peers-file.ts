import { realpath, stat } from 'node:fs/promises'
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { AnchormeshError } from '../../platform/errors.ts'
import { ROLES, federationSchema, peerSchema, peersSchema } from '../../policy/config-schema.ts'
import type { FederationConfig, PeerConfig, PeersConfig, Role } from '../../policy/config-schema.ts'
import type { EffectivePolicy } from '../../policy/policy.ts'
import { viewPolicy } from '../../policy/policy-view.ts'
import { readYaml } from '../../policy/yaml-reader.ts'
import { parseConfig } from '../../policy/yaml.ts'
import { writeAtomically } from '../../platform/atomic-file.ts'
import { editFederation, editPeers } from './config-edit.ts'
import { neededRules, ruleSentence } from './cross-org-rules.ts'
import type { CrossOrgRule } from './cross-org-rules.ts'
import { openKeystore } from './keystore.ts'
import { checkConfig, configInvalid, readConfigTexts } from './load-config.ts'
import type { ConfigSources, ConfigText } from './load-config.ts'
import { dataPaths } from './paths.ts'

/** Some hundred entries; what `identity` prints is a tenth of one percent of it. */
const BLOCK_CHARS_MAX = 256 * 1024

export interface AddPeerOptions {
  /** Only these namespaces; by default all that `federation.yaml` carries. */
  readonly namespaces?: readonly string[]
}

export interface AddPeerResult {
  /** The DIDs of the block. */
  readonly dids: readonly string[]
  /** Each change as a plain sentence; empty when everything was as the block says already. */
  readonly changes: readonly string[]
}

/**
 * Adds the entries of a block as `anchormesh identity` prints it (one mapping, a list, or a document with `peers:`) to
 * `peers.yaml`, with the rules of `crossOrg` that their roles need, and lists their DIDs in `federation.yaml` under the
 * namespaces for the roles that the block names.
 * Comments stay. Known entries with the same organisation, PeerId and keys get the block's addresses and further
 * roles. Nothing is written unless the whole configuration is valid afterwards.
 *
 * Throws `CONFIG_INVALID`: a block or file with problems (each with its place), this node's own entry, a DID that is
 * there already with another organisation, PeerId or other keys; `NOT_FOUND`: a namespace that is not carried.
 */
export async function addPeer(
  sources: ConfigSources,
  block: ConfigText,
  options: AddPeerOptions = {}
): Promise<AddPeerResult> {
  const entries = parseBlock(block)
  const texts = await readConfigTexts(sources)
  const keystore = await openKeystore(dataPaths(sources.folder).keystore, sources.passphrases)
  const before = await checkConfig(texts, keystore, sources)
  refuseConflicts(entries, before.peers, before.federation, before.peerId)
  const namespaces = chosenNamespaces(before.federation, options.namespaces)

  // What the file itself says, without what the environment puts over it: only that is edited.
  const written = parseConfig(texts.federation.text, texts.federation.file, federationSchema)
  if (!written.ok) throw configInvalid(written.problems)
  const peers = mergePeers(before.peers, entries, before.federation.node)
  const federation = grant(written.value, entries, namespaces)
  const next = {
    peers: { ...texts.peers, text: editPeers(texts.peers.text, peers.changed, peers.rules) },
    federation: { ...texts.federation, text: editFederation(texts.federation.text, federation.grants) }
  }
  await checkConfig(next, keystore, sources)
  refuseOtherChanges(next.peers, peersSchema, peers.config)
  refuseOtherChanges(next.federation, federationSchema, federation.config)

  // In this order, a crash in between leaves a peer without rights, not rights without a peer.
  await writeIfChanged(texts.peers, next.peers)
  await writeIfChanged(texts.federation, next.federation)
  const changes = [...peers.sentences, ...federation.sentences]
  const nothingCarried =
    namespaces.length === 0 ? ['federation.yaml carries no namespace yet, so no right was granted.'] : []
  return {
    dids: entries.map(({ did }) => did),
    changes: changes.length > 0 ? [...changes, ...nothingCarried] : []
  }
}

/** A peer as `peers list` shows it. */
export interface ListedPeer {
  readonly did: string
  readonly orgId: string
  readonly peerId: string | null
  readonly addresses: readonly string[]
  /** The rights that it really has: the role in `peers.yaml` and the DID under the namespace. */
  readonly rights: Readonly<Record<string, readonly Role[]>>
}

/** The entries of `peers.yaml` in the file's order, with the rights that `policy` gives them. */
export function listPeers(peers: PeersConfig, policy: EffectivePolicy): readonly ListedPeer[] {
  const view = viewPolicy(policy)
  return peers.peers.map(({ did, orgId, peerId, addresses }) => ({
    did,
    orgId,
    peerId: peerId ?? null,
    addresses,
    rights: Object.fromEntries(
      Object.keys(policy.namespaces)
        .sort()
        .map((namespace) => [namespace, ROLES.filter((role) => view.hasRole(namespace, did, role))] as const)
        .filter(([, roles]) => roles.length > 0)
    )
  }))
}

/** The three forms that a block may have; which one is told by its outermost shape. */
function parseBlock({ file, text }: ConfigText): readonly PeerConfig[] {
  if (text.length > BLOCK_CHARS_MAX) {
    throw new AnchormeshError('CONFIG_INVALID', `${file} is longer than ${BLOCK_CHARS_MAX} characters`, {
      hint: 'Give what anchormesh identity prints.'
    })
  }
  const { value } = readYaml(text)
  const list = z.array(peerSchema).min(1, 'holds no entry')
  const form = Array.isArray(value)
    ? list
    : typeof value === 'object' && value !== null && Object.hasOwn(value, 'peers')
      ? z.strictObject({ v: z.literal(1).default(1), peers: list }).transform(({ peers }) => peers)
      : peerSchema.transform((entry) => [entry])
  const parsed = parseConfig(text, file, form)
  if (!parsed.ok) throw configInvalid(parsed.problems)
  return parsed.value
}

function refuseConflicts(
  entries: readonly PeerConfig[],
  { peers }: PeersConfig,
  { node }: FederationConfig,
  ownPeerId: string
): void {
  for (const entry of entries) {
    if (entry.did === node.did || entry.peerId === ownPeerId) {
      throw conflict(`${entry.did} is this node's own entry`, 'Give the block that the other node’s identity prints.')
    }
    const known = peers.find(({ did }) => did === entry.did)
    if (known === undefined) continue
    const differs =
      known.orgId !== entry.orgId
        ? 'another orgId'
        : known.peerId !== entry.peerId
          ? 'another peerId'
          : isDeepStrictEqual(keysOf(known), keysOf(entry))
            ? null
            : 'other keys'
    if (differs !== null) {
      throw conflict(
        `${entry.did} is in peers.yaml already, with ${differs}`,
        'Ask its operator, not by the way that the block came, which is right; then edit peers.yaml by hand.'
      )
    }
  }
}

/** A did:key's own key counts whether it is listed or not. */
function keysOf({ did, keys }: PeerConfig): readonly string[] {
  return keys
    .filter(({ kid }) => did !== `did:key:${kid}`)
    .map(({ kid, publicKey, tenant }) => JSON.stringify([kid, publicKey, tenant ?? null]))
    .sort()
}

function conflict(message: string, hint: string): AnchormeshError {
  return new AnchormeshError('CONFIG_INVALID', message, { hint })
}

function chosenNamespaces(federation: FederationConfig, asked: readonly string[] | undefined): readonly string[] {
  const carried = Object.keys(federation.namespaces)
  for (const namespace of asked ?? []) {
    if (!carried.includes(namespace)) {
      throw new AnchormeshError('NOT_FOUND', `federation.yaml carries no namespace ${namespace}`, {
        hint: `It carries: ${carried.join(', ') || 'none'}`
      })
    }
  }
  return asked ?? carried
}

interface MergedPeers {
  readonly config: PeersConfig
  /** New and changed entries as they shall stand in the file. */
  readonly changed: readonly PeerConfig[]
  /** Further rules of `crossOrg`. */
  readonly rules: readonly CrossOrgRule[]
  readonly sentences: readonly string[]
}

function mergePeers(
  config: PeersConfig,
  entries: readonly PeerConfig[],
  self: { readonly did: string; readonly orgId: string }
): MergedPeers {
  const merged = new Map(config.peers.map((peer) => [peer.did, peer]))
  const changed = new Map<string, PeerConfig>()
  const sentences: string[] = []
  for (const entry of entries) {
    const known = merged.get(entry.did)
    const roles = ROLES.filter((role) => known?.roles.includes(role) === true || entry.roles.includes(role))
    const next = known === undefined ? entry : { ...known, addresses: entry.addresses, roles }
    if (known === undefined) sentences.push(`Added ${entry.did} of ${entry.orgId} to peers.yaml.`)
    else {
      if (!isDeepStrictEqual(known.addresses, next.addresses)) sentences.push(`Changed the addresses of ${entry.did}.`)
      const further = roles.filter((role) => !known.roles.includes(role))
      if (further.length > 0) sentences.push(`Gave ${entry.did} the further role ${further.join(', ')} in peers.yaml.`)
      if (further.length === 0 && isDeepStrictEqual(known.addresses, next.addresses)) continue
    }
    merged.set(entry.did, next)
    changed.set(entry.did, next)
  }
  const rules = neededRules(config, entries, self)
  sentences.push(...rules.map(ruleSentence))
  const crossOrg = { allow: [...config.crossOrg.allow, ...rules] }
  const next = { ...config, peers: [...merged.values()], crossOrg }
  return { config: next, changed: [...changed.values()], rules, sentences }
}

interface Granted {
  readonly config: FederationConfig
  readonly grants: readonly { readonly namespace: string; readonly role: Role; readonly did: string }[]
  readonly sentences: readonly string[]
}

function grant(config: FederationConfig, entries: readonly PeerConfig[], namespaces: readonly string[]): Granted {
  const next = structuredClone(config)
  const grants: { namespace: string; role: Role; did: string }[] = []
  const sentences: string[] = []
  for (const namespace of namespaces) {
    const members = next.namespaces[namespace]?.members
    for (const { did, roles } of entries) {
      const missing = roles.filter((role) => members?.[role].includes(did) === false)
      for (const role of missing) {
        members?.[role].push(did)
        grants.push({ namespace, role, did })
      }
      if (missing.length > 0) sentences.push(`Granted ${did} in ${namespace}: ${missing.join(', ')}.`)
    }
  }
  return { config: next, grants, sentences }
}

/** An edit in a file with aliases can change more than was meant; then a person has to do it. */
function refuseOtherChanges<T>({ file, text }: ConfigText, schema: z.ZodType<T>, meant: T): void {
  const parsed = parseConfig(text, file, schema)
  if (parsed.ok && isDeepStrictEqual(parsed.value, meant)) return
  throw conflict(
    `${file} can't be edited without changing more than the new peer`,
    'It uses anchors and aliases (& and *): edit it by hand.'
  )
}

/** The file keeps its permissions, and a link to it stays a link. */
async function writeIfChanged(before: ConfigText, next: ConfigText): Promise<void> {
  if (before.text === next.text) return
  const path = await realpath(next.file)
  const { mode } = await stat(path)
  await writeAtomically(path, next.text, { mode: mode & 0o777 })
}
