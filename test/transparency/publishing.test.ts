import { expect, onTestFinished, test } from 'vitest'
import { collect } from '../support/collect.ts'
import { NAMESPACE, member } from '../support/identities.ts'
import { untilAnswer } from '../support/until-answer.ts'
import type { MemoryNode } from '../node/nodes.ts'
import { openNode, quiet } from '../node/nodes.ts'
import { firstPack, openMachines, raiseThreshold } from '../packs/organisation.ts'

const MINUTE_MS = 60_000
const ANNA = member('anna')

const published = async ({ node }: MemoryNode): Promise<number> =>
  (await collect(node.events({ scope: 'shared', type: 'checkpoint' }))).length

async function reload({ node, self, policy }: MemoryNode, checkpointMs?: number): Promise<void> {
  const interval = checkpointMs === undefined ? {} : { checkpointMs }
  await node.reload({ config: { policy, signer: self.signer, version: 'test', ...interval } })
}

/** Lets the log grow and the time pass, and what is due be done. */
async function work(at: MemoryNode, batchId: string, ms: number): Promise<void> {
  await at.node.seal({ namespace: NAMESPACE, batchId, receipts: [batchId] })
  await at.ports.clock.advance(ms)
  await quiet(at)
}

test('checkpoints begin, come at another interval and end with a reload', async () => {
  const anna = await openNode(ANNA, [ANNA])
  onTestFinished(() => anna.node.close())
  await anna.node.start()
  await work(anna, 'none', 60 * MINUTE_MS)
  expect(await published(anna)).toBe(0)
  await reload(anna, 10 * MINUTE_MS)
  await work(anna, 'first', 10 * MINUTE_MS)
  expect(await published(anna)).toBe(1)
  await reload(anna, MINUTE_MS)
  await work(anna, 'sooner', MINUTE_MS)
  expect(await published(anna)).toBe(2)
  await reload(anna)
  await work(anna, 'no-more', 60 * MINUTE_MS)
  expect(await published(anna)).toBe(2)
})

test('reloads that come again and again put no checkpoint off', async () => {
  const anna = await openNode(ANNA, [ANNA])
  onTestFinished(() => anna.node.close())
  await anna.node.start()
  for (let turn = 0; turn < 10; turn += 1) {
    await reload(anna, 10 * MINUTE_MS)
    await work(anna, `b-${turn}`, MINUTE_MS)
  }
  expect(await published(anna)).toBe(1)
})

test('while a draft waits for signatures no checkpoint takes its place', async () => {
  const [a, b] = await openMachines(['a', 'b'])
  if (a === undefined || b === undefined) throw new Error('no machines')
  onTestFinished(() => a.node.close())
  onTestFinished(() => b.node.close())
  await firstPack([a, b])
  await raiseThreshold(a, b)
  await a.node.start()
  await reload(a, MINUTE_MS)
  const { draft } = await a.node.draftPack({ with: [b.self.signer.kid] })
  await work(a, 'while-it-waits', 30 * MINUTE_MS)
  expect(await published(a)).toBe(0)
  await a.node.completePack((await b.node.signPack(draft)).draft)
  await untilAnswer('the checkpoint comes once the draft is published', async () => {
    await a.ports.clock.advance(MINUTE_MS)
    return (await published(a)) > 0
  })
  expect((await a.node.query('effects', {})).rows).toEqual([])
})
