import type { LocalRecord, SharedRecord } from '../log/log-reader.ts'
import type { EvidenceIdentity, TimestampAnchorStatus, VerdictCode } from '../timestamps/verdict.ts'
import { verdictOf } from '../timestamps/verdict.ts'
import { claimIn } from './claims.ts'
import { timestampAnchorKey } from './evidence.ts'
import { NO_KEYS } from './projection.ts'
import type { FoldContext, Projection } from './projection.ts'

export type TimestampAnchorRow = EvidenceIdentity & {
  /** One a signer, sorted by signer, each with the smallest of its event ids. */
  readonly announcements: readonly { readonly signer: string; readonly eventId: string }[]
  /** Local: as the newest verdict has it; `unverified` until this node has checked the evidence itself. */
  readonly status: TimestampAnchorStatus
  /** Local: the verdict's code. */
  readonly code: VerdictCode | null
  /** Local: as the verdict has them; `null` unless it is `verified`. */
  readonly provenTime: number | null
  readonly position: number | null
  /** Local: when a decided anchor is looked at once more, milliseconds since 1970; `null`: never. */
  readonly recheckAt: number | null
  /** Local: the digest of the policy that the verdict was made under; `null` before the first verdict. */
  readonly policyDigest: string | null
}

/**
 * The timestamp anchors that were announced, and what this node found out about each. Two that share an evidence id but
 * differ in root or content are two rows, or garbage under a true transaction's id could hide the true one.
 */
export const timestampAnchors: Projection = {
  name: 'timestamp-anchors',
  version: 4,
  layout: {
    key: ['namespace', 'batchId', 'chainId', 'evidenceId', 'owner', null],
    columns: [
      'batchRoot',
      'evidenceHash',
      'announcements',
      'status',
      'code',
      'provenTime',
      'position',
      'recheckAt',
      'policyDigest'
    ]
  },
  dependsOnPolicy: true,
  rowsChangeOften: false,
  namespacePrefix: (namespace) => `${namespace}!`,
  filters: {
    batchId: (row, value) => row['batchId'] === value,
    status: (row, value) => row['status'] === value,
    signer: (row, value) => (row as TimestampAnchorRow).announcements.some(({ signer }) => signer === value),
    fromTs: (row, value) => ((row as TimestampAnchorRow).provenTime ?? -1) >= Number(value),
    toTs: (row, value) => ((row as TimestampAnchorRow).provenTime ?? Infinity) <= Number(value)
  },

  reads(record, policy, trust) {
    if (record.scope === 'local') {
      const verdict = verdictOf(record.event)
      return verdict === null ? NO_KEYS : [timestampAnchorKey(verdict)]
    }
    const claim = claimIn(record, { policy, trust })
    return claim === null ? NO_KEYS : claim.evidence.map(({ key }) => key)
  },

  fold(record, context) {
    if (record.scope === 'local') foldVerdict(record, context)
    else foldAnnounce(record, context)
  },

  shared(row) {
    const { namespace, batchId, chainId, evidenceId, owner, batchRoot, evidenceHash, announcements } =
      row as TimestampAnchorRow
    return { namespace, batchId, chainId, evidenceId, owner, batchRoot, evidenceHash, announcements }
  }
}

const UNVERIFIED = {
  status: 'unverified',
  code: null,
  provenTime: null,
  position: null,
  recheckAt: null,
  policyDigest: null
} as const

/** Evidence is kept and checked whatever the announce counts for: what it is worth is decided in `winners`. */
function foldAnnounce(record: SharedRecord, context: FoldContext): void {
  const { rows } = context
  const claim = claimIn(record, context)
  if (claim === null) return
  for (const { key, identity } of claim.evidence) {
    const before = rows.at(key) as TimestampAnchorRow | undefined
    const announcements = before?.announcements ?? []
    const own = announcements.find(({ signer }) => signer === claim.signer)
    if (own !== undefined && own.eventId <= record.event.id) continue
    const others = announcements.filter(({ signer }) => signer !== claim.signer)
    const sorted = [...others, { signer: claim.signer, eventId: record.event.id }].sort((left, right) =>
      left.signer < right.signer ? -1 : 1
    )
    rows.put(key, { ...(before ?? { ...identity, ...UNVERIFIED }), announcements: sorted })
  }
}

/** A verdict on what nobody has announced (any more, under the policy) says nothing. */
function foldVerdict(record: LocalRecord, { rows }: FoldContext): void {
  const verdict = verdictOf(record.event)
  const key = verdict === null ? null : timestampAnchorKey(verdict)
  const row = key === null ? undefined : rows.at(key)
  if (verdict === null || key === null || row === undefined) return
  const { outcome, code, provenTime, position, recheckAt = null, policyDigest } = verdict
  rows.put(key, { ...row, status: outcome, code, provenTime, position, recheckAt, policyDigest })
}
