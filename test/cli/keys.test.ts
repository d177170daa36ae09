import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readKeystore, signingKeys } from '../../src/cli/data-folder/keystore.ts'
import { dataPaths } from '../../src/cli/data-folder/paths.ts'
import type { ListedSigner } from '../../src/packs/pack-operations.ts'
import { newFolder, run, runFailing, runJson, runJsonLines, runWell } from '../support/cli.ts'
import { init } from '../support/nodes.ts'

const ORG = 'vaultmesh'

interface Published {
  readonly packSeq: number
  readonly packHash: string
}

async function keyOf(folder: string): Promise<{ readonly kid: string; readonly publicKey: string }> {
  const [own] = signingKeys(await readKeystore(dataPaths(folder).keystore))
  if (own === undefined) throw new Error('it has no key')
  return own
}

describe('one machine', () => {
  test('says what stays good of a revoked key, and pins a pack', async () => {
    const folder = join(newFolder(), 'data')
    await init(folder, ORG)
    const { kid } = await keyOf(folder)
    const { packHash } = await runJson<Published>(['pack', 'publish', '--data', folder])
    await runWell(['keys', 'add', '--data', folder])
    const refused = await runFailing(['keys', 'revoke', kid, '--reason', 'stolen', '--data', folder])
    expect(refused).toMatchObject({ exitCode: 1, error: { code: 'LAST_GOOD_REQUIRED' } })
    expect(refused.error.hint).toContain('--last-good')
    await runWell(['keys', 'revoke', kid, '--reason', 'stolen', '--all-good', '--data', folder])
    await runWell(['pack', 'publish', '--data', folder])
    const listed = await runJsonLines<ListedSigner>(['keys', 'list', '--data', folder])
    expect(listed.find((key) => key.kid === kid)).toMatchObject({ signing: false, inForce: { status: 'REVOKED' } })
    expect(listed.find((key) => key.kid !== kid)).toMatchObject({ signing: true, inForce: { status: 'ACTIVE' } })

    const pinned = await run(['trust', 'pin', ORG, '1', packHash, '--data', folder])
    expect([pinned.code, pinned.stdout]).toEqual([0, `Pinned pack 1 of ${ORG} in peers.yaml.\n`])
    const unknown = await run(['trust', 'pin', 'bakery', '3', 'b'.repeat(64), '--data', folder])
    expect([unknown.code, unknown.stderr]).toEqual([0, expect.stringContaining('knows no such pack')])
    const peers = readFileSync(join(folder, 'peers.yaml'), 'utf8')
    expect(peers).toContain(packHash)
    expect(peers).toContain('#')
  })

  test.each([
    [['keys', 'revoke', 'kid', '--data', '.'], 'needs --reason'],
    [['keys', 'revoke', 'kid', '--reason', 'r', '--all-good', '--none-good', '--data', '.'], 'exclude each other'],
    [['keys', 'add', '--use', 'tea', '--data', '.'], 'event,pack'],
    [['keys', 'threshold', '0', '--data', '.'], 'whole number'],
    [['trust', 'pin', 'org', '1', 'hash', '--data', '.'], '64'],
    [['pack', 'publish', 'draft.json', '--delta', '--data', '.'], 'no options go with FILE']
  ])('%j is wrong usage', async (args, message) => {
    const failed = await runFailing(args)
    expect(failed).toMatchObject({ exitCode: 2, error: { code: 'USAGE' } })
    expect(failed.error.message).toContain(message)
  })
})
