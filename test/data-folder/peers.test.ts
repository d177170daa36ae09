import { chmod, lstat, readFile, rename, stat, symlink, writeFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { identityEntry } from '../../src/cli/data-folder/identity.ts'
import { addPeer, listPeers } from '../../src/cli/data-folder/peers-file.ts'
import type { AddPeerOptions, AddPeerResult } from '../../src/cli/data-folder/peers-file.ts'
import { ROLES } from '../../src/policy/config-schema.ts'
import { checkCrossOrgPolicy } from '../../src/policy/cross-org.ts'
import { viewPolicy } from '../../src/policy/policy-view.ts'
import { person } from '../policy/support.ts'
import { edit, failureOf, initialised, load } from './support.ts'
import type { TestFolder } from './support.ts'

const NS = 'dao:vaultmesh'

async function identityOf(folder: TestFolder): Promise<string> {
  return identityEntry(await load(folder), { multiaddrs: ['/ip4/192.0.2.7/tcp/4088'] }).yaml
}

function add(folder: TestFolder, text: string, options: AddPeerOptions = {}): Promise<AddPeerResult> {
  return addPeer(folder.sources, { file: 'block.yaml', text }, options)
}

async function two(): Promise<[TestFolder, TestFolder]> {
  return [
    await initialised({ orgId: 'alpha', namespaces: [NS] }),
    await initialised({ orgId: 'beta', namespaces: [NS] })
  ]
}

async function filesOf(folder: TestFolder): Promise<string[]> {
  return [await readFile(folder.paths.federation, 'utf8'), await readFile(folder.paths.peers, 'utf8')]
}

/** The lines of `before` that `after` does not hold in the same order. */
function lostLines(before: string, after: string): string[] {
  const left = after.split('\n')
  return before.split('\n').filter((line) => {
    const index = left.indexOf(line)
    left.splice(0, index + 1)
    return index < 0
  })
}

const allowed = (orgId: string, what = 'have receipts and to timestamp roots'): string =>
  `Allowed ${orgId} to ${what} of other organisations (crossOrg in peers.yaml).`

describe('identity and peers add join two machines', () => {
  test('both ways, and both then know the same members with the same rights', async () => {
    const [alpha, beta] = await two()
    const result = await add(alpha, await identityOf(beta))
    await add(beta, await identityOf(alpha))
    expect(result).toEqual({
      dids: [beta.did],
      changes: [
        `Added ${beta.did} of beta to peers.yaml.`,
        allowed('beta'),
        allowed('alpha'),
        `Granted ${beta.did} in ${NS}: announce, serve, request.`
      ]
    })
    const views = [viewPolicy((await load(alpha)).policy), viewPolicy((await load(beta)).policy)] as const
    expect(views[0].membershipDigest(NS)).toBe(views[1].membershipDigest(NS))
    expect(views[0].membershipDigest('_trust')).toBe(views[1].membershipDigest('_trust'))
    expect(views[0].policyDigest(NS)).toBe(views[1].policyDigest(NS))
    for (const view of views) {
      for (const did of [alpha.did, beta.did]) {
        expect(ROLES.every((role) => view.hasRole(NS, did, role))).toBe(true)
      }
    }
    expect(views[0].didOfPeer(beta.peerId)).toBe(beta.did)
    expect(views[1].didOfPeer(alpha.peerId)).toBe(alpha.did)
  })

  test('three, and all of them have the same rules for what organisations may do to each other', async () => {
    const folders = [...(await two()), await initialised({ orgId: 'gamma', namespaces: [NS] })]
    for (const folder of folders)
      for (const other of folders) if (other !== folder) await add(folder, await identityOf(other))
    const policies = await Promise.all(folders.map(async (folder) => (await load(folder)).policy))
    const rules = ['alpha', 'beta', 'gamma'].map((from) => ({ from, to: '*', operations: ['bundle', 'timestamp'] }))
    for (const policy of policies) expect(policy.crossOrg).toEqual(rules)
    expect(new Set(policies.map((policy) => viewPolicy(policy).policyDigest(NS))).size).toBe(1)
  })

  test('what somebody has decided on an organisation stands', async () => {
    const [alpha, beta] = await two()
    const narrow =
      "crossOrg:\n  allow:\n    # nothing else, says the contract\n    - {from: beta, to: gamma, operations: ['*']}\n"
    await edit(alpha.paths.peers, 'peers: []\n', `peers: []\n${narrow}`)
    const { changes } = await add(alpha, await identityOf(beta))
    expect(changes.filter((sentence) => sentence.startsWith('Allowed'))).toEqual([allowed('alpha')])
    const { policy } = await load(alpha)
    expect(checkCrossOrgPolicy(policy, { from: 'beta', to: 'alpha', operation: 'bundle' })).toEqual({
      ok: false,
      code: 'CROSS_ORG_DENIED',
      detail: 'crossOrg.allow has no rule {from: beta, to: alpha, operations: [bundle]}'
    })
    expect(await readFile(alpha.paths.peers, 'utf8')).toContain(narrow.slice('crossOrg:\n  allow:\n'.length))
  })

  test('nodes of one organisation need no rule', async () => {
    const [alpha] = await two()
    const second = await initialised({ orgId: 'alpha', namespaces: [NS] })
    await add(alpha, await identityOf(second))
    expect((await load(alpha)).peers.crossOrg.allow).toEqual([])
  })

  test('also for a DID that is not its own key', async () => {
    const alpha = await initialised({ orgId: 'alpha', namespaces: [NS] })
    const web = await initialised({ did: 'did:web:registry.example', orgId: 'registry', namespaces: [NS] })
    await add(alpha, await identityOf(web))
    const keys = viewPolicy((await load(alpha)).policy).boundKeys('did:web:registry.example')
    expect(keys.map(({ kid }) => kid)).toEqual([web.kid])
  })

  test('each comment and each line that is not about the new peer stays', async () => {
    const [alpha, beta] = await two()
    await edit(alpha.paths.federation, 'mdns: false', 'mdns: false # for the office')
    await edit(
      alpha.paths.peers,
      'peers: []',
      '# partners, by date\npeers: []\n\n# known from paper\norganisations: [] # none yet'
    )
    const [federation, peers] = await filesOf(alpha)
    await add(alpha, await identityOf(beta))
    const [federationAfter, peersAfter] = await filesOf(alpha)
    expect(lostLines(federation ?? '', federationAfter ?? '')).toEqual([])
    expect(lostLines(peers ?? '', peersAfter ?? '')).toEqual(['peers: []'])
  })

  test('a third peer goes below the second', async () => {
    const [alpha, beta] = await two()
    const gamma = await initialised({ orgId: 'gamma' })
    await add(alpha, await identityOf(beta))
    const before = await filesOf(alpha)
    await add(alpha, await identityOf(gamma))
    const after = await filesOf(alpha)
    before.forEach((text, index) => expect(lostLines(text, after[index] ?? '')).toEqual([]))
    expect((await load(alpha)).peers.peers.map(({ orgId }) => orgId)).toEqual(['beta', 'gamma'])
  })

  test('peers list shows the rights that a peer really has', async () => {
    const [alpha, beta] = await two()
    await add(alpha, await identityOf(beta))
    await edit(alpha.paths.peers, /^( {4}roles: ).*$/m, '$1[announce]')
    const { peers, policy } = await load(alpha)
    expect(listPeers(peers, policy)).toEqual([
      {
        did: beta.did,
        orgId: 'beta',
        peerId: beta.peerId,
        addresses: ['/ip4/192.0.2.7/tcp/4088'],
        rights: { [NS]: ['announce'] }
      }
    ])
  })
})

describe('what peers add takes', () => {
  const carol = person('carol')
  const entry = `did: ${carol.did}\norgId: gamma\nroles: [serve]\n`
  const inList = `- ${entry.trimEnd().replaceAll('\n', '\n  ')}\n`

  test.each([
    ['one mapping', entry],
    ['a list', inList],
    ['a document', `v: 1\npeers:\n  ${inList.trimEnd().replaceAll('\n', '\n  ')}\n`],
    ['a document without its version', `peers:\n  ${inList.trimEnd().replaceAll('\n', '\n  ')}\n`]
  ])('%s', async (_name, text) => {
    const [alpha] = await two()
    expect(await add(alpha, text)).toEqual({
      dids: [carol.did],
      changes: [`Added ${carol.did} of gamma to peers.yaml.`, allowed('alpha'), `Granted ${carol.did} in ${NS}: serve.`]
    })
    const view = viewPolicy((await load(alpha)).policy)
    expect(ROLES.filter((role) => view.hasRole(NS, carol.did, role))).toEqual(['serve'])
  })

  test('only the namespaces that are named', async () => {
    const alpha = await initialised({ namespaces: ['dao:one', 'dao:two'] })
    await add(alpha, entry, { namespaces: ['dao:two'] })
    const view = viewPolicy((await load(alpha)).policy)
    expect([view.isMember('dao:one', carol.did), view.isMember('dao:two', carol.did)]).toEqual([false, true])
  })

  test('a file whose list is all commented out keeps the comment', async () => {
    const [alpha] = await two()
    await edit(alpha.paths.peers, 'peers: []', 'peers:\n  # nobody, until the contract is signed')
    await add(alpha, entry)
    expect(await readFile(alpha.paths.peers, 'utf8')).toContain('# nobody, until the contract is signed')
    expect((await load(alpha)).peers.peers).toHaveLength(1)
  })

  test('a namespace without members gets them', async () => {
    const alpha = await initialised()
    await edit(alpha.paths.federation, 'namespaces: {}', 'namespaces:\n  dao:bare:\n    tenant: x')
    await add(alpha, entry)
    expect((await load(alpha)).federation.namespaces['dao:bare']?.members.serve).toEqual([carol.did])
  })

  test('nothing carried: the peer is known, and it says that no right was granted', async () => {
    const alpha = await initialised()
    expect((await add(alpha, entry)).changes).toEqual([
      `Added ${carol.did} of gamma to peers.yaml.`,
      allowed(alpha.orgId),
      'federation.yaml carries no namespace yet, so no right was granted.'
    ])
  })

  test('the same block again changes nothing', async () => {
    const [alpha] = await two()
    await add(alpha, entry)
    const before = await filesOf(alpha)
    expect((await add(alpha, entry)).changes).toEqual([])
    expect(await filesOf(alpha)).toEqual(before)
  })

  test('a known peer gets new addresses and further roles', async () => {
    const [alpha] = await two()
    await add(alpha, entry)
    const result = await add(alpha, `${entry.replace('[serve]', '[announce]')}addresses: [/ip4/192.0.2.9/tcp/1]\n`)
    expect(result.changes).toEqual([
      `Changed the addresses of ${carol.did}.`,
      `Gave ${carol.did} the further role announce in peers.yaml.`,
      allowed('gamma', 'timestamp roots'),
      `Granted ${carol.did} in ${NS}: announce.`
    ])
    const config = await load(alpha)
    expect(config.peers.peers[0]).toMatchObject({ addresses: ['/ip4/192.0.2.9/tcp/1'], roles: ['announce', 'serve'] })
  })

  test.skipIf(process.platform === 'win32')(
    'the file keeps its permissions, and a link to it stays a link',
    async () => {
      const [alpha] = await two()
      const elsewhere = `${alpha.paths.peers}.elsewhere`
      await chmod(alpha.paths.peers, 0o600)
      await rename(alpha.paths.peers, elsewhere)
      await symlink(elsewhere, alpha.paths.peers)
      await add(alpha, entry)
      expect((await lstat(alpha.paths.peers)).isSymbolicLink()).toBe(true)
      expect((await stat(elsewhere)).mode & 0o777).toBe(0o600)
      expect(await readFile(elsewhere, 'utf8')).toContain(carol.did)
    }
  )

  test('--config: the rights are granted in that file', async () => {
    const [alpha] = await two()
    const configFile = `${alpha.paths.federation}.other`
    const original = await readFile(alpha.paths.federation, 'utf8')
    await writeFile(configFile, original)
    await addPeer({ ...alpha.sources, configFile }, { file: '-', text: entry })
    expect(await readFile(alpha.paths.federation, 'utf8')).toBe(original)
    expect(await readFile(configFile, 'utf8')).toContain(carol.did)
  })
})

describe('what peers add refuses, and then changes nothing', () => {
  const carol = person('carol')
  const other = person('other')
  const web = (publicKey: string): string =>
    `did: did:web:c.example\norgId: gamma\nroles: [serve]\nkeys: [{ kid: k, publicKey: ${publicKey} }]\n`
  const known = `did: ${carol.did}\norgId: gamma\npeerId: 12D3KooWCHqVtzriRwdZSxtP21Ahbbi5uaUV1C8TjN3KFsEJc9MH\n`

  const cases: readonly { name: string; first?: string; text: string; code: string; message: RegExp }[] = [
    {
      name: 'other keys',
      first: web(carol.publicKey),
      text: web(other.publicKey),
      code: 'CONFIG_INVALID',
      message: /already, with other keys/
    },
    {
      name: 'further keys',
      first: known,
      text: `${known}keys: [{ kid: k, publicKey: ${other.publicKey} }]\n`,
      code: 'CONFIG_INVALID',
      message: /already, with other keys/
    },
    {
      name: 'another organisation',
      first: known,
      text: known.replace('gamma', 'delta'),
      code: 'CONFIG_INVALID',
      message: /already, with another orgId/
    },
    {
      name: 'another PeerId',
      first: known,
      text: known.replace(/12D3\S+/, '12D3KooWNMo5zBCgdGaBNKCAgfDwLwmfVGHMany2xGEuUSF5K39R'),
      code: 'CONFIG_INVALID',
      message: /already, with another peerId/
    },
    {
      name: 'a PeerId of somebody else',
      first: known,
      text: known.replace(carol.did, other.did),
      code: 'CONFIG_INVALID',
      message: /peers\[1\]\.peerId: 12D3\S+ already belongs to another DID/
    },
    {
      name: 'an unknown key',
      text: `did: ${carol.did}\norgId: gamma\nrole: [serve]\n`,
      code: 'CONFIG_INVALID',
      message: /block\.yaml:3:1 role: is not a known key \(did you mean roles\?\)/
    },
    {
      name: 'a weak key',
      text: web('AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'),
      code: 'CONFIG_INVALID',
      message: /not of prime order/
    },
    { name: 'no entry', text: '[]', code: 'CONFIG_INVALID', message: /block\.yaml:1:1: holds no entry/ },
    { name: 'an empty block', text: '', code: 'CONFIG_INVALID', message: /block\.yaml:1:1 did: is required/ },
    { name: 'no YAML', text: '{', code: 'CONFIG_INVALID', message: /block\.yaml:\d+:\d+: / },
    {
      name: 'a whole peers.yaml with more in it than peers',
      text: 'peers: [{ did: did:web:a, orgId: a }]\ncrossOrg: {}\n',
      code: 'CONFIG_INVALID',
      message: /crossOrg: is not a known key/
    },
    { name: 'a block that is too long', text: '#'.repeat(300_000), code: 'CONFIG_INVALID', message: /is longer than/ }
  ]

  test.each(cases)('$name', async ({ first, text, code, message }) => {
    const [alpha] = await two()
    if (first !== undefined) await add(alpha, first)
    const before = await filesOf(alpha)
    const failure = await failureOf(add(alpha, text))
    expect(failure.code).toBe(code)
    expect(failure.message).toMatch(message)
    expect(failure.hint).toBeTruthy()
    expect(await filesOf(alpha)).toEqual(before)
  })

  test("this node's own entry", async () => {
    const [alpha] = await two()
    const failure = await failureOf(add(alpha, await identityOf(alpha)))
    expect(failure.message).toContain("is this node's own entry")
  })

  test('a namespace that is not carried', async () => {
    const [alpha, beta] = await two()
    const failure = await failureOf(add(alpha, await identityOf(beta), { namespaces: ['dao:other'] }))
    expect(failure.code).toBe('NOT_FOUND')
    expect(failure.hint).toContain(NS)
  })

  test('an edit that would grant more through an alias', async () => {
    const alpha = await initialised()
    const members = `{ announce: &all [${alpha.did}], serve: *all }`
    await edit(
      alpha.paths.federation,
      'namespaces: {}',
      `namespaces:\n  dao:x:\n    tenant: x\n    members: ${members}`
    )
    const before = await filesOf(alpha)
    const failure = await failureOf(add(alpha, `did: ${carol.did}\norgId: gamma\nroles: [announce]\n`))
    expect(failure.message).toContain("can't be edited without changing more than the new peer")
    expect(await filesOf(alpha)).toEqual(before)
  })
})
