import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { PolicyPeer } from '../policy/policy.ts'
import { TRUST_NAMESPACE } from '../policy/names.ts'
import type { ReadScope } from '../policy/read-scope.ts'
import { maySee } from '../policy/read-scope.ts'
import type { ProjectionPage, ProjectionQuery } from '../projections/query.ts'
import type { Listing, LogPlace } from './page-query.ts'
import { pageOf, pagePlace } from './page-query.ts'

export const PEERS_LISTING: Listing = { name: 'peers', version: 1, filters: ['namespace', 'signer', 'status'] }

/** What the mesh knows of a peer. */
export interface MeshPeer {
  readonly did: string
  readonly connected: boolean
  readonly connections: readonly string[]
  readonly score?: number
  readonly note?: string
  readonly shutOut?: true
}

/** How syncing a namespace with a peer went last. */
export interface PeerSession {
  readonly did: string
  readonly namespace: string
  readonly last: { readonly at: number; readonly end: string; readonly membershipDiffers: boolean } | null
}

/** What rows of peers are made of. */
export interface PeerSources {
  readonly policy: PolicyView
  /** None without a mesh. */
  readonly peers: readonly MeshPeer[]
  readonly sessions: readonly PeerSession[]
}

/** A row of `peers`. All of it is this node's own view, now. */
type PeerRow = {
  readonly did: string
  readonly orgId: string
  readonly peerId: string | null
  readonly roles: readonly string[]
  /** The namespaces where it is a member, each with the last session over it. */
  readonly namespaces: readonly {
    readonly namespace: string
    readonly lastSync: { readonly at: number; readonly end: string; readonly membershipDiffers: boolean } | null
  }[]
  readonly kids: readonly string[]
  readonly status: 'connected' | 'disconnected'
  readonly isConnected: boolean
  /** Whether its connections are refused for a while, because it sent too much. */
  readonly shutOut: boolean
}

/**
 * One page of the peers that policy names, by DID; this node is none of its own. `signer` filters by the DID, `status`
 * is `connected` or `disconnected`. Readers with limits see the peers of their namespaces, and no addresses. Throws as
 * `pagePlace`.
 */
export function peersPage(
  { policy, peers, sessions }: PeerSources,
  query: ProjectionQuery,
  scope: ReadScope,
  log: LogPlace
): ProjectionPage {
  const { limit, after = '' } = pagePlace(PEERS_LISTING, query, log)
  const { namespace, signer, status } = query
  const inMesh = new Map(peers.map((peer) => [peer.did, peer]))
  const rows: JsonObject[] = []
  for (const peer of policy.policy.peers) {
    if (peer.did <= after || peer.did === policy.self.did) continue
    const seen = policy.namespaces.filter((name) => policy.isMember(name, peer.did) && maySee(scope, name))
    if (scope.namespaces !== null && seen.length === 0) continue
    const row = rowOf(peer, seen, { mesh: inMesh.get(peer.did), sessions, withAddresses: scope.isOperator })
    if (namespace !== undefined && !seen.includes(namespace) && namespace !== TRUST_NAMESPACE) continue
    if ((signer ?? peer.did) !== peer.did || (status ?? row.status) !== row.status) continue
    if (rows.length === limit) return pageOf(PEERS_LISTING, log, rows, String(rows.at(-1)?.['did']))
    rows.push(row)
  }
  return pageOf(PEERS_LISTING, log, rows, null)
}

function rowOf(
  { did, orgId, peerId, roles, keys }: PolicyPeer,
  seen: readonly string[],
  known: {
    readonly mesh: MeshPeer | undefined
    readonly sessions: readonly PeerSession[]
    readonly withAddresses: boolean
  }
): PeerRow & JsonObject {
  const { mesh, sessions, withAddresses } = known
  const isConnected = mesh?.connected ?? false
  return {
    did,
    orgId,
    peerId: peerId ?? null,
    roles,
    namespaces: seen.map((namespace) => {
      const last = sessions.find((session) => session.did === did && session.namespace === namespace)?.last ?? null
      const lastSync = last && { at: last.at, end: last.end, membershipDiffers: last.membershipDiffers }
      return { namespace, lastSync }
    }),
    kids: keys.map(({ kid }) => kid),
    status: isConnected ? 'connected' : 'disconnected',
    isConnected,
    shutOut: mesh?.shutOut ?? false,
    ...(withAddresses
      ? { addresses: mesh?.connections ?? [], note: mesh?.note ?? null, score: mesh?.score ?? null }
      : {})
  }
}
