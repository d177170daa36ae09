import { expect, onTestFinished, test } from 'vitest'
import { toBase64url } from '../../protocols/primitives/bytes.ts'
import { REGISTERED_KEYS_MAX, RegisteredNodes } from '../../src/partners/registered-nodes.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import type { AnchormeshNode } from '../../src/node.ts'
import { nodeDocument } from '../../src/deliveries/node-document.ts'
import type { MemoryNode } from '../node/nodes.ts'
import { openNode, quiet, reopen } from '../node/nodes.ts'
import type { Machine } from '../packs/organisation.ts'
import { firstPack, keyOf, openMachines, share } from '../packs/organisation.ts'
import { member, policyOf } from '../support/identities.ts'
import { viewPolicy } from '../../src/policy/policy-view.ts'

const [home, peer, stranger] = [member('home'), member('peer'), member('stranger')]

async function started(opened: MemoryNode): Promise<MemoryNode> {
  onTestFinished(() => opened.node.close())
  await opened.node.start()
  return opened
}

const partnersOf = (node: AnchormeshNode): AnchormeshNode['gateway']['partners'] => node.gateway.partners
const registration = ({ signer }: typeof home): { did: string; kid: string; publicKey: string } => ({
  did: signer.did,
  kid: signer.kid,
  publicKey: toBase64url(signer.publicKey)
})

test('a registered key is known by DID and kid, with its tenant, also after a restart, until it is removed', async () => {
  const opened = await started(await openNode(home, [home, peer]))
  const partners = partnersOf(opened.node)
  const { did, kid } = stranger.signer
  expect([partners.knows(did), partners.of(did, kid), partners.withKid(kid)]).toEqual([false, [], []])
  expect(await partners.register({ ...registration(stranger), tenant: 'test' })).toMatchObject({
    ok: true,
    isNew: true
  })
  expect(await partners.register({ ...registration(stranger), tenant: 'test' })).toMatchObject({ isNew: false })
  await expect(partners.register(registration(stranger))).rejects.toMatchObject({ code: 'KEY_EXISTS' })

  const again = partnersOf((await started(await reopen(opened))).node)
  expect(again.of(did, kid)).toMatchObject([{ did, kid, tenant: 'test', key: { bytes: stranger.signer.publicKey } }])
  expect(again.withKid(kid)).toEqual(again.of(did, kid))
  expect([again.knows(did), again.of(did, 'other'), again.registered()]).toMatchObject([true, [], [{ did, kid }]])
  expect([await again.unregister(did, kid), await again.unregister(did, kid)]).toEqual([true, false])
  expect([again.knows(did), again.of(did, kid), again.withKid(kid), again.registered()]).toEqual([false, [], [], []])
})

test('a weak key, another key than that of a did:key, and keys of peers are not registered', async () => {
  const { node } = await started(await openNode(home, [home, peer]))
  const partners = partnersOf(node)
  const weak = toBase64url(Uint8Array.of(1, ...new Uint8Array(31)))
  expect(await partners.register({ did: 'did:web:partner.example', kid: 'k', publicKey: weak })).toMatchObject({
    ok: false,
    detail: expect.stringMatching(/^KEY_WEAK/)
  })
  const other = registration(peer).publicKey
  expect(await partners.register({ ...registration(stranger), publicKey: other })).toMatchObject({
    ok: false,
    detail: expect.stringMatching(/^SIGNER_MISMATCH/)
  })
  for (const known of [home, peer])
    await expect(partners.register(registration(known))).rejects.toMatchObject({ code: 'KEY_EXISTS' })
})

test('two DIDs may have keys by one kid, and one DID several', async () => {
  const { node } = await started(await openNode(home, [home, peer]))
  const partners = partnersOf(node)
  const [one, two] = [registration(peer).publicKey, registration(stranger).publicKey]
  for (const [did, kid, publicKey] of [
    ['did:web:a.example', 'k', one],
    ['did:web:b.example', 'k', two],
    ['did:web:b.example', 'l', one]
  ] as const)
    expect(await partners.register({ did, kid, publicKey })).toMatchObject({ isNew: true })
  expect(partners.withKid('k').map(({ did }) => did)).toEqual(['did:web:a.example', 'did:web:b.example'])
  await partners.unregister('did:web:b.example', 'k')
  expect(partners.knows('did:web:b.example')).toBe(true)
  expect(partners.withKid('k').map(({ did }) => did)).toEqual(['did:web:a.example'])
})

test('a peer has the keys that policy binds, and what was registered for it before counts no more', async () => {
  const alone = await started(await openNode(home, [home]))
  await partnersOf(alone.node).register({ ...registration(peer), tenant: 'other' })
  const policy = policyOf(home, [home, peer], { tenants: { [peer.orgId]: 'test' } })
  const joined = partnersOf((await started(await reopen(alone, { policy }))).node)
  const { did, kid } = peer.signer
  expect(joined.of(did, kid)).toMatchObject([{ did, kid, tenant: 'test' }])
  expect(joined.withKid(kid)).toEqual(joined.of(did, kid))
})

test('what packs retired or revoked signs nothing any more, from the moment at which the pack is folded', async () => {
  const machines = await openMachines(['a', 'b'])
  const [a, b] = machines as [Machine, Machine]
  for (const machine of machines) await started(machine)
  await firstPack(machines)
  await quiet(a, b)
  const { did, kid } = a.self.signer
  const keys = partnersOf(b.node)
  expect(keys.of(did, kid)).toHaveLength(1)
  // A key of the organisation is a key of each of its signers.
  expect(keys.of(did, b.self.signer.kid)).toHaveLength(1)
  expect(keys.withKid(kid).map((key) => key.did)).toEqual([a.self.signer.did, b.self.signer.did].sort())
  await b.node.revokeKey({ kid, reason: 'stolen', lastGood: 'all' })
  await b.node.addKey(keyOf(member('new')))
  await b.node.publishPack()
  await share(b, a)
  await quiet(a, b)
  for (const { node } of machines) {
    expect(partnersOf(node).of(did, kid)).toEqual([])
    expect(partnersOf(node).of(did, member('new').signer.kid)).toHaveLength(1)
  }
  const document = nodeDocument({
    policy: viewPolicy(b.policy),
    signer: b.self.signer,
    partners: keys,
    peerId: null
  })
  expect(Object.fromEntries(document.keys.map((key) => [key.kid, key.status]))).toEqual({
    [kid]: 'REVOKED',
    [b.self.signer.kid]: 'ACTIVE',
    [member('new').signer.kid]: 'ACTIVE'
  })
  // Nor does it come back by another start.
  const later = partnersOf((await started(await reopen(b))).node)
  expect(later.of(did, kid)).toEqual([])
})

test('no more keys are registered than there is room for', async () => {
  const store = await openMemoryStore()
  const nodes = new RegisteredNodes({ store, write: (operations, options) => store.write(operations, options) })
  const { publicKey } = registration(stranger)
  const add = (index: number): Promise<{ readonly isNew: boolean }> =>
    nodes.add({ did: `did:web:n${index}.example`, kid: 'k', publicKey, tenant: null, registeredAt: 1 })
  for (let index = 0; index < REGISTERED_KEYS_MAX; index += 1) await add(index)
  await expect(add(REGISTERED_KEYS_MAX)).rejects.toMatchObject({ code: 'STORE_FULL' })
  expect(await add(0)).toMatchObject({ isNew: false, registered: { kid: 'k' } })
})
