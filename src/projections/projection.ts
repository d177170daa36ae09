import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { LogReader, LoggedRecord } from '../log/log-reader.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { FoldTrust } from './key-effects.ts'
import type { RowLayout } from './row-codec.ts'
import type { WinnerChange } from './winner-change.ts'

/**
 * A part of a projection's data: `rows` are what queries and digests show, `facts` what the fold remembers beside them.
 * Keys are ASCII; values are JSON objects that must not be changed in place.
 */
export interface Table {
  get(key: string): Promise<JsonObject | undefined>
  /**
   * The value of a key that `reads` named or that was read before. Throws for another: that is a defect of the fold.
   */
  at(key: string): JsonObject | undefined
  /** Whether the key was read already, so that `at` has it. */
  isAtHand(key: string): boolean
  put(key: string, value: JsonObject): void
  del(key: string): void
  /**
   * Entries whose key begins with `prefix` and is not before `from`, in key order, those of the running fold included;
   * at most `limit`, where one is given.
   */
  range(prefix: string, limit?: number, from?: string): Promise<[string, JsonObject][]>
}

/** By what events are judged. */
export interface FoldBasis {
  /** The policy in force at the end of the fold: it also decides what earlier records mean. */
  readonly policy: PolicyView
  /** What the packs in force at the end of the fold say; nothing for a projection that does not depend on them. */
  readonly trust: FoldTrust
}

/** What a fold works with, one record after another. */
export interface FoldContext extends FoldBasis {
  readonly rows: Table
  readonly facts: Table
  /** The log, for looking back. A fold must not use what stands after the record that it folds. */
  readonly log: LogReader
}

/** Filters of a query, beside `namespace`. */
export type FilterName = 'batchId' | 'signer' | 'status' | 'fromTs' | 'toTs'

/** What a change of a row says beside the row, worked out from what the reader knew before. */
export interface DerivedChanges {
  /** What is needed of the row before: thousands of them may be kept at once. */
  remember(before: JsonObject): JsonObject | null
  /** `remembered` is `null` where there was no row. */
  change(remembered: JsonObject | null, after: JsonObject | null): { readonly winnerChanged: WinnerChange | null }
}

/**
 * A fold of the log into rows. Its rows are a function of the set of records up to a position and of the policy in
 * force there, never of the order in which shared records came, except in columns that are marked local.
 */
export interface Projection {
  readonly name: string
  /** Grows with every change of the fold or of the rows' form; a store with another one is folded anew. */
  readonly version: number
  /** How rows are stored. */
  readonly layout: RowLayout
  /** Whether rows depend on who is a member, of which organisation, in which role, or on pinned packs. */
  readonly dependsOnPolicy: boolean
  /**
   * Whether rows depend on which events of retired and revoked keys count, or on how long packs are valid. Such a one
   * comes after `trust-anchors`, and halts with it.
   */
  readonly dependsOnTrust?: boolean
  /**
   * Whether rows change again and again (one a chain) or are written once (one a batch): only the former are worth
   * keeping at hand.
   */
  readonly rowsChangeOften: boolean
  /** The rows that folding this record will read, so that they are fetched at once. Leaving one out costs time only. */
  reads(record: LoggedRecord, policy: PolicyView, trust: FoldTrust): readonly string[]
  /** Folds one record; returns a promise only where it had to wait, because most of the time everything is at hand. */
  fold(record: LoggedRecord, context: FoldContext): Promise<void> | void
  /** Where the rows of a namespace begin; `null` when a row belongs to no namespace. */
  namespacePrefix(namespace: string): string | null
  readonly filters: Readonly<Partial<Record<FilterName, (row: JsonObject, value: string | number) => boolean>>>
  /** What changes of rows say beside the rows. */
  readonly derived?: DerivedChanges
  /** What of a row two nodes compare; `null` when the row is this node's own affair. */
  shared(row: JsonObject): JsonObject | null
}

/**
 * Thrown by a fold of an anchor pack that would have to change more rows than is worth doing at once: then all are
 * folded anew, in which it must not be thrown again.
 */
export class FoldAnew extends Error {}

/** What a projection reads that can't tell beforehand. */
export const NO_KEYS: readonly string[] = []
