import { afterEach, describe, expect, it } from 'vitest'
import { ReceiptQueue } from '../../src/anchoring/receipt-queue.ts'
import { BlobStore } from '../../src/log/blob-store.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import type { AnchormeshNode } from '../../src/node.ts'
import type { SealingConfig } from '../../src/policy/config-schema.ts'
import type { AnchoringRow } from '../../src/projections/anchorings.ts'
import type { BatchRow } from '../../src/projections/batches.ts'
import { collect } from '../support/collect.ts'
import { NAMESPACE, policyOf } from '../support/identities.ts'
import { FailingStore } from '../support/stores.ts'
import { seededRandom } from '../../simulations/ports/seeded-random.ts'
import type { AnchoringNode, AnchoringOptions } from './support.ts'
import {
  BTC,
  SELF,
  TSA,
  VALID,
  announces,
  chainsIn,
  failed,
  newClock,
  newWorld,
  openAnchoring,
  payments,
  turns
} from './support.ts'

const HOUR_MS = 3_600_000
const opened: AnchormeshNode[] = []

afterEach(async () => {
  for (const node of opened.splice(0)) await node.close()
})

async function scheduled(settings: Partial<SealingConfig>, options: AnchoringOptions = {}): Promise<AnchoringNode> {
  const sealing = { [NAMESPACE]: { everyMs: HOUR_MS, maxReceipts: 100, rails: [], ...settings } }
  const anchoring = await openAnchoring({ sealing, ...options })
  opened.push(anchoring.node)
  return anchoring
}

const handIn = (node: AnchormeshNode, ...receipts: string[]) => node.handIn({ namespace: NAMESPACE, receipts })

/** The receipts of each batch that was sealed here, in order. */
async function sealed(node: AnchormeshNode): Promise<string[][]> {
  const { log } = await node.status()
  const { rows } = await node.query('batches', { waitFor: log.logSeq })
  return await Promise.all(
    (rows as BatchRow[]).map(async ({ batchId }) => {
      const proofs = await collect(node.proofs(NAMESPACE, batchId))
      return proofs.map(({ record }) => (JSON.parse(record ?? '') as { receipt: string }).receipt)
    })
  )
}

const queue = async (node: AnchormeshNode) => (await node.status()).anchoring.sealing[0]

describe('sealing by schedule', () => {
  it('seals what was handed in at the next full interval, announces it, and makes no empty batches', async () => {
    const { node, pass, clock } = await scheduled({})
    await node.start()
    const before = clock.now()
    const handed = await handIn(node, 'a', 'b')
    expect(handed.receiptHashes).toHaveLength(2)
    expect(handed).toMatchObject({ namespace: NAMESPACE, queued: 2 })
    expect(handed.nextSealAt).toBe((Math.floor(before / HOUR_MS) + 1) * HOUR_MS)
    expect((await handIn(node, 'c')).queued).toBe(3)
    expect(await queue(node)).toMatchObject({ receipts: 3, nextSealAt: handed.nextSealAt, problem: null })
    expect(await sealed(node)).toEqual([])
    await pass(3 * HOUR_MS)
    expect(await sealed(node)).toEqual([['a', 'b', 'c']])
    const found = await announces(node)
    expect(found.map(chainsIn)).toEqual([[]])
    const due = new Date(handed.nextSealAt ?? 0).toISOString().replaceAll(/[-:]|\.000/g, '')
    expect(found[0]?.['batchId']).toMatch(new RegExp(`^scheduled-${due}-[0-9a-f]{8}$`))
    expect(await queue(node)).toMatchObject({ receipts: 0, bytes: 0, nextSealAt: null })
    const leaves = (await node.query('receipts', {})).rows.map(({ leafHash }) => leafHash)
    expect(leaves.slice(0, 2)).toEqual(handed.receiptHashes)
  })

  it('seals sooner when enough wait, as many as a batch may have, in order', async () => {
    const { node, pass } = await scheduled({ maxReceipts: 2 })
    await node.start()
    await handIn(node, 'a', 'b', 'c', 'd', 'e')
    await turns()
    const first = await sealed(node)
    expect(first.map(({ length }) => length)).toEqual([2, 2])
    expect(first.flat().toSorted()).toEqual(['a', 'b', 'c', 'd'])
    await pass(HOUR_MS)
    expect((await sealed(node)).flat().toSorted()).toEqual(['a', 'b', 'c', 'd', 'e'])
  })

  it('anchors on all rails and announces once, when all of it is there', async () => {
    const { node, pass, world, clock } = await scheduled({ rails: ['btc', 'tsa'] })
    await node.start()
    const { nextSealAt } = await handIn(node, 'a')
    await pass((nextSealAt ?? 0) - clock.now())
    expect(await sealed(node)).toEqual([['a']])
    expect(await announces(node)).toEqual([])
    const { jobs } = (await node.status()).anchoring
    expect(jobs.map(({ chainId, together }) => [chainId, together])).toEqual([
      [BTC, [BTC, TSA]],
      [TSA, [BTC, TSA]]
    ])
    // Asking for one of them by hand goes on with all of them, and announces nothing by itself.
    const { batchId } = jobs[0] ?? { batchId: '' }
    const result = await node.anchor({ namespace: NAMESPACE, batchId, rail: 'tsa' })
    expect(result).toMatchObject({ state: 'announced', together: [BTC, TSA] })
    await pass(60_000)
    expect((await announces(node)).map(chainsIn)).toEqual([[BTC, TSA]])
    expect(payments(world)).toEqual([1])
    expect((await node.status()).anchoring).toMatchObject({ underWay: 0, failed: 0, jobs: [] })
  })

  it('announces by itself what takes the place of evidence that turned out to be none', async () => {
    const world = newWorld()
    world.verdicts.set(TSA, [VALID, { outcome: 'invalid', code: 'TSA_CHAIN', detail: 'unknown root' }])
    const { node, pass } = await scheduled({ rails: ['btc', 'tsa'] }, { world })
    await node.start()
    await handIn(node, 'a')
    await pass(HOUR_MS + 600_000)
    const { rows } = await node.query('anchorings', { namespace: NAMESPACE, status: 'announced' })
    expect(rows).toHaveLength(2)
    const { batchId } = rows[0] as AnchoringRow
    expect(await node.anchor({ namespace: NAMESPACE, batchId, rail: 'tsa' })).toMatchObject({
      state: 'announced',
      together: [TSA]
    })
    expect((await announces(node)).map(chainsIn)).toEqual([[BTC, TSA], [TSA]])
    expect((await node.status()).anchoring).toMatchObject({ underWay: 0, failed: 0 })
  })

  it('announces nothing while one rail fails', async () => {
    const world = newWorld()
    world.steps.set(
      TSA,
      Array.from({ length: 10 }, () => failed('TSA_REQUEST_FAILED'))
    )
    const { node, pass } = await scheduled({ rails: ['btc', 'tsa'] }, { world })
    await node.start()
    await handIn(node, 'a')
    await pass(HOUR_MS + 600_000)
    expect(await announces(node)).toEqual([])
    await pass(6 * HOUR_MS)
    expect((await announces(node)).map(chainsIn)).toEqual([[BTC, TSA]])
    expect(payments(world)).toEqual([1])
  })

  it('keeps receipts where they are while they could not be anchored or announced, and says why', async () => {
    const { node, pass } = await scheduled({ rails: ['evm'] }, { chains: [TSA] })
    await node.start()
    await handIn(node, 'a')
    await pass(2 * HOUR_MS)
    expect(await sealed(node)).toEqual([])
    const { anchoring, warnings } = await node.status()
    expect(anchoring.sealing[0]).toMatchObject({
      receipts: 1,
      problem: 'this node can not make evidence by the rail evm'
    })
    expect(warnings.join()).toContain(`receipts of ${NAMESPACE} wait and are not sealed`)
    const denied = await scheduled({}, { policy: policyOf(SELF, [SELF], { announcers: [] }) })
    await denied.node.start()
    await handIn(denied.node, 'a')
    await denied.pass(2 * HOUR_MS)
    expect(await sealed(denied.node)).toEqual([])
    expect((await queue(denied.node))?.problem).toContain('may not announce')
  })

  it('seals after a restart what was due while no node ran; without sealing settings it says that they wait', async () => {
    const { node, ...place } = await scheduled({ rails: ['tsa'] })
    expect(await handIn(node, 'a')).toMatchObject({ queued: 1 })
    await place.pass(5 * HOUR_MS)
    await node.close()
    const reopened = async (sealing: boolean): Promise<AnchoringNode> => {
      await place.store.reopen()
      await place.blobs.reopen()
      return sealing ? await scheduled({ rails: ['tsa'] }, { place }) : await openAnchoring({ place })
    }
    const without = await reopened(false)
    expect((await without.node.status()).warnings.join()).toContain('sealing in federation.yaml no longer names it')
    await without.node.close()
    const again = await reopened(true)
    await again.node.start()
    await turns()
    await turns()
    expect(await sealed(again.node)).toEqual([['a']])
    expect((await announces(again.node)).map(chainsIn)).toEqual([[TSA]])
  })

  it('waits for longer than a timer can', async () => {
    const monthMs = 31 * 24 * HOUR_MS
    const { node, pass, clock } = await scheduled({ everyMs: monthMs })
    await node.start()
    const { nextSealAt } = await handIn(node, 'a')
    const waitMs = (nextSealAt ?? 0) - clock.now()
    await pass(waitMs - HOUR_MS)
    expect(await sealed(node)).toEqual([])
    await pass(2 * HOUR_MS)
    expect(await sealed(node)).toEqual([['a']])
  })
})

describe('what is handed in', () => {
  it('is refused where nothing is sealed by schedule', async () => {
    const { node } = await openAnchoring()
    opened.push(node)
    await expect(handIn(node, 'a')).rejects.toMatchObject({
      code: 'SEALING_NOT_CONFIGURED',
      hint: expect.stringContaining('under sealing in federation.yaml') as string
    })
  })

  it('is taken whole or not at all', async () => {
    const { node, blobs } = await scheduled({})
    const receipts = ['a', 'b', { big: 'x'.repeat(70_000) }]
    await expect(node.handIn({ namespace: NAMESPACE, receipts })).rejects.toMatchObject({ code: 'RECEIPTS_INVALID' })
    await expect(handIn(node)).rejects.toMatchObject({ code: 'RECEIPTS_INVALID' })
    expect(await queue(node)).toMatchObject({ receipts: 0 })
    expect(await collect(blobs.range({}))).toEqual([])
  })

  it('is durable before it is answered, and never counted twice after a write that failed', async () => {
    const store = new FailingStore(await openMemoryStore())
    const random = seededRandom('queue')
    const lines = new ReceiptQueue({ blobs: new BlobStore(store), clock: newClock(), random })
    await lines.handIn(NAMESPACE, ['a'])
    store.full = (key) => key.startsWith('h!')
    await expect(lines.handIn(NAMESPACE, ['b'])).rejects.toMatchObject({ code: 'STORE_FULL' })
    store.full = () => false
    expect(await lines.handIn(NAMESPACE, ['c'])).toMatchObject({ queued: 2 })
    store.mode = 'kept'
    store.full = (key) => key.startsWith('h!')
    await expect(lines.handIn(NAMESPACE, ['d'])).rejects.toMatchObject({ code: 'STORE_FULL' })
    store.full = () => false
    // What seemed to fail is there: its receipt must be, too.
    expect((await lines.handIn(NAMESPACE, ['e'])).queued).toBe(4)
    const cut = await lines.makeCut(NAMESPACE, 3, { batchId: 'x', chains: [] })
    const leaves = await collect(lines.leaves(NAMESPACE, cut))
    expect(leaves).toHaveLength(3)
    expect(await new BlobStore(store).getMany(leaves)).not.toContain(undefined)
    await lines.finish(NAMESPACE, cut)
    expect(await lines.waiting(NAMESPACE)).toMatchObject({ receipts: 1 })
    expect(await lines.cut(NAMESPACE)).toBeNull()
  })

  it('is bounded in number and bytes', async () => {
    const ports = {
      blobs: new BlobStore(await openMemoryStore()),
      clock: newClock(),
      random: seededRandom('queue')
    }
    const full = { code: 'RECEIPTS_QUEUE_FULL' }
    const three = new ReceiptQueue(ports, { receipts: 3, bytes: 1_000 })
    await expect(three.handIn(NAMESPACE, ['a', 'b', 'c', 'd'])).rejects.toMatchObject(full)
    await three.handIn(NAMESPACE, ['a', 'b'])
    await three.handIn(NAMESPACE, ['c'])
    await expect(three.handIn(NAMESPACE, ['d'])).rejects.toMatchObject(full)
    const large = new ReceiptQueue(ports, { receipts: 9, bytes: 1_000 })
    await expect(large.handIn(NAMESPACE, ['x'.repeat(1_000)])).rejects.toMatchObject(full)
    expect(await large.waiting(NAMESPACE)).toMatchObject({ receipts: 3 })
    await large.handIn('dao:other', ['x'.repeat(500)])
  })
})
