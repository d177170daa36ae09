import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { AnchoringRow } from '../../src/projections/anchorings.ts'
import type { WinnerRow } from '../../src/projections/winners.ts'
import { systemClock } from '../../src/platform/clock.ts'
import type { LoggedEvent } from '../../src/operations.ts'
import { newFolder, runJson } from '../support/cli.ts'
import { collect } from '../support/collect.ts'
import { startLocalServer } from '../support/local-server.ts'
import { adminOf } from '../support/mesh-folders.ts'
import { NAMESPACE, init, startNode } from '../support/nodes.ts'
import { EVM_CHAIN, TSA_CHAIN, configureFolder, startRails } from '../support/real-rails.ts'
import { untilAnswer } from '../support/until-answer.ts'

/** The chains of each announce, in order. */
function chainsOf(events: readonly LoggedEvent[]): string[][] {
  return events.map(({ event }) => {
    const { timestampAnchors } = event['body'] as { timestampAnchors: readonly { chainId: string }[] }
    return timestampAnchors.map(({ chainId }) => chainId).toSorted((one, other) => (one < other ? -1 : 1))
  })
}

test('what is handed in is announced once with both rails, and not before the chain that was down is back', async () => {
  const rails = await startRails(systemClock, null)
  let isDown = true
  const way = await startLocalServer(async (request, body, response) => {
    if (isDown) {
      request.socket.destroy()
      return
    }
    const answer = await fetch(rails.anvil.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body
    })
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text())
  })
  onTestFinished(() => way[Symbol.asyncDispose]())
  const data = join(newFolder(), 'node')
  await init(data, 'maker')
  const sealing = { everyMs: 1_000, rails: ['tsa', 'evm'] }
  configureFolder(data, NAMESPACE, rails, { evmUrl: way.url, sealing })
  const node = await startNode(data)
  const admin = adminOf(data)
  const announces = () => collect(admin.events({ namespace: NAMESPACE, type: 'announce' }))
  const jobs = async (): Promise<readonly AnchoringRow[]> =>
    (await admin.query('anchorings', { namespace: NAMESPACE })).rows as readonly AnchoringRow[]
  const handIn = (input: string) =>
    runJson<{ queued: number }>(['seal', '--namespace', NAMESPACE, '--next', '--data', data, '-'], { input })

  expect(await handIn('{"n":1}\n{"n":2}\n')).toMatchObject({ queued: 2 })
  const waiting = await untilAnswer('the token is there, and the chain was asked in vain', async () => {
    const rows = await jobs()
    const found = rows.find(({ chainId }) => chainId === EVM_CHAIN)
    return rows.some(({ status }) => status === 'complete') && found?.code === 'PROVIDER_UNREACHABLE' ? rows : null
  })
  expect(waiting.map(({ together }) => together)).toEqual([
    [EVM_CHAIN, TSA_CHAIN],
    [EVM_CHAIN, TSA_CHAIN]
  ])
  await admin.upgradeAnchors({})
  expect(await announces()).toEqual([])
  const { anchoring } = await admin.status()
  expect(anchoring).toMatchObject({ underWay: 2, failed: 0, sealing: [{ receipts: 0, problem: null }] })

  isDown = false
  const untilAnnounced = (count: number) =>
    untilAnswer(`${count} are announced`, async () => {
      await admin.upgradeAnchors({})
      await rails.anvil.mine()
      const events = await announces()
      return events.length >= count ? events : null
    })
  expect(chainsOf(await untilAnnounced(1))).toEqual([[EVM_CHAIN, TSA_CHAIN]])
  await handIn('{"n":3}\n')
  expect(chainsOf(await untilAnnounced(2))).toEqual([
    [EVM_CHAIN, TSA_CHAIN],
    [EVM_CHAIN, TSA_CHAIN]
  ])
  expect((await jobs()).map(({ status }) => status)).toEqual(Array.from({ length: 4 }, () => 'announced'))
  expect(await rails.anvil.rpc('eth_getTransactionCount', `0x${rails.anvil.address}`, 'latest')).toBe('0x2')

  const winners = await untilAnswer('the node has verified what it announced', async () => {
    const rows = (await admin.query('winners', { namespace: NAMESPACE })).rows as readonly WinnerRow[]
    return rows.length === 2 && rows.every(({ loserCount }) => loserCount === 1) ? rows : null
  })
  for (const { winner, losers } of winners) {
    expect(winner?.chainId).toBe(EVM_CHAIN)
    expect(losers).toMatchObject([{ chainId: TSA_CHAIN, rule: 'rail' }])
  }
  const { rows: receipts } = await admin.query('receipts', { namespace: NAMESPACE })
  expect(receipts.map(({ standing }) => standing)).toEqual(['proven', 'proven', 'proven'])
  expect(chainsOf(await announces())).toHaveLength(2)
  node.process.kill('SIGTERM')
  await node.ended
})
