import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readKeystore, signingKeys } from '../../src/cli/data-folder/keystore.ts'
import { dataPaths } from '../../src/cli/data-folder/paths.ts'
import { checkTrustProof } from '../../src/packs/trust-anchors.ts'
import type { PackView, RotatedKey, TrustProof } from '../../src/packs/pack-operations.ts'
import { newFolder, run, runFailing, runJson, runJsonLines, runWell } from '../support/cli.ts'
import { admit, entryOf } from '../support/mesh-folders.ts'
import { NAMESPACE, init, startNode } from '../support/nodes.ts'

const ORG = 'vaultmesh'

interface Published {
  readonly packSeq: number
  readonly packHash: string
}

interface Drafted extends Published {
  readonly state: string
  readonly missing: readonly string[]
  readonly file: string
}

/** The data folders of three machines of one organisation that know each other. */
async function machines(): Promise<readonly [string, string, string]> {
  const folders = [newFolder(), newFolder(), newFolder()].map((folder) => join(folder, 'data'))
  const [a = '', b = '', c = ''] = folders
  for (const folder of folders) await init(folder, ORG)
  const entries = await Promise.all(folders.map((folder) => entryOf(folder)))
  for (const [index, folder] of folders.entries()) await admit(folder, entries.toSpliced(index, 1))
  return [a, b, c]
}

async function keyOf(folder: string): Promise<{ readonly kid: string; readonly publicKey: string }> {
  const [own] = signingKeys(await readKeystore(dataPaths(folder).keystore))
  if (own === undefined) throw new Error('it has no key')
  return own
}

/** Brings what one holds to others, as operators do where no mesh is. */
async function carry(from: string, ...to: readonly string[]): Promise<void> {
  const file = join(newFolder(), 'events')
  await runWell(['log', 'export', file, '--data', from])
  for (const folder of to) {
    const { code } = await run(['log', 'import', file, '--data', folder])
    // What is signed with a key that a pack in the same file brings is taken in the second time.
    if (code === 3) await runWell(['log', 'import', file, '--data', folder])
    else expect(code).toBe(0)
  }
}

async function statuses(folder: string): Promise<Readonly<Record<string, string>>> {
  const rows = await runJsonLines<{ readonly kid: string; readonly status: string }>([
    'trust',
    'list',
    '--org',
    ORG,
    '--data',
    folder
  ])
  return Object.fromEntries(rows.map(({ kid, status }) => [kid, status]))
}

describe('an organisation governs its keys from three machines', () => {
  test('with drafts as files: two of three sign, a key is rotated, the node goes on with the new one', async () => {
    const [a, b, c] = await machines()
    const [keyA, keyB, keyC] = [await keyOf(a), await keyOf(b), await keyOf(c)]
    for (const { kid, publicKey } of [keyB, keyC]) {
      await runWell(['keys', 'add', kid, '--public-key', publicKey, '--data', a])
    }
    expect(statSync(join(a, 'signers.json')).mode & 0o777).toBe(0o600)
    expect(await runJson<Published>(['pack', 'publish', '--data', a])).toMatchObject({ packSeq: 1 })
    await carry(a, b, c)

    const draft = join(newFolder(), 'draft.json')
    const choice = await runFailing(['pack', 'publish', '--threshold', '2', '--data', a])
    expect(choice.exitCode).toBe(1)
    expect(choice.error.hint).toContain(keyC.kid)
    const publish = ['pack', 'publish', '--threshold', '2', '--with', keyB.kid, '--out', draft, '--data', a]
    const drafted = await runJson<Drafted>(publish)
    expect(drafted).toMatchObject({ state: 'draft', missing: [keyB.kid], packSeq: 2, file: draft })
    expect(readFileSync(join(a, 'pending-pack.json'), 'utf8')).toBe(readFileSync(draft, 'utf8'))
    expect(await runFailing(['pack', 'publish', '--data', a])).toMatchObject({ error: { code: 'PACK_DRAFT_PENDING' } })
    const shown = await runWell(['pack', 'sign', draft, '--data', b])
    expect(shown).toContain('threshold')
    expect(await runJson<PackView>(['pack', 'show', draft, '--data', c])).toMatchObject({
      state: 'draft',
      signers: [{ hasSigned: true }, { hasSigned: true }],
      thresholdBefore: 1,
      threshold: 2
    })
    expect(await runJson<Published>(['pack', 'publish', draft, '--data', a])).toMatchObject({
      packHash: drafted.packHash
    })
    await carry(a, b, c)

    // The rest on a node that runs.
    const node = await startNode(a)
    const rotated = await runJson<RotatedKey>(['keys', 'rotate', '--reason', 'yearly', '--data', a])
    const second = join(newFolder(), 'second.json')
    await runWell(['pack', 'publish', '--delta', '--with', keyB.kid, '--out', second, '--data', a])
    await runWell(['pack', 'sign', second, '--data', b])
    await runWell(['pack', 'publish', second, '--data', a])
    // It has taken the new key at once.
    expect(await runJson(['status', '--data', a])).toMatchObject({ kid: rotated.added.kid })
    const receipts = join(newFolder(), 'receipts.jsonl')
    writeFileSync(receipts, '{"a":1}\n')
    await runWell(['seal', '--namespace', NAMESPACE, '--batch', 'one', receipts, '--data', a])
    await runWell(['announce', '--namespace', NAMESPACE, '--batch', 'one', '--data', a])
    node.process.kill('SIGTERM')
    await node.ended
    await carry(a, c)
    const expected = {
      [keyA.kid]: 'RETIRED',
      [rotated.added.kid]: 'ACTIVE',
      [keyB.kid]: 'ACTIVE',
      [keyC.kid]: 'ACTIVE'
    }
    expect(await statuses(c)).toEqual(expected)
    expect(await runJsonLines(['query', 'effects', '--data', c])).toEqual([])
    const announced = await runJsonLines<{ readonly event: { readonly kid: string } }>([
      'events',
      '--type',
      'announce',
      '--data',
      c
    ])
    expect(announced.map(({ event }) => event.kid)).toEqual([rotated.added.kid])
    const proof = await runJson<TrustProof>(['trust', 'proof', keyA.kid, '--org', ORG, '--data', c])
    expect([checkTrustProof(proof), proof.key.status]).toEqual([{ ok: true }, 'RETIRED'])
  })
})
