import { describe, expect, test } from 'vitest'
import type { JsonValue } from '../../protocols/canonical-json/v1/json.ts'
import { leafHash, verifyInclusion } from '../../protocols/batch/v1/merkle.ts'
import { RECEIPT_BYTES_MAX, decodeReceipt } from '../../protocols/batch/v1/receipt.ts'
import { fromHex, toHex, utf8 } from '../../protocols/primitives/bytes.ts'
import type { ReceiptProof } from '../../src/authoring/sealed-batches.ts'
import { REOPEN_EVERY_MS } from '../../src/log/limits.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import type { MemoryNode } from '../node/nodes.ts'
import { openNode, quiet, reopen } from '../node/nodes.ts'
import { collect } from '../support/collect.ts'
import { NAMESPACE, member } from '../support/identities.ts'
import { FailingStore } from '../support/stores.ts'

const self = member('self')
const everybody = [self, member('ada')]

function receipts(count: number): JsonValue[] {
  return Array.from({ length: count }, (_, index) => ({ index, name: `package-${index}` }))
}

function bytes(hex: string): Uint8Array {
  const decoded = fromHex(hex)
  if (decoded === null) throw new Error(`no hex: ${hex}`)
  return decoded
}

/** Whether the proof shows that the record is in the batch, by the protocol's own check. */
function holds({ record, leafHash: leaf, index, treeSize, path, batchRoot }: ReceiptProof): boolean {
  const own = record !== null && toHex(leafHash(utf8(record))) === leaf
  return (
    own && verifyInclusion({ leafHash: bytes(leaf), index, treeSize, path: path.map(bytes), root: bytes(batchRoot) })
  )
}

async function proofsOf({ node }: MemoryNode, batchId: string): Promise<ReceiptProof[]> {
  return await collect(node.proofs(NAMESPACE, batchId))
}

test.each([1, 2, 3, 7, 8, 255, 256, 257, 1_000])(
  'a batch of %i receipts: each is proven, in order, with a salt of its own',
  async (count) => {
    const opened = await openNode(self, everybody)
    const sealed = await opened.node.seal({ namespace: NAMESPACE, batchId: 'batch', receipts: receipts(count) })
    expect(sealed).toMatchObject({ namespace: NAMESPACE, owner: self.orgId, batchId: 'batch', receiptCount: count })
    const proofs = await proofsOf(opened, 'batch')
    expect(proofs.map(({ index, treeSize }) => [index, treeSize])).toEqual(
      receipts(count).map((_, index) => [index, count])
    )
    expect(proofs.filter((proof) => !holds(proof))).toEqual([])
    expect(new Set(proofs.map(({ batchRoot }) => batchRoot))).toEqual(new Set([sealed.batchRoot]))
    const decoded = proofs.map(({ record }) => decodeReceipt(utf8(record ?? '')))
    expect(decoded.map((receipt) => receipt.ok && receipt.receipt)).toEqual(receipts(count))
    expect(new Set(decoded.map((receipt) => receipt.ok && toHex(receipt.salt))).size).toBe(count)
  }
)

test('a proof fits no other place, no other record and no other batch', async () => {
  const opened = await openNode(self, everybody)
  await opened.node.seal({ namespace: NAMESPACE, batchId: 'batch', receipts: receipts(20) })
  const [first, second] = await proofsOf(opened, 'batch')
  if (first === undefined || second === undefined) throw new Error('no proofs')
  expect(holds({ ...first, index: 1 })).toBe(false)
  expect(holds({ ...first, record: second.record })).toBe(false)
  expect(holds({ ...first, path: second.path })).toBe(false)
  expect(holds({ ...first, batchRoot: toHex(new Uint8Array(32)) })).toBe(false)
})

test('the same receipts sealed twice have different roots: nobody can guess what is in them', async () => {
  const { node } = await openNode(self, everybody)
  const one = await node.seal({ namespace: NAMESPACE, batchId: 'one', receipts: receipts(3) })
  const two = await node.seal({ namespace: NAMESPACE, batchId: 'two', receipts: receipts(3) })
  expect(one.batchRoot).not.toBe(two.batchRoot)
})

test('batches whose names begin alike keep apart', async () => {
  const opened = await openNode(self, everybody)
  for (const [batchId, count] of [
    ['a', 2],
    ['a.b', 3],
    ['a:1', 4],
    ['a-', 5]
  ] as const)
    await opened.node.seal({ namespace: NAMESPACE, batchId, receipts: receipts(count) })
  for (const [batchId, count] of [
    ['a', 2],
    ['a.b', 3],
    ['a:1', 4],
    ['a-', 5]
  ] as const) {
    const proofs = await proofsOf(opened, batchId)
    expect(proofs).toHaveLength(count)
    expect(proofs.every(holds)).toBe(true)
  }
})

describe('what can not be sealed', () => {
  test.each<[string, string, () => Iterable<JsonValue>]>([
    ['no receipts', 'batch', () => []],
    ['a receipt that is too large', 'batch', () => [...receipts(300), 'x'.repeat(RECEIPT_BYTES_MAX)]],
    ['a number that is no I-JSON', 'batch', () => [...receipts(300), { n: 2 ** 60 }]],
    ['a lone surrogate', 'batch', () => ['\ud800']],
    ['a receipt of 40 levels', 'batch', () => [JSON.parse(`${'['.repeat(40)}${']'.repeat(40)}`) as JsonValue]],
    ['a batch id with a space', 'a batch', () => receipts(1)],
    ['a batch id with a separator of store keys', 'a!b', () => receipts(1)],
    ['an empty batch id', '', () => receipts(1)],
    ['a batch id that is too long', 'x'.repeat(129), () => receipts(1)]
  ])('RECEIPTS_INVALID: %s; nothing of it stays', async (_, batchId, make) => {
    const opened = await openNode(self, everybody)
    const before = await opened.node.status()
    await expect(opened.node.seal({ namespace: NAMESPACE, batchId, receipts: make() })).rejects.toMatchObject({
      code: 'RECEIPTS_INVALID',
      name: 'AnchormeshError'
    })
    expect((await opened.node.status()).log).toEqual(before.log)
    expect(await collect(opened.ports.blobs.range({}))).toEqual([])
    // The name is free.
    if (batchId === 'batch')
      expect(await opened.node.seal({ namespace: NAMESPACE, batchId, receipts: receipts(1) })).toMatchObject({
        receiptCount: 1
      })
  })

  test('the number of the receipt that is wrong is told', async () => {
    const { node } = await openNode(self, everybody)
    await expect(
      node.seal({ namespace: NAMESPACE, batchId: 'batch', receipts: [...receipts(4), { n: Infinity }] })
    ).rejects.toMatchObject({ detail: { index: 4 } })
  })

  test('BATCH_EXISTS: a second batch of the same name, at once, later and after a restart; the first stays as it is', async () => {
    const opened = await openNode(self, everybody)
    const [first, second] = await Promise.allSettled([
      opened.node.seal({ namespace: NAMESPACE, batchId: 'batch', receipts: receipts(3) }),
      opened.node.seal({ namespace: NAMESPACE, batchId: 'batch', receipts: receipts(4) })
    ])
    expect([first.status, second.status]).toEqual(['fulfilled', 'rejected'])
    expect(second).toMatchObject({ reason: { code: 'BATCH_EXISTS' } })
    await expect(
      opened.node.seal({ namespace: NAMESPACE, batchId: 'batch', receipts: receipts(4) })
    ).rejects.toMatchObject({ code: 'BATCH_EXISTS' })
    const again = await reopen(opened)
    await expect(
      again.node.seal({ namespace: NAMESPACE, batchId: 'batch', receipts: receipts(4) })
    ).rejects.toMatchObject({ code: 'BATCH_EXISTS' })
    const proofs = await proofsOf(again, 'batch')
    expect(proofs).toHaveLength(3)
    expect(proofs.every(holds)).toBe(true)
  })

  test('a batch of the same name that another organisation announced is another batch', async () => {
    const { node } = await openNode(self, everybody)
    expect(await node.seal({ namespace: NAMESPACE, batchId: 'batch', receipts: receipts(1) })).toMatchObject({
      owner: self.orgId
    })
  })

  test('NOT_FOUND: a namespace that is not carried, or where no batches are', async () => {
    const { node } = await openNode(self, everybody)
    await expect(node.seal({ namespace: 'dao:other', batchId: 'batch', receipts: receipts(1) })).rejects.toMatchObject({
      code: 'NOT_FOUND'
    })
    await expect(node.seal({ namespace: '_trust', batchId: 'batch', receipts: receipts(1) })).rejects.toMatchObject({
      code: 'NOT_FOUND'
    })
  })

  test('BATCH_UNKNOWN: proofs and an announce of a batch that was not sealed here', async () => {
    const opened = await openNode(self, everybody)
    await expect(proofsOf(opened, 'batch')).rejects.toMatchObject({ code: 'BATCH_UNKNOWN' })
    await expect(
      opened.node.announce({ namespace: NAMESPACE, batchId: 'batch', timestampAnchors: [] })
    ).rejects.toMatchObject({ code: 'BATCH_UNKNOWN' })
  })

  test('a source of receipts that fails midway leaves nothing behind', async () => {
    const opened = await openNode(self, everybody)
    const failing = async function* (): AsyncGenerator<JsonValue> {
      yield* receipts(600)
      await Promise.reject(new Error('the file could not be read on'))
    }
    await expect(opened.node.seal({ namespace: NAMESPACE, batchId: 'batch', receipts: failing() })).rejects.toThrow(
      'the file could not be read on'
    )
    expect(await collect(opened.ports.blobs.range({}))).toEqual([])
    expect(await opened.node.seal({ namespace: NAMESPACE, batchId: 'batch', receipts: receipts(2) })).toMatchObject({
      receiptCount: 2
    })
  })
})

describe('a full disk', () => {
  interface OnFailingDisk extends MemoryNode {
    readonly store: FailingStore
    readonly blobs: FailingStore
  }

  async function open(): Promise<OnFailingDisk> {
    const store = new FailingStore(await openMemoryStore())
    const blobs = new FailingStore(await openMemoryStore())
    return Object.assign(await openNode(self, everybody, { ports: { store, blobs } }), { store, blobs })
  }

  test('under the receipts: STORE_FULL, nothing is sealed, and sealing works when there is room again', async () => {
    const opened = await open()
    opened.blobs.full = () => true
    await expect(
      opened.node.seal({ namespace: NAMESPACE, batchId: 'batch', receipts: receipts(600) })
    ).rejects.toMatchObject({ code: 'STORE_FULL' })
    await expect(
      opened.node.seal({ namespace: NAMESPACE, batchId: 'batch', receipts: receipts(1) })
    ).rejects.toMatchObject({ code: 'STORE_FULL' })
    opened.blobs.full = () => false
    await opened.ports.clock.advance(REOPEN_EVERY_MS)
    await opened.node.seal({ namespace: NAMESPACE, batchId: 'batch', receipts: receipts(600) })
    const proofs = await proofsOf(opened, 'batch')
    expect(proofs).toHaveLength(600)
    expect(proofs.every(holds)).toBe(true)
  })

  test('under the log: STORE_FULL, and the batch can be sealed when there is room again', async () => {
    const opened = await open()
    opened.store.full = (key) => key.startsWith('r!')
    await expect(
      opened.node.seal({ namespace: NAMESPACE, batchId: 'batch', receipts: receipts(3) })
    ).rejects.toMatchObject({ code: 'STORE_FULL' })
    opened.store.full = () => false
    await opened.ports.clock.advance(REOPEN_EVERY_MS)
    await opened.node.seal({ namespace: NAMESPACE, batchId: 'batch', receipts: receipts(3) })
    expect((await proofsOf(opened, 'batch')).every(holds)).toBe(true)
  })

  test('under the log, which holds the batch nevertheless: its receipts are still there', async () => {
    const opened = await open()
    opened.store.mode = 'kept'
    opened.store.full = (key) => key.startsWith('r!')
    await expect(
      opened.node.seal({ namespace: NAMESPACE, batchId: 'batch', receipts: receipts(3) })
    ).rejects.toMatchObject({ code: 'STORE_FULL' })
    opened.store.full = () => false
    await opened.ports.clock.advance(REOPEN_EVERY_MS)
    await quiet(opened)
    await expect(
      opened.node.seal({ namespace: NAMESPACE, batchId: 'batch', receipts: receipts(3) })
    ).rejects.toMatchObject({ code: 'BATCH_EXISTS' })
    const proofs = await proofsOf(opened, 'batch')
    expect(proofs).toHaveLength(3)
    expect(proofs.filter((proof) => !holds(proof))).toEqual([])
  })
})
