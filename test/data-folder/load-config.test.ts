import { chmod, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readFederation } from '../../src/cli/data-folder/load-config.ts'
import { edit, emptyFolder, failureOf, initialised, load } from './support.ts'

/** A self-signed Ed25519 certificate; nobody kept its key. */
const ROOT_PEM = `-----BEGIN CERTIFICATE-----
MIIBVTCCAQegAwIBAgIUBTT2MIhkZuIDsL0SPTXC7c6S3HUwBQYDK2VwMB8xHTAb
BgNVBAMMFEFuY2hvcm1lc2ggdGVzdCByb290MCAXDTI2MTEyMTAyMTc1M1oYDzIx
MjYxMDI4MDIxNzUzWjAfMR0wGwYDVQQDDBRBbmNob3JtZXNoIHRlc3Qgcm9vdDAq
MAUGAytlcAMhAFA79IygGhEO0HkB/Gf87JY59Qiq50ns6OrPT23mwj6qo1MwUTAd
BgNVHQ4EFgQU4oSU7gvF2+cVQ+L43V58oUNzKG8wHwYDVR0jBBgwFoAU4oSU7gvF
2+cVQ+L43V58oUNzKG8wDwYDVR0TAQH/BAUwAwEB/zAFBgMrZXADQQC/c/xp407n
pgPu43dksmEmMkfHIZ9bu//rmJJEV8G4MQ9bt3b02t/M8fpRB/fwXfB008e/8ZpS
5fQgCsdQh1AC
-----END CERTIFICATE-----`

describe('a configuration that loads', () => {
  test('flag before environment before file', async () => {
    const folder = await initialised()
    const environment = { ANCHORMESH_HTTP_LISTEN: '127.0.0.1:2', ANCHORMESH_LOG_LEVEL: 'debug' }
    const flag = { path: ['http', 'listen'], value: '127.0.0.1:3', source: 'command line', name: '--http' } as const
    expect((await load(folder)).federation.http.listen).toBe('127.0.0.1:8088')
    expect((await load(folder, { environment })).federation.http.listen).toBe('127.0.0.1:2')
    const config = await load(folder, { environment, flags: [flag] })
    expect(config.federation.http.listen).toBe('127.0.0.1:3')
    expect(config.federation.log.level).toBe('debug')
  })

  test('the same order for those that look at federation.yaml alone, and a wrong variable is told to them', async () => {
    const { paths } = await initialised()
    const environment = { ANCHORMESH_STORE_ENCRYPT: 'true', ANCHORMESH_NODE_SIGNER: 'unix:one.sock' }
    const flag = {
      path: ['node', 'signer'],
      value: 'unix:other.sock',
      source: 'command line',
      name: '--signer'
    } as const
    const read = await readFederation({ folder: paths.folder, environment, flags: [flag] })
    expect([read.store.encrypt, read.node.signer]).toEqual([true, 'unix:other.sock'])
    const failure = await failureOf(
      readFederation({ folder: paths.folder, environment: { ANCHORMESH_STORE_ENCRYPTED: 'true' } })
    )
    expect(failure.message).toContain('did you mean ANCHORMESH_STORE_ENCRYPT?')
  })

  test('--config names another federation.yaml; the other files stay those of the folder', async () => {
    const folder = await initialised()
    const configFile = join(await emptyFolder(), 'other.yaml')
    await writeFile(configFile, `v: 1\nnode: { did: ${folder.did}, orgId: other }\n`)
    const config = await load(folder, { configFile })
    expect(config.federation.node.orgId).toBe('other')
    expect(config.peerId).toBe(folder.peerId)
  })

  test('the roots of a time-stamping authority go into the policy by their content', async () => {
    const folder = await initialised()
    const der = Buffer.from(ROOT_PEM.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64')
    await writeFile(join(folder.paths.tsaRoots, 'root.pem'), `a comment\n${ROOT_PEM}\n${ROOT_PEM}\n`)
    await writeFile(join(folder.paths.tsaRoots, 'root.der'), der)
    const authority = (name: string): string => `${name}: { url: "https://tsa.example", roots: [root.${name}] }`
    await edit(folder.paths.federation, /$/, `rails: { rfc3161: { ${authority('pem')}, ${authority('der')} } }\n`)
    const roots = [der.toString('base64url')]
    expect((await load(folder)).policy.rails.rfc3161).toEqual({
      pem: { roots, certificates: [], policies: [] },
      der: { roots, certificates: [], policies: [] }
    })
  })
})

describe('settings that this version takes and does nothing with', () => {
  test('a new data folder has none', async () => {
    expect((await load(await initialised({ namespaces: ['dao:x'] }))).withoutEffect).toEqual([])
  })

  test('each is named once, with its first place', async () => {
    const folder = await initialised()
    const { federation, peers } = folder.paths
    const did = 'did:key:z6Mkvix4MDXuDZmep2rPr4EP9JFxWAVCTNRdBTwqGybJkUXg'
    await edit(
      federation,
      'namespaces: {}',
      [
        'namespaces:',
        ...['dao:x', 'dao:y'].flatMap((name) => [`  ${name}:`, '    tenant: x']),
        'audit:',
        '  syslog: logs.example.org:6514',
        ''
      ].join('\n')
    )
    const pins = `certificatePins: [${'a'.repeat(64)}]`
    await edit(peers, 'peers: []', `peers:\n  - { did: ${did}, orgId: a, ${pins} }`)
    const lineOf = async (path: string, text: string): Promise<number> =>
      (await readFile(path, 'utf8')).split('\n').findIndex((line) => line.includes(text)) + 1
    const expected = [['peers[0].certificatePins', peers, '- { did']] as const
    const { withoutEffect } = await load(folder)
    expect(withoutEffect.map(({ key, file, line }) => ({ key, file, line }))).toEqual(
      await Promise.all(expected.map(async ([key, file, text]) => ({ key, file, line: await lineOf(file, text) })))
    )
    expect(withoutEffect.map(({ message }) => message)).toEqual(['is accepted, but has no effect without http.tls'])
  })
})

describe('CONFIG_INVALID lists every problem as file:line:column key: message', () => {
  test('of both files at once', async () => {
    const folder = await initialised()
    await edit(folder.paths.federation, 'mdns: false', 'mdsn: false')
    await edit(folder.paths.peers, 'peers: []', 'peers: [{ did: nobody }]')
    const failure = await failureOf(load(folder))
    expect(failure.code).toBe('CONFIG_INVALID')
    expect(failure.hint).toBeTruthy()
    const line = (await readFile(folder.paths.federation, 'utf8')).split('\n').indexOf('  mdsn: false') + 1
    expect(failure.message.split('\n')).toEqual([
      `${folder.paths.federation}:${line}:3 node.mdsn: is not a known key (did you mean mdns?)`,
      expect.stringMatching(
        /peers\.yaml:\d+:9 peers\[0\]: *|peers\.yaml:\d+:9 peers\[0\]\.orgId: is required/
      ) as string,
      expect.stringMatching(/peers\.yaml:\d+:16 peers\[0\]\.did: is not a DID/) as string
    ])
  })

  const cases: readonly {
    name: string
    file: 'federation' | 'peers'
    from: string | RegExp
    to: string
    expected: string | RegExp
  }[] = [
    {
      name: 'a weak key',
      file: 'peers',
      from: 'peers: []',
      to: 'peers:\n  - did: did:web:a.example\n    orgId: a\n    keys:\n      - kid: k\n        publicKey: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
      expected:
        /peers\.yaml:\d+:20 peers\[0\]\.keys\[0\]\.publicKey: is a key that can't be used: not of prime order \[KEY_WEAK\]$/
    },
    {
      name: 'one kid for two keys',
      file: 'peers',
      from: 'peers: []',
      to: 'peers:\n  - did: did:web:a.example\n    orgId: a\n    keys:\n      - { kid: k, publicKey: B0F3YS-AlH4khG3QbYa84s5FVHOt6_vzbGe0fd-NNvs }\n      - { kid: k, publicKey: prkCOrzHKBSkrItaRxNSIv91veRYJ89QXay7kVhBFyY }',
      expected: /peers\.yaml:\d+:16 peers\[0\]\.keys\[1\]\.kid: k already stands for another key of a/
    },
    {
      name: 'a member whom nobody knows',
      file: 'federation',
      from: 'namespaces: {}',
      to: 'namespaces:\n  dao:x:\n    tenant: x\n    members:\n      serve:\n        - did:web:stranger.example',
      expected:
        /federation\.yaml:\d+:11 namespaces\.dao:x\.members\.serve\[0\]: did:web:stranger\.example is neither .* \[UNKNOWN_DID\]/
    },
    {
      name: 'a multiaddr that libp2p does not read',
      file: 'federation',
      from: '/ip4/0.0.0.0/tcp/4088',
      to: '/ip4/0.0.0.0/tcp/99999',
      expected: /federation\.yaml:\d+:7 node\.listen\[0\]: is not a multiaddr/
    },
    {
      name: 'a bootstrap address without a PeerId',
      file: 'federation',
      from: 'bootstrap: []',
      to: 'bootstrap: [/ip4/192.0.2.1/tcp/1]',
      expected: /federation\.yaml:\d+:15 node\.bootstrap\[0\]: does not end with \/p2p\//
    },
    {
      name: 'a PeerId that is none',
      file: 'peers',
      from: 'peers: []',
      to: `peers:\n  - { did: "did:key:z6Mkvix4MDXuDZmep2rPr4EP9JFxWAVCTNRdBTwqGybJkUXg", orgId: a, peerId: ${'Q'.repeat(52)} }`,
      expected: /peers\.yaml:\d+:\d+ peers\[0\]\.peerId: is not a PeerId/
    },
    {
      name: 'an address of another PeerId',
      file: 'peers',
      from: 'peers: []',
      to: 'peers:\n  - did: did:key:z6Mkvix4MDXuDZmep2rPr4EP9JFxWAVCTNRdBTwqGybJkUXg\n    orgId: a\n    peerId: 12D3KooWCHqVtzriRwdZSxtP21Ahbbi5uaUV1C8TjN3KFsEJc9MH\n    addresses: [/ip4/192.0.2.1/tcp/1/p2p/12D3KooWNMo5zBCgdGaBNKCAgfDwLwmfVGHMany2xGEuUSF5K39R]',
      expected: /peers\.yaml:\d+:17 peers\[0\]\.addresses\[0\]: is the address of 12D3KooWNMo5/
    },
    {
      name: "a did:key that is not the keystore's",
      file: 'federation',
      from: /did: did:key:\S+/,
      to: 'did: did:key:z6Mkvix4MDXuDZmep2rPr4EP9JFxWAVCTNRdBTwqGybJkUXg',
      expected: /federation\.yaml:\d+:8 node\.did: is the did:key of no key in keystore\.json \(that would be did:key:/
    },
    {
      name: 'a root certificate that is not there',
      file: 'federation',
      from: /$/,
      to: 'rails: { rfc3161: { tsa: { url: "https://tsa.example", roots: [none.pem] } } }\n',
      expected:
        /federation\.yaml:\d+:64 rails\.rfc3161\.tsa\.roots\[0\]: names .*none\.pem, which is not there \[FILE_MISSING\]/
    },
    {
      name: 'a root certificate that holds none',
      file: 'federation',
      from: /$/,
      to: 'rails: { rfc3161: { tsa: { url: "https://tsa.example", roots: [../peers.yaml] } } }\n',
      expected: /federation\.yaml:\d+:64 rails\.rfc3161\.tsa\.roots\[0\]: holds no certificates: .* \[FILE_INVALID\]/
    },
    {
      name: 'a signer behind a socket whose folder is not there',
      file: 'federation',
      from: 'mdns: false',
      to: 'mdns: false\n  signer: unix:no/such/folder/signer.sock',
      expected: /federation\.yaml:\d+:11 node\.signer: names .*no\/such\/folder, which is not there \[FILE_MISSING\]/
    },
    {
      name: "authorities of a collector's certificate that are not there",
      file: 'federation',
      from: /$/,
      to: 'audit: { syslogCa: none.pem }\n',
      expected: /federation\.yaml:\d+:20 audit\.syslogCa: names .*none\.pem, which is not there \[FILE_MISSING\]/
    },
    {
      name: 'a folder where a file should be',
      file: 'federation',
      from: /$/,
      to: 'audit: { syslogCa: tsa-roots }\n',
      expected: /federation\.yaml:\d+:20 audit\.syslogCa: names .*tsa-roots, which is no file \[FILE_INVALID\]/
    },
    {
      name: 'a key of an account that is not there',
      file: 'federation',
      from: /$/,
      to: 'rails: { eip155: { 1: { rpc: ["https://a.example"], account: { keyFile: none.key } } } }\n',
      expected: /federation\.yaml:\d+:\d+ rails\.eip155\.1\.account\.keyFile: names .*none\.key, .* \[FILE_MISSING\]/
    },
    {
      name: 'a duplicate key',
      file: 'federation',
      from: 'mdns: false',
      to: 'mdns: false\n  mdns: true',
      expected: /federation\.yaml:\d+:3 node\.mdns: is a duplicate key \[DUPLICATE_KEY\]/
    },
    {
      name: 'an alias of what it stands in',
      file: 'peers',
      from: 'peers: []',
      to: 'peers: &all\n  - *all',
      expected: /peers\.yaml:\d+:5 peers\[0\]: is an alias of \*all, which it is part of itself \[YAML_CYCLE\]/
    },
    {
      name: 'an alias of itself by way of another mapping',
      file: 'peers',
      from: 'peers: []',
      to: 'peers: []\ncrossOrg: &outer\n  allow: &inner\n    - {from: &a [*inner]}',
      expected: /peers\.yaml:\d+:\d+ crossOrg\.allow\[0\]\.from\[0\]: is an alias of \*inner, .* \[YAML_CYCLE\]/
    },
    {
      name: 'one kid in the key domains of two tenants',
      file: 'peers',
      from: 'peers: []',
      to: [
        'peers:',
        ...['one', 'two'].map(
          (name) =>
            `  - { did: "did:web:${name}.example", orgId: a, keys: [{ kid: k, publicKey: 8b_yJUXI1BwRHQqwH8I8BcLOqLIB5aWG5_-d9fWLC0c, tenant: ${name} }] }`
        )
      ].join('\n'),
      expected:
        /peers\.yaml:\d+:\d+ peers\[1\]\.keys\[0\]\.tenant: puts k of a in the key domain of the tenant two, .* the tenant one \[KEY_CONFLICT\]/
    },
    {
      name: 'measurements of a signer whom nobody knows',
      file: 'federation',
      from: 'namespaces: {}',
      to: 'namespaces:\n  dao:x:\n    tenant: x\n    attestations: { signers: { "did:web:stranger.example": [] } }',
      expected:
        /federation\.yaml:\d+:\d+ namespaces\.dao:x\.attestations\.signers\.did:web:stranger\.example: .* \[UNKNOWN_DID\]/
    },
    {
      name: 'readers who are not on this machine, and no TLS',
      file: 'federation',
      from: '127.0.0.1:8088',
      to: '0.0.0.0:8088',
      expected: /federation\.yaml:\d+:11 http\.listen: \S+ can be reached from other machines/
    },
    {
      name: 'a loopback address that is none',
      file: 'federation',
      from: '127.0.0.1:8088',
      to: '127.999.0.1:8088',
      expected: /federation\.yaml:\d+:11 http\.listen: \S+ can be reached from other machines/
    }
  ]

  test.each(cases)('$name', async ({ file, from, to, expected }) => {
    const folder = await initialised()
    await edit(folder.paths[file], from, to)
    const failure = await failureOf(load(folder))
    expect(failure.code).toBe('CONFIG_INVALID')
    expect(failure.message).toMatch(expected)
    expect(failure.message.split('\n')).toHaveLength(1)
    const key = /\d (\S+): /.exec(failure.message)?.[1]
    const code = /\[([A-Z_]+)\]$/.exec(failure.message)?.[1]
    const problem = { file: folder.paths[file], key, ...(code === undefined ? {} : { code }) }
    expect(failure.detail).toMatchObject({ problems: [problem] })
  })

  test('a key of an account that others may read, or that is none, with its place', async () => {
    const folder = await initialised()
    const file = join(folder.paths.folder, 'evm.key')
    const rails = 'rails: { eip155: { 1: { rpc: ["https://a.example"], account: { keyFile: evm.key } } } }\n'
    await edit(folder.paths.federation, /$/, rails)
    await writeFile(file, 'ab'.repeat(32), { mode: 0o600 })
    const { address } = (await load(folder)).payingAccounts.get('1') ?? {}
    expect(address).toMatch(/^[0-9a-f]{40}$/)
    const problem = async (): Promise<string> => (await failureOf(load(folder))).message
    await chmod(file, 0o640)
    expect(await problem()).toMatch(
      /federation\.yaml:\d+:\d+ rails\.eip155\.1\.account\.keyFile: .* permissions 0640 .* \[FILE_INVALID\]$/
    )
    await chmod(file, 0o600)
    await writeFile(file, '00'.repeat(32))
    expect(await problem()).toMatch(
      /federation\.yaml:\d+:\d+ rails\.eip155\.1\.account\.keyFile: .* holds no private key.* \[FILE_INVALID\]$/
    )
  })

  test.each(['HTTP', 'ADMIN'])('a listener that others can reach, and no TLS, by a variable: %s', async (section) => {
    const folder = await initialised()
    const failure = await failureOf(load(folder, { environment: { [`ANCHORMESH_${section}_LISTEN`]: '0.0.0.0:8090' } }))
    expect(failure.message).toMatch(
      new RegExp(
        `^environment ANCHORMESH_${section}_LISTEN: 0\\.0\\.0\\.0:8090 can be reached .* in clear: set http\\.tls`
      )
    )
  })

  test.each(['127.0.0.1:0', '[::1]:8088', 'LOCALHOST:8089', 'localhost:8088'])(
    'another address for the admin listener, or the same: %s',
    async (listen) => {
      const folder = await initialised()
      const environment = {
        ANCHORMESH_HTTP_LISTEN: listen.endsWith(':0') ? listen : '127.0.0.1:8088',
        ANCHORMESH_ADMIN_LISTEN: listen
      }
      expect((await load(folder, { environment })).federation.admin.listen).toBe(listen)
    }
  )

  test("another's entry with this node's PeerId", async () => {
    const folder = await initialised()
    const entry = `{ did: "did:key:z6Mkvix4MDXuDZmep2rPr4EP9JFxWAVCTNRdBTwqGybJkUXg", orgId: a, peerId: ${folder.peerId} }`
    await edit(folder.paths.peers, 'peers: []', `peers:\n  - ${entry}`)
    expect((await failureOf(load(folder))).message).toMatch(/peers\[0\]\.peerId: is this node's own PeerId/)
  })

  test('a variable', async () => {
    const folder = await initialised()
    const failure = await failureOf(
      load(folder, { environment: { ANCHORMESH_HTTP_LISTN: 'x', ANCHORMESH_NODE_MDNS: '1' } })
    )
    expect(failure.message.split('\n')).toEqual([
      'environment ANCHORMESH_HTTP_LISTN: is not a known variable (did you mean ANCHORMESH_HTTP_LISTEN?)',
      'environment ANCHORMESH_NODE_MDNS: is the text "1", but must be true or false'
    ])
  })

  test.each(['federation', 'peers'] as const)('%s.yaml is missing', async (file) => {
    const folder = await initialised()
    await rm(folder.paths[file])
    const failure = await failureOf(load(folder))
    expect(failure.code).toBe('CONFIG_INVALID')
    expect(failure.message).toBe(`${folder.paths[file]} is missing`)
    expect(failure.detail).toMatchObject({ problems: [{ file: folder.paths[file], code: 'FILE_MISSING' }] })
    expect(failure.hint).toContain(file === 'peers' ? 'peers: []' : 'anchormesh init')
  })
})
