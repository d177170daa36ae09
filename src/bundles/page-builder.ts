import type { PageLeaf, PagePart } from '../../protocols/bundle/v1/page.ts'
import { ANNOUNCES_MAX, PAGE_BYTES_MAX, PARTS_MAX } from '../../protocols/bundle/v1/page.ts'
import type { BundleRequest, Place, Want } from '../../protocols/bundle/v1/request.ts'
import { toBase64url } from '../../protocols/primitives/bytes.ts'
import type { BlobStore } from '../log/blob-store.ts'
import type { LogReader } from '../log/log-reader.ts'
import type { Store } from '../log/store.ts'
import { BoundedMap } from '../platform/bounded-map.ts'
import type { BatchRow } from '../projections/batches.ts'
import { rowKeyOf } from '../projections/batches.ts'
import type { ProjectionEngine } from '../projections/engine.ts'
import { receiptKey } from '../projections/receipts.ts'
import type { ReceiptRow } from '../projections/receipts.ts'
import type { RowsView } from '../projections/rows-view.ts'
import { viewRows } from '../projections/rows-view.ts'
import type { TimestampAnchorRow } from '../projections/timestamp-anchors.ts'
import { BatchTree } from './batch-tree.ts'

// The longest names, hashes and the place where it ends, and the signature over all of it.
const PAGE_OVERHEAD_BYTES = 4_096
// The longest names and 106 hashes.
const PART_OVERHEAD_BYTES = 8_192
// Members, quotes and a comma around the base64url of a record, and around a hash.
const RECORD_OVERHEAD_BYTES = 16
const HASH_LEAF_BYTES = 82
const LEAVES_PER_READ = 256
// Rows of batches that one request without `want` may look at: some 50 ms.
const ROWS_LOOKED_MAX = 10_000
// Once as many leaves were read for the trees of one request, it reads no further tree: about a second's work. One batch
// of the largest size has as many.
const LEAVES_READ_MAX = 262_144
// Evidence that anybody announced for a batch of the same name: some milliseconds.
const ANCHOR_ROWS_LOOKED_MAX = 1_000
// Upper parts of trees, at most 100 KiB each.
const TREES_KEPT_MAX = 64

export interface PagePorts {
  readonly engine: ProjectionEngine
  readonly store: Store
  readonly blobs: BlobStore
  readonly log: LogReader
}

/** What a page says of receipts. */
export type PageContent = { readonly parts: readonly PagePart[]; readonly next: Place | null }

interface Views {
  readonly batches: RowsView
  readonly receipts: RowsView
}

/** What reading a tree came to: null where the leaves don't stand under the root, as long as no others come. */
interface KnownTree {
  readonly tree: BatchTree | null
  readonly size: number
  readonly present: number
}

/** Fills pages with the receipts that this node holds. Keeps the upper parts of some trees between them. */
export class PageBuilder {
  readonly #ports: PagePorts
  readonly #trees = new BoundedMap<string, KnownTree>(TREES_KEPT_MAX)
  readonly #leavesReadMax: number

  constructor(ports: PagePorts, leavesReadMax = LEAVES_READ_MAX) {
    this.#ports = ports
    this.#leavesReadMax = leavesReadMax
  }

  /**
   * The answer to a request: as many of the leaves that it asks for as find room, in its order; of one for all batches,
   * those of owners that `mayHave` lets through.
   */
  async build(request: BundleRequest, mayHave: (owner: string) => boolean = () => true): Promise<PageContent> {
    const { engine, store } = this.#ports
    return await viewRows(engine, store, 'batches', (batches) =>
      viewRows(engine, store, 'receipts', async (receipts) => {
        const page = new OpenPage(this.#ports)
        const views = { batches, receipts }
        const next = await (request.want === undefined
          ? this.#allBatches(request, page, views, mayHave)
          : this.#wanted(request.namespace, request.want, page, views))
        return { parts: page.parts, next }
      })
    )
  }

  async #wanted(namespace: string, wants: readonly Want[], page: OpenPage, views: Views): Promise<Place | null> {
    const keys = wants.map((want) => rowKeyOf({ ...want, namespace }))
    const rows = (await views.batches.rows(keys)) as (BatchRow | undefined)[]
    for (const [index, want] of wants.entries()) {
      const row = rows[index]
      const tree = row === undefined || !isServed(row) ? null : await this.#tree(row, views.receipts, page)
      if (row !== undefined && tree === 'later' && page.parts.length > 0) return placeIn(row, want.from)
      if (row === undefined || tree === null || tree === 'later' || want.from >= tree.size) continue
      const end = await page.add(row, tree, want.from, Math.min(want.to, tree.size), views)
      if (end < Math.min(want.to, tree.size)) return placeIn(row, end)
    }
    return null
  }

  async #allBatches(
    request: BundleRequest,
    page: OpenPage,
    views: Views,
    mayHave: (owner: string) => boolean
  ): Promise<Place | null> {
    const { namespace, after, fromTs = 0, toTs = Infinity } = request
    const prefix = `${namespace}!`
    const startKey = after === undefined ? prefix : rowKeyOf({ ...after, namespace })
    let looked = 0
    for await (const [key, found] of views.batches.range(prefix, startKey)) {
      const row = found as BatchRow
      if (looked === ROWS_LOOKED_MAX) return placeIn(row, 0)
      looked += 1
      const ts = announcedAt(row)
      if (!mayHave(row.owner) || !isServed(row) || ts === null || ts < fromTs || ts >= toTs) continue
      const tree = await this.#tree(row, views.receipts, page)
      const start = after !== undefined && key === startKey ? after.index : 0
      if (tree === 'later') return placeIn(row, start)
      if (tree === null || start >= tree.size) continue
      const end = await page.add(row, tree, start, tree.size, views)
      if (end < tree.size) return placeIn(row, end)
    }
    return null
  }

  /** `later` where this request has had enough read. */
  async #tree(row: BatchRow, view: RowsView, page: OpenPage): Promise<BatchTree | null | 'later'> {
    const key = rowKeyOf(row)
    const size = row.receiptCount ?? 0
    const present = row.receiptsPresent
    const known = this.#trees.get(key)
    if (known?.size === size && (known.tree !== null || known.present === present)) return known.tree
    if (page.leavesRead >= this.#leavesReadMax) return 'later'
    page.leavesRead += size
    const tree = await BatchTree.read(view, row, size)
    this.#trees.set(key, { tree, size, present })
    return tree
  }
}

/** A page that is being filled. */
class OpenPage {
  readonly parts: PagePart[] = []
  /** To prove them. */
  leavesRead = 0
  readonly #ports: PagePorts
  #bytes = PAGE_OVERHEAD_BYTES

  constructor(ports: PagePorts) {
    this.#ports = ports
  }

  /** Adds leaves of a batch; returns the index of the first that found no room. */
  async add(row: BatchRow, tree: BatchTree, from: number, to: number, views: Views): Promise<number> {
    if (this.parts.length === PARTS_MAX) return from
    const announces = from === 0 ? await this.#announces(row) : []
    const announcesBytes = announces.reduce((sum, text) => sum + text.length + 3, 0)
    const start = this.#bytes + PART_OVERHEAD_BYTES + announcesBytes
    let bytes = start
    const leaves: PageLeaf[] = []
    reading: for (let at = from; at < to; at += LEAVES_PER_READ) {
      for (const leaf of await this.#leaves(row, at, Math.min(to, at + LEAVES_PER_READ), views)) {
        const size = 'record' in leaf ? leaf.record.length + RECORD_OVERHEAD_BYTES : HASH_LEAF_BYTES
        if (bytes + size > PAGE_BYTES_MAX) break reading
        bytes += size
        leaves.push(leaf)
      }
    }
    if (leaves.length === 0) return from
    this.#bytes = bytes
    const { batchId, batchRoot, owner } = row
    const end = from + leaves.length
    const proof = await tree.proof(views.receipts, from, end)
    this.parts.push({ batchId, batchRoot, owner, receiptCount: tree.size, from, leaves, proof, announces })
    return end
  }

  /** Records where this node holds them, else hashes. */
  async #leaves(row: BatchRow, from: number, to: number, { receipts }: Views): Promise<PageLeaf[]> {
    const keys = Array.from({ length: to - from }, (_, offset) => receiptKey(row, from + offset))
    const rows = (await receipts.rows(keys)) as ReceiptRow[]
    const held = rows.filter(({ status }) => status === 'held').map(({ leafHash }) => leafHash)
    const blobs = await this.#ports.blobs.getMany(held)
    // By hash: what was told to be forgotten since the view was taken has no blob any more.
    const records = new Map(held.map((hash, index) => [hash, blobs[index]]))
    return rows.map(({ leafHash }) => {
      const record = records.get(leafHash)
      return record === undefined ? { leafHash } : { record: toBase64url(record) }
    })
  }

  /** The events behind a batch: its owner's announcement, and one for each timestamp anchor. */
  async #announces(row: BatchRow): Promise<string[]> {
    const { engine, store, log } = this.#ports
    const ids = new Set<string>()
    const own = ownerAnnouncement(row)
    if (own !== null) ids.add(own.eventId)
    let looked = 0
    await viewRows(engine, store, 'timestamp-anchors', async (view) => {
      for await (const [, found] of view.range(`${row.namespace}!${row.batchId}!`)) {
        looked += 1
        if (looked > ANCHOR_ROWS_LOOKED_MAX) return
        const { owner, batchRoot, announcements } = found as TimestampAnchorRow
        const first = announcements[0]
        if (owner !== row.owner || batchRoot !== row.batchRoot || first === undefined) continue
        if (ids.size === ANNOUNCES_MAX) return
        ids.add(first.eventId)
      }
    })
    const wires: string[] = []
    for (const id of ids) {
      const position = await log.find(id)
      const record = position === undefined ? undefined : await log.read(position.logSeq)
      if (record !== undefined) wires.push(toBase64url(record.payload))
    }
    return wires
  }
}

/** Whether its owner announced the root, all leaves are known, and some of the receipts are here. */
function isServed({ receiptCount, effect, announcements, receiptsKnown, receiptsPresent }: BatchRow): boolean {
  return effect === null && announcements.length > 0 && receiptsKnown === receiptCount && receiptsPresent > 0
}

/** The owner's announcement that has effect, with the smallest event id. */
function ownerAnnouncement({ announcements }: BatchRow): { readonly eventId: string; readonly ts: number } | null {
  const own = announcements.filter(({ byOwner, effect }) => byOwner && effect === null)
  return own.toSorted((left, right) => (left.eventId < right.eventId ? -1 : 1))[0] ?? null
}

function announcedAt(row: BatchRow): number | null {
  return ownerAnnouncement(row)?.ts ?? null
}

function placeIn({ owner, batchId, batchRoot }: BatchRow, index: number): Place {
  return { owner, batchId, batchRoot, index }
}
