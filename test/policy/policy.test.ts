import { describe, expect, test } from 'vitest'
import { encodeCanonical } from '../../protocols/canonical-json/v1/codec.ts'
import type { JsonValue } from '../../protocols/canonical-json/v1/json.ts'
import { toBase64url } from '../../protocols/primitives/bytes.ts'
import { didKeyOf } from '../../protocols/signature/v1/did-key.ts'
import { effectivePolicy, parsePolicy } from '../../src/policy/policy.ts'
import { alice, bob, carol, federation, peers, policyFor, policyOf, problemsOf, self } from './support.ts'

const key = (kid: string, publicKey: string, tenant?: string) => ({
  kid,
  publicKey,
  ...(tenant === undefined ? {} : { tenant })
})

describe('the effective policy', () => {
  test('holds this node, and the own key of each did:key', () => {
    const policy = policyFor()
    expect(policy.self).toEqual({ did: alice.did, orgId: 'alpha' })
    expect(policy.peers).toEqual(
      [
        {
          did: alice.did,
          orgId: 'alpha',
          roles: ['announce', 'request', 'serve'],
          keys: [key(alice.kid, alice.publicKey)]
        },
        { did: bob.did, orgId: 'beta', roles: ['announce', 'request', 'serve'], keys: [key(bob.kid, bob.publicKey)] }
      ].sort((left, right) => (left.did < right.did ? -1 : 1))
    )
  })

  test('is the same JSON whatever order the files have', () => {
    const web = { did: 'did:web:c.example', orgId: 'gamma', keys: [key('b', carol.publicKey), key('a', bob.publicKey)] }
    const bobEntry = { did: bob.did, orgId: 'beta', roles: ['serve', 'announce'] }
    const one = policyFor(
      federation({}, { members: { announce: [alice.did, bob.did] } }),
      peers({ peers: [web, bobEntry], organisations: [{ orgId: 'beta' }, { orgId: 'alpha' }] })
    )
    const other = policyFor(
      federation({}, { members: { announce: [bob.did, alice.did] } }),
      peers({
        peers: [
          { ...bobEntry, roles: ['announce', 'serve'] },
          { ...web, keys: web.keys.toReversed() }
        ],
        organisations: [{ orgId: 'alpha' }, { orgId: 'beta' }]
      })
    )
    expect(encodeCanonical(one)).toBe(encodeCanonical(other))
  })

  test('comes back from the log as it was', () => {
    const policy = policyFor()
    expect(parsePolicy(JSON.parse(encodeCanonical(policy)) as JsonValue)).toEqual(policy)
  })

  test.each([null, 1, [], {}, { v: 2, namespaces: {}, peers: [] }])(
    'a log that holds %j for it is a defect',
    (json) => {
      expect(() => parsePolicy(json)).toThrow('holds no policy of version 1')
    }
  )

  test('an entry of this node in a shared peers.yaml says which roles it may have', () => {
    const shared = peers({
      peers: [
        { did: alice.did, orgId: 'alpha', roles: ['announce'] },
        { did: bob.did, orgId: 'beta' }
      ]
    })
    expect(policyFor(federation(), shared).peers.find(({ did }) => did === alice.did)).toEqual({
      did: alice.did,
      orgId: 'alpha',
      roles: ['announce'],
      keys: [key(alice.kid, alice.publicKey)]
    })
  })

  test('holds the roots of time-stamping authorities', () => {
    const rails = { rfc3161: { tsa: { url: 'https://tsa.example', roots: ['b.pem', 'a.pem'] } } }
    const policy = policyOf(
      effectivePolicy(federation({ rails }), peers(), self, {
        tsa: { roots: ['Zg', 'YQ'], certificates: ['eg', 'eQ'] }
      })
    )
    expect(policy.rails.rfc3161).toEqual({ tsa: { roots: ['YQ', 'Zg'], certificates: ['eQ', 'eg'], policies: [] } })
  })
})

// Points of order 1, 2, 4 and 8, a sum of a good point and one of small order is in the Ed25519 vectors.
const WEAK: readonly (readonly [string, string])[] = [
  ['identity', '0100000000000000000000000000000000000000000000000000000000000000'],
  ['order 2', 'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f'],
  ['order 4', '0000000000000000000000000000000000000000000000000000000000000000'],
  ['order 8', '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05'],
  ['not canonical', 'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f']
]

describe('weak keys are refused on each way that they come', () => {
  const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'))

  test.each(WEAK)('%s in keys', (_name, hex) => {
    const entry = { keys: [key('k', toBase64url(bytesOf(hex)))] }
    const result = effectivePolicy(federation(), peers({}, entry), self)
    expect(result.ok ? [] : result.problems).toEqual([
      {
        file: 'peers.yaml',
        path: ['peers', 0, 'keys', 0, 'publicKey'],
        code: 'KEY_WEAK',
        message: expect.stringContaining("is a key that can't be used") as string
      }
    ])
  })

  test.each(WEAK)('%s as did:key', (_name, hex) => {
    const did = didKeyOf(bytesOf(hex))
    const result = effectivePolicy(federation({ namespaces: {} }), peers({ peers: [{ did, orgId: 'x' }] }), self)
    expect(result.ok ? [] : result.problems).toMatchObject([{ path: ['peers', 0, 'did'], code: 'KEY_WEAK' }])
  })

  test("as this node's own key", () => {
    const result = effectivePolicy(federation(), peers(), { ...self, publicKey: new Uint8Array(32) })
    expect(result.ok ? [] : result.problems).toMatchObject([{ path: ['node', 'did'], code: 'KEY_WEAK' }])
  })
})

describe('problems of both files together', () => {
  const cases: readonly {
    name: string
    federation?: object
    namespace?: object
    peers?: object
    entry?: object
    expected: string
  }[] = [
    {
      name: 'one kid for two keys in an entry',
      entry: { keys: [key('k', alice.publicKey), key('k', carol.publicKey)] },
      expected: 'peers.yaml peers.0.keys.1.kid: k already stands for another key of beta'
    },
    {
      name: 'one kid for two keys in an organisation',
      peers: {
        peers: [
          { did: bob.did, orgId: 'beta', keys: [key('k', bob.publicKey)] },
          { did: 'did:web:b.example', orgId: 'beta', keys: [key('k', carol.publicKey)] }
        ]
      },
      expected: 'peers.yaml peers.1.keys.0.kid: k already stands for another key of beta'
    },
    {
      name: 'another key under the kid of a did:key',
      entry: { keys: [key(bob.kid, carol.publicKey)] },
      expected: `peers.yaml peers.0.keys.0.kid: ${bob.kid} already stands for another key of beta`
    },
    {
      name: 'another key under the kid of this node',
      peers: { peers: [{ did: bob.did, orgId: 'alpha', keys: [key(alice.kid, carol.publicKey)] }] },
      expected: `peers.yaml peers.0.keys.0.kid: ${alice.kid} already stands for another key of alpha`
    },
    {
      name: 'a key listed twice',
      entry: { keys: [key('k', carol.publicKey), key('k', carol.publicKey, 't')] },
      expected: 'peers.yaml peers.0.keys.1.kid: names k a second time'
    },
    {
      name: 'a public key in a second spelling',
      // 43 digits hold two bits more than 32 bytes.
      entry: { keys: [key('k', `${carol.publicKey.slice(0, -1)}B`)] },
      expected: 'peers.yaml peers.0.keys.0.publicKey: is not base64url in its one correct form'
    },
    {
      name: 'a DID that occurs twice',
      peers: {
        peers: [
          { did: bob.did, orgId: 'beta' },
          { did: bob.did, orgId: 'beta' }
        ]
      },
      expected: `peers.yaml peers.1.did: names ${bob.did} a second time`
    },
    {
      name: 'a PeerId that occurs twice',
      peers: {
        peers: [
          { did: bob.did, orgId: 'beta', peerId: '12D3KooWCHqVtzriRwdZSxtP21Ahbbi5uaUV1C8TjN3KFsEJc9MH' },
          { did: carol.did, orgId: 'c', peerId: '12D3KooWCHqVtzriRwdZSxtP21Ahbbi5uaUV1C8TjN3KFsEJc9MH' }
        ]
      },
      expected:
        'peers.yaml peers.1.peerId: 12D3KooWCHqVtzriRwdZSxtP21Ahbbi5uaUV1C8TjN3KFsEJc9MH already belongs to another DID'
    },
    {
      name: 'a did:key of another kind',
      peers: {
        peers: [
          { did: bob.did, orgId: 'beta' },
          { did: 'did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme', orgId: 'c' }
        ]
      },
      expected: 'peers.yaml peers.1.did: is not the did:key of an Ed25519 key'
    },
    {
      name: 'a signer without keys',
      peers: {
        peers: [
          { did: bob.did, orgId: 'beta' },
          { did: 'did:web:c.example', orgId: 'c' }
        ]
      },
      expected: 'peers.yaml peers.1.keys: names no key of did:web:c.example, so nothing it signs could be verified'
    },
    {
      name: 'a member whom nobody knows',
      namespace: { members: { serve: [alice.did, carol.did] } },
      expected: `federation.yaml namespaces.dao:test.members.serve.1: ${carol.did} is neither this node nor in peers.yaml`
    },
    {
      name: 'a quorum of somebody unknown',
      namespace: { quorum: { k: 1, of: [carol.did] } },
      expected: `federation.yaml namespaces.dao:test.quorum.of.0: ${carol.did} is neither this node nor in peers.yaml`
    },
    {
      name: 'sealing of a namespace that is not carried',
      federation: { sealing: { 'dao:other': {} } },
      expected: 'federation.yaml sealing.dao:other: dao:other is not among the namespaces'
    },
    {
      name: 'sealing on a rail that nobody configured',
      federation: {
        namespaces: { 'dao:vaultmesh': { tenant: 'vaultmesh' } },
        sealing: { 'dao:vaultmesh': { rails: ['tsa'] } }
      },
      expected:
        'federation.yaml sealing.dao:vaultmesh.rails.0: tsa needs an authority under rails.rfc3161, on a chain that ' +
        'namespaces.dao:vaultmesh.finality lists'
    },
    {
      name: 'sealing on a chain that nobody pays for',
      federation: {
        namespaces: { 'dao:vaultmesh': { tenant: 'vaultmesh' } },
        rails: { eip155: { '1': { rpc: ['https://rpc.example'] } } },
        sealing: { 'dao:vaultmesh': { rails: ['evm'] } }
      },
      expected:
        'federation.yaml sealing.dao:vaultmesh.rails.0: evm needs a chain under rails.eip155 that has an account, on a ' +
        'chain that namespaces.dao:vaultmesh.finality lists'
    },
    {
      name: 'sealing on a network that does not count',
      federation: {
        namespaces: { 'dao:vaultmesh': { tenant: 'vaultmesh', finality: { 'btc:signet': { depth: 1 } } } },
        rails: { btc: { mainnet: { providers: ['https://one.example'], calendars: ['https://cal.example'] } } },
        sealing: { 'dao:vaultmesh': { rails: ['btc'] } }
      },
      expected:
        'federation.yaml sealing.dao:vaultmesh.rails.0: btc needs a network under rails.btc that has a wallet or ' +
        'calendars, on a chain that namespaces.dao:vaultmesh.finality lists'
    },
    {
      name: 'an organisation that occurs twice',
      peers: { peers: [{ did: bob.did, orgId: 'beta' }], organisations: [{ orgId: 'x' }, { orgId: 'x' }] },
      expected: 'peers.yaml organisations.1.orgId: names x a second time'
    },
    {
      name: 'a number that is pinned twice',
      peers: {
        peers: [{ did: bob.did, orgId: 'beta' }],
        organisations: [{ orgId: 'x', pins: ['ab', 'cd'].map((hex) => ({ packSeq: 2, hash: hex.repeat(32) })) }]
      },
      expected: 'peers.yaml organisations.0.pins.1.packSeq: pins pack 2 of x a second time'
    },
    {
      name: 'a pin of the first pack that is not its firstPack',
      peers: {
        peers: [{ did: bob.did, orgId: 'beta' }],
        organisations: [{ orgId: 'x', firstPack: 'ab'.repeat(32), pins: [{ packSeq: 1, hash: 'cd'.repeat(32) }] }]
      },
      expected: 'peers.yaml organisations.0.pins.0.hash: is not the firstPack of x'
    },
    {
      name: 'this node under another organisation',
      peers: {
        peers: [
          { did: bob.did, orgId: 'beta' },
          { did: alice.did, orgId: 'beta' }
        ]
      },
      expected: "peers.yaml peers.1.orgId: is beta, but this node's own orgId is alpha"
    }
  ]

  test.each(cases)('$name', ({ expected, ...changes }) => {
    const result = effectivePolicy(
      federation({ ...changes.federation }, { ...changes.namespace }),
      peers({ ...changes.peers }, { ...changes.entry }),
      self
    )
    expect(problemsOf(result)).toEqual([expected])
  })

  test('a signer without keys is known where its first pack is pinned', () => {
    const known = peers({
      peers: [
        { did: bob.did, orgId: 'beta' },
        { did: 'did:web:c.example', orgId: 'c' }
      ],
      organisations: [{ orgId: 'c', firstPack: 'ab'.repeat(32) }]
    })
    expect(problemsOf(effectivePolicy(federation(), known, self))).toEqual([])
  })
})
