import { expect, test } from 'vitest'
import { castOf } from '../../../simulations/nodes/cast.ts'
import { Roster } from '../../../simulations/nodes/roster.ts'
import type { PolicyRules } from '../../../simulations/nodes/roster.ts'
import { scenarioSchema } from '../../../simulations/scenario/schema.ts'
import { effectivePolicy } from '../../../src/policy/policy.ts'
import { federationSchema, peersSchema } from '../../../src/policy/config-schema.ts'
import { toBase64url } from '../../../protocols/primitives/bytes.ts'
import { localSigner } from '../../../src/trust/local-signer.ts'
import { sha256 } from '../../../protocols/primitives/sha256.ts'

const CHAINS = [{ chainId: 'btc:sim' }, { chainId: 'eip155:1', finalityDepth: 2 }, { chainId: 'rfc3161:sim' }]
const rules: PolicyRules = scenarioSchema.omit({ quorum: true }).parse({
  v: 1,
  name: 'rules',
  asks: 'Who is a member?',
  nodes: 4,
  faultsEnd: '1s',
  convergeWithin: '1s',
  chains: CHAINS
})

test('the policy that members share is for each the one that it would have by itself', async () => {
  const cast = await castOf({ nodes: 4, organisations: 2 }, 'roster')
  const roster = new Roster(cast, { ...rules, quorum: { k: 2, of: cast.slice(1) } })
  const dids = cast.map(({ signer }) => signer.did)
  for (const self of cast) {
    const own = effectivePolicy(
      federationSchema.parse({
        v: 1,
        node: { did: self.signer.did, orgId: self.orgId },
        namespaces: {
          'sim:main': {
            tenant: 'sim',
            members: { announce: dids, serve: dids, request: dids },
            finality: { 'btc:sim': { depth: 6 }, 'eip155:1': { depth: 2 }, 'rfc3161:sim': {} },
            quorum: { k: 2, of: dids.slice(1) }
          }
        }
      }),
      peersSchema.parse({
        v: 1,
        peers: cast.map(({ orgId, signer, peerId }) => ({
          did: signer.did,
          orgId,
          peerId,
          roles: ['announce', 'serve', 'request'],
          keys: [{ kid: signer.kid, publicKey: toBase64url(signer.publicKey) }]
        })),
        crossOrg: { allow: [{ from: '*', to: '*', operations: ['*'] }] }
      }),
      { ...self.signer, orgId: self.orgId }
    )
    expect(own).toEqual({ ok: true, policy: roster.policyOf(self, self.signer, []) })
  }
  expect(new Set(cast.map((self) => roster.policyOf(self, self.signer, []).peers)).size).toBe(1)
})

test('a roster that grows by the same member is the same roster', async () => {
  const [first, second, third] = await castOf({ nodes: 3 }, 'roster')
  if (first === undefined || second === undefined || third === undefined) throw new Error('no cast')
  const roster = new Roster([first, second], rules)
  expect(roster.with(second)).toBe(roster)
  expect(roster.with(third)).toBe(roster.with(third))
  expect(roster.with(third).policyOf(first, first.signer, []).peers).toHaveLength(3)
})

test('who signs with another key names it beside the one of before', async () => {
  const cast = await castOf({ nodes: 2 }, 'roster')
  const [self] = cast
  if (self === undefined) throw new Error('no cast')
  const { did, kid, publicKey } = self.signer
  const next = localSigner(sha256(publicKey), { did, kid: 'next' })
  const policy = new Roster(cast, rules).policyOf(self, next, [{ kid, publicKey: toBase64url(publicKey) }])
  expect(
    policy.peers
      .find((peer) => peer.did === did)
      ?.keys.map((key) => key.kid)
      .sort()
  ).toEqual(['next', kid].sort())
})

test('keys follow from the seed and the name alone', async () => {
  const [four, two, other] = [
    await castOf({ nodes: 4 }, '1'),
    await castOf({ nodes: 2, organisations: 1 }, '1'),
    await castOf({ nodes: 2 }, '2')
  ]
  expect(four[1]?.signer.did).toBe(two[1]?.signer.did)
  expect(four[1]?.peerId).toBe(two[1]?.peerId)
  expect(two.map(({ orgId }) => orgId)).toEqual(['org-0', 'org-0'])
  const all = [...four, ...other].flatMap(({ signer, peerId }) => [signer.did, peerId])
  expect(new Set(all).size).toBe(all.length)
})
