import { eventsOnPath, idsOnPath, originOfBranch } from '../log/chain-path.ts'
import type { EventLog } from '../log/event-log.ts'
import type { StoreReader } from '../log/store.ts'
import type { BranchOrigin, BranchRun, Place, SyncView } from './sync-view.ts'
import type { ChainTip, TipView } from './tip-table.ts'

/**
 * A namespace of the log as its tips were at one moment. What is appended later stands behind those tips and changes
 * nothing of what leads to them, so the log itself can be read.
 */
export class LogSyncView implements SyncView {
  readonly namespace: string
  readonly membership: Uint8Array
  readonly tips: TipView
  readonly #log: EventLog
  readonly #reader: StoreReader
  #reads = 0

  constructor(
    view: { readonly namespace: string; readonly membership: Uint8Array; readonly tips: TipView },
    log: EventLog,
    reader: StoreReader
  ) {
    this.namespace = view.namespace
    this.membership = view.membership
    this.tips = view.tips
    this.#log = log
    this.#reader = reader
  }

  get reads(): number {
    return this.#reads
  }

  async branchOf(chain: string, { id }: ChainTip): Promise<number> {
    const position = await this.#log.find(id)
    if (position?.chain !== chain) throw new Error(`the log does not hold the tip ${id} of ${chain}`)
    return position.branch
  }

  async originOf(chain: string, branch: number): Promise<BranchOrigin> {
    const { parent, firstAuthorSeq } = await originOfBranch(this.#reader, chain, branch)
    return { from: firstAuthorSeq, parent: parent === 0 ? null : parent }
  }

  async idsAt(chain: string, places: readonly Place[]): Promise<readonly string[]> {
    const reader = this.#counting()
    const ids = new Map<Place, string>()
    for (const [branch, ofBranch] of Map.groupBy(places, (place) => place.branch)) {
      const ascending = ofBranch.toSorted((left, right) => left.position - right.position)
      const { from } = await this.originOf(chain, branch)
      const to = ascending.at(-1)?.position ?? from
      const positions = ascending.map(({ position }) => position)
      const found = await idsOnPath(reader, { chain, segments: [{ branch, from, to }] }, positions)
      for (const [index, place] of ascending.entries()) ids.set(place, found[index] ?? '')
    }
    return places.map((place) => ids.get(place) ?? '')
  }

  async *events(chain: string, run: BranchRun): AsyncGenerator<readonly Uint8Array[]> {
    const { from } = await this.originOf(chain, run.branch)
    const path = { chain, segments: [{ ...run, from }] }
    for await (const batch of eventsOnPath(this.#reader, path, run.from, run.to)) yield batch.map(({ wire }) => wire)
  }

  /** The store, each entry of a range that is read being counted. */
  #counting(): StoreReader {
    const [reader, count] = [this.#reader, (): void => void (this.#reads += 1)]
    return {
      get: (key) => reader.get(key),
      getMany: (keys) => reader.getMany(keys),
      async *range(range) {
        for await (const entry of reader.range(range)) {
          count()
          yield entry
        }
      }
    }
  }
}
