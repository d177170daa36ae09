import { afterEach, describe, expect, test } from 'vitest'
import { createMemoryHub } from '../../simulations/ports/memory-network.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import type { Store, WriteOperation } from '../../src/log/store.ts'
import type { MemoryNode } from '../node/nodes.ts'
import { quiet, reopen } from '../node/nodes.ts'
import { NAMESPACE } from '../support/identities.ts'
import { WrappedStore } from '../support/stores.ts'
import {
  ANNA,
  announced,
  batchRows,
  BERT,
  blobsOf,
  CLEO,
  eventually,
  missingOf,
  numbered,
  openBundleNode,
  receiptRows,
  sharedClock
} from './support.ts'

const opened: MemoryNode[] = []
afterEach(async () => {
  for (const { node } of opened.splice(0)) await node.close()
})

const hub = createMemoryHub

/** Anna sealed and announced five receipts; Bert has fetched them, if he is wanted. */
async function world(options: { readonly blobs?: Store; readonly bert?: boolean } = {}) {
  const mesh = hub()
  const clock = sharedClock()
  const open = async (self: typeof ANNA, blobs?: Store): Promise<MemoryNode> => {
    const ports = blobs === undefined ? {} : { ports: { blobs } }
    const node = await openBundleNode(self, { hub: mesh, clock, ...ports })
    opened.push(node)
    return node
  }
  const fetched = async (node: MemoryNode): Promise<void> => {
    await quiet(node)
    await clock.advance(1_000)
    await eventually('nothing is missing', async () => (await missingOf(node)) === 0)
  }
  const anna = await open(ANNA)
  const bert = await open(BERT, options.blobs)
  await announced(anna, mesh, 'batch-1', numbered(5))
  if (options.bert !== false) await fetched(bert)
  await quiet(anna, bert)
  const receipt = (await receiptRows(anna))[2]?.leafHash ?? ''
  return { mesh, clock, anna, bert, open, fetched, receipt }
}

describe('a receipt that is forgotten', () => {
  test('is gone, its hash stays, it never comes back, and a rebuild changes nothing', async () => {
    const { clock, bert, receipt, fetched } = await world()
    expect(await bert.node.forget({ receipt, reason: 'asked for' })).toEqual({ receipt, places: 1 })
    await quiet(bert)
    expect((await blobsOf(bert)).has(receipt)).toBe(false)
    expect((await receiptRows(bert)).map(({ status }) => status)).toEqual(['held', 'held', 'forgotten', 'held', 'held'])
    expect(await batchRows(bert)).toMatchObject([{ receiptsPresent: 4, receiptsForgotten: 1, missingSince: null }])
    for (const { identical } of await bert.node.rebuild()) expect(identical).toBe(true)
    await clock.advance(60_000)
    await fetched(bert)
    expect(await bert.node.fetchBundles({ namespace: NAMESPACE })).toMatchObject({ batches: 0 })
    expect((await blobsOf(bert)).has(receipt)).toBe(false)
    expect(await bert.node.forget({ receipt, reason: 'again' })).toEqual({ receipt, places: 0 })
    const events = []
    for await (const { event } of bert.node.events({ scope: 'local' }))
      if (event['type'] === 'forgotten') events.push(event)
    expect(events).toMatchObject([{ body: { receipt, reason: 'asked for' } }])
  })

  test('is served by its hash alone; others are proven beside it, and who lacks it goes on asking others', async () => {
    const { mesh, anna, bert, receipt, open, clock, fetched } = await world({ bert: false })
    await anna.node.forget({ receipt, reason: 'asked for' })
    await quiet(anna, bert)
    await clock.advance(1_000)
    await eventually('four came', async () => (await missingOf(bert)) === 1)
    await quiet(bert)
    expect((await receiptRows(bert)).map(({ status }) => status)).toEqual(['held', 'held', 'erased', 'held', 'held'])
    expect(await bert.node.fetchBundles({ namespace: NAMESPACE })).toMatchObject({ held: 0, missing: 1, failures: {} })
    // Bert erases what he never had: then it is not missing any more.
    await bert.node.forget({ receipt, reason: 'asked for' })
    await fetched(bert)
    expect(await batchRows(bert)).toMatchObject([{ receiptsPresent: 4, receiptsForgotten: 1, receiptsKnown: 5 }])
    for (const { identical } of await bert.node.rebuild()) expect(identical).toBe(true)
    expect(mesh.links()).toEqual([])
    const cleo = await open(CLEO)
    await cleo.node.importEvents(anna.node.exportEvents(NAMESPACE))
    await quiet(cleo)
    await clock.advance(1_000)
    await eventually('four came', async () => (await missingOf(cleo)) === 1)
  })

  test('that one server erased comes from another that still has it', async () => {
    const { clock, anna, bert, receipt, open } = await world()
    await anna.node.forget({ receipt, reason: 'asked for' })
    const cleo = await open(CLEO)
    await cleo.node.importEvents(anna.node.exportEvents(NAMESPACE))
    await quiet(anna, bert, cleo)
    await clock.advance(1_000)
    await eventually('nothing is missing', async () => (await missingOf(cleo)) === 0)
    expect(await blobsOf(cleo)).toEqual(await blobsOf(bert))
    for (const { identical } of await cleo.node.rebuild()) expect(identical).toBe(true)
  })

  test('which this node does not know is an error, and nothing is logged', async () => {
    const { bert } = await world()
    const { log } = await bert.node.status()
    await expect(bert.node.forget({ receipt: 'ab'.repeat(32), reason: 'why' })).rejects.toMatchObject({
      code: 'RECEIPT_UNKNOWN'
    })
    expect((await bert.node.status()).log.logSeq).toBe(log.logSeq)
  })

  test('whose own batch it is shows as erased in the proofs, and the others still prove', async () => {
    const { anna, receipt } = await world()
    await anna.node.forget({ receipt, reason: 'asked for' })
    const proofs = []
    for await (const { record, leafHash } of anna.node.proofs(NAMESPACE, 'batch-1')) proofs.push([leafHash, record])
    expect(proofs.map(([, record]) => record === null)).toEqual([false, false, true, false, false])
    expect(proofs[2]?.[0]).toBe(receipt)
    expect(await missingOf(anna)).toBe(0)
  })
})

/** A disk for blobs that loses power at the first deletion. */
class NoDeletion extends WrappedStore {
  refuses = true

  override async write(operations: readonly WriteOperation[], options: { readonly sync: boolean }): Promise<void> {
    if (this.refuses && operations.some(({ type }) => type === 'del')) throw new Error('the power is gone')
    await super.write(operations, options)
  }
}

test('a crash between the event and the deletion: the deletion is finished at the next start', async () => {
  const blobs = new NoDeletion(await openMemoryStore())
  const { mesh, bert, receipt } = await world({ blobs })
  await expect(bert.node.forget({ receipt, reason: 'asked for' })).rejects.toThrow('the power is gone')
  await quiet(bert)
  expect((await blobsOf(bert)).has(receipt)).toBe(true)
  blobs.refuses = false
  const again = await reopen(bert, { hub: mesh })
  opened.push(again)
  expect((await blobsOf(again)).has(receipt)).toBe(false)
  expect((await receiptRows(again))[2]?.status).toBe('forgotten')
  for await (const [key] of again.ports.store.range({ gte: 'z!', lt: 'z!\x7f' })) throw new Error(`left behind: ${key}`)
})

test('a crash before the event: nothing is erased, and nothing is left behind', async () => {
  const { bert, receipt, mesh } = await world()
  await bert.node.close()
  await bert.ports.store.reopen()
  await bert.ports.store.write([{ type: 'put', key: `z!${receipt}`, value: '' }], { sync: true })
  const again = await reopen(bert, { hub: mesh })
  opened.push(again)
  expect((await blobsOf(again)).has(receipt)).toBe(true)
  for await (const [key] of again.ports.store.range({ gte: 'z!', lt: 'z!\x7f' })) throw new Error(`left behind: ${key}`)
})
