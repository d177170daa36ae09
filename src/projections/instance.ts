import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { LogReader, LoggedRecord } from '../log/log-reader.ts'
import type { Store, WriteOperation } from '../log/store.ts'
import { prefixRange } from '../log/store.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import { JOURNAL_POSITIONS_KEPT, journalOperation, pruneOperations } from './journal.ts'
import { generationPrefix, rowsPrefix } from './keys.ts'
import { FoldGroup, everyRecord } from './log-records.ts'
import type { FoldTrust } from './key-effects.ts'
import type { FoldBasis, Projection, Table } from './projection.ts'
import type { PackedRow } from './row-codec.ts'
import { decodeRow, parseStored } from './row-codec.ts'
import type { ProjectionState } from './state.ts'
import { factsOfState, readState, rowsOfState, writeState } from './state.ts'
import type { RowChange } from './transaction.ts'
import { FoldTransaction, ValueCache } from './transaction.ts'

// Deleting and comparing goes in steps of this many keys, so that a generation of any size needs little memory.
const CHUNK_KEYS = 1_000

/** One projection in the store: its state, and the ways to fold it on and to fold it anew. */
export class ProjectionInstance {
  readonly projection: Projection
  /** The policy in force at the cursor; `null` before the first. */
  policy: PolicyView | null = null
  readonly #store: Store
  readonly #log: LogReader
  readonly #watchers = new Set<RowsWatcher>()
  #state: ProjectionState
  #halted: string | null = null
  #revision = 0
  #cache: ValueCache

  constructor(projection: Projection, state: ProjectionState, store: Store, log: LogReader) {
    this.projection = projection
    this.#state = state
    this.#store = store
    this.#log = log
    this.#cache = this.#newCache()
  }

  get state(): ProjectionState {
    return this.#state
  }

  set state(state: ProjectionState) {
    this.#state = state
    this.#revision += 1
  }

  /** Why it stopped, or `null`. A projection that fails halts; it never skips a record. */
  get halted(): string | null {
    return this.#halted
  }

  set halted(reason: string | null) {
    this.#halted = reason
    this.#revision += 1
  }

  /** Moves whenever a query may be answered otherwise than before. */
  get revision(): number {
    return this.#revision
  }

  get rowsPrefix(): string {
    return rowsOfState(this.projection.name, this.state)
  }

  /**
   * Calls `watcher` with the rows that each fold has written, once they are stored: who wants all of them, and each once
   * more than it needs rather than none, is spared reading what the fold had in hand. Returns the way to stop it.
   */
  onRowsPut(watcher: RowsWatcher): () => void {
    this.#watchers.add(watcher)
    return () => this.#watchers.delete(watcher)
  }

  /** The facts whose key begins with `prefix`, as they are now, in key order. */
  async *factsWithPrefix(prefix: string): AsyncGenerator<[string, JsonObject]> {
    const facts = factsOfState(this.projection.name, this.state)
    for await (const [key, bytes] of this.#store.range(prefixRange(facts + prefix))) {
      yield [key.slice(facts.length), parseStored(bytes) as JsonObject]
    }
  }

  /** The rows whose key begins with `prefix`, as they are now, in key order. */
  async *rowsWithPrefix(prefix: string): AsyncGenerator<JsonObject> {
    const rows = this.rowsPrefix
    for await (const [key, bytes] of this.#store.range(prefixRange(rows + prefix)))
      yield decodeRow(this.projection.layout, key.slice(rows.length), bytes)
  }

  /** Folds records that follow the cursor. What comes back is to be written, then `commit`ted. */
  async fold(records: readonly LoggedRecord[], basis: FoldBasis): Promise<FoldedGroup> {
    const generation = generationPrefix(this.projection.name, this.state.generation)
    const transaction = await foldInto(generation, this.#cache, records, basis, this.#folding())
    const cursor = records.at(-1)?.record.logSeq ?? this.state.cursor
    return this.#folded(transaction, { ...this.state, cursor }, basis)
  }

  #folded(transaction: FoldTransaction, state: ProjectionState, { policy }: FoldBasis): FoldedGroup {
    const { name } = this.projection
    const operations: WriteOperation[] = []
    transaction.writeTo(operations)
    operations.push(writeState(name, state))
    if (transaction.changes.length > 0) operations.push(journalOperation(name, state.cursor, 0, transaction.changes))
    const commit = (): void => {
      transaction.remember()
      this.state = state
      this.policy = policy
      if (this.#watchers.size > 0 && transaction.changes.length > 0) this.#tell(transaction.rowsPut())
    }
    return { operations, commit, facts: transaction.facts }
  }

  /**
   * Folds the log anew up to `upTo` under `policy` and what `trustOf` says of each group of records, beside the rows in
   * use, and swaps. The journal goes on with the rows that differ, as changes at `upTo`, where it can; else it begins
   * anew.
   */
  async refold(
    upTo: number,
    { policy, trustOf }: RefoldBasis,
    onProgress: (done: number) => void = () => {}
  ): Promise<void> {
    const { name, version } = this.projection
    const before = this.state
    const next: ProjectionState = { ...before, version, generation: before.generation + 1, cursor: upTo }
    const prefix = generationPrefix(name, next.generation)
    await deleteRange(this.#store, prefix)
    const cache = this.#newCache()
    let group = new FoldGroup()
    const flush = async (): Promise<void> => {
      const basis = { policy, trust: await trustOf(group.records) }
      const transaction = await foldInto(prefix, cache, group.records, basis, this.#folding())
      const operations: WriteOperation[] = []
      transaction.writeTo(operations)
      await this.#store.write(operations, { sync: false })
      transaction.remember()
      onProgress(group.records.at(-1)?.record.logSeq ?? 0)
      group = new FoldGroup()
    }
    for await (const record of everyRecord(this.#log, 0, upTo)) {
      if (group.add(record)) await flush()
    }
    if (group.records.length > 0) await flush()
    const state = (await this.#continueJournal(before, next))
      ? next
      : { ...next, journalFrom: upTo, journalGeneration: next.generation }
    await this.#store.write([writeState(name, state)], { sync: false })
    this.state = state
    this.policy = policy
    this.halted = null
    this.#cache = cache
    this.#tell(null)
    await deleteRange(this.#store, generationPrefix(name, before.generation))
  }

  /** SHA-256 (hex) over every key and value of the generation in use, and the number of rows. */
  async fingerprint(): Promise<{ readonly hash: string; readonly rows: number }> {
    const prefix = generationPrefix(this.projection.name, this.state.generation)
    const hash = createHash('sha256')
    let rows = 0
    for await (const [key, value] of this.#store.range(prefixRange(prefix))) {
      if (key.startsWith(rowsPrefix(prefix))) rows += 1
      hash.update(`${key.slice(prefix.length)}\n${value.length}\n`).update(value)
    }
    return { hash: hash.digest('hex'), rows }
  }

  /** Goes on from the state in the store, where that is another than this one. */
  async takeUpStored(): Promise<void> {
    const stored = await readState(this.#store, this.projection)
    if (isDeepStrictEqual(stored, this.state)) return
    this.state = stored
    this.#cache = this.#newCache()
    await this.removeOtherGenerations()
    this.#tell(null)
  }

  /** Drops what of the journal nobody may ask for any more, once that is as much as is kept. */
  async pruneJournal(): Promise<void> {
    const { state } = this
    if (state.cursor - state.journalFrom < 2 * JOURNAL_POSITIONS_KEPT) return
    const { name } = this.projection
    const { from, operations } = await pruneOperations(this.#store, name, state.cursor)
    const pruned = { ...state, journalFrom: from }
    await this.#store.write([...operations, writeState(name, pruned)], { sync: false })
    this.state = pruned
  }

  /** Removes what an interrupted refold left behind. */
  async removeOtherGenerations(): Promise<void> {
    const all = prefixRange(generationPrefix(this.projection.name, 0).slice(0, -17))
    const used = generationPrefix(this.projection.name, this.state.generation)
    for (let from: string = all.gte; ;) {
      const key = await firstKey(this.#store, from, all.lt)
      if (key === undefined) return
      const generation = key.slice(0, used.length)
      if (generation !== used) await deleteRange(this.#store, generation)
      from = prefixRange(generation).lt
    }
  }

  /** Whether the journal leads from the rows before to those of `next`; writes the differences down where it can. */
  async #continueJournal(before: ProjectionState, next: ProjectionState): Promise<boolean> {
    if (before.version !== next.version || before.cursor === 0) return false
    const { name } = this.projection
    const differing = differingRows(this.#store, rowsOfState(name, before), rowsOfState(name, next))
    // At an unchanged position nobody would hear of a difference, and of positions that were never folded there is
    // nothing to tell.
    if (next.cursor === before.cursor) return await isEmpty(differing)
    if (next.cursor > before.cursor + 1) return false
    await this.#journalDifferences(differing, next.cursor)
    return true
  }

  async #journalDifferences(differing: AsyncIterable<[string, PackedRow | null]>, logSeq: number): Promise<void> {
    let part = 1
    let changes: RowChange[] = []
    const write = async (): Promise<void> => {
      await this.#store.write([journalOperation(this.projection.name, logSeq, part, changes)], { sync: false })
      part += 1
      changes = []
    }
    for await (const [key, row] of differing) {
      changes.push([logSeq, key, row])
      if (changes.length === CHUNK_KEYS) await write()
    }
    if (changes.length > 0) await write()
  }

  #tell(rows: readonly JsonObject[] | null): void {
    for (const watcher of this.#watchers) watcher(rows)
  }

  #newCache(): ValueCache {
    return new ValueCache({ rows: this.projection.rowsChangeOften })
  }

  #folding(): { projection: Projection; store: Store; log: LogReader } {
    return { projection: this.projection, store: this.#store, log: this.#log }
  }
}

/** Hears of rows that were written; `null`: all were folded anew, and any may differ. Does not throw. */
export type RowsWatcher = (rows: readonly JsonObject[] | null) => void

export interface FoldedGroup {
  readonly operations: readonly WriteOperation[]
  readonly commit: () => void
  /** The facts as they will be. */
  readonly facts: Table
}

/** By what records are judged that are folded anew. */
export interface RefoldBasis {
  readonly policy: PolicyView
  readonly trustOf: (records: readonly LoggedRecord[]) => Promise<FoldTrust>
}

async function foldInto(
  generation: string,
  cache: ValueCache,
  records: readonly LoggedRecord[],
  { policy, trust }: FoldBasis,
  { projection, store, log }: { projection: Projection; store: Store; log: LogReader }
): Promise<FoldTransaction> {
  const transaction = new FoldTransaction(store, generation, projection, cache)
  const keys: string[] = []
  for (const record of records) for (const key of projection.reads(record, policy, trust)) keys.push(key)
  await transaction.prefetch(keys)
  const context = { rows: transaction.rows, facts: transaction.facts, policy, trust, log }
  for (const record of records) {
    transaction.begin(record.record.logSeq)
    const waiting = projection.fold(record, context)
    if (waiting !== undefined) await waiting
  }
  await transaction.end()
  return transaction
}

/** Rows that differ between two generations, with what stood there before, in key order. */
async function* differingRows(store: Store, before: string, after: string): AsyncGenerator<[string, PackedRow | null]> {
  const old = store.range(prefixRange(before))[Symbol.asyncIterator]()
  const fresh = store.range(prefixRange(after))[Symbol.asyncIterator]()
  try {
    let left = await old.next()
    let right = await fresh.next()
    while (left.done !== true || right.done !== true) {
      const leftKey = left.done === true ? undefined : left.value[0].slice(before.length)
      const rightKey = right.done === true ? undefined : right.value[0].slice(after.length)
      const leftFirst = rightKey === undefined || (leftKey !== undefined && leftKey <= rightKey)
      const rightFirst = leftKey === undefined || (rightKey !== undefined && rightKey <= leftKey)
      if (leftFirst && left.done !== true) {
        const text = Buffer.from(left.value[1]).toString('utf8')
        const same = rightFirst && right.done !== true && text === Buffer.from(right.value[1]).toString('utf8')
        if (!same && leftKey !== undefined) yield [leftKey, JSON.parse(text) as PackedRow]
      } else if (rightKey !== undefined) {
        yield [rightKey, null]
      }
      if (leftFirst) left = await old.next()
      if (rightFirst) right = await fresh.next()
    }
  } finally {
    await old.return?.()
    await fresh.return?.()
  }
}

async function isEmpty(entries: AsyncIterable<unknown>): Promise<boolean> {
  for await (const _entry of entries) return false
  return true
}

async function deleteRange(store: Store, prefix: string): Promise<void> {
  for (;;) {
    const operations: WriteOperation[] = []
    for await (const [key] of store.range({ ...prefixRange(prefix), limit: CHUNK_KEYS }))
      operations.push({ type: 'del', key })
    if (operations.length === 0) return
    await store.write(operations, { sync: false })
  }
}

async function firstKey(store: Store, gte: string, lt: string): Promise<string | undefined> {
  for await (const [key] of store.range({ gte, lt, limit: 1 })) return key
  return undefined
}
