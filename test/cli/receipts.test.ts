import { join } from 'node:path'
import { expect, test } from 'vitest'
import { newFolder, runFailing, runJson, runJsonLines, runWell } from '../support/cli.ts'
import { init, NAMESPACE } from '../support/nodes.ts'

test('without a running node a receipt can be forgotten, and none can be fetched', async () => {
  const data = join(newFolder(), 'maker')
  await init(data, 'maker')
  await runWell(['seal', '--namespace', NAMESPACE, '--batch', 'b-1', '--data', data, '-'], {
    input: '{"a":1}\n{"b":2}\n'
  })
  const receipts = ['query', 'receipts', '--namespace', NAMESPACE, '--data', data]
  const [first, second] = (await runJsonLines(receipts)) as { leafHash: string }[]
  const forget = (receipt: string, reason: string): string[] => ['forget', receipt, '--reason', reason, '--data', data]
  expect(await runWell(forget(first?.leafHash ?? '', 'asked for'))).toContain(first?.leafHash)
  expect(await runJson(forget(first?.leafHash ?? '', 'again'))).toEqual({ receipt: first?.leafHash, places: 0 })
  expect(await runJsonLines(receipts)).toMatchObject([{ status: 'forgotten' }, { ...second, status: 'held' }])

  const unknown = await runFailing(forget('ab'.repeat(32), 'asked for'))
  expect(unknown).toMatchObject({ exitCode: 1, error: { code: 'RECEIPT_UNKNOWN' } })
  expect(await runFailing(forget('receipt', 'asked for'))).toMatchObject({ exitCode: 2, error: { code: 'USAGE' } })
  expect(await runFailing(forget('ab'.repeat(32), ''))).toMatchObject({ exitCode: 2, error: { code: 'USAGE' } })
  const fetch = await runFailing(['bundle', 'fetch', '--namespace', NAMESPACE, '--data', data])
  expect(fetch).toMatchObject({ exitCode: 1, error: { code: 'NODE_NOT_RUNNING' } })
})
