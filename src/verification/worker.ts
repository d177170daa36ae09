import type { EventLog } from '../log/event-log.ts'
import type { Store } from '../log/store.ts'
import type { Clock } from '../platform/clock.ts'
import { AnchormeshError, messageOf } from '../platform/errors.ts'
import type { Logger } from '../platform/logger.ts'
import type { Random } from '../platform/random.ts'
import { untilAborted } from '../platform/until-aborted.ts'
import type { FinalityRule } from '../policy/config-schema.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import { followChanges } from '../projections/changes.ts'
import { encodeCursor } from '../projections/cursor.ts'
import type { ProjectionEngine } from '../projections/engine.ts'
import { timestampAnchorKey } from '../projections/evidence.ts'
import { PAGE_ROWS_MAX, queryRows } from '../projections/query.ts'
import { decodeRow } from '../projections/row-codec.ts'
import { readState, rowsOfState } from '../projections/state.ts'
import type { TimestampAnchorRow } from '../projections/timestamp-anchors.ts'
import type { Finding } from '../timestamps/verdict.ts'
import { verdictEvent } from '../timestamps/verdict.ts'
import type { TimestampVerifier } from '../timestamps/verifier.ts'
import type { Checked } from './check.ts'
import { announcedAnchor, checkEvidence } from './check.ts'
import { retryDelay } from './retry-delay.ts'

const PROJECTION = 'timestamp-anchors'

// Checks mostly wait for a provider. Eight keep a few providers busy, and leave the processor to ingest when they
// compute.
const CHECKS_AT_ONCE = 8
// Rows that wait for their first check; the projection holds the others, so a few rounds are enough.
const QUEUED_MAX = 64
// Rows that wait for another try, by key: about 4 MiB. Others stay in the projection for the next pass.
const WAITING_MAX = 10_000
// As long as the longest delay between two tries.
const NEXT_PASS_AFTER_MS = 15 * 60_000
// A projection that halted, or a store that can't be read, is not back sooner.
const INTAKE_RETRY_MS = 30_000

export interface VerificationPorts {
  readonly verifiers: readonly TimestampVerifier[]
  readonly log: EventLog
  readonly engine: ProjectionEngine
  readonly store: Store
  readonly policy: () => PolicyView
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/** A row in hand: how often it failed in a row, and while it waits for another try, the way to call that off. */
interface Taken {
  failures: number
  cancel: (() => void) | null
}

/**
 * Checks what `timestamp-anchors` shows as undecided, in the background, and logs what it finds as `verdict`s. The
 * projection is the queue, so a restart goes on where the node stopped; what no verifier handles, and what policy names
 * no finality for, stays unverified. A check that finds what the row says already is not logged again.
 */
export class VerificationWorker {
  readonly #ports: VerificationPorts
  readonly #stop = new AbortController()
  readonly #taken = new Map<string, Taken>()
  readonly #queue: string[] = []
  readonly #running = new Set<Promise<void>>()
  #waiting = 0
  #intake: Promise<void> | null = null
  /** Calls off the wait for the next pass; `null` while every undecided row is in hand. */
  #cancelNextPass: (() => void) | null = null
  #pass = new AbortController()
  #onRoom: () => void = () => {}

  constructor(ports: VerificationPorts) {
    this.#ports = ports
  }

  start(): void {
    this.#intake ??= this.#takeRows()
  }

  /** Calls running checks off and waits for them; nothing is logged after it resolves. */
  async stop(): Promise<void> {
    this.#stop.abort()
    this.#cancelNextPass?.()
    for (const { cancel } of this.#taken.values()) cancel?.()
    await this.#intake
    await Promise.all(this.#running)
  }

  get #signal(): AbortSignal {
    return this.#stop.signal
  }

  async #takeRows(): Promise<void> {
    const { clock, engine, logger } = this.#ports
    while (!this.#signal.aborted && !engine.closed) {
      try {
        await this.#onePass()
      } catch (error) {
        if (this.#signal.aborted) return
        // The projection went far ahead while rows waited for room: all rows are looked at again.
        if (error instanceof AnchormeshError && error.code === 'CURSOR_TOO_OLD') continue
        logger.error({ reason: messageOf(error) }, 'timestamp anchors can not be read; verification is tried again')
        await untilAborted(clock.sleep(INTAKE_RETRY_MS, this.#signal), this.#signal).catch(() => undefined)
      }
    }
  }

  /** All rows, then changes as they come, until something that was left in the projection is due. */
  async #onePass(): Promise<void> {
    const { engine, store, log } = this.#ports
    this.#pass = new AbortController()
    const { cursor: logSeq, generation } = engine.instance(PROJECTION).state
    for (let cursor: string | null | undefined; cursor !== null;) {
      const page = await queryRows(engine, store, log.epoch, PROJECTION, {
        limit: PAGE_ROWS_MAX,
        ...(cursor === undefined ? {} : { cursor })
      })
      for (const row of page.rows) await this.#take(row as TimestampAnchorRow)
      cursor = page.nextCursor
    }
    const cursor = encodeCursor({ kind: 'changes', epoch: log.epoch, projection: PROJECTION, logSeq, generation })
    const signal = AbortSignal.any([this.#signal, this.#pass.signal])
    for await (const update of followChanges(engine, store, log.epoch, PROJECTION, { cursor, signal })) {
      if (update.kind === 'change' && update.row !== null) await this.#take(update.row as TimestampAnchorRow)
    }
  }

  async #take(row: TimestampAnchorRow): Promise<void> {
    this.#signal.throwIfAborted()
    const key = timestampAnchorKey(row)
    if (this.#taken.has(key) || this.#due(row) === null) return
    while (this.#queue.length >= QUEUED_MAX) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#onRoom = resolve
      await untilAborted(promise, this.#signal)
    }
    this.#taken.set(key, { failures: 0, cancel: null })
    this.#enqueue(key)
  }

  /** Who checks the row, and when it is final; `null` for one that is decided or that nobody here can decide. */
  #due(row: TimestampAnchorRow): { readonly verifier: TimestampVerifier; readonly finality: FinalityRule } | null {
    if (row.status === 'verified' || row.status === 'invalid') return null
    const finality = this.#ports.policy().finality(row.namespace, row.chainId)
    const verifier = this.#ports.verifiers.find((candidate) => candidate.handles(row.chainId))
    return finality === undefined || verifier === undefined ? null : { verifier, finality }
  }

  #enqueue(key: string): void {
    this.#queue.push(key)
    this.#fill()
  }

  #fill(): void {
    while (this.#running.size < CHECKS_AT_ONCE && !this.#signal.aborted) {
      const key = this.#queue.shift()
      if (key === undefined) return
      this.#onRoom()
      const check = this.#check(key).finally(() => {
        this.#running.delete(check)
        this.#fill()
      })
      this.#running.add(check)
    }
  }

  async #check(key: string): Promise<void> {
    try {
      const row = await this.#row(key)
      const due = row === undefined ? null : this.#due(row)
      if (row === undefined || due === null) {
        this.#taken.delete(key)
        return
      }
      const { clock, log, logger } = this.#ports
      const { verifier, finality } = due
      const request = { timestampAnchor: await announcedAnchor(row, log), batchRoot: row.batchRoot, finality }
      const checked = await checkEvidence(verifier, request, { clock, logger }, this.#signal)
      await this.#record(row, checked.finding)
      this.#goOn(key, checked.next)
    } catch (error) {
      if (this.#signal.aborted) return
      this.#ports.logger.error(
        { reason: messageOf(error), row: key },
        'a timestamp anchor could not be checked; it is tried again'
      )
      this.#goOn(key, { failed: true, askedMs: 0 })
    }
  }

  /** The row as it is now: what was announced or found since it was taken counts. */
  async #row(key: string): Promise<TimestampAnchorRow | undefined> {
    const { engine, store } = this.#ports
    const snapshot = await store.snapshot()
    try {
      const { projection } = engine.instance(PROJECTION)
      const state = await readState(snapshot, projection)
      const bytes = await snapshot.get(rowsOfState(PROJECTION, state) + key)
      return bytes === undefined ? undefined : (decodeRow(projection.layout, key, bytes) as TimestampAnchorRow)
    } finally {
      await snapshot.close()
    }
  }

  async #record(row: TimestampAnchorRow, finding: Finding): Promise<void> {
    this.#signal.throwIfAborted()
    if (row.status === finding.outcome && row.code === finding.code) return
    const { log, engine, clock, policy } = this.#ports
    const { namespace, batchId, chainId, evidenceId, owner, batchRoot, evidenceHash } = row
    const identity = { namespace, batchId, chainId, evidenceId, owner, batchRoot, evidenceHash }
    const event = verdictEvent(clock.now(), { ...identity, ...finding, policyDigest: policy().policyDigest(namespace) })
    const [logged] = await log.append([{ scope: 'local', event }])
    // Until the row says so, it would be taken once more.
    await untilAborted(engine.reached(logged?.record.logSeq ?? 0, null, PROJECTION), this.#signal)
  }

  #goOn(key: string, next: Checked['next']): void {
    const taken = this.#taken.get(key)
    if (taken === undefined) throw new Error(`${key} is not in hand`)
    if (next === 'never' || this.#waiting >= WAITING_MAX) {
      this.#taken.delete(key)
      if (next !== 'never') this.#lookAgainLater()
      return
    }
    const { clock, random } = this.#ports
    taken.failures = next.failed ? taken.failures + 1 : 0
    this.#waiting += 1
    taken.cancel = clock.after(retryDelay(taken.failures, next.askedMs, random), () => {
      this.#waiting -= 1
      taken.cancel = null
      this.#enqueue(key)
    })
  }

  #lookAgainLater(): void {
    this.#cancelNextPass ??= this.#ports.clock.after(NEXT_PASS_AFTER_MS, () => {
      this.#cancelNextPass = null
      this.#pass.abort()
    })
  }
}
