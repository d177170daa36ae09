import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Published } from '../../src/operations.ts'
import { newFolder, runJson, runJsonLines } from '../support/cli.ts'
import { adminOf, admit, announceAt, entryOf, meshPortOf, sharedEventsOf, stopNode } from '../support/mesh-folders.ts'
import { NAMESPACE, init, startNode } from '../support/nodes.ts'
import { until } from '../support/until.ts'
import { untilAnswer } from '../support/until-answer.ts'

/** Batches that are sealed before the folder is copied. */
const BATCHES = ['b-1', 'b-2', 'b-3', 'b-4', 'b-5']

test('a restored folder takes its own chain from its peers before it signs, and goes on without an equivocation', async () => {
  const [maker, peer] = [join(newFolder(), 'maker'), join(newFolder(), 'peer')]
  await init(maker, 'maker-org')
  await init(peer, 'peer-org')
  await admit(peer, [await entryOf(maker)])
  const peerNode = await startNode(peer)
  await admit(maker, [await entryOf(peer, meshPortOf(peerNode))])
  const firstLife = await startNode(maker)
  const operations = adminOf(maker)
  for (const batchId of BATCHES) await operations.seal({ namespace: NAMESPACE, batchId, receipts: [{ of: batchId }] })
  await announceAt(maker, 'b-1')
  await stopNode(firstLife)

  const backup = join(newFolder(), 'backup')
  cpSync(maker, backup, { recursive: true })
  const secondLife = await startNode(maker)
  await announceAt(maker, 'b-2')
  const last = await announceAt(maker, 'b-3')
  await untilAnswer('the peer holds all of it', async () => (await adminOf(peer).event(last.id)) !== null)
  await stopNode(secondLife)

  rmSync(maker, { recursive: true })
  cpSync(backup, maker, { recursive: true })
  await startNode(maker)
  // At once: the mesh has not even formed. It waits for the peer, and then signs on top of what that one holds.
  const next = await announceAt(maker, 'b-4')
  const chain = await sharedEventsOf(maker)
  expect(chain.map(({ event }) => event['authorSeq'])).toEqual([1, 2, 3, 4])
  expect(chain.at(-1)).toMatchObject({ id: next.id, event: { prev: last.id } })
  // The events are back, what was local is not: a folder that was copied is no restored one, and the node says so.
  expect((await adminOf(maker).status()).warnings).toEqual([expect.stringMatching(/THIS node’s log was/)])

  await untilAnswer('the peer holds the next one, too', async () => (await adminOf(peer).event(next.id)) !== null)
  expect((await sharedEventsOf(peer)).map(({ id }) => id)).toEqual(chain.map(({ id }) => id))
  for (const folder of [maker, peer]) {
    expect(await runJsonLines(['query', 'equivocations', '--data', folder])).toEqual([])
  }
})

test('a node whose peers are all away signs after a short wait, and says so in its log', async () => {
  const [maker, peer] = [join(newFolder(), 'maker'), join(newFolder(), 'peer')]
  await init(maker, 'maker-org')
  await init(peer, 'peer-org')
  await admit(maker, [await entryOf(peer)])
  const node = await startNode(maker)
  await adminOf(maker).seal({ namespace: NAMESPACE, batchId: 'b-1', receipts: ['alone'] })
  expect(
    await runJson<Published>(['announce', '--namespace', NAMESPACE, '--batch', 'b-1', '--data', maker])
  ).toMatchObject({
    recipients: 0
  })
  await until('the warning is written', () =>
    node.stderr().includes('an event is signed though no peer could be asked what it holds of this chain')
  )
})
