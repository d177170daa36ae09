import { utf8 } from '../../protocols/primitives/bytes.ts'
import type { LocalEvent } from '../events/local.ts'
import { encodeLocalEvent } from '../events/local.ts'
import type { VerifiedEvent } from '../events/verified.ts'
import { BoundedMap } from '../platform/bounded-map.ts'
import type { Clock } from '../platform/clock.ts'
import { AnchormeshError, messageOf } from '../platform/errors.ts'
import type { Logger } from '../platform/logger.ts'
import type { CheckpointKeeper, RestoredFrom } from './checkpoint-file.ts'
import { CheckpointWriter } from './checkpoint-writer.ts'
import type { ChainPlace, EventPosition } from './event-index.ts'
import { IndexWriter, placeOf } from './event-index.ts'
import { namespaceCountKey, policyKey, recordKey } from './keys.ts'
import {
  GROUP_BYTES_MAX,
  GROUP_RECORDS_MAX,
  QUEUED_BYTES_MAX,
  QUEUED_RECORDS_MAX,
  RECENT_POSITIONS_MAX,
  REOPEN_EVERY_MS
} from './limits.ts'
import type { LogHead, LoggedRecord } from './log-reader.ts'
import { LogReader, parseRecord } from './log-reader.ts'
import { LogTree } from './log-tree.ts'
import { sealRecord } from './record.ts'
import { StoreHealth, storeFull } from './store-health.ts'
import type { Store, WriteOperation } from './store.ts'
import { WrittenTips } from './written-tips.ts'

/** What is to be appended: an event that the door admitted, or a local event. */
export type AppendEntry =
  { readonly scope: 'shared'; readonly event: VerifiedEvent } | { readonly scope: 'local'; readonly event: LocalEvent }

/** What the log is built on. */
export interface LogPorts {
  readonly store: Store
  readonly clock: Clock
  readonly logger: Logger
  readonly checkpoint: CheckpointKeeper
}

/** What the store and its checkpoint say of the log. */
interface OpenedLog {
  readonly epoch: string
  readonly head: LogHead
  readonly restoredFrom: RestoredFrom | null
}

interface QueuedAppend {
  readonly entries: readonly AppendEntry[]
  readonly payloads: readonly Uint8Array[]
  readonly bytes: number
  readonly resolve: (records: readonly LoggedRecord[]) => void
  readonly reject: (error: unknown) => void
}

/**
 * The append-only log. Concurrent appends share one synced batch that holds the records, the id index, the chain
 * index, the tips and the counts, so that after a crash either all of an event is there or nothing.
 */
export class EventLog extends LogReader {
  readonly epoch: string
  /** What the log was restored from when this epoch began; `null` for one that began empty. */
  readonly restoredFrom: RestoredFrom | null
  /** The Merkle tree over all records. */
  readonly tree: LogTree
  readonly #store: Store
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #checkpoint: CheckpointWriter
  readonly #health: StoreHealth
  readonly #listeners = new Set<(records: readonly LoggedRecord[]) => void>()
  readonly #queue: QueuedAppend[] = []
  readonly #counts = new Map<string, number>()
  /**
   * Events that wait to be written: a successor may follow them into the queue, and falls with them if the write fails.
   */
  readonly #queuedEvents = new Map<string, ChainPlace>()
  readonly #recent = new BoundedMap<string, EventPosition>(RECENT_POSITIONS_MAX)
  /** Recent events that nothing follows yet, queued successors included. */
  readonly #openTips = new BoundedMap<string, true>(RECENT_POSITIONS_MAX)
  readonly #writtenTips = new WrittenTips()
  #head: LogHead
  /** What waits to be written, or is being written. */
  readonly #queued = { records: 0, bytes: 0 }
  #writing: Promise<void> | null = null
  #recovering: Promise<void> | null = null
  /** Events that the last failed write left in the log all the same. */
  #recovered: ReadonlySet<string> = new Set()
  #cancelRecovery: (() => void) | null = null
  #closed = false

  /** Use `openLog`, which checks the store first. */
  constructor(opened: OpenedLog, ports: LogPorts) {
    super(ports.store)
    this.epoch = opened.epoch
    this.restoredFrom = opened.restoredFrom
    this.tree = new LogTree(ports, this)
    this.#head = opened.head
    this.#store = ports.store
    this.#clock = ports.clock
    this.#logger = ports.logger
    this.#checkpoint = new CheckpointWriter(this, ports)
    this.#health = new StoreHealth(ports.store, ports.clock)
  }

  /** The last synced record: its position (0 in an empty log) and hash. */
  get head(): LogHead {
    return this.#head
  }

  /** Why nothing can be written, or `null`. */
  get fault(): string | null {
    return this.#health.problem
  }

  /**
   * Appends the entries at consecutive positions, in one synced batch with whatever else waits. Resolves when they are
   * durable. Throws `STORE_FULL` when the disk has no room or the write failed; then none of them counts as logged,
   * unless `recover` finds it. Throws `NODE_NOT_RUNNING` once the log is closed.
   */
  append(entries: readonly AppendEntry[]): Promise<readonly LoggedRecord[]> {
    if (this.#closed)
      return Promise.reject(new AnchormeshError('NODE_NOT_RUNNING', 'the node is stopping: its log is closed'))
    const payloads = entries.map((entry) =>
      entry.scope === 'shared' ? entry.event.wire : utf8(encodeLocalEvent(entry.event))
    )
    const bytes = payloads.reduce((sum, payload) => sum + payload.length, 0)
    // What finds the queue empty gets in, whatever its size.
    const { records } = this.#queued
    if (
      records > 0 &&
      (records + entries.length > QUEUED_RECORDS_MAX || this.#queued.bytes + bytes > QUEUED_BYTES_MAX)
    ) {
      return Promise.reject(new AnchormeshError('STORE_FULL', `${records} records wait to be written`))
    }
    this.#queued.records += entries.length
    this.#queued.bytes += bytes
    for (const entry of entries) if (entry.scope === 'shared') this.#queueEvent(entry.event)
    return new Promise((resolve, reject) => {
      this.#queue.push({ entries, payloads, bytes, resolve, reject })
      this.#writing ??= this.#writeQueue()
    })
  }

  /** Whether the log takes nothing more. */
  get closed(): boolean {
    return this.#closed
  }

  /** Whether `append` would now refuse for want of room in its queue. */
  get busy(): boolean {
    return this.#queued.records >= QUEUED_RECORDS_MAX || this.#queued.bytes >= QUEUED_BYTES_MAX
  }

  async #writeQueue(): Promise<void> {
    // One turn of the microtask queue lets appends of the same moment share the first batch.
    await Promise.resolve()
    while (this.#queue.length > 0) {
      let group: readonly QueuedAppend[] = []
      try {
        await this.recover()
        await this.#health.assureRoom()
        group = this.#takeGroup()
        const records = await this.#writeGroup(group)
        let next = 0
        for (const queued of group) {
          queued.resolve(records.slice(next, next + queued.entries.length))
          next += queued.entries.length
        }
        for (const queued of group) this.#leaveQueue(queued)
      } catch (error) {
        // What waits behind a failed write may rest on it (a successor of a lost event), so all of it is refused.
        for (const queued of [...group, ...this.#queue.splice(0)]) this.#refuse(queued, error)
        this.#openTips.clear()
      }
      this.#checkpoint.soon()
    }
    this.#writing = null
  }

  #takeGroup(): QueuedAppend[] {
    const group: QueuedAppend[] = []
    let records = 0
    let bytes = 0
    for (let first = this.#queue[0]; first !== undefined; first = this.#queue[0]) {
      if (
        group.length > 0 &&
        (records + first.entries.length > GROUP_RECORDS_MAX || bytes + first.bytes > GROUP_BYTES_MAX)
      )
        break
      this.#queue.shift()
      if (first.entries.some((entry) => entry.scope === 'shared' && this.#recovered.has(entry.event.id))) {
        this.#refuse(first, storeFull('it is in the log, by a write that seemed to have failed'))
        continue
      }
      group.push(first)
      records += first.entries.length
      bytes += first.bytes
    }
    return group
  }

  #leaveQueue({ entries, bytes }: QueuedAppend): void {
    this.#queued.records -= entries.length
    this.#queued.bytes -= bytes
  }

  #refuse(refused: QueuedAppend, error: unknown): void {
    this.#leaveQueue(refused)
    for (const entry of refused.entries) {
      if (entry.scope !== 'shared') continue
      this.#queuedEvents.delete(entry.event.id)
      this.#openTips.delete(entry.event.id)
    }
    refused.reject(error)
  }

  /**
   * Brings the store back if a write failed. What that write left in the store although its answer was a failure (as a
   * sync can) is in the log from now on, and listeners are told of it. Throws `STORE_FULL` while the store can't be
   * opened.
   */
  async recover(): Promise<void> {
    if (!this.#health.isBroken) return
    // Whoever closed the log closes the store next: opened anew it would stay open.
    if (this.#closed && this.#writing === null) throw storeFull('the log is closed')
    this.#recovering ??= this.#health
      .reopen(() => this.#takeUp())
      .catch((error: unknown) => {
        this.#recoverLater()
        throw error
      })
      .finally(() => {
        this.#recovering = null
      })
    await this.#recovering
  }

  /**
   * Without waiting for an event: as long as the store can't be opened, it can't be read either, and no event gets as
   * far as here.
   */
  #recoverLater(): void {
    if (this.#closed) return
    this.#cancelRecovery ??= this.#clock.after(REOPEN_EVERY_MS, () => {
      this.#cancelRecovery = null
      // Tried again until it succeeds; `fault` says why it does not.
      this.recover().catch(() => this.#recoverLater())
    })
  }

  /** A write of others to the same store failed: nothing can be written until `recover` has opened it anew. */
  writeFailed(reason: string): void {
    if (this.#health.isBroken) return
    this.#health.writeFailed(reason)
    this.#recoverLater()
  }

  async #takeUp(): Promise<void> {
    const before = this.#head.logSeq
    const head = await this.readHead()
    if (head.logSeq < before) throw new Error(`the store ends at record ${head.logSeq}, but ${before} were written`)
    const recovered: LoggedRecord[] = []
    for await (const record of this.records(before, head.logSeq)) recovered.push(parseRecord(record))
    this.#head = head
    this.tree.reset()
    this.#counts.clear()
    this.#recent.clear()
    this.#openTips.clear()
    this.#writtenTips.clear()
    this.#recovered = new Set(recovered.flatMap((logged) => (logged.scope === 'shared' ? [logged.event.id] : [])))
    this.#logger.info({ logSeq: head.logSeq, recovered: recovered.length }, 'the store can be written again')
    if (recovered.length > 0) for (const listener of this.#listeners) listener(recovered)
  }

  async #writeGroup(group: readonly QueuedAppend[]): Promise<LoggedRecord[]> {
    const operations: WriteOperation[] = []
    const records: LoggedRecord[] = []
    const indexes = new IndexWriter(
      await this.#writtenTips.predecessorsOf(eventsOf(group), (id) => this.#queuedEvents.has(id), this.#store)
    )
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
          if (entry.event.type === 'policy')
            operations.push({ type: 'put', key: policyKey(logSeq), value: new Uint8Array() })
          records.push({ record, scope: 'local', event: entry.event })
        }
      }
    }
    const counts = await this.#countsAfter(indexes.addedByNamespace)
    for (const [namespace, count] of counts) {
      operations.push({ type: 'put', key: namespaceCountKey(namespace), value: utf8(String(count)) })
    }
    for (const operation of indexes.operations()) operations.push(operation)
    const growth = this.tree.grow(records.map(({ record }) => record.hash))
    for (const operation of growth.operations) operations.push(operation)
    try {
      await this.#store.write(operations, { sync: true })
    } catch (error) {
      this.writeFailed(messageOf(error))
      this.#logger.error(
        { reason: messageOf(error), logSeq: this.#head.logSeq },
        'a write to the store failed; nothing of it was acknowledged'
      )
      throw storeFull(messageOf(error))
    }
    this.#head = { logSeq, hash }
    growth.commit()
    for (const [namespace, count] of counts) this.#counts.set(namespace, count)
    for (const [id, position] of indexes.positions) this.#written(id, position)
    this.#writtenTips.written(indexes)
    for (const listener of this.#listeners) listener(records)
    return records
  }

  #queueEvent(event: VerifiedEvent): void {
    this.#queuedEvents.set(event.id, placeOf(event, 0))
    if (event.envelope.prev !== null) this.#openTips.delete(event.envelope.prev)
    this.#openTips.set(event.id, true)
  }

  #written(eventId: string, position: EventPosition): void {
    this.#queuedEvents.delete(eventId)
    this.#recent.set(eventId, position)
  }

  /**
   * The place in its chain of an event that waits to be written (`logSeq` 0) or was written lately; `undefined` says
   * nothing.
   */
  peek(eventId: string): ChainPlace | undefined {
    return this.#queuedEvents.get(eventId) ?? this.#recent.get(eventId)
  }

  /**
   * Whether it is known at once that nothing follows the event: then no successor of it can be held. `false` says
   * nothing.
   */
  isOpenTip(eventId: string): boolean {
    return this.#openTips.has(eventId)
  }

  override async find(eventId: string): Promise<EventPosition | undefined> {
    return this.#recent.get(eventId) ?? (await super.find(eventId))
  }

  async #countsAfter(added: ReadonlyMap<string, number>): Promise<Map<string, number>> {
    const counts = new Map<string, number>()
    for (const [namespace, count] of added)
      counts.set(namespace, (this.#counts.get(namespace) ?? (await this.count(namespace))) + count)
    return counts
  }

  /** Writes down, outside of the store, how long the log is. */
  async writeCheckpoint(): Promise<void> {
    await this.#checkpoint.write()
  }

  /** Calls `listener` with each group of records once they are durable. Returns the way to stop it. */
  onAppended(listener: (records: readonly LoggedRecord[]) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Waits for what was queued, writes the checkpoint and takes nothing more. The store stays open. */
  async close(): Promise<void> {
    this.#closed = true
    // Whoever follows the log waits for records that will not come.
    for (const listener of this.#listeners) listener([])
    while (this.#writing !== null) await this.#writing
    this.#cancelRecovery?.()
    // Whoever closes the store next must not find it opened anew afterwards.
    await this.tree.close()
    await Promise.allSettled([this.#recovering])
    await this.#checkpoint.close()
  }
}

function* eventsOf(group: readonly QueuedAppend[]): Generator<VerifiedEvent> {
  for (const { entries } of group) for (const entry of entries) if (entry.scope === 'shared') yield entry.event
}
