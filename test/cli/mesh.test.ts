import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Digest, LoggedEvent, Published } from '../../src/operations.ts'
import { launch, newFolder, run, runJson, runJsonLines, runWell } from '../support/cli.ts'
import { NAMESPACE, introduce, startNode, tellAddress, untilMeshed } from '../support/nodes.ts'

test('two machines’ worth of folders become one mesh by identity and peers add alone, and an announce gossips across', async () => {
  const [left, right] = [join(newFolder(), 'left'), join(newFolder(), 'right')]
  await runWell(['init', '--org', 'left-org', '--namespace', NAMESPACE, '--data', left])
  await runWell(['init', '--org', 'right-org', '--namespace', NAMESPACE, '--data', right])
  await introduce([left, right])
  await startNode(left)
  await tellAddress(left, right)
  await startNode(right)
  await Promise.all([untilMeshed(left, 1), untilMeshed(right, 1)])

  const batch = ['--namespace', NAMESPACE, '--batch', 'b-1', '--data', left]
  await runWell(['seal', ...batch, '-'], { input: '{"a":1}\n' })
  const arriving = launch(['events', '--follow', '--limit', '1', '--json', '--namespace', NAMESPACE, '--data', right])
  const published = await runJson<Published>(['announce', ...batch])
  expect(published.recipients).toBe(1)
  const { code, stdout } = await arriving.ended
  expect(code).toBe(0)
  const arrived = JSON.parse(stdout) as LoggedEvent
  expect(arrived).toMatchObject({ id: published.id, event: { type: 'announce' } })

  const waitFor = ['--wait-for', String(arrived.logSeq)]
  expect(await runJsonLines(['query', 'batches', '--namespace', NAMESPACE, ...waitFor, '--data', right])).toMatchObject(
    [{ owner: 'left-org', batchId: 'b-1', effect: null }]
  )

  // Either it fetched them by itself meanwhile, or it does now.
  const fetching = await run(['bundle', 'fetch', '--namespace', NAMESPACE, '--json', '--data', right])
  expect(fetching).toMatchObject({ code: 0 })
  expect(JSON.parse(fetching.stdout)).toMatchObject({ namespace: NAMESPACE, missing: 0, failures: {} })
  const receipts = ['query', 'receipts', '--namespace', NAMESPACE, '--data', right]
  const [receipt] = (await runJsonLines(receipts)) as { leafHash: string; status: string }[]
  expect(receipt).toMatchObject({ checked: true, status: 'held', batchId: 'b-1' })
  const forget = ['forget', receipt?.leafHash ?? '', '--reason', 'asked for', '--data', right]
  expect(await runJson(forget)).toEqual({ receipt: receipt?.leafHash, places: 1 })
  expect(await runJsonLines(receipts)).toMatchObject([{ status: 'forgotten' }])

  const [here, there] = await Promise.all(
    [left, right].map((data) => runJson<Digest>(['digest', '--namespace', NAMESPACE, '--data', data]))
  )
  expect({ ...there, logSeq: 0 }).toEqual({ ...here, logSeq: 0 })
})
