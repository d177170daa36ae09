import type { AuditBase, AuditRecord } from '../../protocols/audit/v1/record.ts'
import { sealAuditRecord } from '../../protocols/audit/v1/record.ts'
import { toHex } from '../../protocols/primitives/bytes.ts'
import type { EventLog } from '../log/event-log.ts'
import { auditRecordKey } from '../log/keys.ts'
import { isStoreUnavailable } from '../log/level-store.ts'
import { StoreHealth } from '../log/store-health.ts'
import type { Store, WriteOperation } from '../log/store.ts'
import type { AuditEntry, AuditTrail } from '../platform/audit.ts'
import type { Clock } from '../platform/clock.ts'
import { AnchormeshError, messageOf } from '../platform/errors.ts'
import type { Logger } from '../platform/logger.ts'
import type { Random } from '../platform/random.ts'
import type { AuditContent } from './content.ts'
import { contentOf } from './content.ts'
import { GROUP_RECORDS_MAX, QUEUED_RECORDS_MAX, RETENTION_EVERY_MS, RETRY_AFTER_MS } from './limits.ts'
import { LostRecords } from './lost-records.ts'
import type { OpenedAudit } from './open.ts'
import { openAudit } from './open.ts'
import type { Retention } from './retention.ts'
import { retire } from './retention.ts'
import { putBase, putHead, readHead } from './stored.ts'
import type { AuditHead } from './stored.ts'

const REQUEST_ID_BYTES = 8

/** What the audit log is built on. */
export interface AuditLogPorts {
  readonly store: Store
  /** The log in the same store: after a write that failed it opens the store anew. */
  readonly log: Pick<EventLog, 'recover' | 'writeFailed'>
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly retention: Retention
}

/** How the audit log is. */
export interface AuditLogStatus {
  readonly records: number
  /** When the first and the last record that are kept were recorded; null where there is none. */
  readonly oldest: number | null
  readonly newest: number | null
  /** What waits to be written. */
  readonly queue: number
  /** Records whose detail was lost since the start, because too many waited. */
  readonly lost: number
  /** Why nothing can be written, or null. */
  readonly fault: string | null
  /** What was found to be wrong when the log was opened, or null. */
  readonly damage: string | null
}

interface Waiter {
  /** Resolves once so many entries are written. */
  readonly upTo: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * The audit trail of a node, in its store (protocols/audit/v1). Records that come at the same time share one synced
 * batch. While the store can't be written they wait; what finds the queue full is counted, and the count is a record.
 */
export class AuditLog implements AuditTrail {
  readonly #ports: AuditLogPorts
  readonly #health: StoreHealth
  readonly #queue: AuditContent[] = []
  readonly #lost = new LostRecords()
  readonly #listeners = new Set<() => void>()
  readonly #damage: string | null
  #waiters: Waiter[] = []
  #head: AuditHead
  #base: AuditBase
  #oldest: number | null
  #newest: number | null
  /** Entries that were queued, and entries that were written, since the start. */
  #queued = 0
  #written = 0
  /** What a write that failed may have left in the store all the same. */
  #unsure: { readonly head: AuditHead; readonly count: number } | null = null
  #fault: string | null = null
  #writing: Promise<void> | null = null
  #cancelRetry: (() => void) | null = null
  #cancelRetention: (() => void) | null = null
  #retentionDue = true
  /** Whether it takes nothing more, and whether all that it took is written or given up. */
  #closed = false
  #ended = false

  private constructor(opened: OpenedAudit, ports: AuditLogPorts) {
    this.#ports = ports
    this.#health = new StoreHealth(ports.store, ports.clock)
    this.#head = opened.head
    this.#base = opened.base
    this.#oldest = opened.oldest
    this.#newest = opened.newest
    this.#damage = opened.damage
  }

  /**
   * Opens the audit log of a store. Damage does not keep a node from opening: it is told in `status`, and recorded. The
   * chain goes on behind what is known of it.
   */
  static async open(ports: AuditLogPorts): Promise<AuditLog> {
    const opened = await openAudit(ports.store)
    const log = new AuditLog(opened, ports)
    if (opened.damage !== null) {
      ports.logger.error({ problem: opened.damage }, 'the audit log is damaged: anchormesh audit --verify')
      const detail = { problem: opened.damage }
      log.record({ action: 'AUDIT_DAMAGED', actor: 'node', subject: 'audit', outcome: 'failed', code: null, detail })
    }
    log.#retainLater()
    log.#write()
    return log
  }

  /** The last record that is durable. */
  get head(): AuditHead {
    return this.#head
  }

  /** The last record that was dropped. */
  get base(): AuditBase {
    return this.#base
  }

  /** Whether there will be no more records. */
  get closed(): boolean {
    return this.#ended
  }

  status(): AuditLogStatus {
    return {
      records: Math.max(0, this.#head.seq - this.#base.seq),
      oldest: this.#oldest,
      newest: this.#newest,
      queue: this.#queue.length,
      lost: this.#lost.total,
      fault: this.#fault,
      damage: this.#damage
    }
  }

  record(entry: AuditEntry): void {
    const { clock, random, logger } = this.#ports
    if (this.#closed) {
      logger.error(
        { action: entry.action, subject: entry.subject },
        'the audit log is closed: there is no record of this'
      )
      return
    }
    const at = clock.now()
    if (this.#queue.length >= QUEUED_RECORDS_MAX) {
      this.#lost.note(entry.action, at)
      return
    }
    // What was lost stands where it would have stood.
    this.#queueLost()
    const drawn = (): string => toHex(random.bytes(REQUEST_ID_BYTES))
    this.#enqueue(contentOf(entry, at, entry.requestId ?? drawn()))
    this.#write()
  }

  async flushed(): Promise<void> {
    if (this.#queue.length === 0) return
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#waiters.push({ upTo: this.#queued, resolve, reject })
    // After a failure nobody waits for the next try: it is made, or the failure told, at once.
    this.#write()
    await promise
  }

  /** Calls `listener` when there are more records, or will be no more. Returns the way to stop it. */
  onWritten(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Writes what waits, as far as that can be done now, and takes nothing more. The store stays open. */
  async close(): Promise<void> {
    this.#queueLost()
    this.#write()
    this.#closed = true
    this.#cancelRetention?.()
    await this.#writing
    this.#cancelRetry?.()
    this.#ended = true
    for (const listener of this.#listeners) listener()
    if (this.#queue.length === 0) return
    const fields = { records: this.#queue.length, reason: this.#fault }
    this.#ports.logger.error(fields, 'audit records could not be written before the end')
  }

  #enqueue(content: AuditContent): void {
    this.#queue.push(content)
    this.#queued += 1
  }

  #queueLost(): void {
    const entry = this.#lost.take()
    if (entry === null) return
    const { clock, random } = this.#ports
    this.#enqueue(contentOf(entry, clock.now(), toHex(random.bytes(REQUEST_ID_BYTES))))
  }

  #write(): void {
    this.#writing ??= this.#writeAll()
  }

  async #writeAll(): Promise<void> {
    // One turn of the microtask queue lets records of the same moment share the first batch.
    await Promise.resolve()
    try {
      while (this.#queue.length > 0 || this.#retentionDue) {
        await this.#writeGroup()
        if (this.#queue.length === 0) this.#queueLost()
      }
    } catch (error) {
      this.#failed(error)
    } finally {
      // At once with the last look at the queue: what comes later begins anew.
      this.#writing = null
    }
  }

  async #writeGroup(): Promise<void> {
    const { log, store, clock, retention } = this.#ports
    await log.recover()
    await this.#health.assureRoom()
    await this.#takeUp()
    const group = this.#queue.slice(0, GROUP_RECORDS_MAX)
    const { head, operations } = chained(this.#head, group)
    const retired = await retire(
      store,
      { base: this.#base, headSeq: head.seq, oldest: this.#oldest },
      retention,
      clock.now()
    )
    if (retired !== null) operations.push(...retired.operations, putBase(retired.base))
    if (operations.length > 0) {
      this.#unsure = { head, count: group.length }
      await store.write(operations, { sync: true })
      this.#unsure = null
    }
    this.#fault = null
    this.#retentionDue = retired?.isMoreDue ?? false
    if (retired !== null) {
      this.#base = retired.base
      this.#oldest = retired.oldest
    }
    this.#wrote(head, group.length)
  }

  /** After a write that failed: what the store holds says whether it was made. */
  async #takeUp(): Promise<void> {
    const unsure = this.#unsure
    if (unsure === null) return
    const { store } = this.#ports
    const stored = await readHead(store)
    this.#unsure = null
    if (stored?.hash !== unsure.head.hash || unsure.count === 0) return
    const { base, oldest } = await openAudit(store)
    this.#base = base
    this.#oldest = oldest
    this.#wrote(unsure.head, unsure.count)
  }

  #wrote(head: AuditHead, count: number): void {
    const written = this.#queue.splice(0, count)
    this.#head = head
    this.#oldest ??= written[0]?.at ?? null
    this.#newest = written.at(-1)?.at ?? (head.seq === this.#base.seq ? null : this.#newest)
    this.#written += count
    const done = this.#waiters.filter(({ upTo }) => upTo <= this.#written)
    this.#waiters = this.#waiters.filter(({ upTo }) => upTo > this.#written)
    for (const { resolve } of done) resolve()
    if (count > 0) for (const listener of this.#listeners) listener()
  }

  #failed(error: unknown): void {
    const { log, clock, logger } = this.#ports
    const reason = messageOf(error)
    if (this.#fault === null) logger.error({ reason, waiting: this.#queue.length }, 'audit records can’t be written')
    this.#fault = reason
    // Only a write leaves something that is unsure; then others can't write either until the log has opened the store.
    if (this.#unsure !== null && isStoreUnavailable(error)) log.writeFailed(reason)
    const failure = new AnchormeshError('STORE_FULL', `the audit log can't be written: ${reason}`, { cause: error })
    for (const { reject } of this.#waiters.splice(0)) reject(failure)
    if (this.#closed) return
    this.#cancelRetry ??= clock.after(RETRY_AFTER_MS, () => {
      this.#cancelRetry = null
      this.#write()
    })
  }

  #retainLater(): void {
    if (this.#closed) return
    this.#cancelRetention = this.#ports.clock.after(RETENTION_EVERY_MS, () => {
      this.#retentionDue = true
      this.#write()
      this.#retainLater()
    })
  }
}

/** The records of a group behind a head, as they are stored. */
function chained(
  before: AuditHead,
  group: readonly AuditContent[]
): { readonly head: AuditHead; readonly operations: WriteOperation[] } {
  const operations: WriteOperation[] = []
  let head = before
  for (const content of group) {
    const seq = head.seq + 1
    const { record, line } = sealAuditRecord({ ...content, seq, prev: head.hash })
    operations.push({ type: 'put', key: auditRecordKey(seq), value: line })
    head = { seq, hash: record.hash, policySeq: policyOf(record) ?? head.policySeq }
  }
  if (group.length > 0) operations.push(putHead(head))
  return { head, operations }
}

/** The policy that a record tells of. */
function policyOf({ action, detail }: AuditRecord): number | null {
  const logSeq = action === 'POLICY_CHANGED' ? detail['logSeq'] : undefined
  return typeof logSeq === 'number' && Number.isSafeInteger(logSeq) && logSeq > 0 ? logSeq : null
}
