import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { seededRandom } from '../../simulations/ports/seeded-random.ts'
import { writeAdminFile } from '../../src/cli/data-folder/admin-file.ts'
import { newAdminToken, startAdminListener } from '../../src/http/admin-listener.ts'
import { memoryCheckpoint } from '../../src/log/checkpoint-file.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import { createNode } from '../../src/node.ts'
import type { NodeStatus, OnlineVerification } from '../../src/operations.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { newFolder, run, runFailing, runJson, runWell } from '../support/cli.ts'
import { announceBody, next } from '../support/events.ts'
import { NAMESPACE, member, policyOf } from '../support/identities.ts'
import * as folders from '../support/nodes.ts'
import type { ScriptedVerifier } from '../verification/support.ts'
import { BTC, EVM, rowOf, scriptedVerifier, unreachable, valid } from '../verification/support.ts'

const TOKEN = { chainId: 'rfc3161:tsa', token: Buffer.from('token').toString('base64url') }

/** A folder on which a node runs that has verified an anchor on Bitcoin and one on an EVM chain. */
async function verifyingNode(): Promise<{ readonly folder: string; readonly verifier: ScriptedVerifier }> {
  const alice = member('alice')
  const verifier = scriptedVerifier()
  verifier.script('btc:mainnet', valid(7, 9_000))
  verifier.script('eip155:1', valid(9, 5_000))
  const node = await createNode(
    { policy: policyOf(alice, [alice]), signer: alice.signer, version: 'test' },
    {
      store: await openMemoryStore(),
      blobs: await openMemoryStore(),
      checkpoint: memoryCheckpoint(),
      clock: systemClock,
      random: seededRandom('verifying'),
      logger: silentLogger,
      verifiers: [verifier]
    }
  )
  await node.start()
  const listener = await startAdminListener({
    operations: node,
    listen: '127.0.0.1:0',
    logger: silentLogger,
    clock: systemClock,
    token: newAdminToken(seededRandom('token')),
    shutdown: () => undefined
  })
  const folder = newFolder()
  await writeAdminFile(folder, { pid: process.pid, url: listener.url, token: listener.token })
  onTestFinished(async () => {
    await listener.close()
    await node.close()
  })
  const body = { ...announceBody('batch-1'), timestampAnchors: [BTC, EVM, TOKEN] }
  await node.submit((await next(alice, null, body)).wire)
  await rowOf(node, 'winners', ({ loserCount }) => loserCount === 1)
  return { folder, verifier }
}

test('through the running node: a table of the rails, and the exit code says whether what counted still does', async () => {
  const { folder, verifier } = await verifyingNode()
  const verify = ['verify-online', '--data', folder]
  const good = await run(verify)
  expect(good.code).toBe(0)
  expect(good.stdout.trimEnd().split('\n')).toEqual([
    'RAIL     CHECKED  VERIFIED  NOT CHECKED',
    'btc            1         1',
    'eip155         1         1',
    'rfc3161        0         0            1'
  ])
  expect(good.stderr).toMatch(/^Not checked: /)
  verifier.script('btc:mainnet', unreachable)
  const unconfirmed = await run(verify)
  expect(unconfirmed.code).toBe(3)
  expect(unconfirmed.stderr).toMatch(/^Unreachable: /)
  expect(unconfirmed.stdout).toContain('1 that count could not be checked now')
  verifier.script('eip155:1', { outcome: 'invalid', code: 'EVM_NOT_FOUND', detail: 'the block has no such \x1b[2J' })
  const lost = await run([...verify, '--json'])
  expect(lost.code).toBe(1)
  expect(JSON.parse(lost.stdout)).toMatchObject({
    lost: [{ namespace: NAMESPACE, batchId: 'batch-1', chainId: 'eip155:1', code: 'EVM_NOT_FOUND' }],
    lostCount: 1,
    unconfirmed: 1
  })
  verifier.script('btc:mainnet', { outcome: 'notYetFinal', depth: 2, needed: 6, retryAfterMs: 0 })
  const text = await run(verify)
  expect(text.code).toBe(1)
  expect(text.stdout).toMatch(/1 that counted does not hold any longer:/)
  expect(text.stdout).toMatch(/batch-1 +btc:mainnet +b{16} +pending +2 of 6 blocks deep/)
  // What was lost before counted no more.
  expect((await run(verify)).code).toBe(0)
})

test('one namespace, a time, and what neither is', async () => {
  const { folder, verifier } = await verifyingNode()
  const verify = ['verify-online', '--data', folder]
  verifier.requests.length = 0
  const since = ['--since', '2023-11-14T22:13:21Z']
  expect(await runJson<OnlineVerification>([...verify, ...since])).toMatchObject({ rails: [] })
  expect(verifier.requests).toEqual([])
  expect(await runWell([...verify, ...since])).toBe('No timestamp anchors were announced.\n')
  await runJson([...verify, '--namespace', NAMESPACE, '--since', '2023-11-14T22:13:20.001Z'])
  expect(verifier.requests).toHaveLength(2)
  expect(await runFailing([...verify, '--namespace', 'dao:nobody'])).toMatchObject({
    exitCode: 1,
    error: { code: 'NOT_FOUND' }
  })
  expect(await runFailing([...verify, '--since', 'yesterday'])).toMatchObject({ exitCode: 2, error: { code: 'USAGE' } })
})

test('without a running node the command opens the store itself', async () => {
  const folder = join(newFolder(), 'node')
  await folders.init(folder, 'maker')
  const batch = ['--namespace', folders.NAMESPACE, '--batch', 'b-1', '--data', folder]
  await runWell(['seal', ...batch, '-'], { input: '{"a":1}\n' })
  const anchor = join(folder, 'anchor.json')
  writeFileSync(anchor, JSON.stringify(EVM))
  await runWell(['announce', ...batch, '--timestamp-anchor', anchor])
  expect(await runJson<OnlineVerification>(['verify-online', '--data', folder])).toMatchObject({
    rails: [{ rail: 'eip155', checked: 0, notChecked: 1 }],
    lostCount: 0,
    unconfirmed: 0
  })
  const { verification } = await runJson<NodeStatus>(['status', '--data', folder])
  expect(verification).toMatchObject({ undecided: 0, running: 0, isBehind: false })
})
