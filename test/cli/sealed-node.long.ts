import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { AuditRecord } from '../../src/audit/operations.ts'
import type { RotatedKey } from '../../src/packs/pack-operations.ts'
import type { Published } from '../../src/operations.ts'
import { newFolder, run, runFailing, runJson, runJsonLines, runWell } from '../support/cli.ts'
import { adminOf } from '../support/mesh-folders.ts'
import { NAMESPACE, init, startNode } from '../support/nodes.ts'

const announce = (folder: string, batchId: string): Promise<Published> =>
  adminOf(folder).announce({ namespace: NAMESPACE, batchId, timestampAnchors: [] })

test('a running node goes along when its keystore is sealed, and sealed anew, and refuses one that it can not open', async () => {
  const data = join(newFolder(), 'data')
  await init(data, 'maker')
  const input = '1\n2\n'
  for (const batch of ['b-1', 'b-2', 'b-3', 'b-4'])
    await runWell(['seal', '--namespace', NAMESPACE, '--batch', batch, '--data', data, '-'], { input })
  const file = join(newFolder(), 'passphrase')
  const say = (passphrase: string): void => writeFileSync(file, `${passphrase}\n`, { mode: 0o600 })
  const given = { environment: { ANCHORMESH_PASSPHRASE_FILE: file } }
  const node = await startNode(data, given)
  await announce(data, 'b-1')

  say('the first passphrase')
  await runWell(['keys', 'seal', '--data', data], given)
  const { added, retired } = await runJson<RotatedKey>(['keys', 'rotate', '--data', data])
  expect(readFileSync(join(data, 'keystore.json'), 'utf8')).toContain('"sealed"')
  await runWell(['pack', 'publish', '--data', data])
  expect((await adminOf(data).signers()).signers.find(({ signing }) => signing)?.kid).toBe(added.kid)
  expect(added.kid).not.toBe(retired.kid)
  await announce(data, 'b-2')

  const anew = join(newFolder(), 'new')
  writeFileSync(anew, 'the second passphrase\n', { mode: 0o600 })
  await runWell(['keys', 'seal', '--new-passphrase-file', anew, '--data', data], given)
  // The node remembers the first one, and the file still has it.
  const { error, exitCode } = await runFailing(['config', 'reload', '--data', data])
  expect([error.code, exitCode]).toEqual(['KEYSTORE_PASSPHRASE', 1])
  expect((await runFailing(['keys', 'rotate', '--data', data])).error.code).toBe('KEYSTORE_PASSPHRASE')
  await announce(data, 'b-3')
  say('the second passphrase')
  await runWell(['config', 'reload', '--data', data])
  await announce(data, 'b-4')

  const records = await runJsonLines<AuditRecord>(['audit', '--data', data])
  const told = records.map(({ action, outcome, code }) => [action, outcome, code].join(' '))
  expect(told.filter((text) => text.startsWith('KEYSTORE_SEALED'))).toEqual([
    'KEYSTORE_SEALED ok ',
    'KEYSTORE_SEALED ok '
  ])
  for (const text of ['CONFIG_RELOADED refused KEYSTORE_PASSPHRASE', 'KEY_ROTATED refused KEYSTORE_PASSPHRASE'])
    expect(told).toContain(text)
  // What was done on behalf of a call has the id of the call.
  const idsOf = (action: string, subject?: string): string[] =>
    records
      .filter((one) => one.action === action && (subject ?? one.subject) === one.subject)
      .map((one) => one.requestId)
  expect(idsOf('KEY_ROTATED')).toEqual(idsOf('ADMIN_CALL', 'POST /v1/admin/keys/rotate'))
  expect(idsOf('FED_ANCHOR_PUBLISH')).toEqual(idsOf('ADMIN_CALL', 'POST /v1/admin/packs'))
  const reloads = idsOf('ADMIN_CALL', 'POST /v1/admin/config/reload')
  expect(reloads).toHaveLength(2)
  expect(idsOf('CONFIG_RELOADED').filter((id) => reloads.includes(id))).toEqual(reloads)
  expect(JSON.stringify(records)).not.toMatch(/(first|second) passphrase/)
  node.process.kill('SIGTERM')
  await node.ended
  expect((await run(['audit', '--verify', '--data', data])).code).toBe(0)
})
