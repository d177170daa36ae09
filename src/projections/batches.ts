import type { LocalRecord, LoggedRecord, SharedRecord } from '../log/log-reader.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import { BATCH_RECEIPTS_MAX } from './batch-sealed.ts'
import type { ClaimEffect } from './claims.ts'
import { batchKeyOf, claimIn, rootKeyOf } from './claims.ts'
import type { FoldTrust } from './key-effects.ts'
import { NO_KEYS } from './projection.ts'
import type { FoldBasis, FoldContext, Projection } from './projection.ts'
import { forgottenOf, leavesLearnedIn } from './receipt-records.ts'
import type { Forgotten, LeavesLearned } from './receipt-records.ts'
import type { RootedBatch } from './receipts.ts'
import { changeWanted, sumsKey } from './wanted.ts'

/**
 * One signer's announcement of a root: of those that count, else of all, the one with the smallest event id, so that it does not depend on the order of
 * arrival.
 */
type Announcement = {
  readonly signer: string
  readonly eventId: string
  readonly receiptCount: number
  /** The event's own time. */
  readonly ts: number
  readonly byOwner: boolean
  /** Why it has no effect, or `null`. */
  readonly effect: ClaimEffect | null
}

export type BatchRow = RootedBatch & {
  /** As the owner says it; `null` until the owner announced. */
  readonly receiptCount: number | null
  /** One a signer, one that counts if there is any, sorted by signer: at most as many as the namespace ever had members. */
  readonly announcements: readonly Announcement[]
  /**
   * Why what was announced does not count; `null` when it does (the owner announced it, with the right to) and while
   * nobody announced it.
   */
  readonly effect: 'NOT_OWNER' | ClaimEffect | null
  /** Local: how many of its receipts this node holds. */
  readonly receiptsPresent: number
  /** Local: how many it was told to forget. */
  readonly receiptsForgotten: number
  /** Local: of how many leaves it knows the hash: of those, and of those that others had erased. */
  readonly receiptsKnown: number
  /** Local: how many it sealed itself: all, or none. */
  readonly receiptsSealed: number
  /** Local: since when receipts have been missing here, milliseconds since 1970; `null` while none is. */
  readonly missingSince: number | null
}

/**
 * How many receipts of a batch this node lacks: 0 while its owner has not announced the root, for what was sealed here
 * and for what was forgotten.
 */
export function receiptsMissing(row: BatchRow): number {
  const { receiptCount, effect, receiptsSealed, receiptsPresent, receiptsForgotten } = row
  if (receiptCount === null || effect !== null || receiptsSealed > 0 || receiptCount > BATCH_RECEIPTS_MAX) return 0
  return Math.max(0, receiptCount - receiptsPresent - receiptsForgotten)
}

/** Every root that was claimed for a batch, who announced it, and whether the claim counts. */
export const batches: Projection = {
  name: 'batches',
  version: 5,
  layout: {
    key: ['namespace', 'owner', 'batchId', 'batchRoot'],
    columns: [
      'receiptCount',
      'announcements',
      'effect',
      'receiptsPresent',
      'receiptsForgotten',
      'receiptsKnown',
      'receiptsSealed',
      'missingSince'
    ],
    listed: 4
  },
  dependsOnPolicy: true,
  dependsOnTrust: true,
  rowsChangeOften: false,
  namespacePrefix: (namespace) => `${namespace}!`,
  filters: {
    batchId: (row, value) => row['batchId'] === value,
    signer: (row, value) => (row as BatchRow).announcements.some(({ signer }) => signer === value),
    status: (row, value) => statusOf(row as BatchRow) === value,
    fromTs: (row, value) => (announcedAt(row as BatchRow) ?? -1) >= Number(value),
    toTs: (row, value) => (announcedAt(row as BatchRow) ?? Infinity) <= Number(value)
  },

  reads: rowKeys,

  fold(record, context) {
    const { facts } = context
    const unread = namespacesOf(record, context)
      .map(sumsKey)
      .filter((key) => !facts.isAtHand(key))
    if (unread.length === 0) return foldNow(record, context)
    return Promise.all(unread.map((key) => facts.get(key))).then(() => foldNow(record, context))
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

/** What filters call a row's status: `announced`, `unannounced`, or why what was announced does not count. */
function statusOf({ announcements, effect }: BatchRow): string {
  return effect ?? (announcements.length === 0 ? 'unannounced' : 'announced')
}

/** When the root was announced first, by the announcers' own time; `null` where it was not. */
function announcedAt({ announcements }: BatchRow): number | null {
  return announcements.length === 0 ? null : Math.min(...announcements.map(({ ts }) => ts))
}

function rowKeys(record: LoggedRecord, policy: PolicyView, trust: FoldTrust): readonly string[] {
  if (record.scope === 'local') {
    const learned = leavesLearnedIn(record.event)
    if (learned !== null) return [rowKeyOf(learned)]
    return forgottenOf(record.event)?.places.map(rowKeyOf) ?? NO_KEYS
  }
  const claim = claimIn(record, { policy, trust })
  return claim === null ? NO_KEYS : [claim.rootKey]
}

/** Those whose rows the record may change. */
function namespacesOf(record: LoggedRecord, basis: FoldBasis): readonly string[] {
  if (record.scope === 'local') {
    const learned = leavesLearnedIn(record.event)
    if (learned !== null) return [learned.namespace]
    return forgottenOf(record.event)?.places.map(({ namespace }) => namespace) ?? NO_KEYS
  }
  const claim = claimIn(record, basis)
  return claim === null ? NO_KEYS : [claim.namespace]
}

function foldNow(record: LoggedRecord, context: FoldContext): void {
  if (record.scope === 'local') foldLocal(record, context)
  else foldAnnounce(record, context)
}

/** The key of a root's row. */
export function rowKeyOf({ namespace, owner, batchId, batchRoot }: RootedBatch): string {
  return rootKeyOf(batchKeyOf(namespace, owner, batchId), batchRoot)
}

function foldLocal(record: LocalRecord, context: FoldContext): void {
  const learned = leavesLearnedIn(record.event)
  if (learned !== null) foldLearned(learned, record, context)
  const forgotten = forgottenOf(record.event)
  if (forgotten !== null) foldForgotten(forgotten, record, context)
}

function foldLearned(learned: LeavesLearned, record: LocalRecord, context: FoldContext): void {
  const { leaves, erased, forgotten, renewed, sealedHere } = learned
  const key = rowKeyOf(learned)
  const row = (context.rows.at(key) as BatchRow | undefined) ?? emptyRow(learned)
  const after: BatchRow = {
    ...row,
    receiptsPresent: row.receiptsPresent + leaves.length - erased.length - forgotten.length,
    receiptsForgotten: row.receiptsForgotten + forgotten.length,
    receiptsKnown: row.receiptsKnown + leaves.length - renewed.length,
    receiptsSealed: row.receiptsSealed + (sealedHere ? leaves.length : 0)
  }
  putRow(key, row, after, record.record.recordedAt, context)
}

function foldForgotten({ places }: Forgotten, record: LocalRecord, context: FoldContext): void {
  for (const place of places) {
    const key = rowKeyOf(place)
    const row = context.rows.at(key) as BatchRow | undefined
    if (row === undefined) continue
    const receiptsPresent = row.receiptsPresent - (place.was === 'held' ? 1 : 0)
    const after: BatchRow = { ...row, receiptsPresent, receiptsForgotten: row.receiptsForgotten + 1 }
    putRow(key, row, after, record.record.recordedAt, context)
  }
}

/** Writes a row, and keeps the want-list. */
function putRow(key: string, before: BatchRow, changed: BatchRow, recordedAt: number, tables: FoldContext): void {
  const missing = receiptsMissing(changed)
  const since = before.missingSince ?? recordedAt
  tables.rows.put(key, { ...changed, missingSince: missing === 0 ? null : since })
  changeWanted(tables.facts, key, since, { from: receiptsMissing(before), to: missing })
}

function foldAnnounce(record: SharedRecord, context: FoldContext): void {
  const { rows } = context
  const claim = claimIn(record, context)
  if (claim === null) return
  const { namespace, owner, byOwner, announce, signer, effect, rootKey: key } = claim
  const { batchId, batchRoot, receiptCount } = announce
  const row = (rows.at(key) as BatchRow | undefined) ?? emptyRow({ namespace, owner, batchId, batchRoot })
  const before = row.announcements.find((announcement) => announcement.signer === signer)
  const { ts } = record.event.envelope
  const announcement: Announcement = { signer, eventId: record.event.id, receiptCount, ts, byOwner, effect }
  if (before !== undefined && comesBefore(before, announcement)) return
  const others = row.announcements.filter((other) => other.signer !== signer)
  const after = withAnnouncements(row, [...others, announcement])
  putRow(key, row, after, record.record.recordedAt, context)
}

function withAnnouncements(row: BatchRow, announcements: readonly Announcement[]): BatchRow {
  const sorted = announcements.toSorted((left, right) => (left.signer < right.signer ? -1 : 1))
  const [first] = sorted.filter(({ byOwner }) => byOwner).sort((left, right) => (comesBefore(left, right) ? -1 : 1))
  return {
    ...row,
    receiptCount: first?.receiptCount ?? null,
    announcements: sorted,
    effect: first === undefined ? 'NOT_OWNER' : first.effect
  }
}

/** Which of two announcements speaks: one that counts before one that does not, then the smaller event id. */
function comesBefore(one: Announcement, other: Announcement): boolean {
  if ((one.effect === null) !== (other.effect === null)) return one.effect === null
  return one.eventId < other.eventId
}

function emptyRow({ namespace, owner, batchId, batchRoot }: RootedBatch): BatchRow {
  return {
    namespace,
    owner,
    batchId,
    batchRoot,
    receiptCount: null,
    announcements: [],
    effect: null,
    receiptsPresent: 0,
    receiptsForgotten: 0,
    receiptsKnown: 0,
    receiptsSealed: 0,
    missingSince: null
  }
}
