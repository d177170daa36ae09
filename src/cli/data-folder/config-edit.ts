import { isMap, isSeq, parseDocument } from 'yaml'
import type { Document, YAMLMap, YAMLSeq } from 'yaml'
import type { JsonValue } from '../../../protocols/canonical-json/v1/json.ts'
import type { PeerConfig, PeersConfig, Role } from '../../policy/config-schema.ts'
import { YAML_STYLE } from './templates.ts'

/**
 * Edits the text of the two configuration files where it must be, so that what a person wrote, comments included,
 * stays. The texts have been validated before.
 */

/**
 * `peers.yaml` with these entries: put at the end where the DID is new, else with their addresses and roles changed; and
 * with these further rules of `crossOrg`.
 */
export function editPeers(
  text: string,
  entries: readonly PeerConfig[],
  rules: readonly PeersConfig['crossOrg']['allow'][number][] = []
): string {
  if (entries.length === 0 && rules.length === 0) return text
  const document = parseDocument(text)
  for (const rule of rules) listAt(document, ['crossOrg', 'allow']).add(document.createNode(rule, { flow: true }))
  if (entries.length === 0) return document.toString(YAML_STYLE)
  const list = listAt(document, ['peers'])
  for (const entry of entries) {
    const known = list.items.find((item): item is YAMLMap => isMap(item) && item.get('did') === entry.did)
    if (known !== undefined) {
      known.set('addresses', document.createNode(entry.addresses))
      known.set('roles', document.createNode(entry.roles, { flow: true }))
      continue
    }
    const node: unknown = document.createNode(shownEntry(entry))
    if (isMap(node)) node.set('roles', document.createNode(entry.roles, { flow: true }))
    list.add(node)
  }
  return document.toString(YAML_STYLE)
}

/** `federation.yaml` with each DID listed under its namespace's role. */
export function editFederation(
  text: string,
  grants: readonly { readonly namespace: string; readonly role: Role; readonly did: string }[]
): string {
  if (grants.length === 0) return text
  const document = parseDocument(text)
  for (const { namespace, role, did } of grants) {
    listAt(document, ['namespaces', namespace, 'members', role]).add(document.createNode(did))
  }
  return document.toString(YAML_STYLE)
}

/** A configuration file with these settings in the place of what stood there. */
export function editSettings(
  text: string,
  settings: readonly { readonly path: readonly string[]; readonly value: JsonValue }[]
): string {
  const document = parseDocument(text)
  for (const { path, value } of settings) document.setIn(path, document.createNode(value))
  return document.toString(YAML_STYLE)
}

/** Keys that say nothing are left out. */
function shownEntry({ certificatePins, peerId, ...entry }: PeerConfig): Partial<PeerConfig> {
  const { did, orgId, ...rest } = entry
  return {
    did,
    orgId,
    ...(peerId === undefined ? {} : { peerId }),
    ...rest,
    ...(certificatePins.length === 0 ? {} : { certificatePins })
  }
}

/** The list at `path`; made where there is none. An empty one is written over several lines from now on. */
function listAt(document: Document, path: readonly (string | number)[]): YAMLSeq {
  const found = document.getIn(path, true)
  if (isSeq(found)) {
    if (found.items.length === 0) found.flow = false
    return found
  }
  const made = document.createNode([]) as YAMLSeq
  // What stands below `peers:` when all of it is commented out.
  const comment = (found as { comment?: string | null } | undefined)?.comment
  if (comment) made.commentBefore = comment
  document.setIn(path, made)
  return made
}

/** `peers.yaml` with a pack pinned: in the place of a pin of the same number, else at the end of its organisation's. */
export function editPins(
  text: string,
  { orgId, packSeq, hash }: { readonly orgId: string; readonly packSeq: number; readonly hash: string }
): string {
  const document = parseDocument(text)
  const organisations = listAt(document, ['organisations'])
  let place = organisations.items.findIndex((item) => isMap(item) && item.get('orgId') === orgId)
  if (place < 0) {
    place = organisations.items.length
    organisations.add(document.createNode({ orgId }))
  }
  const pins = listAt(document, ['organisations', place, 'pins'])
  const known = pins.items.find((item): item is YAMLMap => isMap(item) && item.get('packSeq') === packSeq)
  if (known === undefined) pins.add(document.createNode({ packSeq, hash }))
  else known.set('hash', hash)
  return document.toString(YAML_STYLE)
}
