import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { newFolder } from '../support/cli.ts'
import { NAMESPACE } from '../support/identities.ts'
import { untilAnswer } from '../support/until-answer.ts'
import type { DiskNode } from './nodes.ts'
import { MAKER, MAKER_NEXT, NEIGHBOURS, keptOfMaker, startOn } from './nodes.ts'
import { beginEpoch, rewriteLog } from './rewrite.ts'

interface World {
  readonly folder: string
  readonly neighbours: readonly DiskNode[]
  maker: DiskNode
}

async function world(): Promise<World> {
  const root = newFolder()
  const neighbours: DiskNode[] = []
  for (const self of NEIGHBOURS) neighbours.push(await startOn(join(root, self.orgId), self, neighbours))
  const folder = join(root, 'maker')
  return { folder, neighbours, maker: await startOn(folder, MAKER, neighbours) }
}

/** Seals and announces, which grows the log by local and by shared records. */
async function work({ maker }: World, batchIds: readonly string[]): Promise<void> {
  for (const batchId of batchIds) {
    await maker.node.seal({ namespace: NAMESPACE, batchId, receipts: [{ of: batchId }] })
    await maker.node.announce({ namespace: NAMESPACE, batchId, timestampAnchors: [] })
  }
}

/** Waits until every neighbour keeps a checkpoint of the maker that is over all of its log but checkpoints. */
async function untilKept(at: World): Promise<void> {
  const { log } = await at.maker.node.status()
  for (const neighbour of at.neighbours)
    await untilAnswer(`${neighbour.self.orgId} keeps a checkpoint over ${log.logSeq} records`, async () => {
      const kept = await keptOfMaker(neighbour, at.maker.self)
      return kept !== null && kept.epoch === log.epoch && kept.size >= log.logSeq
    })
}

async function restart(at: World, self = at.maker.self): Promise<void> {
  at.maker = await startOn(at.folder, self, at.neighbours)
}

/** Waits until every neighbour raises the alarm, once, and looks at how it tells it. */
async function expectAlarm(at: World, code: string): Promise<void> {
  for (const neighbour of at.neighbours) {
    const row = await untilAnswer(`${neighbour.self.orgId} raises ${code}`, async () => {
      const kept = await keptOfMaker(neighbour, at.maker.self)
      return kept?.alarm?.code === code ? kept : null
    })
    // Both checkpoints stay, as evidence for whoever asks.
    for (const id of [row.alarm?.event, row.alarm?.against])
      expect(await neighbour.node.event(id ?? '')).toMatchObject({ event: { type: 'checkpoint' } })
    const warned = async (): Promise<boolean> =>
      (await neighbour.node.status()).warnings.some((line) => line.includes(code) && line.includes(MAKER.signer.did))
    expect(await warned()).toBe(true)
    const told = (): number => neighbour.lines.filter(({ fields }) => fields['code'] === code).length
    await untilAnswer('the alarm is in the log', async () => Promise.resolve(told() > 0))
    expect(told()).toBe(1)
    expect((await neighbour.node.status()).health.ok).toBe(true)
    const isAlarm = { action: 'LOG_CHECKPOINT_ALARM' }
    const records = await untilAnswer('the alarm has an audit record', async () => {
      const found = await Array.fromAsync(neighbour.node.audit(isAlarm))
      return found.length > 0 ? found : null
    })
    expect(records).toMatchObject([{ actor: 'node', outcome: 'failed', code, detail: { event: row.alarm?.event } }])
  }
  await untilAnswer('the maker says so itself', async () =>
    (await at.maker.node.status()).warnings.some((line) => line.includes(code) && line.startsWith('THIS'))
  )
}

async function expectNoAlarm(at: World): Promise<void> {
  for (const neighbour of [...at.neighbours, at.maker]) {
    expect((await keptOfMaker(neighbour, at.maker.self))?.alarm).toBeNull()
    expect((await neighbour.node.status()).warnings).toEqual([])
  }
}

test('a rewritten log is detected by its neighbours, though nothing in its folder shows it', async () => {
  const at = await world()
  await work(at, ['b-1', 'b-2', 'b-3'])
  await untilKept(at)
  await at.maker.node.close()
  // A restart alone, and more work, are no alarm.
  await restart(at)
  await work(at, ['b-4'])
  await untilKept(at)
  await expectNoAlarm(at)
  await at.maker.node.close()

  expect(await rewriteLog(at.folder, 'batch-sealed')).toBeGreaterThan(1)
  await restart(at)
  expect(await at.maker.node.verifyLog()).toMatchObject({ ok: true })
  await expectAlarm(at, 'LOG_REWRITTEN')
})

test('a data folder that was set back to a copy is detected', async () => {
  const at = await world()
  await work(at, ['b-1'])
  await untilKept(at)
  await at.maker.node.close()
  const copy = join(newFolder(), 'copy')
  cpSync(at.folder, copy, { recursive: true })
  await restart(at)
  await work(at, ['b-2', 'b-3'])
  // Local records, which nobody brings back: the log stays shorter than it was, whatever comes by sync.
  for (let index = 0; index < 20; index += 1)
    await at.maker.node.seal({ namespace: NAMESPACE, batchId: `local-${index}`, receipts: [index] })
  await untilKept(at)
  await at.maker.node.close()
  rmSync(at.folder, { recursive: true })
  cpSync(copy, at.folder, { recursive: true })
  await restart(at)
  await expectAlarm(at, 'LOG_ROLLED_BACK')
})

test('a restore begins an epoch that says what it goes on from, and raises no alarm', async () => {
  const at = await world()
  await work(at, ['b-1'])
  await untilKept(at)
  await at.maker.node.close()
  const copy = join(newFolder(), 'copy')
  cpSync(at.folder, copy, { recursive: true })
  await restart(at)
  await work(at, ['b-2', 'b-3'])
  await untilKept(at)
  await at.maker.node.close()
  rmSync(at.folder, { recursive: true })
  cpSync(copy, at.folder, { recursive: true })
  await beginEpoch(at.folder, '00112233445566ff')
  await restart(at)
  await work(at, ['b-4'])
  await untilKept(at)
  await expectNoAlarm(at)
  for (const neighbour of at.neighbours) {
    const row = await keptOfMaker(neighbour, at.maker.self)
    expect(row).toMatchObject({ epoch: '00112233445566ff', restoredFrom: { size: expect.any(Number) as number } })
    expect(row?.restoredFrom?.epoch).not.toBe(row?.epoch)
  }
  // The same folder set back once more, without a new epoch, is what it is.
  await at.maker.node.close()
  rmSync(at.folder, { recursive: true })
  cpSync(copy, at.folder, { recursive: true })
  await restart(at)
  await expectAlarm(at, 'EPOCH_UNEXPLAINED')
})

test('a change of the key is no alarm, and what was kept under the key before is still of use', async () => {
  const at = await world()
  await work(at, ['b-1', 'b-2'])
  await untilKept(at)
  const { note } = await at.maker.node.logCheckpoint()
  await at.maker.node.close()
  await restart(at, MAKER_NEXT)
  await work(at, ['b-3'])
  await untilKept(at)
  await expectNoAlarm(at)
  expect(await at.maker.node.checkCheckpoint({ note })).toMatchObject({ outcome: 'consistent' })
})

test('a log that is rewritten while its key is changed is detected', async () => {
  const at = await world()
  await work(at, ['b-1', 'b-2'])
  await untilKept(at)
  await at.maker.node.close()
  await rewriteLog(at.folder, 'batch-sealed')
  await restart(at, MAKER_NEXT)
  await work(at, ['b-3'])
  await expectAlarm(at, 'LOG_REWRITTEN')
})
