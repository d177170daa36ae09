import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { LocalRecord, LoggedRecord, SharedRecord } from '../log/log-reader.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { BatchSealed } from './batch-sealed.ts'
import { batchSealedOf } from './batch-sealed.ts'
import { batchKeyOf, claimIn, rootKeyOf } from './claims.ts'
import { NO_KEYS } from './projection.ts'
import type { FoldContext, Projection } from './projection.ts'

/**
 * One signer's announcement of a root: the smallest of its event ids, so that it does not depend on the order of
 * arrival.
 */
type Announcement = {
  readonly signer: string
  readonly eventId: string
  readonly receiptCount: number
  readonly byOwner: boolean
  /** Why it has no effect, or `null`. */
  readonly effect: string | null
}

type BatchRow = {
  readonly namespace: string
  readonly owner: string
  readonly batchId: string
  readonly batchRoot: string
  /** As the owner says it; `null` until the owner announced. */
  readonly receiptCount: number | null
  /** One a signer, sorted by signer: at most as many as the namespace ever had members. */
  readonly announcements: readonly Announcement[]
  /**
   * Why what was announced does not count; `null` when it does (the owner announced it, with the right to) and while
   * nobody announced it.
   */
  readonly effect: 'NOT_OWNER' | 'ROLE_MISSING' | null
  /** Local: how many of its receipts this node holds. */
  readonly receiptsPresent: number
}

/** Every root that was claimed for a batch, who announced it, and whether the claim counts. */
export const batches: Projection = {
  name: 'batches',
  version: 2,
  layout: {
    key: ['namespace', 'owner', 'batchId', 'batchRoot'],
    columns: ['receiptCount', 'announcements', 'effect', 'receiptsPresent']
  },
  dependsOnPolicy: true,
  rowsChangeOften: false,
  namespacePrefix: (namespace) => `${namespace}!`,
  filters: {
    batchId: (row, value) => row['batchId'] === value,
    signer: (row, value) => (row as BatchRow).announcements.some(({ signer }) => signer === value)
  },

  reads: rowKeys,

  fold(record, context) {
    if (record.scope === 'local') foldSealed(record, context)
    else foldAnnounce(record, context)
  },

  shared(row) {
    const { namespace, owner, batchId, batchRoot, receiptCount, announcements } = row as BatchRow
    if (announcements.length === 0) return null
    return {
      namespace,
      owner,
      batchId,
      batchRoot,
      receiptCount,
      announcements: announcements.map(({ signer, eventId }) => ({ signer, eventId }))
    }
  }
}

function rowKeys(record: LoggedRecord, policy: PolicyView): readonly string[] {
  if (record.scope === 'local') {
    const sealed = batchSealedOf(record.event)
    return sealed === null ? NO_KEYS : [sealedKey(sealed)]
  }
  const claim = claimIn(record, policy)
  return claim === null ? NO_KEYS : [claim.rootKey]
}

function sealedKey({ namespace, owner, batchId, batchRoot }: BatchSealed): string {
  return rootKeyOf(batchKeyOf(namespace, owner, batchId), batchRoot)
}

function foldSealed(record: LocalRecord, { rows }: FoldContext): void {
  const sealed = batchSealedOf(record.event)
  if (sealed === null) return
  const { namespace, owner, batchId, batchRoot, leaves } = sealed
  const key = sealedKey(sealed)
  const row = (rows.at(key) as BatchRow | undefined) ?? emptyRow({ namespace, owner, batchId, batchRoot })
  rows.put(key, { ...row, receiptsPresent: row.receiptsPresent + leaves.length })
}

function foldAnnounce(record: SharedRecord, { rows, policy }: FoldContext): void {
  const claim = claimIn(record, policy)
  if (claim === null) return
  const { namespace, owner, byOwner, announce, signer, effect, rootKey: key } = claim
  const { batchId, batchRoot, receiptCount } = announce
  const row = (rows.at(key) as BatchRow | undefined) ?? emptyRow({ namespace, owner, batchId, batchRoot })
  const before = row.announcements.find((announcement) => announcement.signer === signer)
  if (before !== undefined && before.eventId < record.event.id) return
  const announcement: Announcement = { signer, eventId: record.event.id, receiptCount, byOwner, effect }
  const others = row.announcements.filter((other) => other.signer !== signer)
  rows.put(key, withAnnouncements(row, [...others, announcement]))
}

function withAnnouncements(row: BatchRow, announcements: readonly Announcement[]): JsonObject {
  const sorted = announcements.toSorted((left, right) => (left.signer < right.signer ? -1 : 1))
  const owners = sorted.filter(({ byOwner }) => byOwner).sort((left, right) => (left.eventId < right.eventId ? -1 : 1))
  const counts = owners.some(({ effect }) => effect === null)
  return {
    ...row,
    receiptCount: owners[0]?.receiptCount ?? null,
    announcements: sorted,
    effect: counts ? null : owners.length > 0 ? 'ROLE_MISSING' : 'NOT_OWNER'
  }
}

function emptyRow(identity: Pick<BatchRow, 'namespace' | 'owner' | 'batchId' | 'batchRoot'>): BatchRow {
  return { ...identity, receiptCount: null, announcements: [], effect: null, receiptsPresent: 0 }
}
