import type { RowOf } from '../api/rows.ts'
import type { ReceiptPart } from '../api/queries.ts'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { BatchTree } from '../bundles/batch-tree.ts'
import type { BlobStore } from '../log/blob-store.ts'
import type { LogReader } from '../log/log-reader.ts'
import type { Store } from '../log/store.ts'
import { BoundedMap } from '../platform/bounded-map.ts'
import { rowKeyOf } from '../projections/batches.ts'
import type { ProjectionEngine } from '../projections/engine.ts'
import type { ReceiptRow } from '../projections/receipts.ts'
import type { RowsView } from '../projections/rows-view.ts'
import { viewRows } from '../projections/rows-view.ts'
import type { StandingView } from '../projections/standing.ts'
import { AnnouncedEvidence } from '../verification/evidence.ts'
import { inclusionPath } from './build-proof.ts'

/** Most rows of a page that shows more than their columns: evidence of up to 1 MiB each, and leaves to be read. */
export const ROWS_WITH_PARTS_MAX = 16

// As of a page of events: evidence and records may be large, and a page then ends early.
const PAGE_CHARACTERS_MAX = 4 * 1024 * 1024

// Reading the leaves of the largest batch takes about a second; a page that needs more than one of them ends early.
const PAGE_LEAVES_MAX = 262_144

// A tree has at most 100 KiB. As many batches as apps look into at one time.
const TREES_KEPT = 64

export interface ReceiptPartsPorts {
  readonly engine: ProjectionEngine
  readonly store: Store
  readonly blobs: BlobStore
  readonly log: LogReader
}

/** A row of `receipts` with what was asked for beside its columns. */
type Parts = Pick<RowOf<'receipts'>, 'record' | 'proof' | 'evidence'>

/** What rows of `receipts` show on request: the receipt itself, its way to the root, what won for the root. */
export class ReceiptParts {
  readonly #ports: ReceiptPartsPorts
  readonly #evidence: AnnouncedEvidence
  /** The leaves under a root never change, so a tree holds for ever. */
  readonly #trees = new BoundedMap<string, Promise<BatchTree | null>>(TREES_KEPT)

  constructor(ports: ReceiptPartsPorts) {
    this.#ports = ports
    this.#evidence = new AnnouncedEvidence(ports.log, ports.blobs)
  }

  /** What is asked for of each row, of as many from the first on as one page has room for; of one at least. */
  async of(
    rows: readonly ReceiptRow[],
    include: readonly ReceiptPart[],
    standings: StandingView
  ): Promise<readonly Parts[]> {
    const { engine, store } = this.#ports
    return await viewRows(engine, store, 'receipts', async (view) => {
      const found: Parts[] = []
      let characters = 0
      let leaves = 0
      for (const row of rows) {
        if (include.includes('proof') && !this.#trees.has(rowKeyOf(row))) leaves += row.receiptCount
        if (found.length > 0 && leaves > PAGE_LEAVES_MAX) return found
        const parts = await this.#partsOf(row, include, view, standings)
        characters += JSON.stringify(parts).length
        if (found.length > 0 && characters > PAGE_CHARACTERS_MAX) return found
        found.push(parts)
      }
      return found
    })
  }

  async #partsOf(
    row: ReceiptRow,
    include: readonly ReceiptPart[],
    view: RowsView,
    standings: StandingView
  ): Promise<Parts> {
    return {
      ...(include.includes('record') ? { record: await this.#recordOf(row) } : {}),
      ...(include.includes('proof') ? { proof: await this.#proofOf(row, view) } : {}),
      ...(include.includes('evidence') ? { evidence: await this.#evidenceOf(row, standings) } : {})
    }
  }

  /** As it is now: what was erased since is not shown for an earlier position either. */
  async #recordOf({ leafHash, status }: ReceiptRow): Promise<string | null> {
    const [record] = status === 'held' ? await this.#ports.blobs.getMany([leafHash]) : []
    return record === undefined ? null : Buffer.from(record).toString('utf8')
  }

  async #proofOf(row: ReceiptRow, view: RowsView): Promise<Required<Parts>['proof']> {
    const tree = await this.#treeOf(row, view)
    if (tree === null) return null
    return { index: row.index, treeSize: row.receiptCount, path: await inclusionPath(row, tree, view) }
  }

  async #treeOf(row: ReceiptRow, view: RowsView): Promise<BatchTree | null> {
    const key = rowKeyOf(row)
    const known = this.#trees.get(key)
    if (known !== undefined) return await known
    const reading = BatchTree.read(view, row, row.receiptCount)
    this.#trees.set(key, reading)
    const forget = (): void => {
      if (this.#trees.get(key) === reading) this.#trees.delete(key)
    }
    try {
      const tree = await reading
      // Leaves that are missing may come.
      if (tree === null) forget()
      return tree
    } catch (error) {
      forget()
      throw error
    }
  }

  async #evidenceOf(row: ReceiptRow, standings: StandingView): Promise<Required<Parts>['evidence']> {
    const { standing } = await standings.standingOf(row)
    const winner = standing === 'proven' ? ((await standings.winnerOf(row))?.winner ?? null) : null
    if (winner === null) return null
    const { chainId, evidenceId, evidenceHash, eventId, provenTime, position } = winner
    const timestampAnchor = (await this.#evidence.in(eventId, evidenceHash)) as unknown as JsonObject
    return { chainId, evidenceId, evidenceHash, eventId, provenTime, position, timestampAnchor }
  }
}
