import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { Store, StoreSnapshot } from '../log/store.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { BatchRow } from './batches.ts'
import { rowKeyOf } from './batches.ts'
import { batchKeyOf } from './claims.ts'
import type { ProjectionEngine } from './engine.ts'
import { haltedError } from './fold-progress.ts'
import type { Projection } from './projection.ts'
import type { RowEntry } from './rows-of-moment.ts'
import { NOTHING_CHANGED, changedSince, rowsInOrder } from './rows-of-moment.ts'
import type { RootedBatch } from './receipts.ts'
import { decodeRow } from './row-codec.ts'
import { readState, rowsOfState } from './state.ts'
import type { TimestampAnchorRow } from './timestamp-anchors.ts'
import type { WinnerRow } from './winners.ts'

// Evidence that anybody announced for batches of one name: some milliseconds. What stands behind is not looked at, so a
// flood of it can hide why a batch is not proven, but never that it is not.
const ANCHOR_ROWS_LOOKED_MAX = 1_000

/** The projections that a standing is read from. */
const READ = ['winners', 'timestamp-anchors', 'batches'] as const

/** Why a root is not proven by one of its timestamp anchors, the nearest to a proof first. */
const NEAREST_FIRST = ['not-final', 'unverified', 'unreachable', 'invalid', 'refused-by-policy'] as const

/** Every reason that a standing can have. */
export const STANDING_REASONS = [
  'verified',
  'settled',
  'not-announced',
  'other-root-won',
  'no-timestamp-anchor',
  ...NEAREST_FIRST
] as const

/**
 * Why a root is proven or not. Proven: `verified` here, or `settled` by a quorum too. Else, in this order:
 * `not-announced` by its owner; `other-root-won` for the batch; `no-timestamp-anchor` for it; and of its timestamp
 * anchors, the one nearest to a proof: `not-final`, `unverified` so far, `unreachable`, `invalid`, or on a chain that
 * policy does not accept (`refused-by-policy`).
 */
export type StandingReason = (typeof STANDING_REASONS)[number]

/** Whether this node holds a root, and so every receipt under it, for proven. */
export type Standing = {
  readonly standing: 'proven' | 'unproven'
  readonly reason: StandingReason
  /** When the root existed at the latest, by what won: milliseconds since 1970; `null` unless proven. */
  readonly provenTime: number | null
  /** The chain of what won; `null` unless proven. */
  readonly chainId: string | null
}

/** Standings at one moment. */
export interface StandingView {
  /** The position of `winners` at that moment. */
  readonly logSeq: number
  /** The policy there; `null` before the first. */
  policy(): Promise<PolicyView | null>
  /** Read once for each root, however often it is asked for. */
  standingOf(batch: RootedBatch): Promise<Standing>
  /** What decided the batch; `undefined` while nobody announced it. */
  winnerOf(batch: RootedBatch): Promise<WinnerRow | undefined>
  /** Whether the DID announced the root. */
  isAnnouncedBy(batch: RootedBatch, signer: string): Promise<boolean>
}

/**
 * Reads standings from `winners`, `timestamp-anchors` and `batches` as they are at one moment: now (each as far as it
 * has come, `logSeq` is that of `winners`), or exactly at position `at`. Nothing is stored: a verdict must not rewrite
 * a million rows of receipts. Throws `PROJECTION_HALTED`: what is out of date must not be shown as proven;
 * `STATE_OUTDATED` where `at` is older than the journals. The projections must have reached `at`.
 */
export async function viewStandings<Result>(
  engine: ProjectionEngine,
  store: Store,
  at: number | undefined,
  read: (view: StandingView) => Promise<Result>
): Promise<Result> {
  for (const name of READ) {
    const instance = engine.instance(name)
    if (instance.halted !== null) throw haltedError(instance)
  }
  const snapshot = await store.snapshot()
  try {
    const winners = await momentOf(engine, snapshot, 'winners', at)
    const anchors = await momentOf(engine, snapshot, 'timestamp-anchors', at)
    const batches = await momentOf(engine, snapshot, 'batches', at)
    let policy: Promise<PolicyView | null> | undefined
    const policyThere = (): Promise<PolicyView | null> => (policy ??= engine.policyAt(winners.logSeq))
    const winnerOf = async ({ namespace, owner, batchId }: RootedBatch): Promise<WinnerRow | undefined> =>
      (await winners.row(batchKeyOf(namespace, owner, batchId))) as WinnerRow | undefined
    const known = new Map<string, Promise<Standing>>()
    return await read({
      logSeq: winners.logSeq,
      policy: policyThere,
      winnerOf,
      async isAnnouncedBy(batch, did) {
        const row = (await batches.row(rowKeyOf(batch))) as BatchRow | undefined
        return row?.announcements.some(({ signer }) => signer === did) ?? false
      },
      standingOf(batch) {
        const key = rowKeyOf(batch)
        const before = known.get(key)
        if (before !== undefined) return before
        const standing = findStanding(batch, { anchors, batches, winnerOf, policy: policyThere })
        known.set(key, standing)
        return standing
      }
    })
  } finally {
    await snapshot.close()
  }
}

/** Waits until the projections of standings have reached `logSeq`. Throws as `engine.reached`. */
export async function standingsReached(
  engine: ProjectionEngine,
  logSeq: number,
  timeoutMs: number | null
): Promise<void> {
  for (const name of READ) await engine.reached(logSeq, timeoutMs, name)
}

interface Moments {
  readonly anchors: Moment
  readonly batches: Moment
  winnerOf(batch: RootedBatch): Promise<WinnerRow | undefined>
  policy(): Promise<PolicyView | null>
}

async function findStanding(batch: RootedBatch, moments: Moments): Promise<Standing> {
  const row = await moments.winnerOf(batch)
  // Only what its owner announced can win, so the rows of `batches` need not be asked.
  if (row !== undefined && row.batchRoot === batch.batchRoot && row.winner !== null) {
    const { provenTime, chainId } = row.winner
    return { standing: 'proven', reason: row.status === 'settled' ? 'settled' : 'verified', provenTime, chainId }
  }
  const announced = (await moments.batches.row(rowKeyOf(batch))) as BatchRow | undefined
  if (announced === undefined || announced.effect !== null || announced.announcements.length === 0)
    return unproven('not-announced')
  if (row !== undefined && row.winner !== null) return unproven('other-root-won')
  return unproven(await nearestReason(batch, moments))
}

async function nearestReason(batch: RootedBatch, moments: Moments): Promise<StandingReason> {
  const found = new Set<StandingReason>()
  let looked = 0
  for await (const [, row] of moments.anchors.rows(`${batch.namespace}!${batch.batchId}!`)) {
    looked += 1
    if (looked > ANCHOR_ROWS_LOOKED_MAX) break
    const { owner, batchRoot, chainId, status } = row as TimestampAnchorRow
    if (owner !== batch.owner || batchRoot !== batch.batchRoot) continue
    const isListed = (await moments.policy())?.finality(batch.namespace, chainId) !== undefined
    found.add(isListed ? reasonOf(status) : 'refused-by-policy')
  }
  return NEAREST_FIRST.find((reason) => found.has(reason)) ?? 'no-timestamp-anchor'
}

function reasonOf(status: TimestampAnchorRow['status']): StandingReason {
  switch (status) {
    case 'pending':
      return 'not-final'
    // Verified, and yet nothing has won: `winners` is behind, and will show it in a moment.
    case 'verified':
    case 'unverified':
      return 'unverified'
    default:
      return status
  }
}

function unproven(reason: StandingReason): Standing {
  return { standing: 'unproven', reason, provenTime: null, chainId: null }
}

/** The rows of a projection at one moment. */
interface Moment {
  readonly logSeq: number
  row(key: string): Promise<JsonObject | undefined>
  /** In key order. */
  rows(prefix: string): AsyncIterable<RowEntry>
}

async function momentOf(
  engine: ProjectionEngine,
  snapshot: StoreSnapshot,
  name: string,
  at: number | undefined
): Promise<Moment> {
  const { projection } = engine.instance(name)
  const state = await readState(snapshot, projection)
  const changed = at === undefined ? NOTHING_CHANGED : await changedSince(at, state, snapshot, projection)
  const prefix = rowsOfState(name, state)
  return {
    logSeq: at ?? state.cursor,
    async row(key) {
      const before = changed.get(key)
      if (before !== undefined) return before ?? undefined
      return await storedRow(snapshot, projection, prefix, key)
    },
    rows: (keyPrefix) => rowsInOrder(snapshot, projection, prefix, keyPrefix, undefined, changed)
  }
}

async function storedRow(
  snapshot: StoreSnapshot,
  { layout }: Projection,
  prefix: string,
  key: string
): Promise<JsonObject | undefined> {
  const bytes = await snapshot.get(prefix + key)
  return bytes === undefined ? undefined : decodeRow(layout, key, bytes)
}
