import { mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseDocument } from 'yaml'
import { initDataFolder } from '../../src/cli/data-folder/init.ts'
import { loadConfig } from '../../src/cli/data-folder/load-config.ts'
import { resolveDataFolder } from '../../src/cli/data-folder/paths.ts'
import { YAML_STYLE } from '../../src/cli/data-folder/templates.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { systemRandom } from '../../src/platform/random.ts'
import { viewPolicy } from '../../src/policy/policy-view.ts'
import { emptyFolder, failureOf, initialised, load } from './support.ts'

describe('init', () => {
  test('makes a folder that loads, with a did:key, a private keystore and no namespaces', async () => {
    const folder = await initialised()
    const config = await load(folder)
    expect(folder.did).toBe(`did:key:${folder.kid}`)
    expect(config.federation.node).toMatchObject({ did: folder.did, orgId: folder.orgId })
    expect(config.signer).toMatchObject({ did: folder.did, kid: folder.kid })
    expect(config.peerId).toBe(folder.peerId)
    expect(config.policy.namespaces).toEqual({})
    expect((await stat(folder.paths.keystore)).mode & 0o777).toBe(0o600)
    expect((await stat(folder.folder)).mode & 0o777).toBe(0o700)
    expect((await readdir(folder.folder)).sort()).toEqual([
      'federation.yaml',
      'keystore.json',
      'peers.yaml',
      'tsa-roots'
    ])
  })

  test('takes organisation and namespaces, and gives this node every role in them', async () => {
    const folder = await initialised({ orgId: 'vaultmesh', namespaces: ['dao:vaultmesh', '2026', 'a:'] })
    const config = await load(folder)
    const view = viewPolicy(config.policy)
    expect(config.federation.node.orgId).toBe('vaultmesh')
    expect(view.namespaces).toEqual(['_trust', '2026', 'a:', 'dao:vaultmesh'])
    expect(view.hasRole('dao:vaultmesh', folder.did, 'announce')).toBe(true)
    expect(view.settings('dao:vaultmesh')?.tenant).toBe('dao-vaultmesh')
  })

  test('takes a DID of another method, which stands for the new key', async () => {
    const folder = await initialised({ did: 'did:web:vaultmesh.example' })
    const config = await load(folder)
    expect(config.signer.did).toBe('did:web:vaultmesh.example')
    expect(config.policy.peers[0]?.keys).toEqual([{ kid: folder.kid, publicKey: expect.any(String) as string }])
  })

  test('writes files that an edit by the YAML library leaves as they are', async () => {
    const folder = await initialised({ namespaces: ['dao:vaultmesh', 'dao:other'] })
    for (const path of [folder.paths.federation, folder.paths.peers]) {
      const text = await readFile(path, 'utf8')
      expect(parseDocument(text).toString(YAML_STYLE)).toBe(text)
    }
    const bare = await readFile((await initialised()).paths.federation, 'utf8')
    expect(parseDocument(bare).toString(YAML_STYLE)).toBe(bare)
  })

  test('makes another identity each time', async () => {
    const [one, other] = [await initialised(), await initialised()]
    expect(one.did).not.toBe(other.did)
    expect(one.peerId).not.toBe(other.peerId)
  })

  test('never overwrites: a second init changes nothing', async () => {
    const folder = await initialised()
    const before = await Promise.all(folder.files.slice(0, 3).map((path) => readFile(path, 'utf8')))
    const failure = await failureOf(
      initDataFolder({ folder: folder.folder, namespaces: [], random: systemRandom, clock: systemClock })
    )
    expect(failure.code).toBe('USAGE')
    expect(failure.hint).toBeTruthy()
    expect(await Promise.all(folder.files.slice(0, 3).map((path) => readFile(path, 'utf8')))).toEqual(before)
  })

  test.each(['federation.yaml', 'peers.yaml', 'keystore.json', 'store.json', 'store/'])(
    'does nothing where there is a %s already',
    async (name) => {
      const folder = await emptyFolder()
      const path = join(folder, name)
      await (name.endsWith('/') ? mkdir(path) : writeFile(path, 'mine'))
      const failure = await failureOf(
        initDataFolder({ folder, namespaces: [], random: systemRandom, clock: systemClock })
      )
      expect(failure.code).toBe('USAGE')
      expect(failure.message).toContain(name.replace('/', ''))
      expect(await readdir(folder)).toEqual([name.replace('/', '')])
    }
  )

  test('of two at once, one makes the folder and the other nothing', async () => {
    const folder = await emptyFolder()
    const run = () => initDataFolder({ folder, namespaces: [], random: systemRandom, clock: systemClock })
    const outcomes = await Promise.allSettled([run(), run()])
    const made = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value.did] : []))
    const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []))
    expect(made).toHaveLength(1)
    expect(refused).toMatchObject([{ code: 'USAGE' }])
    expect([(await loadConfig({ folder, environment: {} })).signer.did]).toEqual(made)
  })

  test.each([
    [{ orgId: 'no spaces' }],
    [{ did: 'vaultmesh' }],
    [{ did: 'did:key:z6MkewaoF7UJp3y899UYa7xfcnPaXU3vkpbX81x9MNwdjTRL' }],
    [{ namespaces: ['_trust'] }],
    [{ namespaces: ['Dao'] }],
    [{ namespaces: ['a', 'a'] }]
  ])('refuses %j before it writes anything', async (options) => {
    const folder = await emptyFolder()
    const failure = await failureOf(
      initDataFolder({ folder, namespaces: [], random: systemRandom, clock: systemClock, ...options })
    )
    expect(failure.code).toBe('USAGE')
    expect(failure.hint).toBeTruthy()
    expect(await readdir(folder)).toEqual([])
  })
})

test('the data folder is --data, else ANCHORMESH_DATA, else ./anchormesh-data', () => {
  expect(resolveDataFolder('/a', { ANCHORMESH_DATA: '/b' })).toBe('/a')
  expect(resolveDataFolder(undefined, { ANCHORMESH_DATA: '/b' })).toBe('/b')
  expect(resolveDataFolder(undefined, {})).toBe(join(process.cwd(), 'anchormesh-data'))
})
