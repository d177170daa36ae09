import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { newFolder, runFailing, runJson, runJsonLines, runWell } from '../support/cli.ts'
import { LOOPBACK, NAMESPACE, init, startNode } from '../support/nodes.ts'

let data: string
let receipts: string
const batch = (): string[] => ['--namespace', NAMESPACE, '--batch', 'b-1', '--data', data]
const inNamespace = (): string[] => ['--namespace', NAMESPACE, '--data', data]

beforeEach(async () => {
  data = join(newFolder(), 'node')
  receipts = join(newFolder(), 'receipts.jsonl')
  await init(data, 'maker')
  writeFileSync(receipts, '{"a":1}\n{"a":2}\n')
})

describe('anchor', () => {
  it('says which key of federation.yaml is missing, and makes nothing', async () => {
    await runWell(['seal', ...batch(), receipts])
    const failed = await runFailing(['anchor', ...batch(), '--rail', 'tsa'])
    expect(failed).toMatchObject({ exitCode: 2, error: { code: 'RAIL_NOT_CONFIGURED' } })
    expect(failed.error.hint).toContain('rails.rfc3161')
    expect(await runJsonLines(['query', 'anchorings', '--data', data])).toEqual([])
  })

  it('refuses a batch and a namespace that are not here', async () => {
    expect(await runFailing(['anchor', ...batch(), '--rail', 'tsa'])).toMatchObject({
      exitCode: 1,
      error: { code: 'BATCH_UNKNOWN' }
    })
    const elsewhere = ['anchor', '--namespace', 'dao:other', '--batch', 'b-1', '--rail', 'btc', '--data', data]
    expect(await runFailing(elsewhere)).toMatchObject({ exitCode: 1, error: { code: 'NOT_FOUND' } })
  })

  it.each([
    [[], '--namespace'],
    [['--namespace', NAMESPACE], '--batch'],
    [['--namespace', NAMESPACE, '--batch', 'b'], '--rail'],
    [['--namespace', NAMESPACE, '--batch', 'b', '--rail', 'fax'], 'tsa'],
    [['upgrade', '--proof', 'x.ots'], '--namespace'],
    [['upgrade', '--batch', 'b'], '--proof'],
    [['upgrade', '--rail', 'tsa'], '--rail'],
    [['split', '--namespace', NAMESPACE, '--batch', 'b'], '--chain'],
    [['split', '--rail', 'tsa'], '--chain']
  ])('wrong usage: %j', async (args, named) => {
    const failed = await runFailing(['anchor', ...args, '--data', data])
    expect(failed).toMatchObject({ exitCode: 2, error: { code: 'USAGE' } })
    expect(failed.error.message).toContain(named)
  })

  it('takes over no proof that is none, or too large for one', async () => {
    const proof = join(newFolder(), 'root.ots')
    for (const content of ['', 'x'.repeat(40_000)]) {
      writeFileSync(proof, content)
      const failed = await runFailing(['anchor', 'upgrade', '--proof', proof, ...batch()])
      expect(failed).toMatchObject({ exitCode: 2, error: { code: 'USAGE' } })
    }
  })

  it('splits off nothing that nothing waits for', async () => {
    await runWell(['seal', ...batch(), receipts])
    expect(await runFailing(['anchor', 'split', ...batch(), '--chain', 'eip155:1'])).toMatchObject({
      exitCode: 1,
      error: { code: 'ANCHORING_UNKNOWN' }
    })
  })

  it('has nothing to upgrade at first', async () => {
    expect(await runWell(['anchor', 'upgrade', '--data', data])).toBe('Nothing is under way.\n')
    expect(await runJsonLines(['anchor', 'upgrade', ...inNamespace()])).toEqual([])
  })
})

describe('seal --next', () => {
  const schedule = (rails: string): void => {
    const file = join(data, 'federation.yaml')
    // Every month: nothing is sealed before the test says so, by the number that waits.
    const sealing = `\nsealing:\n  ${NAMESPACE}:\n    everyMs: 2678400000\n    maxReceipts: 4\n    rails: ${rails}\n`
    writeFileSync(file, sealing, { flag: 'a' })
  }

  it('asks for a batch or --next, not both', async () => {
    expect(await runFailing(['seal', ...inNamespace(), receipts])).toMatchObject({ exitCode: 2 })
    expect(await runFailing(['seal', ...batch(), '--next', receipts])).toMatchObject({ exitCode: 2 })
    expect(await runFailing(['seal', ...inNamespace(), '--next', receipts])).toMatchObject({
      exitCode: 2,
      error: { code: 'SEALING_NOT_CONFIGURED' }
    })
  })

  it('queues without a running node, which seals and announces all of it once it runs', async () => {
    schedule('[]')
    const handed = await runJson<{ receiptHashes: string[]; queued: number; nextSealAt: number }>([
      'seal',
      ...inNamespace(),
      '--next',
      receipts
    ])
    expect(handed.receiptHashes).toHaveLength(2)
    expect(handed.queued).toBe(2)
    const waiting = await runWell(['status', '--data', data])
    expect(waiting).toMatch(/SEALING BY SCHEDULE +WAITING/)
    const node = await startNode(data)
    const told = await runWell(['seal', ...inNamespace(), '--next', receipts], { environment: LOOPBACK })
    expect(told).toMatch(/handed in +2\nwaiting +4/)
    const announced = await runWell(['events', ...inNamespace(), '--type', 'announce', '--follow', '--limit', '1'])
    expect(announced).toContain('announce')
    const batches = await runJsonLines<{ batchId: string; receiptsSealed: number }>([
      'query',
      'batches',
      '--data',
      data
    ])
    expect(batches).toMatchObject([{ receiptsSealed: 4, batchId: expect.stringMatching(/^scheduled-/) as string }])
    node.process.kill('SIGTERM')
    await node.ended
  })

  it('is refused with the file and line where a rail is not configured', async () => {
    schedule('[btc]')
    const failed = await runFailing(['seal', ...inNamespace(), '--next', receipts])
    expect(failed).toMatchObject({ exitCode: 2, error: { code: 'CONFIG_INVALID' } })
    expect(failed.error.message).toMatch(/federation\.yaml:\d+.*rails.*btc needs a network under rails\.btc/)
  })
})
