import type { BlobStore } from '../log/blob-store.ts'
import type { EventLog } from '../log/event-log.ts'
import type { Store } from '../log/store.ts'
import { BoundedMap } from '../platform/bounded-map.ts'
import type { Clock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'
import { untilAborted } from '../platform/until-aborted.ts'
import type { FinalityRule } from '../policy/config-schema.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { ProjectionEngine } from '../projections/engine.ts'
import { haltedError } from '../projections/fold-progress.ts'
import { decodeRow } from '../projections/row-codec.ts'
import type { TimestampAnchorRow } from '../projections/timestamp-anchors.ts'
import type { RailCounts } from '../timestamps/rails.ts'
import { RailTally } from '../timestamps/rails.ts'
import type { Finding } from '../timestamps/verdict.ts'
import { verdictEvent } from '../timestamps/verdict.ts'
import type { TimestampVerifier, VerifierResult } from '../timestamps/verifier.ts'
import type { Checked, Next } from './check.ts'
import { checkEvidence } from './check.ts'
import { AnnouncedEvidence } from './evidence.ts'
import { LostAnchors } from './lost-anchors.ts'
import { PastPolicies } from './past-policies.ts'
import { RECHECK_MS_MAX, recheckDelay } from './retry-delay.ts'

export const TIMESTAMP_ANCHORS = 'timestamp-anchors'

// A provider that fails in another way each time must not fill the log, which keeps every verdict for ever. Somebody who
// looks into it sees the first changes of a day.
const UNDECIDED_NEWS_MAX = 8
const UNDECIDED_NEWS_MS = 24 * 60 * 60_000
// As many as wait for one verifier, some MiB. What is beyond is looked at every quarter of an hour at the most.
const UNDECIDED_KEPT = 10_000

export interface RowCheckerPorts {
  /** Those that check now. */
  readonly verifiers: () => readonly TimestampVerifier[]
  readonly log: EventLog
  readonly engine: ProjectionEngine
  readonly store: Store
  readonly blobs: Pick<BlobStore, 'getMany'>
  readonly policy: () => PolicyView
  readonly clock: Clock
  readonly logger: Logger
}

/** Who checks a row, by which rule, and from when on (ms since 1970; 0: at once). */
export interface Due {
  readonly verifier: TimestampVerifier
  readonly finality: FinalityRule
  /** Of the policy that says so: what is found is found under this one, even if another is in force by then. */
  readonly policyDigest: string
  readonly at: number
}

/** A row that was checked: as it was before, what was found, and whether that is a new verdict. */
export interface CheckedRow {
  readonly row: TimestampAnchorRow
  readonly finding: Finding
  readonly next: Next
  readonly recorded: boolean
}

/** What verifiers answered since the start, by rail: more than there are verdicts, of which only news are logged. */
export type CheckCounts = RailCounts<VerifierResult['outcome']>

const NO_CHECKS = { valid: 0, invalid: 0, unreachable: 0, notYetFinal: 0 } as const
const RESULTS: Readonly<Record<Finding['outcome'], VerifierResult['outcome']>> = {
  verified: 'valid',
  invalid: 'invalid',
  unreachable: 'unreachable',
  pending: 'notYetFinal'
}

/** Checks rows of `timestamp-anchors`, one at a time each, and logs a verdict where a check finds something new. */
export class RowChecker {
  readonly #ports: RowCheckerPorts
  readonly #signal: AbortSignal
  readonly #past: PastPolicies
  readonly #evidence: AnnouncedEvidence
  /** By key: who wants the same row checked at the same time gets the same answer. */
  readonly #running = new Map<string, Promise<CheckedRow>>()
  /** By key: how often an undecided row was found undecided in another way, and since when (monotonic, ms). */
  readonly #undecided = new BoundedMap<string, { readonly count: number; readonly sinceMs: number }>(UNDECIDED_KEPT)

  readonly #lost = new LostAnchors()
  readonly #checks = new RailTally<VerifierResult['outcome']>(NO_CHECKS)

  /** `signal` calls running checks off; nothing is logged after it. */
  constructor(ports: RowCheckerPorts, signal: AbortSignal) {
    this.#ports = ports
    this.#signal = signal
    this.#past = new PastPolicies(ports.log, ports.policy)
    this.#evidence = new AnnouncedEvidence(ports.log, ports.blobs)
  }

  get counts(): CheckCounts {
    return this.#checks.counts
  }

  /** What the operator should look at: what counted and no longer holds. */
  warnings(): readonly string[] {
    return this.#lost.warnings()
  }

  /** Before the first `due`. */
  async open(): Promise<void> {
    await this.#past.load(this.#ports.log.head.logSeq)
  }

  /** Another policy is in force, and in the log. Call `open` again before the next `due`. */
  policyChanged(): void {
    this.#past.forget()
  }

  /** Who can check the row; `null` where nobody here can, or policy does not list its chain. */
  handled({ namespace, chainId }: TimestampAnchorRow): Omit<Due, 'at'> | null {
    const policy = this.#ports.policy()
    const finality = policy.finality(namespace, chainId)
    const verifier = this.#ports.verifiers().find((candidate) => candidate.handles(chainId))
    if (finality === undefined || verifier === undefined) return null
    return { verifier, finality, policyDigest: policy.policyDigest(namespace) }
  }

  /**
   * When the row is to be checked: at once while it is undecided, or other rules hold than when it was decided; else
   * when its verdict says so. `null`: never.
   */
  due(row: TimestampAnchorRow): Due | null {
    const handled = this.handled(row)
    if (handled === null) return null
    if (!isDecided(row) || this.#past.haveChanged(row)) return { ...handled, at: 0 }
    if (row.recheckAt === null) return null
    // No verdict says so: a clock was ahead when it was made, and what was verified must not stand until then.
    const isBeyond = row.recheckAt > this.#ports.clock.now() + RECHECK_MS_MAX
    return { ...handled, at: isBeyond ? 0 : row.recheckAt }
  }

  /** The row as it is now: what was announced or found since it was last read counts. */
  async read(key: string): Promise<TimestampAnchorRow | undefined> {
    const { engine, store } = this.#ports
    const instance = engine.instance(TIMESTAMP_ANCHORS)
    // Its rows would never show what is found.
    if (instance.halted !== null) throw haltedError(instance)
    const { layout } = instance.projection
    const prefix = instance.rowsPrefix
    const bytes = await store.get(prefix + key)
    if (bytes !== undefined) return decodeRow(layout, key, bytes) as TimestampAnchorRow
    // Either it is gone, or a new fold took the place of the rows meanwhile.
    return prefix === instance.rowsPrefix ? undefined : await this.read(key)
  }

  /** Asks the verifier about the row that was just read. Rejects when the signal aborts, or the store can't be used. */
  async check(key: string, row: TimestampAnchorRow, by: Omit<Due, 'at'>): Promise<CheckedRow> {
    const running = this.#running.get(key)
    if (running !== undefined) return await running
    const check = this.#check(key, row, by).finally(() => this.#running.delete(key))
    this.#running.set(key, check)
    return await check
  }

  async #check(
    key: string,
    row: TimestampAnchorRow,
    { verifier, finality, policyDigest }: Omit<Due, 'at'>
  ): Promise<CheckedRow> {
    const { clock, logger } = this.#ports
    const request = { timestampAnchor: await this.#evidence.announced(row), batchRoot: row.batchRoot, finality }
    const checked = await checkEvidence(verifier, request, { clock, logger }, this.#signal)
    this.#signal.throwIfAborted()
    this.#checks.add(row.chainId, RESULTS[checked.finding.outcome])
    const recorded = this.#isNews(row, checked) && this.#mayRecord(key, row, checked.finding)
    if (recorded) {
      await this.#record(row, checked, policyDigest)
      this.#lost.judged(key, row, checked.finding, this.#ports.policy().self.did)
    }
    return { row, ...checked, recorded }
  }

  #isNews(row: TimestampAnchorRow, { finding, next }: Checked): boolean {
    // A chain that can't be asked says nothing against what it said before. Missing roots are policy's own word; and
    // SPEC WIN-1: a candidate is proven "at that finality", that of today's policy, which nobody has seen yet.
    if (isDecided(row) && finding.outcome === 'unreachable' && finding.code !== 'ROOTS_MISSING')
      return row.status === 'verified' && this.#past.askedForLess(row)
    // Nobody here could ever have checked it, as with a chain that no verifier handles.
    if (row.status === 'unverified' && finding.code === 'ROOTS_MISSING') return false
    if (!isFoundAlready(row, finding)) return true
    if (!isDecided(row)) return false
    // Else a restart would look again at what no longer needs it.
    return this.#past.haveChanged(row) || (row.recheckAt !== null && next.kind === 'never')
  }

  /** Counts what is about to be logged. */
  #mayRecord(key: string, row: TimestampAnchorRow, { outcome }: Finding): boolean {
    if (isDecided(row) || row.status === 'unverified' || outcome === 'verified' || outcome === 'invalid') return true
    const nowMs = this.#ports.clock.monotonicMs()
    const known = this.#undecided.get(key)
    const { count, sinceMs } =
      known === undefined || nowMs - known.sinceMs >= UNDECIDED_NEWS_MS ? { count: 0, sinceMs: nowMs } : known
    if (count >= UNDECIDED_NEWS_MAX) return false
    this.#undecided.set(key, { count: count + 1, sinceMs })
    return true
  }

  async #record(row: TimestampAnchorRow, { finding, next }: Checked, policyDigest: string): Promise<void> {
    const { log, engine, clock } = this.#ports
    const { namespace, batchId, chainId, evidenceId, owner, batchRoot, evidenceHash } = row
    const identity = { namespace, batchId, chainId, evidenceId, owner, batchRoot, evidenceHash }
    const ts = clock.now()
    const event = verdictEvent(ts, {
      ...identity,
      ...finding,
      policyDigest,
      ...(next.kind === 'recheck' ? { recheckAt: ts + recheckDelay(next.afterMs) } : {})
    })
    const [logged] = await log.append([{ scope: 'local', event }])
    // Until the row says so, it would be taken once more.
    await untilAborted(engine.reached(logged?.record.logSeq ?? 0, null, TIMESTAMP_ANCHORS), this.#signal)
  }
}

/** Whether there is a verdict that stands until a chain or policy changes. */
export function isDecided({ status }: TimestampAnchorRow): boolean {
  return status === 'verified' || status === 'invalid'
}

function isFoundAlready(row: TimestampAnchorRow, { outcome, code, provenTime, position }: Finding): boolean {
  return row.status === outcome && row.code === code && row.provenTime === provenTime && row.position === position
}
