import type { TimestampAnchor } from '../../protocols/event/v1/announce.ts'
import { evidenceHashOf, evidenceIdOf } from '../../protocols/event/v1/announce.ts'
import type { FoldedClaim } from './claims.ts'
import { claimIn } from './claims.ts'
import { NO_KEYS } from './projection.ts'
import type { Projection } from './projection.ts'

type TimestampAnchorRow = {
  readonly namespace: string
  readonly batchId: string
  readonly chainId: string
  readonly evidenceId: string
  readonly owner: string
  readonly batchRoot: string
  /** Over the whole timestamp anchor, which stands in the events that are named here. */
  readonly evidenceHash: string
  /** One a signer, sorted by signer, each with the smallest of its event ids. */
  readonly announcements: readonly { readonly signer: string; readonly eventId: string }[]
  /** Local: `unverified` until this node has checked the evidence itself. */
  readonly status: 'unverified'
  readonly code: null
}

interface Found {
  readonly key: string
  readonly row: Omit<TimestampAnchorRow, 'announcements' | 'status' | 'code'>
}

/**
 * The timestamp anchors that were announced. Two that share an evidence id but differ in root or content are two rows, or garbage under a
 * true transaction's id could hide the true one.
 */
export const timestampAnchors: Projection = {
  name: 'timestamp-anchors',
  version: 1,
  dependsOnPolicy: true,
  rowsChangeOften: false,
  namespacePrefix: (namespace) => `${namespace}!`,
  filters: {
    batchId: (row, value) => row['batchId'] === value,
    status: (row, value) => row['status'] === value,
    signer: (row, value) => (row as TimestampAnchorRow).announcements.some(({ signer }) => signer === value)
  },

  reads(record, policy) {
    const claim = claimIn(record, policy)
    return claim === null ? NO_KEYS : claim.announce.timestampAnchors.map((timestampAnchor) => find(claim, timestampAnchor).key)
  },

  fold(record, { rows, policy }) {
    const claim = claimIn(record, policy)
    if (claim === null || record.scope === 'local') return
    for (const timestampAnchor of claim.announce.timestampAnchors) {
      const { key, row } = find(claim, timestampAnchor)
      const before = rows.at(key) as TimestampAnchorRow | undefined
      const announcements = before?.announcements ?? []
      const own = announcements.find(({ signer }) => signer === claim.signer)
      if (own !== undefined && own.eventId <= record.event.id) continue
      const others = announcements.filter(({ signer }) => signer !== claim.signer)
      const sorted = [...others, { signer: claim.signer, eventId: record.event.id }].sort((left, right) => (left.signer < right.signer ? -1 : 1))
      rows.put(key, { ...row, announcements: sorted, status: before?.status ?? 'unverified', code: before?.code ?? null })
    }
  },

  shared(row) {
    const { status: _status, code: _code, ...evidence } = row as TimestampAnchorRow
    return evidence
  }
}

const found = new WeakMap<TimestampAnchor, Found>()

/** Hashing the evidence is most of this fold's work; reading ahead and folding share it. */
function find(claim: FoldedClaim, timestampAnchor: TimestampAnchor): Found {
  const known = found.get(timestampAnchor)
  if (known !== undefined && known.row.owner === claim.owner) return known
  const { namespace, owner, announce } = claim
  const row = {
    namespace,
    batchId: announce.batchId,
    chainId: timestampAnchor.chainId,
    evidenceId: evidenceIdOf(timestampAnchor),
    owner,
    batchRoot: announce.batchRoot,
    evidenceHash: evidenceHashOf(timestampAnchor)
  }
  // Half of each hash tells variants apart: nobody finds a second content for 128 given bits.
  const variant = `${row.batchRoot.slice(0, 32)}${row.evidenceHash.slice(0, 32)}`
  const key = `${namespace}!${row.batchId}!${row.chainId}!${row.evidenceId}!${owner}!${variant}`
  const made = { key, row }
  found.set(timestampAnchor, made)
  return made
}
