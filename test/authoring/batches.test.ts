import { describe, expect, test } from 'vitest'
import type { JsonValue } from '../../protocols/canonical-json/v1/json.ts'
import { leafHash, verifyInclusion } from '../../protocols/batch/v1/merkle.ts'
import { decodeReceipt } from '../../protocols/batch/v1/receipt.ts'
import { fromHex, toHex, utf8 } from '../../protocols/primitives/bytes.ts'
import type { ReceiptProof } from '../../src/operations.ts'
import type { MemoryNode } from '../node/nodes.ts'
import { openNode, reopen } from '../node/nodes.ts'
import { collect } from '../support/collect.ts'
import { announceBody, next } from '../support/events.ts'
import { NAMESPACE, member } from '../support/identities.ts'

const self = member('self')
const other = member('other')
const members = [self, other]
const RECEIPTS: readonly JsonValue[] = [{ invoice: 1 }, { invoice: 2 }, { invoice: 3 }]

const receiptsOf = (count: number): JsonValue[] => Array.from({ length: count }, (_, invoice) => ({ invoice }))

const seal = (
  { node }: MemoryNode,
  batchId: string,
  receipts: AsyncIterable<JsonValue> | Iterable<JsonValue> = RECEIPTS
) => node.seal({ namespace: NAMESPACE, batchId, receipts })

const announce = ({ node }: MemoryNode, batchId: string) =>
  node.announce({ namespace: NAMESPACE, batchId, timestampAnchors: [] })

/** What must not change when something is refused: the length of the log and its head. */
async function logOf({ node }: MemoryNode): Promise<unknown> {
  return (await node.status()).log
}

const hashOf = (hex: string): Uint8Array => fromHex(hex) ?? new Uint8Array()

function holds({ leafHash: leaf, index, treeSize, path }: ReceiptProof, root: string): boolean {
  return verifyInclusion({ leafHash: hashOf(leaf), index, treeSize, path: path.map(hashOf), root: hashOf(root) })
}

/** What an announce says of its batch, read from the log. */
async function announced(
  { node }: MemoryNode,
  id: string
): Promise<{ readonly batchRoot: string; readonly receiptCount: number }> {
  const event = await node.event(id)
  return event?.event['body'] as { batchRoot: string; receiptCount: number }
}

describe('proofs', () => {
  // The last takes two log records and two writes of blobs.
  test.each([1, 3, 257])('of a batch of %i receipts lead each record to the announced root', async (count) => {
    const opened = await openNode(self, members)
    const sealed = await seal(opened, 'batch-1', receiptsOf(count))
    const { batchRoot, receiptCount } = await announced(opened, (await announce(opened, 'batch-1')).id)
    expect([batchRoot, receiptCount]).toEqual([sealed.batchRoot, count])
    const proofs = await collect(opened.node.proofs(NAMESPACE, 'batch-1'))
    expect(proofs.map(({ index }) => index)).toEqual(receiptsOf(count).map((_, index) => index))
    for (const proof of proofs) {
      const record = utf8(proof.record ?? '')
      expect(toHex(leafHash(record))).toBe(proof.leafHash)
      expect(decodeReceipt(record)).toMatchObject({ ok: true, receipt: { invoice: proof.index } })
      expect(holds(proof, batchRoot)).toBe(true)
    }
    expect(new Set(proofs.map(({ leafHash: leaf }) => leaf)).size).toBe(count)
  })

  test('are the same after the node was opened again', async () => {
    const opened = await openNode(self, members)
    await seal(opened, 'batch-1', receiptsOf(20))
    const before = await collect(opened.node.proofs(NAMESPACE, 'batch-1'))
    const again = await reopen(opened)
    expect(await collect(again.node.proofs(NAMESPACE, 'batch-1'))).toEqual(before)
  })
})

test('BATCH_EXISTS: of those who seal one batch at the same time exactly one does', async () => {
  const opened = await openNode(self, members)
  const results = await Promise.allSettled(
    Array.from({ length: 8 }, (_, index) => seal(opened, 'batch-1', [`from ${index}`]))
  )
  const refused = results.filter((result) => result.status === 'rejected')
  expect(refused.map(({ reason }: { reason: unknown }) => reason)).toEqual(
    Array.from({ length: 7 }, () => expect.objectContaining({ code: 'BATCH_EXISTS' }) as unknown)
  )
  expect(await collect(opened.node.proofs(NAMESPACE, 'batch-1'))).toHaveLength(1)
})

test('the largest receipt fits, one byte more does not', async () => {
  const opened = await openNode(self, members)
  const overhead = utf8(JSON.stringify({ receipt: '', salt: 'x'.repeat(22), v: 1 })).length
  const largest = 'x'.repeat(65_536 - overhead)
  await expect(seal(opened, 'batch-1', [`${largest}x`])).rejects.toMatchObject({ code: 'RECEIPTS_INVALID' })
  await expect(seal(opened, 'batch-1', [largest])).resolves.toMatchObject({ receiptCount: 1 })
})

test('BATCH_UNKNOWN: what others announced is not sealed here, in whose name ever they did', async () => {
  const opened = await openNode(self, members)
  const theirs = await next(other, null, announceBody('batch-1', { owner: other.orgId }))
  const inMyName = await next(other, theirs, announceBody('batch-2', { owner: self.orgId }))
  for (const { wire } of [theirs, inMyName])
    expect(await opened.node.submit(wire)).toMatchObject({ outcome: 'accepted' })
  const before = await logOf(opened)
  for (const batchId of ['batch-1', 'batch-2']) {
    await expect(announce(opened, batchId)).rejects.toMatchObject({ code: 'BATCH_UNKNOWN' })
    await expect(collect(opened.node.proofs(NAMESPACE, batchId))).rejects.toMatchObject({ code: 'BATCH_UNKNOWN' })
  }
  expect(await logOf(opened)).toEqual(before)
  const { batchRoot } = await seal(opened, 'batch-2')
  expect(await announced(opened, (await announce(opened, 'batch-2')).id)).toMatchObject({ batchRoot, receiptCount: 3 })
})

test('BATCH_EXISTS: what was announced and came back by import, after a loss of the store, is not sealed anew', async () => {
  const opened = await openNode(self, members)
  await seal(opened, 'batch-1')
  await announce(opened, 'batch-1')
  const lost = await openNode(self, members)
  expect(await lost.node.importEvents(opened.node.exportEvents())).toMatchObject({ accepted: 1 })
  const before = await logOf(lost)
  await expect(seal(lost, 'batch-1')).rejects.toMatchObject({
    code: 'BATCH_EXISTS',
    message: expect.stringContaining('was announced already') as unknown
  })
  expect(await logOf(lost)).toEqual(before)
  await expect(seal(lost, 'batch-2')).resolves.toMatchObject({ receiptCount: 3 })
})
