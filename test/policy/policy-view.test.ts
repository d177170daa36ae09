import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeCanonical } from '../../protocols/canonical-json/v1/codec.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import { ROLES } from '../../src/policy/config-schema.ts'
import { effectivePolicy } from '../../src/policy/policy.ts'
import { viewPolicy } from '../../src/policy/policy-view.ts'
import type { PolicyView } from '../../src/policy/policy-view.ts'
import { alice, bob, carol, federation, peers, person, policyFor, policyOf, self } from './support.ts'

const NS = 'dao:test'

function viewOf(federationChanges = {}, namespaceChanges = {}, peersChanges = {}, entryChanges = {}): PolicyView {
  return viewPolicy(policyFor(federation(federationChanges, namespaceChanges), peers(peersChanges, entryChanges)))
}

describe('who may do what', () => {
  test('a right needs the role in peers.yaml and the DID under the namespace', () => {
    for (const role of ROLES) {
      for (const inPeers of [true, false]) {
        for (const listed of [true, false]) {
          const members = { announce: [bob.did], [role]: listed ? [bob.did] : [] }
          const roles = ROLES.filter((other) => other !== role || inPeers)
          const view = viewOf({}, { members }, {}, { roles })
          expect(view.hasRole(NS, bob.did, role), `${role} ${inPeers} ${listed}`).toBe(inPeers && listed)
        }
      }
    }
  })

  test('this node has the roles that the namespace lists it under', () => {
    const view = viewOf()
    expect(ROLES.filter((role) => view.hasRole(NS, alice.did, role))).toEqual(['announce', 'serve'])
  })

  test('a DID that is listed without any role of its own is a member without rights', () => {
    const view = viewOf({}, {}, {}, { roles: [] })
    expect(view.isMember(NS, bob.did)).toBe(true)
    expect(ROLES.some((role) => view.hasRole(NS, bob.did, role))).toBe(false)
  })

  test('a known peer that no namespace lists is no member, and nobody is in what is not carried', () => {
    const view = viewOf({}, { members: {} })
    expect(view.isMember(NS, bob.did)).toBe(false)
    expect(view.orgOf(bob.did)).toBe('beta')
    expect(view.carries('dao:other')).toBe(false)
    expect(view.isMember('dao:other', alice.did)).toBe(false)
    expect(view.hasRole('constructor', alice.did, 'announce')).toBe(false)
    expect(view.members('dao:other')).toEqual([])
  })

  test('_trust is always carried, first, with everybody who is known', () => {
    const view = viewOf({ namespaces: {} }, {}, {}, { roles: ['serve'] })
    expect(view.namespaces).toEqual(['_trust'])
    expect(view.carries('_trust')).toBe(true)
    expect(view.members('_trust').map(({ did }) => did)).toEqual([alice.did, bob.did].sort())
    expect(view.isMember('_trust', carol.did)).toBe(false)
    expect(view.hasRole('_trust', bob.did, 'announce')).toBe(false)
    expect(view.hasRole('_trust', bob.did, 'serve')).toBe(true)
    expect(view.settings('_trust')).toBeUndefined()
    expect(view.rate('_trust').perPeer).toBeGreaterThan(0)
  })

  test('keys, PeerIds and finality', () => {
    const peerId = '12D3KooWCHqVtzriRwdZSxtP21Ahbbi5uaUV1C8TjN3KFsEJc9MH'
    const finality = { 'btc:*': { depth: 6 }, 'btc:signet': { depth: 1 }, 'eip155:1': { tag: 'safe' } }
    const view = viewOf({}, { finality }, {}, { peerId, keys: [{ kid: 'k', publicKey: carol.publicKey }] })
    expect(view.didOfPeer(peerId)).toBe(bob.did)
    expect(view.boundKeys(bob.did)).toEqual([
      { kid: 'k', publicKey: carol.publicKey },
      { kid: bob.kid, publicKey: bob.publicKey }
    ])
    expect(view.boundKeys(carol.did)).toEqual([])
    expect(view.finality(NS, 'btc:mainnet')).toEqual({ depth: 6 })
    expect(view.finality(NS, 'btc:signet')).toEqual({ depth: 1 })
    expect(view.finality(NS, 'eip155:1')).toEqual({ tag: 'safe' })
    expect(view.finality(NS, 'eip155:5')).toBeUndefined()
    expect(view.finality(NS, 'rfc3161:any')).toBeUndefined()
  })
})

describe('membership digest', () => {
  test('is the SHA-256 of the canonical list of members', () => {
    const members = [
      { did: alice.did, orgId: 'alpha' },
      { did: bob.did, orgId: 'beta' }
    ].sort((left, right) => (left.did < right.did ? -1 : 1))
    expect(viewOf().membershipDigest(NS)).toBe(sha256Hex(encodeCanonical(members)))
  })

  test('does not depend on the order in the files, on roles, or on whose node it is', () => {
    const others = Array.from({ length: 5 }, (_, index) => ({ ...person(`other ${index}`), orgId: `org-${index}` }))
    const everybody = [{ ...alice, orgId: 'alpha' }, ...others]
    const digestOf = (
      order: readonly (typeof others)[number][],
      me: (typeof others)[number],
      roles: readonly string[]
    ): string => {
      const known = order.filter(({ did }) => did !== me.did).map(({ did, orgId }) => ({ did, orgId, roles }))
      const config = federation(
        { node: { did: me.did, orgId: me.orgId } },
        { members: { announce: order.slice(0, 3).map(({ did }) => did), serve: order.slice(3).map(({ did }) => did) } }
      )
      const own = { did: me.did, orgId: me.orgId, kid: me.kid, publicKey: me.bytes }
      return viewPolicy(policyOf(effectivePolicy(config, peers({ peers: known }), own))).membershipDigest(NS)
    }
    const expected = digestOf(everybody, everybody[0] as (typeof others)[number], [])
    const order = fc.shuffledSubarray(everybody, { minLength: everybody.length })
    fc.assert(
      fc.property(order, fc.constantFrom(...everybody), fc.subarray([...ROLES]), (shuffled, me, roles) => {
        expect(digestOf(shuffled, me, roles)).toBe(expected)
      }),
      { numRuns: 25 }
    )
  })

  test('changes with a member and with its organisation', () => {
    const digest = viewOf().membershipDigest(NS)
    expect(viewOf({}, { members: { announce: [alice.did] } }).membershipDigest(NS)).not.toBe(digest)
    expect(viewOf({}, {}, {}, { orgId: 'gamma' }).membershipDigest(NS)).not.toBe(digest)
  })
})

describe('policy digest', () => {
  const tsa = (name: string) => ({ rails: { rfc3161: { [name]: { url: 'https://tsa.example', roots: ['a.pem'] } } } })
  const withRoots = (roots: Record<string, readonly string[]>, namespace = {}): string =>
    viewPolicy(
      policyOf(
        effectivePolicy(
          federation(tsa('tsa'), namespace),
          peers(),
          self,
          Object.fromEntries(Object.entries(roots).map(([name, ders]) => [name, { roots: ders, certificates: [] }]))
        )
      )
    ).policyDigest(NS)
  const digest = viewOf().policyDigest(NS)

  test.each<[string, PolicyView]>([
    ['a role in peers.yaml', viewOf({}, {}, {}, { roles: ['announce'] })],
    [
      'a DID under the namespace',
      viewOf({}, { members: { announce: [alice.did, bob.did], serve: [alice.did, bob.did], request: [bob.did] } })
    ],
    ['finality', viewOf({}, { finality: { 'btc:*': { depth: 7 } } })],
    ['the quorum', viewOf({}, { quorum: { k: 1, of: [bob.did] } })],
    ['attestations', viewOf({}, { attestations: { required: true } })],
    [
      "a member's pinned pack",
      viewPolicy(
        policyFor(federation(), {
          ...peers(),
          organisations: [{ orgId: 'beta', threshold: 1, firstPack: 'ab'.repeat(32), pins: [], sources: [] }]
        })
      )
    ],
    [
      'what one member may timestamp for another',
      viewPolicy(
        policyFor(federation(), {
          ...peers(),
          crossOrg: { allow: [{ from: 'beta', to: 'alpha', operations: ['timestamp'] }] }
        })
      )
    ],
    ['the tenant', viewOf({}, { tenant: 'other' })],
    [
      "the tenant of a member's key",
      viewOf({}, {}, {}, { keys: [{ kid: bob.kid, publicKey: bob.publicKey, tenant: 'test' }] })
    ]
  ])('changes with %s', (_name, view) => {
    expect(view.policyDigest(NS)).not.toBe(digest)
  })

  test('changes with the roots of an authority that counts', () => {
    expect(withRoots({ tsa: ['YQ'] })).not.toBe(withRoots({ tsa: ['Yg'] }))
    const bitcoinOnly = { finality: { 'btc:*': { depth: 6 } } }
    expect(withRoots({ tsa: ['YQ'] }, bitcoinOnly)).toBe(withRoots({ tsa: ['Yg'] }, bitcoinOnly))
  })

  test.each<[string, PolicyView]>([
    [
      'addresses',
      viewOf(
        {},
        {},
        {},
        { addresses: ['/ip4/192.0.2.1/tcp/1'], peerId: '12D3KooWCHqVtzriRwdZSxtP21Ahbbi5uaUV1C8TjN3KFsEJc9MH' }
      )
    ],
    ['limits', viewOf({ clock: { futureSkewMs: 5_000 } }, { rate: { perPeer: 1, perSigner: 1, dailyCap: 1 } })],
    [
      'providers',
      viewOf({
        rails: { btc: { mainnet: { providers: ['https://a.example'] } }, eip155: { 1: { rpc: ['https://b.example'] } } }
      })
    ],
    ['listeners', viewOf({ http: { listen: '127.0.0.1:1' }, log: { level: 'debug' } })],
    ['other namespaces', viewOf({ namespaces: { ...federation().namespaces, 'dao:other': { tenant: 'x' } } })],
    [
      "a stranger's pinned pack",
      viewPolicy(
        policyFor(federation(), { ...peers(), organisations: [{ orgId: 'x', threshold: 2, pins: [], sources: [] }] })
      )
    ],
    [
      'rules among strangers',
      viewPolicy(
        policyFor(federation(), {
          ...peers(),
          crossOrg: {
            allow: [
              { from: 'x', to: 'y', operations: ['*'] },
              { from: '*', to: '*', operations: ['bundle', 'pack-pull'] }
            ]
          }
        })
      )
    ]
  ])('does not change with %s', (_name, view) => {
    expect(view.policyDigest(NS)).toBe(digest)
  })
})
