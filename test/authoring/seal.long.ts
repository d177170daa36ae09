import { expect, test } from 'vitest'
import { BATCH_RECEIPTS_MAX } from '../../src/projections/batch-sealed.ts'
import { openNode } from '../node/nodes.ts'
import { collect } from '../support/collect.ts'
import { NAMESPACE, member } from '../support/identities.ts'

const self = member('self')

function* numbers(count: number): Generator<number> {
  for (let index = 0; index < count; index += 1) yield index
}

test('one receipt more than a batch may hold is refused, and nothing of the batch stays', async () => {
  const { node, ports } = await openNode(self, [self])
  await expect(
    node.seal({ namespace: NAMESPACE, batchId: 'batch', receipts: numbers(BATCH_RECEIPTS_MAX + 1) })
  ).rejects.toMatchObject({
    code: 'RECEIPTS_INVALID',
    message: expect.stringContaining(String(BATCH_RECEIPTS_MAX)) as string
  })
  expect(await collect(ports.blobs.range({ limit: 1 }))).toEqual([])
  expect((await node.status()).log.logSeq).toBe(1)
})
