/** What was noticed beside the outcome. */
export interface SyncWarning {
  readonly code: 'SERVED_AT_SKEW' | 'PACK_TS_SKEW' | 'SOURCE_BEHIND' | 'SOURCE_OTHER_SIDE'
  readonly detail: string
}

/**
 * `done`: all that the source has is here. `frozen`: two valid packs stand at one number. `refused`: what it gave is not
 * taken, or it gave nothing and said why. `unreachable`: nobody answered. `undecided`: this node can't take it just now.
 */
export type SyncOutcome = 'done' | 'frozen' | 'refused' | 'unreachable' | 'undecided'

/** What became of the sync of one organisation from one source. */
export interface SyncResult {
  readonly orgId: string
  readonly source: string
  readonly outcome: SyncOutcome
  readonly code: string | null
  readonly detail: string | null
  /** The last pack before and after. */
  readonly from: number
  readonly to: number
  /** Whether a sync that was interrupted went on. */
  readonly resumed: boolean
  readonly pages: number
  /** Packs that were new, and those that were known. */
  readonly applied: number
  readonly known: number
  /** Events that wait at the door for a key or a predecessor. */
  readonly waiting: number
  readonly warnings: readonly SyncWarning[]
  /** The number at which this source has another pack than others had. */
  readonly disagreesAt: number | null
}

/** How far a sync is. */
export interface SyncProgress {
  readonly orgId: string
  readonly source: string
  readonly packs: number
  readonly total: number
}
