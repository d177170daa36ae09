import type { LoggedRecord } from '../log/log-reader.ts'
import { messageOf } from '../platform/errors.ts'
import type { Random } from '../platform/random.ts'
import { pause } from '../platform/pause.ts'
import { timestampAnchorKey } from '../projections/evidence.ts'
import { PAGE_ROWS_MAX, queryRows } from '../projections/query.ts'
import type { TimestampAnchorRow } from '../projections/timestamp-anchors.ts'
import type { TimestampVerifier } from '../timestamps/verifier.ts'
import { Lane } from './lane.ts'
import { Pace } from './pace.ts'
import { FLAPS_WITHIN_MS, flapDelay, recheckDelay, retryDelay } from './retry-delay.ts'
import type { CheckedRow, RowChecker, RowCheckerPorts } from './row-checker.ts'
import { TIMESTAMP_ANCHORS, isDecided } from './row-checker.ts'

// As long as the longest delay between two tries.
const NEXT_PASS_AFTER_MS = 15 * 60_000
// A projection that halted, or a store that can't be read, is not back sooner.
const INTAKE_RETRY_MS = 30_000
// Rows are looked at again within this time, so that no timer is set for longer than the platform's can run.
const WAIT_MS_MAX = 24 * 60 * 60_000

export interface WorkerPorts extends RowCheckerPorts {
  readonly random: Random
}

/** A row in hand. */
interface Taken {
  readonly lane: Lane
  /** How often it failed in a row. */
  failures: number
  /** Since when a row that was decided before can't be looked at again (wall clock, ms); else `null`. */
  unconfirmedSince: number | null
  isDecided: boolean
  /** Since when it is in hand without a verdict that stands (monotonic, ms). */
  undecidedMs: number
  /** How often a verdict that had decided it was taken back of late, and when the last time (monotonic, ms). */
  flaps: number
  flappedMs: number
  /** Calls off its next turn, while it waits for that. */
  cancel: (() => void) | null
}

/** What the worker has in hand. */
export interface WorkerStatus {
  /** Rows without a verdict that stands; more may be left in the projection while `isBehind`. */
  readonly undecided: number
  /** Of these, those that wait for another try. */
  readonly waiting: number
  readonly running: number
  /** Decided rows that are looked at once more when their time comes. */
  readonly rechecks: number
  /** Of these, those that could not be looked at when it came, and since when the first (ms since 1970). */
  readonly unconfirmed: number
  readonly unconfirmedSince: number | null
  /** Whether there is more to do than is in hand. */
  readonly isBehind: boolean
}

/** What waits to be checked. */
export interface QueueFigures {
  /** Rows whose turn has come, and for which there is no room among those that are checked. */
  readonly queued: number
  /** For how long the oldest row without a verdict that stands has been in hand, in milliseconds; 0 where there is none. */
  readonly oldestMs: number
}

/**
 * Checks what `timestamp-anchors` shows as undecided, in the background, and looks again at what a chain or a new policy
 * can still change. The projection is the queue, so a restart goes on where the node stopped; what no verifier handles,
 * and what policy names no finality for, stays as it is.
 */
export class VerificationWorker {
  readonly #ports: WorkerPorts
  readonly #checker: RowChecker
  readonly #signal: AbortSignal
  readonly #taken = new Map<string, Taken>()
  readonly #lanes: Lane[]
  readonly #running = new Set<Promise<void>>()
  readonly #pace: Pace
  #intake: Promise<void> | null = null
  #stopListening: () => void = () => {}
  #cancelFill: (() => void) | null = null
  /** When all rows are looked at again; `null` while every one that needs it is in hand. */
  #nextPass: { readonly at: number; readonly cancel: () => void } | null = null
  #pass = new AbortController()

  /** `signal` aborts with the checker's at the latest. */
  constructor(ports: WorkerPorts, checker: RowChecker, signal: AbortSignal) {
    this.#ports = ports
    this.#checker = checker
    this.#signal = signal
    this.#lanes = ports.verifiers().map((verifier) => new Lane(verifier))
    this.#pace = new Pace(ports.clock)
  }

  start(): void {
    if (this.#lanes.length === 0 || this.#intake !== null) return
    this.#stopListening = this.#ports.log.onAppended((records: readonly LoggedRecord[]) => this.#pace.appended(records))
    this.#intake = this.#takeRows()
  }

  /** Resolves when nothing runs any more, after the signal has aborted. */
  async stopped(): Promise<void> {
    this.#stopListening()
    this.#cancelFill?.()
    this.#nextPass?.cancel()
    for (const { cancel } of this.#taken.values()) cancel?.()
    await this.#intake
    await Promise.all(this.#running)
  }

  status(): WorkerStatus {
    const taken = [...this.#taken.values()]
    const undecided = taken.filter((row) => !row.isDecided)
    const unconfirmed = taken.flatMap(({ unconfirmedSince }) => (unconfirmedSince === null ? [] : [unconfirmedSince]))
    return {
      undecided: undecided.length,
      waiting: undecided.filter(({ cancel }) => cancel !== null).length,
      running: this.#running.size,
      rechecks: taken.length - undecided.length,
      unconfirmed: unconfirmed.length,
      unconfirmedSince: unconfirmed.reduce<number | null>((first, at) => Math.min(first ?? at, at), null),
      isBehind: this.#nextPass !== null || this.#lanes.some(({ hasLeftRows }) => hasLeftRows)
    }
  }

  figures(): QueueFigures {
    const nowMs = this.#ports.clock.monotonicMs()
    let sinceMs = nowMs
    for (const { isDecided: isSettled, undecidedMs } of this.#taken.values())
      if (!isSettled && undecidedMs < sinceMs) sinceMs = undecidedMs
    return { queued: this.#lanes.reduce((sum, { queue }) => sum + queue.size, 0), oldestMs: nowMs - sinceMs }
  }

  async #takeRows(): Promise<void> {
    const { clock, engine, logger } = this.#ports
    while (!this.#signal.aborted && !engine.closed) {
      try {
        await this.#checker.open()
        await this.#onePass()
      } catch (error) {
        if (this.#signal.aborted) return
        logger.error({ reason: messageOf(error) }, 'timestamp anchors can not be read; verification is tried again')
        await pause(clock, INTAKE_RETRY_MS, this.#signal)
      }
    }
  }

  /**
   * All rows, and those that folds write as they do, until rows that were left in the projection are due or it was folded
   * anew. To read the changes out of the store again would take more of ingest's time than the checks do.
   */
  async #onePass(): Promise<void> {
    const pass = new AbortController()
    this.#pass = pass
    const stopFollowing = this.#ports.engine.instance(TIMESTAMP_ANCHORS).onRowsPut((rows) => {
      if (rows === null) pass.abort()
      else for (const row of rows) this.#take(row as TimestampAnchorRow)
    })
    try {
      await this.#takeAll()
      await aborted(AbortSignal.any([this.#signal, pass.signal]))
    } finally {
      stopFollowing()
    }
  }

  async #takeAll(): Promise<void> {
    const { engine, store, log } = this.#ports
    for (let cursor: string | null | undefined; cursor !== null;) {
      const page = await queryRows(engine, store, log.epoch, TIMESTAMP_ANCHORS, {
        limit: PAGE_ROWS_MAX,
        ...(cursor === undefined ? {} : { cursor })
      })
      this.#signal.throwIfAborted()
      for (const row of page.rows) this.#take(row as TimestampAnchorRow)
      cursor = page.nextCursor
    }
  }

  #take(row: TimestampAnchorRow): void {
    const key = timestampAnchorKey(row)
    const known = this.#taken.get(key)
    if (known !== undefined) {
      // Somebody else had it checked, and what it waits for is no more to be waited for.
      if (known.isDecided && !isDecided(row)) this.#wake(key, known)
      return
    }
    const due = this.#checker.due(row)
    if (due === null) return
    const lane = this.#laneOf(due.verifier)
    const taken: Taken = {
      lane,
      failures: 0,
      unconfirmedSince: null,
      isDecided: isDecided(row),
      undecidedMs: this.#ports.clock.monotonicMs(),
      flaps: 0,
      flappedMs: 0,
      cancel: null
    }
    const waitMs = due.at - this.#ports.clock.now()
    if (waitMs > 0) return this.#wait(key, taken, waitMs)
    if (lane.isFull) {
      lane.hasLeftRows = true
      return this.#lookAgain(NEXT_PASS_AFTER_MS)
    }
    this.#taken.set(key, taken)
    this.#enqueue(key, lane)
  }

  #laneOf(verifier: TimestampVerifier): Lane {
    const lane = this.#lanes.find((candidate) => candidate.verifier === verifier)
    if (lane === undefined) throw new Error(`there is no lane for ${verifier.name}`)
    return lane
  }

  #enqueue(key: string, lane: Lane): void {
    lane.queue.add(key)
    this.#fill(lane)
  }

  #fill(lane: Lane): void {
    // Its turn comes with that of all lanes.
    if (this.#cancelFill !== null) return
    while (lane.canRun && !this.#signal.aborted) {
      const waitMs = this.#pace.waitMs()
      if (waitMs > 0) return this.#fillLater(waitMs)
      const key = lane.next()
      if (key === undefined) return
      this.#pace.begun()
      lane.running += 1
      const check = this.#check(key).finally(() => {
        lane.running -= 1
        this.#running.delete(check)
        this.#fill(lane)
      })
      this.#running.add(check)
    }
    if (!lane.hasLeftRows || !lane.isHalfEmpty) return
    lane.hasLeftRows = false
    this.#pass.abort()
  }

  #fillLater(waitMs: number): void {
    this.#cancelFill ??= this.#ports.clock.after(waitMs, () => {
      this.#cancelFill = null
      // Each lane comes first in its turn.
      this.#lanes.push(...this.#lanes.splice(0, 1))
      for (const lane of this.#lanes) this.#fill(lane)
    })
  }

  async #check(key: string): Promise<void> {
    const taken = this.#taken.get(key)
    if (taken === undefined) throw new Error(`${key} is not in hand`)
    try {
      const row = await this.#checker.read(key)
      const due = row === undefined ? null : this.#checker.due(row)
      if (row === undefined || due === null) {
        this.#taken.delete(key)
        return
      }
      this.#judged(taken, isDecided(row))
      const waitMs = due.at - this.#ports.clock.now()
      if (waitMs > 0) this.#wait(key, taken, waitMs)
      else {
        const checked = await this.#checker.check(key, row, due)
        // Another worker has the row in hand by now.
        if (!this.#signal.aborted) this.#goOn(key, taken, checked)
      }
    } catch (error) {
      if (this.#signal.aborted) return
      this.#ports.logger.error(
        { reason: messageOf(error), row: key },
        'a timestamp anchor could not be checked; it is tried again'
      )
      this.#retry(key, taken, { failed: true, askedMs: 0 })
    }
  }

  #goOn(key: string, taken: Taken, { row, finding, next, recorded }: CheckedRow): void {
    const isFound = finding.outcome === 'verified' || finding.outcome === 'invalid'
    this.#judged(taken, isFound || (isDecided(row) && !recorded))
    const isUnconfirmed = taken.isDecided && finding.outcome === 'unreachable'
    if (recorded && isDecided(row) && row.status !== finding.outcome) this.#flapped(taken)
    // What is taken back is taken back at once; that it holds again can wait.
    const atLeastMs = finding.outcome === 'verified' ? 0 : flapDelay(taken.flaps)
    taken.unconfirmedSince = isUnconfirmed ? (taken.unconfirmedSince ?? this.#ports.clock.now()) : null
    switch (next.kind) {
      case 'never':
        this.#taken.delete(key)
        return
      case 'retry':
        return this.#retry(key, taken, next, atLeastMs)
      case 'recheck':
        taken.failures = 0
        return this.#wait(key, taken, Math.max(atLeastMs, recheckDelay(next.afterMs)))
    }
  }

  #judged(taken: Taken, isSettled: boolean): void {
    if (taken.isDecided && !isSettled) taken.undecidedMs = this.#ports.clock.monotonicMs()
    taken.isDecided = isSettled
  }

  #flapped(taken: Taken): void {
    const nowMs = this.#ports.clock.monotonicMs()
    taken.flaps = nowMs - taken.flappedMs < FLAPS_WITHIN_MS ? taken.flaps + 1 : 1
    taken.flappedMs = nowMs
  }

  #retry(
    key: string,
    taken: Taken,
    next: { readonly failed: boolean; readonly askedMs: number },
    atLeastMs: number = 0
  ): void {
    taken.failures = next.failed ? taken.failures + 1 : 0
    this.#wait(key, taken, Math.max(atLeastMs, retryDelay(taken.failures, next.askedMs, this.#ports.random)))
  }

  /** Puts the row off. Where too many wait already it is left in the projection, for a later pass to find. */
  #wait(key: string, taken: Taken, waitMs: number): void {
    const { lane } = taken
    if (!lane.canWait) {
      this.#taken.delete(key)
      return this.#lookAgain(Math.max(NEXT_PASS_AFTER_MS, waitMs))
    }
    this.#taken.set(key, taken)
    lane.waiting += 1
    taken.cancel = this.#ports.clock.after(Math.min(WAIT_MS_MAX, waitMs), () => this.#wake(key, taken))
  }

  /** The row's turn comes, if it waits for that. */
  #wake(key: string, taken: Taken): void {
    if (taken.cancel === null) return
    taken.cancel()
    taken.cancel = null
    taken.lane.waiting -= 1
    this.#enqueue(key, taken.lane)
  }

  /** Looks at all rows again, in `afterMs` at the latest. */
  #lookAgain(afterMs: number): void {
    const { clock } = this.#ports
    const at = clock.monotonicMs() + afterMs
    if (this.#nextPass !== null && this.#nextPass.at <= at) return
    this.#nextPass?.cancel()
    const cancel = clock.after(Math.min(WAIT_MS_MAX, afterMs), () => {
      this.#nextPass = null
      this.#pass.abort()
    })
    this.#nextPass = { at, cancel }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
