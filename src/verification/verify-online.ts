import { parseRecord } from '../log/log-reader.ts'
import type { LogReader } from '../log/log-reader.ts'
import type { ProjectionEngine } from '../projections/engine.ts'
import type { Store } from '../log/store.ts'
import { timestampAnchorKey } from '../projections/evidence.ts'
import { PAGE_ROWS_MAX, queryRows } from '../projections/query.ts'
import type { TimestampAnchorRow } from '../projections/timestamp-anchors.ts'
import { RAILS, railOf } from '../timestamps/rails.ts'
import type { Rail } from '../timestamps/rails.ts'
import type { Finding, TimestampAnchorStatus, VerdictCode } from '../timestamps/verdict.ts'
import type { CheckedRow, RowChecker } from './row-checker.ts'
import { TIMESTAMP_ANCHORS } from './row-checker.ts'

// As many as the worker asks of one verifier; the operator who waits for the answer has the worker beside it.
const CHECKS_AT_ONCE = 8
// What one answer lists: a person reads the first of them, and each has some 500 bytes.
const LOST_LISTED_MAX = 1_000

export interface OnlineQuery {
  readonly namespace?: string
  /** Only what was announced then or later: the `ts` of an announcing event, milliseconds since 1970. */
  readonly since?: number
}

/** What the anchors of one rail came to. */
export interface RailVerification {
  readonly rail: Rail
  /** Those that were checked: the sum of the four outcomes. */
  readonly checked: number
  readonly verified: number
  readonly pending: number
  readonly invalid: number
  readonly unreachable: number
  /** Nobody here checks their chain, or policy does not list it. */
  readonly notChecked: number
  /** Those that have another verdict now than before. */
  readonly changed: number
}

/** A timestamp anchor that was verified before and is not now. */
export interface LostAnchor {
  readonly namespace: string
  readonly owner: string
  readonly batchId: string
  readonly chainId: string
  readonly evidenceId: string
  readonly outcome: Exclude<TimestampAnchorStatus, 'verified' | 'unverified'>
  readonly code: VerdictCode | null
  readonly detail: string | null
}

export interface OnlineVerification {
  readonly rails: readonly RailVerification[]
  /** What counted and no longer holds, strongest rail first; at most 1,000 are listed. */
  readonly lost: readonly LostAnchor[]
  readonly lostCount: number
  /** What counts and could not be checked now: nobody answered, or nobody here checks its chain. It counts on. */
  readonly unconfirmed: number
}

export interface OnlinePorts {
  readonly engine: ProjectionEngine
  readonly store: Store
  readonly log: LogReader & { readonly epoch: string; readonly head: { readonly logSeq: number } }
  readonly checker: RowChecker
  /** Whether policy lists the row's chain. */
  readonly isListed: (row: TimestampAnchorRow) => boolean
}

/**
 * Checks every timestamp anchor that was announced, decided or not, against the live verifiers, and logs verdicts that
 * differ as the worker does. `onProgress` hears of each anchor that is done with, and of how many there are.
 */
export async function verifyOnline(
  query: OnlineQuery,
  { engine, store, log, checker, isListed }: OnlinePorts,
  onProgress: (done: number, total: number) => void
): Promise<OnlineVerification> {
  await engine.reached(log.head.logSeq, null, TIMESTAMP_ANCHORS)
  await checker.open()
  const rows = (): AsyncGenerator<TimestampAnchorRow> => rowsOf(query, { engine, store, log })
  let total = 0
  for await (const _row of rows()) total += 1
  const tally = new Tally()
  const running = new Set<Promise<void>>()
  let done = 0
  let failure: { readonly error: unknown } | null = null
  const verify = async (key: string): Promise<void> => {
    // As it is now: the worker goes on meanwhile.
    const row = await checker.read(key)
    const by = row === undefined ? null : checker.handled(row)
    if (row !== undefined && by !== null) tally.checked(await checker.check(key, row, by))
    else if (row !== undefined) tally.notChecked(row, isListed(row))
    done += 1
    onProgress(done, Math.max(done, total))
  }
  for await (const row of rows()) {
    const check = verify(timestampAnchorKey(row))
      .catch((error: unknown) => void (failure ??= { error }))
      .finally(() => running.delete(check))
    running.add(check)
    if (running.size >= CHECKS_AT_ONCE) await Promise.race(running)
    if (failure !== null) break
  }
  await Promise.all(running)
  if (failure !== null) throw (failure as { readonly error: unknown }).error
  return tally.result()
}

async function* rowsOf(
  { namespace, since }: OnlineQuery,
  { engine, store, log }: Pick<OnlinePorts, 'engine' | 'store' | 'log'>
): AsyncGenerator<TimestampAnchorRow> {
  for (let cursor: string | null | undefined; cursor !== null;) {
    const page = await queryRows(engine, store, log.epoch, TIMESTAMP_ANCHORS, {
      limit: PAGE_ROWS_MAX,
      ...(namespace === undefined ? {} : { namespace }),
      ...(cursor === undefined ? {} : { cursor })
    })
    for (const row of page.rows as readonly TimestampAnchorRow[])
      if (since === undefined || (await isAnnouncedSince(row, since, log))) yield row
    cursor = page.nextCursor
  }
}

async function isAnnouncedSince(
  { announcements }: TimestampAnchorRow,
  since: number,
  log: LogReader
): Promise<boolean> {
  for (const position of await log.findMany(announcements.map(({ eventId }) => eventId))) {
    const record = position === undefined ? undefined : await log.read(position.logSeq)
    const logged = record === undefined ? undefined : parseRecord(record)
    if (logged?.scope === 'shared' && logged.event.envelope.ts >= since) return true
  }
  return false
}

class Tally {
  readonly #rails = new Map<Rail, { -readonly [Name in keyof RailVerification]: RailVerification[Name] }>()
  readonly #lost = new Map<Rail, LostAnchor[]>()
  #lostCount = 0
  #unconfirmed = 0

  notChecked(row: TimestampAnchorRow, isListed: boolean): void {
    this.#railOf(row).notChecked += 1
    if (row.status === 'verified' && isListed) this.#unconfirmed += 1
  }

  checked({ row, finding, recorded }: CheckedRow): void {
    const rail = this.#railOf(row)
    const { outcome, code } = finding
    // Without roots nobody here can check it, as on a chain that no verifier handles.
    if (row.status !== 'verified' && code === 'ROOTS_MISSING') {
      rail.notChecked += 1
      return
    }
    rail.checked += 1
    rail[outcome] += 1
    if (recorded && (row.status !== outcome || row.code !== code)) rail.changed += 1
    if (row.status !== 'verified' || outcome === 'verified') return
    if (recorded) this.#addLost(rail.rail, row, finding)
    else this.#unconfirmed += 1
  }

  result(): OnlineVerification {
    return {
      rails: RAILS.flatMap((rail) => this.#rails.get(rail) ?? []),
      lost: RAILS.flatMap((rail) => this.#lost.get(rail) ?? []).slice(0, LOST_LISTED_MAX),
      lostCount: this.#lostCount,
      unconfirmed: this.#unconfirmed
    }
  }

  #addLost(rail: Rail, { namespace, owner, batchId, chainId, evidenceId }: TimestampAnchorRow, finding: Finding): void {
    const { outcome, code } = finding
    if (outcome === 'verified') return
    this.#lostCount += 1
    const listed = this.#lost.get(rail) ?? []
    this.#lost.set(rail, listed)
    if (listed.length >= LOST_LISTED_MAX) return
    listed.push({ namespace, owner, batchId, chainId, evidenceId, outcome, code, detail: detailOf(finding) })
  }

  #railOf({ chainId }: TimestampAnchorRow): { -readonly [Name in keyof RailVerification]: RailVerification[Name] } {
    const rail = railOf(chainId)
    const known = this.#rails.get(rail)
    if (known !== undefined) return known
    const empty = { rail, checked: 0, verified: 0, pending: 0, invalid: 0, unreachable: 0, notChecked: 0, changed: 0 }
    this.#rails.set(rail, empty)
    return empty
  }
}

function detailOf({ outcome, evidence }: Finding): string | null {
  const { detail, depth, needed } = evidence
  if (typeof detail === 'string') return detail
  return outcome === 'pending' && typeof depth === 'number' && typeof needed === 'number'
    ? `${depth} of ${needed} blocks deep`
    : null
}
