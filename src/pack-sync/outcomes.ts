import type { Counts } from '../platform/tally.ts'
import { Tally } from '../platform/tally.ts'
import type { PackPushResult } from './push.ts'
import type { SyncOutcome, SyncResult } from './result.ts'

/** What pulls of one organisation's packs from one source, and pushes to one target, came to since the start. */
export interface PackSyncCounts {
  readonly pull: Counts<SyncOutcome>
  readonly push: Counts<PackPushResult['outcome']>
}

/** Counts what became of pulls and pushes. */
export class PackSyncBook {
  readonly #pulls = new Tally<SyncOutcome>({ done: 0, frozen: 0, refused: 0, unreachable: 0, undecided: 0 })
  readonly #pushes = new Tally<PackPushResult['outcome']>({ done: 0, refused: 0, unreachable: 0, undecided: 0 })

  pulled(results: readonly SyncResult[]): readonly SyncResult[] {
    for (const { outcome } of results) this.#pulls.add(outcome)
    return results
  }

  pushed(result: PackPushResult): PackPushResult {
    this.#pushes.add(result.outcome)
    return result
  }

  get counts(): PackSyncCounts {
    return { pull: this.#pulls.counts, push: this.#pushes.counts }
  }
}
