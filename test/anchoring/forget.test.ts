import { afterEach, describe, expect, it } from 'vitest'
import { ReceiptQueue } from '../../src/anchoring/receipt-queue.ts'
import { BlobStore } from '../../src/log/blob-store.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import type { Store } from '../../src/log/store.ts'
import type { AnchormeshNode } from '../../src/node.ts'
import type { ReceiptRow } from '../../src/projections/receipts.ts'
import { seededRandom } from '../../simulations/ports/seeded-random.ts'
import { collect } from '../support/collect.ts'
import { NAMESPACE } from '../support/identities.ts'
import { FailingStore, WrappedStore } from '../support/stores.ts'
import type { AnchoringNode, AnchoringOptions } from './support.ts'
import { announces, newClock, newPlace, openAnchoring, turns } from './support.ts'

const HOUR_MS = 3_600_000
const REASON = 'asked for'
const opened: AnchormeshNode[] = []

afterEach(async () => {
  for (const node of opened.splice(0)) await node.close()
})

async function scheduled(options: AnchoringOptions = {}): Promise<AnchoringNode> {
  const sealing = { [NAMESPACE]: { everyMs: HOUR_MS, maxReceipts: 100, rails: [] } }
  const anchoring = await openAnchoring({ sealing, ...options })
  opened.push(anchoring.node)
  return anchoring
}

const handIn = async (node: AnchormeshNode, ...receipts: string[]): Promise<readonly string[]> =>
  (await node.handIn({ namespace: NAMESPACE, receipts })).receiptHashes

const rows = async (node: AnchormeshNode): Promise<ReceiptRow[]> => {
  const { log } = await node.status()
  return (await node.query('receipts', { waitFor: log.logSeq })).rows as unknown as ReceiptRow[]
}

const waiting = async (node: AnchormeshNode) => (await node.status()).anchoring.sealing[0]

/** Lets something happen before a write. */
class SlowStore extends WrappedStore {
  onWrite: (() => Promise<void>) | null = null

  override async write(...parts: Parameters<Store['write']>): Promise<void> {
    await this.onWrite?.()
    await super.write(...parts)
  }
}

describe('a receipt that is forgotten while it waits to be sealed', () => {
  it('is erased and not sealed; the others are', async () => {
    const { node, pass, blobs } = await scheduled()
    await node.start()
    const [first = '', second = '', third = ''] = await handIn(node, 'a', 'b', 'c')
    expect(await node.forget({ receipt: second, reason: REASON })).toEqual({ receipt: second, places: 0 })
    expect(await new BlobStore(blobs).getMany([second])).toEqual([undefined])
    expect(await waiting(node)).toMatchObject({ receipts: 2, problem: null })
    await pass(HOUR_MS)
    const found = await rows(node)
    expect(found.map(({ leafHash }) => leafHash).toSorted()).toEqual([first, third].toSorted())
    for (const { status } of found) expect(status).toBe('held')
    const logged = await collect(node.events({ scope: 'local', type: 'forgotten' }))
    expect(logged.map(({ event }) => event['body'])).toEqual([{ receipt: second, reason: REASON, places: [] }])
    for (const { identical } of await node.rebuild()) expect(identical).toBe(true)
  })

  it('leaves no batch behind where none is left, and no problem', async () => {
    const { node, pass } = await scheduled()
    await node.start()
    for (const receipt of await handIn(node, 'a', 'b')) await node.forget({ receipt, reason: REASON })
    await pass(2 * HOUR_MS)
    expect(await announces(node)).toEqual([])
    expect(await waiting(node)).toMatchObject({ receipts: 0, bytes: 0, nextSealAt: null, problem: null })
    await handIn(node, 'c')
    await pass(2 * HOUR_MS)
    expect(await announces(node)).toHaveLength(1)
  })

  it('is not shown as held where it is being sealed at that moment', async () => {
    const place = await newPlace()
    const store = new SlowStore(place.store)
    const { node, pass, blobs } = await scheduled({ place: { ...place, store } })
    await node.start()
    const [receipt = ''] = await handIn(node, 'a', 'b')
    const forgetting: Promise<unknown>[] = []
    store.onWrite = async () => {
      store.onWrite = null
      // The batch is about to be logged: its leaves were read.
      forgetting.push(node.forget({ receipt, reason: REASON }))
      await turns()
    }
    await pass(HOUR_MS)
    expect(await Promise.all(forgetting)).toEqual([{ receipt, places: 1 }])
    await turns()
    expect(await new BlobStore(blobs).getMany([receipt])).toEqual([undefined])
    const found = await rows(node)
    expect(found).toHaveLength(2)
    for (const { leafHash, status } of found) expect(status).toBe(leafHash === receipt ? 'forgotten' : 'held')
    expect(await waiting(node)).toMatchObject({ receipts: 0, problem: null })
  })

  it('is forgotten at the next start where the disk did not take it', async () => {
    const place = await newPlace()
    const store = new FailingStore(place.blobs)
    const { node } = await scheduled({ place: { ...place, blobs: store } })
    const [receipt = ''] = await handIn(node, 'a', 'b')
    store.full = (key) => key.startsWith('h!')
    await expect(node.forget({ receipt, reason: REASON })).rejects.toMatchObject({ code: 'STORE_FULL' })
    store.full = () => false
    await node.close()
    await place.store.reopen()
    await place.blobs.reopen()
    const again = await scheduled({ place })
    await again.node.start()
    await again.pass(2 * HOUR_MS)
    expect(await new BlobStore(place.blobs).getMany([receipt])).toEqual([undefined])
    expect((await rows(again.node)).map(({ leafHash }) => leafHash)).not.toContain(receipt)
    expect(await rows(again.node)).toHaveLength(1)
  })

  it('gives its number in line to no other, after a restart', async () => {
    const store = await openMemoryStore()
    const open = () => new ReceiptQueue({ blobs: new BlobStore(store), clock: newClock(), random: seededRandom('q') })
    const before = open()
    const { receiptHashes } = await before.handIn(NAMESPACE, ['a', 'b'])
    const cut = await before.makeCut(NAMESPACE, 2, { batchId: 'x', chains: [] })
    for (const receipt of receiptHashes) await before.drop(receipt)
    const after = open()
    const later = await after.handIn(NAMESPACE, ['c'])
    expect(await collect(after.leaves(NAMESPACE, cut))).toEqual([])
    await after.finish(NAMESPACE, cut)
    const next = await after.makeCut(NAMESPACE, 2, { batchId: 'y', chains: [] })
    expect(await collect(after.leaves(NAMESPACE, next))).toEqual(later.receiptHashes)
  })
})
