import { expect, test } from 'vitest'
import { BATCH_RECEIPTS_MAX } from '../../src/authoring/seal.ts'
import { openNode } from '../node/nodes.ts'
import { collect } from '../support/collect.ts'
import { NAMESPACE, member } from '../support/identities.ts'

const self = member('self')

function* numbers(count: number): Generator<number> {
  for (let index = 0; index < count; index += 1) yield index
}

test('a batch holds as many receipts as it may, and not one more; what is too much leaves nothing behind', async () => {
  const { node, ports } = await openNode(self, [self])
  await expect(node.seal({ namespace: NAMESPACE, batchId: 'batch', receipts: numbers(BATCH_RECEIPTS_MAX + 1) })).rejects.toMatchObject({
    code: 'RECEIPTS_INVALID',
    message: expect.stringContaining(String(BATCH_RECEIPTS_MAX)) as string
  })
  expect(await collect(ports.blobs.range({ limit: 1 }))).toEqual([])
  const sealed = await node.seal({ namespace: NAMESPACE, batchId: 'batch', receipts: numbers(BATCH_RECEIPTS_MAX) })
  expect(sealed.receiptCount).toBe(BATCH_RECEIPTS_MAX)
  let proofs = 0
  for await (const { index } of node.proofs(NAMESPACE, 'batch')) {
    expect(index).toBe(proofs)
    proofs += 1
  }
  expect(proofs).toBe(BATCH_RECEIPTS_MAX)
})
