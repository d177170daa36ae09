import { toHex, utf8 } from '../../protocols/primitives/bytes.ts'
import type { LocalEvent } from '../events/local.ts'
import { encodeLocalEvent } from '../events/local.ts'
import type { VerifiedEvent } from '../events/verified.ts'
import { BoundedMap } from '../platform/bounded-map.ts'
import type { Clock } from '../platform/clock.ts'
import { AnchormeshError, messageOf } from '../platform/errors.ts'
import type { Logger } from '../platform/logger.ts'
import type { CheckpointKeeper } from './checkpoint-file.ts'
import { STORE_FORMAT_VERSION } from './checkpoint-file.ts'
import type { EventPosition } from './event-index.ts'
import { IndexWriter, positionOf } from './event-index.ts'
import { namespaceCountKey, policyKey, recordKey } from './keys.ts'
import {
  CHECKPOINT_EVERY_MS,
  FREE_BYTES_CHECK_EVERY_MS,
  FREE_BYTES_MIN,
  GROUP_BYTES_MAX,
  GROUP_RECORDS_MAX,
  QUEUED_RECORDS_MAX,
  RECENT_POSITIONS_MAX,
  REOPEN_EVERY_MS
} from './limits.ts'
import type { LogHead, LoggedRecord } from './log-reader.ts'
import { LogReader } from './log-reader.ts'
import { sealRecord } from './record.ts'
import type { Store, WriteOperation } from './store.ts'

/** What is to be appended: an event that the door admitted, or a local event. */
export type AppendEntry =
  | { readonly scope: 'shared'; readonly event: VerifiedEvent }
  | { readonly scope: 'local'; readonly event: LocalEvent }

/** What the log is built on. */
export interface LogPorts {
  readonly store: Store
  readonly clock: Clock
  readonly logger: Logger
  readonly checkpoint: CheckpointKeeper
}

interface QueuedAppend {
  readonly entries: readonly AppendEntry[]
  readonly payloads: readonly Uint8Array[]
  readonly resolve: (records: readonly LoggedRecord[]) => void
  readonly reject: (error: unknown) => void
}

/**
 * The append-only log. Concurrent appends share one synced batch that holds the records, the id index, the chain
 * index, the tips and the counts, so that after a crash either all of an event is there or nothing.
 */
export class EventLog extends LogReader {
  readonly epoch: string
  readonly #store: Store
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #keeper: CheckpointKeeper
  readonly #listeners = new Set<(records: readonly LoggedRecord[]) => void>()
  readonly #queue: QueuedAppend[] = []
  readonly #counts = new Map<string, number>()
  /** Events that wait to be written: a successor may follow them into the queue, and falls with them if the write fails. */
  readonly #queuedEvents = new Map<string, EventPosition>()
  readonly #recent = new BoundedMap<string, EventPosition>(RECENT_POSITIONS_MAX)
  /** Recent events that nothing follows yet, queued successors included. */
  readonly #openTips = new BoundedMap<string, true>(RECENT_POSITIONS_MAX)
  #head: LogHead
  #queuedRecords = 0
  #writing: Promise<void> | null = null
  #fault: { readonly reason: string; readonly at: number } | null = null
  #freeBytes = { at: -Infinity, value: Infinity }
  #cancelCheckpoint: (() => void) | null = null
  #closed = false

  /** Use `openLog`, which checks the store first. */
  constructor(opened: { readonly epoch: string; readonly head: LogHead }, ports: LogPorts) {
    super(ports.store)
    this.epoch = opened.epoch
    this.#head = opened.head
    this.#store = ports.store
    this.#clock = ports.clock
    this.#logger = ports.logger
    this.#keeper = ports.checkpoint
  }

  /** The last synced record: its position (0 in an empty log) and hash. */
  get head(): LogHead {
    return this.#head
  }

  /** Why nothing can be written, or `null`. */
  get fault(): string | null {
    return this.#fault?.reason ?? null
  }

  /**
   * Appends the entries at consecutive positions, in one synced batch with whatever else waits. Resolves when they are durable.
   * Throws `STORE_FULL` when the disk has no room or the write failed; then none of them is in the log.
   */
  append(entries: readonly AppendEntry[]): Promise<readonly LoggedRecord[]> {
    if (this.#closed) return Promise.reject(new AnchormeshError('INTERNAL', 'the log is closed'))
    if (this.#queuedRecords + entries.length > QUEUED_RECORDS_MAX && this.#queuedRecords > 0) {
      return Promise.reject(new AnchormeshError('STORE_FULL', `${this.#queuedRecords} records wait to be written`))
    }
    this.#queuedRecords += entries.length
    for (const entry of entries) if (entry.scope === 'shared') this.#queueEvent(entry.event)
    const payloads = entries.map((entry) => (entry.scope === 'shared' ? entry.event.wire : utf8(encodeLocalEvent(entry.event))))
    return new Promise((resolve, reject) => {
      this.#queue.push({ entries, payloads, resolve, reject })
      this.#writing ??= this.#writeQueue()
    })
  }

  /** Whether `append` would now refuse for want of room in its queue. */
  get busy(): boolean {
    return this.#queuedRecords >= QUEUED_RECORDS_MAX
  }

  async #writeQueue(): Promise<void> {
    // One turn of the microtask queue lets appends of the same moment share the first batch.
    await Promise.resolve()
    while (this.#queue.length > 0) {
      const group = this.#takeGroup()
      try {
        await this.#assureWritable()
        const records = await this.#writeGroup(group)
        let next = 0
        for (const queued of group) {
          queued.resolve(records.slice(next, next + queued.entries.length))
          next += queued.entries.length
        }
      } catch (error) {
        this.#refuse(group, error)
      }
      for (const queued of group) this.#queuedRecords -= queued.entries.length
      this.#checkpointSoon()
    }
    this.#writing = null
  }

  #takeGroup(): QueuedAppend[] {
    const group: QueuedAppend[] = []
    let records = 0
    let bytes = 0
    for (let first = this.#queue[0]; first !== undefined; first = this.#queue[0]) {
      const size = first.payloads.reduce((sum, payload) => sum + payload.length, 0)
      if (group.length > 0 && (records + first.entries.length > GROUP_RECORDS_MAX || bytes + size > GROUP_BYTES_MAX)) break
      group.push(first)
      this.#queue.shift()
      records += first.entries.length
      bytes += size
    }
    return group
  }

  /** What waits behind a failed write may rest on it (a successor of a lost event), so all of it is refused. */
  #refuse(group: readonly QueuedAppend[], error: unknown): void {
    const behind = this.#queue.splice(0)
    for (const queued of behind) this.#queuedRecords -= queued.entries.length
    this.#openTips.clear()
    for (const queued of [...group, ...behind]) {
      for (const entry of queued.entries) if (entry.scope === 'shared') this.#queuedEvents.delete(entry.event.id)
      queued.reject(error)
    }
  }

  async #assureWritable(): Promise<void> {
    const now = this.#clock.monotonicMs()
    if (this.#fault !== null) {
      if (now - this.#fault.at < REOPEN_EVERY_MS) throw storeFull(this.#fault.reason)
      try {
        await this.#store.reopen()
        this.#head = await this.readHead()
        this.#counts.clear()
        this.#recent.clear()
        this.#openTips.clear()
        this.#fault = null
        this.#logger.info({ logSeq: this.#head.logSeq }, 'the store can be written again')
      } catch (error) {
        this.#fault = { reason: messageOf(error), at: now }
        throw storeFull(this.#fault.reason)
      }
    }
    if (now - this.#freeBytes.at >= FREE_BYTES_CHECK_EVERY_MS) {
      this.#freeBytes = { at: now, value: await this.#store.freeBytes() }
    }
    if (this.#freeBytes.value < FREE_BYTES_MIN) {
      throw storeFull(`${this.#freeBytes.value} bytes are free on the disk; the log needs ${FREE_BYTES_MIN}`)
    }
  }

  async #writeGroup(group: readonly QueuedAppend[]): Promise<LoggedRecord[]> {
    const operations: WriteOperation[] = []
    const records: LoggedRecord[] = []
    const indexes = new IndexWriter()
    const recordedAt = this.#clock.now()
    let { logSeq, hash } = this.#head
    for (const queued of group) {
      for (const [index, entry] of queued.entries.entries()) {
        logSeq += 1
        const payload = queued.payloads[index] ?? new Uint8Array()
        const { record, stored } = sealRecord(hash, { logSeq, scope: entry.scope, recordedAt, payload })
        hash = record.hash
        operations.push({ type: 'put', key: recordKey(logSeq), value: stored })
        if (entry.scope === 'shared') {
          indexes.add(logSeq, entry.event)
          records.push({ record, scope: 'shared', event: entry.event })
        } else {
          if (entry.event.type === 'policy') operations.push({ type: 'put', key: policyKey(logSeq), value: new Uint8Array() })
          records.push({ record, scope: 'local', event: entry.event })
        }
      }
    }
    const counts = await this.#countsAfter(indexes.addedByNamespace)
    for (const [namespace, count] of counts) {
      operations.push({ type: 'put', key: namespaceCountKey(namespace), value: utf8(String(count)) })
    }
    operations.push(...indexes.operations())
    try {
      await this.#store.write(operations, { sync: true })
    } catch (error) {
      this.#fault = { reason: messageOf(error), at: this.#clock.monotonicMs() }
      this.#logger.error({ reason: messageOf(error), logSeq: this.#head.logSeq }, 'a write to the store failed; nothing of it was acknowledged')
      throw storeFull(messageOf(error))
    }
    this.#head = { logSeq, hash }
    for (const [namespace, count] of counts) this.#counts.set(namespace, count)
    for (const logged of records) if (logged.scope === 'shared') this.#written(logged.event, logged.record.logSeq)
    for (const listener of this.#listeners) listener(records)
    return records
  }

  #queueEvent(event: VerifiedEvent): void {
    this.#queuedEvents.set(event.id, positionOf(event, 0))
    if (event.envelope.prev !== null) this.#openTips.delete(event.envelope.prev)
    this.#openTips.set(event.id, true)
  }

  #written(event: VerifiedEvent, logSeq: number): void {
    this.#queuedEvents.delete(event.id)
    this.#recent.set(event.id, positionOf(event, logSeq))
  }

  /** The place in its chain of an event that waits to be written (`logSeq` 0) or was written lately; `undefined` says nothing. */
  peek(eventId: string): EventPosition | undefined {
    return this.#queuedEvents.get(eventId) ?? this.#recent.get(eventId)
  }

  /**
   * Whether it is known at once that nothing follows the event: then no successor of it can be held. `false` says nothing.
   */
  isOpenTip(eventId: string): boolean {
    return this.#openTips.has(eventId)
  }

  /** Whether the event still waits to be written; asked in the same turn as `append` is called. */
  isQueued(eventId: string): boolean {
    return this.#queuedEvents.has(eventId)
  }

  override async find(eventId: string): Promise<EventPosition | undefined> {
    return this.#recent.get(eventId) ?? (await super.find(eventId))
  }

  async #countsAfter(added: ReadonlyMap<string, number>): Promise<Map<string, number>> {
    const counts = new Map<string, number>()
    for (const [namespace, count] of added) counts.set(namespace, (this.#counts.get(namespace) ?? (await this.count(namespace))) + count)
    return counts
  }

  #checkpointSoon(): void {
    this.#cancelCheckpoint ??= this.#clock.after(CHECKPOINT_EVERY_MS, () => {
      this.#cancelCheckpoint = null
      this.writeCheckpoint().catch((error: unknown) => {
        this.#logger.warn({ reason: messageOf(error) }, 'store.json could not be written; it is tried again after the next append')
      })
    })
  }

  /** Writes down, outside of the store, how long the log is. */
  async writeCheckpoint(): Promise<void> {
    const head = { logSeq: this.#head.logSeq, hash: toHex(this.#head.hash) }
    await this.#keeper.write({ formatVersion: STORE_FORMAT_VERSION, epoch: this.epoch, head })
  }

  /** Calls `listener` with each group of records once they are durable. Returns the way to stop it. */
  onAppended(listener: (records: readonly LoggedRecord[]) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Waits for what was queued, writes the checkpoint and takes nothing more. The store stays open. */
  async close(): Promise<void> {
    this.#closed = true
    while (this.#writing !== null) await this.#writing
    this.#cancelCheckpoint?.()
    this.#cancelCheckpoint = null
    if (this.#fault === null) await this.writeCheckpoint()
  }
}

function storeFull(reason: string): AnchormeshError {
  return new AnchormeshError('STORE_FULL', `the log can't be written: ${reason}`, {
    hint: 'free disk space; the node tries again by itself'
  })
}
