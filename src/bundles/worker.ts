import type { EventLog } from '../log/event-log.ts'
import type { Clock } from '../platform/clock.ts'
import { AnchormeshError, messageOf } from '../platform/errors.ts'
import type { Logger } from '../platform/logger.ts'
import { pause } from '../platform/pause.ts'
import type { BatchRow } from '../projections/batches.ts'
import { receiptsMissing, rowKeyOf } from '../projections/batches.ts'
import { followChanges } from '../projections/changes.ts'
import { encodeCursor } from '../projections/cursor.ts'
import { viewRows } from '../projections/rows-view.ts'
import { wantedBatches } from '../projections/wanted.ts'
import type { AttemptBook } from './attempts.ts'
import { fetchDelay } from './attempts.ts'
import type { BatchFetch, BatchFetchPorts } from './fetch-batch.ts'
import { batchRow, fetchBatch } from './fetch-batch.ts'
import { Wants } from './wants.ts'
import type { Want } from './wants.ts'

const PROJECTION = 'batches'

// A server takes these and one more of one peer. Each holds one page, a few MiB while it is checked.
export const FETCHES_AT_ONCE = 4
// Batches in hand, about 4 MiB; others stay in the projection for the next pass.
const WANTS_MAX = 10_000
// Others heard of the batch in the same moment; they should not all ask its owner at once.
const FIRST_TRY_WITHIN_MS = 1_000
// A peer that comes and goes must not be asked each time.
const RETRY_AT_CONNECT_AFTER_MS = 5_000
const NEXT_PASS_AFTER_MS = 15 * 60_000
// What a whole history announces is mostly not served any more; twenty requests a second find that out without a load.
const AFTER_NOTHING_MS = 200
// Events come first: every announce of a history would be asked for while it is being taken in.
const BUSY_AGAIN_MS = 1_000
// A peer that opens one session after the other would put receipts off for ever; from then on one batch a second begins.
const PUT_OFF_MS_MAX = 60_000
// A projection that halted, or a store that can't be read, is not back sooner.
const INTAKE_RETRY_MS = 30_000

export interface BundleWorkerPorts extends BatchFetchPorts {
  readonly log: EventLog
  readonly attempts: AttemptBook
  readonly clock: Clock
  readonly logger: Logger
  /** Whether the node has more urgent work: it is taking in events by sync. */
  readonly isBusy: () => boolean
  /** Whether this node may ask for receipts of the namespace. */
  readonly mayRequest: (namespace: string) => boolean
}

/**
 * Fetches the receipts that are missing, in the background. The projection `batches` is the want-list: what an announce
 * adds to it is fetched soon, what could not be had is tried again at every server, after ever longer times and whenever
 * one connects.
 */
export class BundleWorker {
  readonly #ports: BundleWorkerPorts
  readonly #stop = new AbortController()
  readonly #wants = new Wants(WANTS_MAX)
  /** By the key of the batch's row: whoever asks for a batch that is being fetched waits for the same. */
  readonly #running = new Map<string, Promise<BatchFetch | null>>()
  readonly #tries = new Set<Promise<void>>()
  #intake: Promise<void> | null = null
  #pass = new AbortController()
  #cancelNextPass: (() => void) | null = null
  /** Until then nothing is begun, on the clock that never goes back. */
  #restsUntilMs = 0
  #cancelRest: (() => void) | null = null
  /** Since when there has been more urgent work, on the same clock; null while there is none. */
  #busySinceMs: number | null = null

  constructor(ports: BundleWorkerPorts) {
    this.#ports = ports
  }

  start(): void {
    this.#intake ??= this.#takeWants()
  }

  /** Calls running fetches off and waits for them; nothing is kept after it resolves. */
  async stop(): Promise<void> {
    this.#stop.abort()
    this.#cancelNextPass?.()
    this.#cancelRest?.()
    for (const [, { cancel }] of this.#wants.entries()) cancel?.()
    await this.#intake
    await Promise.all(this.#tries)
    await Promise.allSettled(this.#running.values())
  }

  /** Another policy is in force: goes through the projection once more, and drops what may not be asked for now. */
  lookAgain(): void {
    for (const [key, want] of Array.from(this.#wants.entries()))
      if (want.state !== 'running' && !this.#ports.mayRequest(namespaceOf(key))) this.#drop(key, want)
    this.#pass.abort()
  }

  /** A peer that serves some of the namespaces connected. */
  serverConnected(serves: (namespace: string) => boolean): void {
    const { clock, random } = this.#ports
    for (const [key, want] of this.#wants.entries()) {
      if ((want.state !== 'waiting' && want.state !== 'no-server') || !serves(namespaceOf(key))) continue
      const spread = random.fraction() * FIRST_TRY_WITHIN_MS
      const rest = want.triedAt === null ? 0 : want.triedAt + RETRY_AT_CONNECT_AFTER_MS - clock.monotonicMs()
      this.#wait(key, want, Math.max(spread, rest))
    }
  }

  /**
   * Fetches a batch now; with others who do, if it is under way. Null where nothing is missing. Rejects where nothing
   * can be kept, or when the worker stops.
   */
  async fetchNow(key: string, onHeld?: (count: number) => void): Promise<BatchFetch | null> {
    const fetched = await this.#shared(key, onHeld)
    const want = this.#wants.get(key)
    if (fetched === null || fetched.missing === 0) {
      if (want !== undefined && want.state !== 'running') this.#drop(key, want)
      await this.#ports.attempts.clear(key)
    }
    return fetched
  }

  #shared(key: string, onHeld?: (count: number) => void): Promise<BatchFetch | null> {
    const running = this.#running.get(key)
    if (running !== undefined) return running
    const fetch = fetchBatch(key, this.#ports, this.#stop.signal, onHeld).finally(() => this.#running.delete(key))
    this.#running.set(key, fetch)
    return fetch
  }

  async #takeWants(): Promise<void> {
    const { clock, engine, logger } = this.#ports
    const { signal } = this.#stop
    while (!signal.aborted && !engine.closed) {
      try {
        await this.#onePass()
      } catch (error) {
        if (signal.aborted) return
        if (error instanceof AnchormeshError && error.code === 'CURSOR_TOO_OLD') continue
        logger.error({ reason: messageOf(error) }, 'the list of missing receipts can not be read; it is tried again')
        await pause(clock, INTAKE_RETRY_MS, signal)
      }
    }
  }

  /** All that is wanted, then changes as they come, until something that was left in the projection is due. */
  async #onePass(): Promise<void> {
    const { engine, store, log } = this.#ports
    this.#pass = new AbortController()
    const { cursor: logSeq, generation } = engine.instance(PROJECTION).state
    const signal = AbortSignal.any([this.#stop.signal, this.#pass.signal])
    await viewRows(engine, store, PROJECTION, async (view) => {
      for await (const { rowKey } of wantedBatches(view)) {
        if (signal.aborted) return
        await this.#take(rowKey)
      }
    })
    await this.#forgetAttempts()
    const cursor = encodeCursor({ kind: 'changes', epoch: log.epoch, projection: PROJECTION, logSeq, generation })
    for await (const update of followChanges(engine, store, log.epoch, PROJECTION, { cursor, signal })) {
      if (update.kind !== 'change' || update.row === null) continue
      const row = update.row as BatchRow
      if (receiptsMissing(row) > 0) await this.#take(rowKeyOf(row))
    }
  }

  /** What is no longer wanted needs no next try. */
  async #forgetAttempts(): Promise<void> {
    const { attempts } = this.#ports
    for await (const key of attempts.keys()) {
      if (this.#wants.get(key) !== undefined) continue
      const row = await batchRow(key, this.#ports)
      if (row === null || receiptsMissing(row) === 0) await attempts.clear(key)
    }
  }

  async #take(key: string): Promise<void> {
    if (this.#wants.get(key) !== undefined || !this.#ports.mayRequest(namespaceOf(key))) return
    if (this.#wants.isFull) this.#lookAgainLater()
    if (this.#wants.isFull && this.#wants.givesWayTo(key) === null) return
    const { attempts, clock, random } = this.#ports
    const before = await attempts.read(key)
    if (this.#stop.signal.aborted || this.#wants.get(key) !== undefined) return
    if (this.#wants.isFull && !this.#makeRoom(key, before === null || before.nextAt <= clock.now())) return
    const want: Want = { failures: before?.failures ?? 0, triedAt: null, cancel: null, state: 'waiting' }
    this.#wants.set(key, want)
    const spread = random.fraction() * FIRST_TRY_WITHIN_MS
    // A clock that was set back must not put it off for ever.
    const rest = before === null ? 0 : Math.min(before.nextAt - clock.now(), fetchDelay(before.failures, random))
    this.#wait(key, want, Math.max(spread, rest))
  }

  /** What gives way is still in the projection, and its next try in the book of attempts. */
  #makeRoom(key: string, isDue: boolean): boolean {
    const given = isDue ? this.#wants.givesWayTo(key) : null
    const want = given === null ? undefined : this.#wants.get(given)
    if (given === null || want === undefined) return false
    this.#drop(given, want)
    return true
  }

  #wait(key: string, want: Want, delayMs: number): void {
    want.cancel?.()
    // A try that ends while the worker stops must leave no timer behind.
    if (this.#stop.signal.aborted) return
    want.state = 'waiting'
    want.cancel = this.#ports.clock.after(delayMs, () => {
      want.cancel = null
      want.state = 'queued'
      this.#wants.enqueue(key)
      this.#fill()
    })
  }

  #fill(): void {
    while (this.#running.size < FETCHES_AT_ONCE && this.#wants.hasQueued && !this.#stop.signal.aborted) {
      if (this.#rests()) return
      const key = this.#wants.dequeue()
      if (key === undefined) return
      const want = this.#wants.get(key)
      if (want === undefined || want.state !== 'queued') continue
      want.state = 'running'
      const trying = this.#try(key, want).finally(() => {
        this.#tries.delete(trying)
        this.#fill()
      })
      this.#tries.add(trying)
    }
  }

  /** Whether nothing may begin now; then it is looked again when that is over. */
  #rests(): boolean {
    const { clock, isBusy } = this.#ports
    const now = clock.monotonicMs()
    this.#busySinceMs = isBusy() ? (this.#busySinceMs ?? now) : null
    const isPutOff = this.#busySinceMs !== null && now - this.#busySinceMs < PUT_OFF_MS_MAX
    const restMs = isPutOff ? BUSY_AGAIN_MS : this.#restsUntilMs - now
    if (restMs <= 0) {
      if (this.#busySinceMs !== null) this.#restsUntilMs = now + BUSY_AGAIN_MS
      return false
    }
    this.#cancelRest ??= clock.after(restMs, () => {
      this.#cancelRest = null
      this.#fill()
    })
    return true
  }

  /** Never rejects. */
  async #try(key: string, want: Want): Promise<void> {
    const { clock, logger, servers, mayRequest } = this.#ports
    const namespace = namespaceOf(key)
    if (!mayRequest(namespace)) {
      this.#drop(key, want)
      return
    }
    if (servers(namespace).length === 0) {
      // Nobody failed: it goes on as soon as one connects.
      want.state = 'no-server'
      return
    }
    try {
      const fetched = await this.#shared(key)
      want.triedAt = clock.monotonicMs()
      if (fetched === null || fetched.missing === 0) {
        await this.#done(key, want)
        return
      }
      if (fetched.held === 0) this.#restsUntilMs = clock.monotonicMs() + AFTER_NOTHING_MS
      else if (fetched.turnOver) want.failures = 0
      if (fetched.asked > 0)
        logger.info({ batch: key, ...fetched }, 'receipts are still missing; they are asked for again')
      await this.#failed(key, want)
    } catch (error) {
      if (this.#stop.signal.aborted) return
      logger.error({ batch: key, reason: messageOf(error) }, 'receipts could not be fetched; it is tried again')
      await this.#failed(key, want)
    }
  }

  async #done(key: string, want: Want): Promise<void> {
    this.#drop(key, want)
    await this.#ports.attempts.clear(key)
    // What an announce or a policy made missing again while it was fetched is not told a second time.
    const row = await batchRow(key, this.#ports)
    if (row !== null && receiptsMissing(row) > 0) await this.#take(key)
  }

  async #failed(key: string, want: Want): Promise<void> {
    const { attempts, clock, logger, random } = this.#ports
    want.failures += 1
    this.#wants.failed(key)
    const delayMs = fetchDelay(want.failures, random)
    this.#wait(key, want, delayMs)
    try {
      await attempts.write(key, { failures: want.failures, nextAt: clock.now() + delayMs })
    } catch (error) {
      logger.error({ batch: key, reason: messageOf(error) }, 'when to fetch receipts again could not be written down')
    }
  }

  #drop(key: string, want: Want): void {
    want.cancel?.()
    this.#wants.delete(key)
  }

  #lookAgainLater(): void {
    this.#cancelNextPass ??= this.#ports.clock.after(NEXT_PASS_AFTER_MS, () => {
      this.#cancelNextPass = null
      this.#pass.abort()
    })
  }
}

function namespaceOf(rowKey: string): string {
  return rowKey.slice(0, rowKey.indexOf('!'))
}
