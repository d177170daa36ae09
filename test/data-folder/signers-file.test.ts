import { chmod, readFile, stat, writeFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { openKeystore, readKeystore } from '../../src/cli/data-folder/keystore.ts'
import { fileSignerRegistry } from '../../src/cli/data-folder/signers-file.ts'
import { systemRandom } from '../../src/platform/random.ts'
import type { SignerPlan, SignerRegistry, StoredDraft } from '../../src/trust/signer-registry.ts'
import { member } from '../support/identities.ts'
import { keyOf } from '../packs/organisation.ts'
import { failureOf, initialised } from './support.ts'
import type { TestFolder } from './support.ts'

async function open(): Promise<{ readonly folder: TestFolder; readonly registry: SignerRegistry }> {
  const folder = await initialised({ orgId: 'alpha' })
  return { folder, registry: registryOf(folder) }
}

function registryOf(folder: TestFolder): SignerRegistry {
  const keystore = { open: () => openKeystore(folder.paths.keystore) }
  // Another process would sign for the node; all keys of these tests are in the keystore.
  const signer = { ...member('elsewhere').signer, did: folder.did }
  return fileSignerRegistry({
    external: null,
    paths: folder.paths,
    keystore,
    signer,
    random: systemRandom
  })
}

const PLAN: SignerPlan = {
  threshold: { value: 2, instead: 1 },
  keys: [
    { ...keyOf(member('a')), uses: ['event', 'pack'], status: 'ACTIVE', notBefore: 1, notAfter: 9, after: 0 },
    {
      ...keyOf(member('b')),
      uses: ['pack'],
      status: 'REVOKED',
      notBefore: 1,
      retiredAt: 2,
      revokedAt: 3,
      reason: 'lost',
      lastGood: [{ signer: 'did:web:b', kid: 'b', namespace: 'dao:test', authorSeq: 1, id: 'a'.repeat(64) }],
      after: 4
    },
    {
      ...keyOf(member('c')),
      uses: ['event'],
      status: 'RETIRED',
      notBefore: 1,
      retiredAt: 2,
      lastGood: 'tips',
      after: 4
    }
  ]
}
const DRAFT: StoredDraft = {
  v: 1,
  id: 'a'.repeat(64),
  event: 'AAAA',
  signatures: [{ kid: 'k', signature: 'AAAA' }]
}

describe('the registry of a data folder', () => {
  test('is empty at first, and keeps what it is given, for its owner alone', async () => {
    const { folder, registry } = await open()
    expect([await registry.plan(), await registry.draft()]).toEqual([{ threshold: null, keys: [] }, null])
    await registry.savePlan(PLAN)
    await registry.saveDraft(DRAFT)
    const again = registryOf(folder)
    expect([await again.plan(), await again.draft()]).toEqual([PLAN, DRAFT])
    for (const path of [folder.paths.signers, folder.paths.pendingPack]) {
      expect((await stat(path)).mode & 0o777).toBe(0o600)
    }
    await registry.saveDraft(null)
    expect(await again.draft()).toBeNull()
  })

  test('makes keys, and leaves signing to the one that others know until it is told', async () => {
    const { folder, registry } = await open()
    const before = await registry.held()
    const made = await registry.newKey(['event', 'pack'], 7)
    expect(await registry.held()).toEqual({ keys: [...before.keys, made], signing: before.signing })
    expect((await registry.signer(made.kid))?.did).toBe(folder.did)
    expect(await registry.signer('nobody')).toBeNull()
    await registry.moveSigning(made.kid)
    expect((await registry.held()).signing).toBe(made.kid)
    expect((await readKeystore(folder.paths.keystore)).signing).toBe(made.kid)
  })

  test('does not list the key of the PeerId', async () => {
    const { registry } = await open()
    expect((await registry.held()).keys).toMatchObject([{ uses: ['event', 'pack'] }])
  })
})

describe('a file is refused, and left as it is', () => {
  const good = JSON.stringify({ v: 1, ...PLAN })
  test.each<[string, string]>([
    ['cut off', good.slice(0, -10)],
    ['empty', ''],
    ['of another version', good.replace('"v":1', '"v":2')],
    ['with an unknown member', good.replace('"v":1', '"v":1,"w":1')],
    ['with an unknown status', good.replace('"ACTIVE"', '"SLEEPING"')],
    ['with a public key that is none', good.replace(/"publicKey":"[^"]*"/, '"publicKey":"AAAA"')],
    ['with a threshold of nought', good.replace('"value":2', '"value":0')]
  ])('that is %s', async (_, text) => {
    const { folder, registry } = await open()
    await writeFile(folder.paths.signers, text, { mode: 0o600 })
    const failure = await failureOf(registry.plan())
    expect(failure.code).toBe('SIGNERS_CORRUPT')
    expect(failure.hint).toContain('backup')
    expect(await readFile(folder.paths.signers, 'utf8')).toBe(text)
  })

  test.runIf(process.platform !== 'win32').each([0o644, 0o640, 0o400])('that has mode %o', async (mode) => {
    const { folder, registry } = await open()
    await registry.savePlan(PLAN)
    await chmod(folder.paths.signers, mode)
    const failure = await failureOf(registry.plan())
    expect(failure.code).toBe('SIGNERS_PERMISSIONS')
    expect(failure.hint).toContain('chmod 600')
  })
})
