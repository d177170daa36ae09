import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { CheckpointCheck, LogCheckpoint } from '../../src/transparency/log-proof-operations.ts'
import { newFolder, run, runJson, runWell } from '../support/cli.ts'
import { admit, adminOf, entryOf, meshPortOf } from '../support/mesh-folders.ts'
import { NAMESPACE, init, startNode } from '../support/nodes.ts'
import { untilAnswer } from '../support/until-answer.ts'

test('a checkpoint that was kept holds against the log, offline and running, and a neighbour’s against what is kept of it', async () => {
  const [maker, peer] = [join(newFolder(), 'maker'), join(newFolder(), 'peer')]
  await init(maker, 'maker-org')
  await init(peer, 'peer-org')
  await admit(peer, [await entryOf(maker)])
  const kept = join(newFolder(), 'kept.txt')
  const note = await runWell(['log', 'checkpoint', '--data', maker])
  writeFileSync(kept, note)
  expect(note).toMatch(/^did:key:z[^\n]+#z[^\n]+\n1\n[^\n]+=\nepoch [0-9a-f]{16}\n\n— did:key:[^\n]+\n$/)

  const peerNode = await startNode(peer)
  await admit(maker, [await entryOf(peer, meshPortOf(peerNode))])
  const node = await startNode(maker)
  await adminOf(maker).seal({ namespace: NAMESPACE, batchId: 'b-1', receipts: [1] })
  const checked = await runJson<CheckpointCheck>(['log', 'checkpoint', '--verify', kept, '--data', maker])
  expect(checked).toMatchObject({ outcome: 'consistent', size: 1 })
  expect(await runJson<LogCheckpoint>(['log', 'checkpoint', '--data', maker])).toMatchObject({ epoch: checked.epoch })

  // A clean stop publishes what is due; from then on the peer has something to hold the maker to.
  const check = ['log', 'checkpoint', '--check', node.ready.http, '--data', peer, '--json']
  expect((await run(check)).code).toBe(3)
  node.process.kill('SIGTERM')
  await node.ended
  await untilAnswer('the peer keeps a checkpoint', async () => {
    return (await adminOf(peer).query('checkpoints', {})).rows.length > 0
  })
  const again = await startNode(maker)
  await adminOf(maker).seal({ namespace: NAMESPACE, batchId: 'b-2', receipts: [2] })
  const compared = await runJson<CheckpointCheck>(['log', 'checkpoint', '--check', again.ready.http, '--data', peer])
  expect(compared).toMatchObject({ outcome: 'consistent', code: null })
  expect(compared.size).toBeGreaterThan(compared.keptSize ?? Infinity)

  writeFileSync(kept, note.replace('\n1\n', '\n2\n'))
  expect((await run(['log', 'checkpoint', '--verify', kept, '--data', maker])).code).toBe(1)
  writeFileSync(kept, 'none')
  const none = await run(['log', 'checkpoint', '--verify', kept, '--data', maker, '--json'])
  expect(JSON.parse(none.stderr)).toMatchObject({ error: { code: 'CHECKPOINT_INVALID' } })
  expect((await run(['log', 'checkpoint', '--check', 'x', '--data', maker])).code).toBe(2)
})
