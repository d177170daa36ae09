import { expect, onTestFinished, test } from 'vitest'
import { createMemoryHub } from '../../simulations/ports/memory-network.ts'
import type { MemoryHub } from '../../simulations/ports/memory-network.ts'
import type { NodeReload } from '../../src/live-settings.ts'
import type { EffectivePolicy } from '../../src/policy/policy.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import { AnchormeshError } from '../../src/platform/errors.ts'
import { localSigner } from '../../src/trust/local-signer.ts'
import { sha256 } from '../../protocols/primitives/sha256.ts'
import { codeOf as codeOfError } from '../support/code-of.ts'
import { collect } from '../support/collect.ts'
import { announceBody, next } from '../support/events.ts'
import type { SignedEvent } from '../support/events.ts'
import type { PolicyOptions, TestMember } from '../support/identities.ts'
import { NAMESPACE, member, policyOf } from '../support/identities.ts'
import { untilAnswer } from '../support/until-answer.ts'
import { BTC, rowOf, scriptedVerifier, valid } from '../verification/support.ts'
import type { MemoryNode } from './nodes.ts'
import { openNode, peerIdOf } from './nodes.ts'

const [ANNA, BEN, CLEO] = [member('anna'), member('ben'), member('cleo')]
const ALL = [ANNA, BEN, CLEO]

/** As `policyOf`, with the PeerIds that members have in the memory mesh. */
function meshPolicy(self: TestMember, members: readonly TestMember[], options: PolicyOptions = {}): EffectivePolicy {
  const policy = policyOf(self, members, options)
  const peerIds = new Map(ALL.map((one) => [one.signer.did, peerIdOf(one)]))
  const peers = policy.peers.map((peer) => ({ ...peer, peerId: peerIds.get(peer.did) ?? `peer-${peer.did}` }))
  return { ...policy, peers }
}

async function joined(hub: MemoryHub, self: TestMember, policy: EffectivePolicy): Promise<MemoryNode> {
  const opened = await openNode(self, [], { policy, hub })
  onTestFinished(() => opened.node.close())
  return opened
}

async function alone(policy: EffectivePolicy, options: Parameters<typeof openNode>[2] = {}): Promise<MemoryNode> {
  const opened = await openNode(ANNA, [], { policy, ...options })
  onTestFinished(() => opened.node.close())
  return opened
}

const configOf = ({ self }: MemoryNode, policy: EffectivePolicy): NodeReload => ({
  config: { policy, signer: self.signer, version: 'test' }
})

/** Lets messages arrive and time pass at all nodes while the work goes on. */
async function during<Result>(hub: MemoryHub, nodes: readonly MemoryNode[], work: Promise<Result>): Promise<Result> {
  let ended = false
  const ending = work.finally(() => (ended = true))
  await untilAnswer('the nodes come to it', async () => {
    await hub.drain()
    for (const { ports } of nodes) await ports.clock.advance(500)
    return ended
  })
  return await ending
}

/** Lets messages arrive and time pass at all nodes until the answer is there. */
async function eventually(hub: MemoryHub, nodes: readonly MemoryNode[], ask: () => Promise<boolean>): Promise<void> {
  await during(hub, nodes, untilAnswer('the nodes come to it', ask))
}

const codeOf = async (work: Promise<unknown>): Promise<unknown> => await work.then(() => undefined, codeOfError)

const holds = async ({ node }: MemoryNode, { id }: Pick<SignedEvent, 'id'>): Promise<boolean> =>
  (await node.event(id)) !== null

const policiesOf = async ({ node }: MemoryNode): Promise<number> =>
  (await collect(node.events({ scope: 'local', type: 'policy' }))).length

async function announced({ node }: MemoryNode, batchId: string): Promise<{ readonly id: string }> {
  await node.seal({ namespace: NAMESPACE, batchId, receipts: [batchId] })
  return await node.announce({ namespace: NAMESPACE, batchId, timestampAnchors: [] })
}

test('a member that a reload lets in is listened to, and what it had published before comes by sync', async () => {
  const hub = createMemoryHub()
  const anna = await joined(hub, ANNA, meshPolicy(ANNA, [ANNA, BEN]))
  const cleo = await joined(hub, CLEO, meshPolicy(CLEO, ALL))
  const nodes = [anna, cleo]
  const before = await during(hub, nodes, announced(cleo, 'before'))
  await hub.drain()
  expect(await holds(anna, before)).toBe(false)

  expect(await anna.node.reload(configOf(anna, meshPolicy(ANNA, ALL)))).toEqual({ isNewPolicy: true })
  await eventually(hub, nodes, () => holds(anna, before))
  const after = await during(hub, nodes, announced(cleo, 'after'))
  await eventually(hub, nodes, () => holds(anna, after))
  expect((await anna.node.status()).namespaces).toContainEqual({ namespace: NAMESPACE, members: 3, events: 2 })
  expect(await policiesOf(anna)).toBe(2)
})

test('a member that a reload takes out is not listened to any more, and what the log holds of it stays', async () => {
  const hub = createMemoryHub()
  const anna = await joined(hub, ANNA, meshPolicy(ANNA, ALL))
  const cleo = await joined(hub, CLEO, meshPolicy(CLEO, ALL))
  const nodes = [anna, cleo]
  const before = await during(hub, nodes, announced(cleo, 'before'))
  await eventually(hub, nodes, () => holds(anna, before))

  await anna.node.reload(configOf(anna, meshPolicy(ANNA, [ANNA, BEN])))
  const after = await during(hub, nodes, announced(cleo, 'after'))
  await hub.drain()
  for (const { ports } of nodes) await ports.clock.advance(120_000)
  await hub.drain()
  expect([await holds(anna, before), await holds(anna, after)]).toEqual([true, false])
  expect((await anna.node.status()).ingest.outcomes).toMatchObject({ 'ignored(SIGNER_NOT_MEMBER)': 1 })
  expect((await anna.node.status()).sync.map(({ did }) => did)).not.toContain(CLEO.signer.did)
})

test('a namespace that a reload adds is carried on both sides from then on, and one that it removes by neither', async () => {
  const hub = createMemoryHub()
  const both = (self: TestMember, namespaces: readonly string[]): EffectivePolicy =>
    meshPolicy(self, ALL, { namespaces })
  const anna = await joined(hub, ANNA, both(ANNA, [NAMESPACE]))
  const cleo = await joined(hub, CLEO, both(CLEO, [NAMESPACE]))
  for (const node of [anna, cleo]) await node.node.reload(configOf(node, both(node.self, ['dao:new'])))
  await cleo.node.seal({ namespace: 'dao:new', batchId: 'b', receipts: [1] })
  const announcing = cleo.node.announce({ namespace: 'dao:new', batchId: 'b', timestampAnchors: [] })
  const made = await during(hub, [anna, cleo], announcing)
  await eventually(hub, [anna, cleo], () => holds(anna, made))
  expect(Object.keys((await anna.node.status()).network?.topics ?? {})).toEqual(['_trust', 'dao:new'])
  await expect(codeOf(anna.node.digest(NAMESPACE))).resolves.toBe('NOT_FOUND')
})

test('another quorum folds the winners anew, and another finality has the anchors checked anew', async () => {
  const verifier = scriptedVerifier()
  verifier.script('btc:mainnet', valid(7, 9_000))
  const anna = await alone(policyOf(ANNA, ALL), { verifiers: [verifier] })
  await anna.node.start()
  const event = await next(BEN, null, { ...announceBody('b'), timestampAnchors: [BTC] })
  await anna.node.submit(event.wire)
  await rowOf(anna.node, 'winners', ({ status }) => status === 'verified')
  expect(verifier.requests).toHaveLength(1)

  // It attests by itself what it verified, and one is enough.
  await anna.node.reload(configOf(anna, policyOf(ANNA, ALL, { quorum: { k: 1, of: [ANNA] } })))
  await untilAnswer('it is settled', async () => {
    await anna.ports.clock.advance(1_000)
    return (await anna.node.query('winners', {})).rows[0]?.['status'] === 'settled'
  })
  expect(verifier.requests).toHaveLength(1)

  const deeper = policyOf(ANNA, ALL)
  const settings = deeper.namespaces[NAMESPACE]
  if (settings === undefined) throw new Error('the policy carries it')
  const finality = { ...settings.finality, 'btc:*': { depth: 12 } }
  await anna.node.reload(configOf(anna, { ...deeper, namespaces: { [NAMESPACE]: { ...settings, finality } } }))
  await untilAnswer('it is checked at the new depth', async () => {
    await anna.ports.clock.advance(1_000)
    return verifier.requests.length > 1
  })
  expect(verifier.requests[1]?.finality).toEqual({ depth: 12 })
})

test('those who verify are swapped: what nobody could check is checked, and who was asked before is not asked again', async () => {
  const before = scriptedVerifier()
  const anna = await alone(policyOf(ANNA, ALL), { verifiers: [before] })
  await anna.node.start()
  const event = await next(BEN, null, { ...announceBody('b'), timestampAnchors: [BTC] })
  await anna.node.submit(event.wire)
  const after = scriptedVerifier()
  after.script('btc:mainnet', valid(7, 9_000))
  await anna.node.reload({ ...configOf(anna, anna.policy), rails: { verifiers: [after], anchorers: [] } })
  await rowOf(anna.node, 'winners', ({ status }) => status === 'verified')
  expect([before.requests.length, after.requests.length]).toEqual([0, 1])
  expect(await policiesOf(anna)).toBe(1)
})

test('what was being checked under the old policy says so in its verdict', async () => {
  const verifier = scriptedVerifier()
  const answered = Promise.withResolvers<ReturnType<typeof valid>>()
  verifier.script('btc:mainnet', () => answered.promise, valid(7, 9_000))
  const anna = await alone(policyOf(ANNA, ALL), { verifiers: [verifier] })
  await anna.node.start()
  const event = await next(BEN, null, { ...announceBody('b'), timestampAnchors: [BTC] })
  await anna.node.submit(event.wire)
  await untilAnswer('it is being checked', () => Promise.resolve(verifier.requests.length === 1))
  const old = (await anna.node.digest(NAMESPACE)).winners.policyDigest
  await anna.node.reload(configOf(anna, policyOf(ANNA, [ANNA, BEN])))
  answered.resolve(valid(7, 9_000))
  const verdicts = await untilAnswer('there is a verdict', async () => {
    const events = await collect(anna.node.events({ scope: 'local', type: 'verdict' }))
    return events.length > 0 && events
  })
  expect(verdicts[0]?.event).toMatchObject({ body: { policyDigest: old } })
})

test('sealing by schedule begins and ends with a reload', async () => {
  const anna = await alone(policyOf(ANNA, ALL))
  await anna.node.start()
  const handIn = (): Promise<unknown> => anna.node.handIn({ namespace: NAMESPACE, receipts: [1] })
  expect(await codeOf(handIn())).toBe('SEALING_NOT_CONFIGURED')
  const { config } = configOf(anna, anna.policy)
  const sealing = { [NAMESPACE]: { everyMs: 60_000, maxReceipts: 10, rails: [] } }
  await anna.node.reload({ config: { ...config, sealing } })
  await handIn()
  await untilAnswer('it is sealed and announced', async () => {
    await anna.ports.clock.advance(60_000)
    return (await anna.node.query('batches', {})).rows.some(({ announcements }) => (announcements as []).length > 0)
  })
  await anna.node.reload({ config })
  expect(await codeOf(handIn())).toBe('SEALING_NOT_CONFIGURED')
})

test('another key signs from a reload on, once the log binds it', async () => {
  const anna = await alone(policyOf(ANNA, ALL))
  await announced(anna, 'old')
  const { did } = ANNA.signer
  const signer = localSigner(sha256('the next key of anna'), { did, kid: 'next' })
  const policy = policyOf({ ...ANNA, signer }, ALL)
  await anna.node.reload({ config: { policy, signer, version: 'test' } })
  const { id } = await announced(anna, 'new')
  expect((await anna.node.event(id))?.event).toMatchObject({ kid: 'next', authorSeq: 1, prev: null })
  expect((await anna.node.status()).kid).toBe('next')
})

test('what can not be used changes nothing: another identity, an address, a log that takes no policy', async () => {
  const hub = createMemoryHub()
  const anna = await joined(hub, ANNA, meshPolicy(ANNA, [ANNA, BEN]))
  const { log: logBefore, namespaces: before } = await anna.node.status()
  const otherDid = { policy: meshPolicy(BEN, ALL), signer: BEN.signer, version: 'test' }
  expect(await codeOf(anna.node.reload({ config: otherDid }))).toBe('CONFIG_INVALID')
  const otherSigner = { ...configOf(anna, meshPolicy(ANNA, ALL)).config, signer: BEN.signer }
  expect(await codeOf(anna.node.reload({ config: otherSigner }))).toBe('CONFIG_INVALID')
  const { log, namespaces } = await anna.node.status()
  expect([log.logSeq, namespaces]).toEqual([logBefore.logSeq, before])
})

test('the same configuration again is no new policy', async () => {
  const anna = await alone(policyOf(ANNA, ALL))
  expect(await anna.node.reload(configOf(anna, policyOf(ANNA, ALL)))).toEqual({ isNewPolicy: false })
  expect(await policiesOf(anna)).toBe(1)
})

test('reloads that come together happen one after the other, and the last one stands', async () => {
  const anna = await alone(policyOf(ANNA, ALL))
  const policies = [[ANNA], [ANNA, BEN], ALL, [ANNA, CLEO]].map((members) => policyOf(ANNA, members))
  await Promise.all(policies.map((policy) => anna.node.reload(configOf(anna, policy))))
  const logged = await collect(anna.node.events({ scope: 'local', type: 'policy' }))
  expect(logged).toHaveLength(5)
  expect(logged.at(-1)?.event).toMatchObject({ body: { peers: policies.at(-1)?.peers } })
  expect((await anna.node.status()).namespaces.at(-1)).toMatchObject({ members: 2 })
})

test('under load nothing is lost of members that stay, and a rebuild gives the same bytes', async () => {
  const anna = await alone(policyOf(ANNA, ALL))
  const made: SignedEvent[] = []
  for (let index = 0; index < 120; index += 1) {
    made.push(await next(BEN, made.at(-1) ?? null, announceBody(`b-${index}`)))
  }
  let turn = 0
  const submit = async (): Promise<void> => {
    for (const { wire } of made) expect((await anna.node.submit(wire)).outcome).toBe('accepted')
  }
  const reload = async (): Promise<void> => {
    for (; turn < 12; turn += 1) {
      await anna.node.reload(configOf(anna, policyOf(ANNA, turn % 2 === 0 ? [ANNA, BEN] : ALL)))
    }
  }
  await Promise.all([submit(), reload()])
  expect((await anna.node.status()).namespaces.at(-1)).toMatchObject({ events: 120, members: 3 })
  expect((await anna.node.verifyLog()).ok).toBe(true)
  for (const { identical, projection } of await anna.node.rebuild())
    expect([projection, identical]).toEqual([projection, true])
})

test('a log that takes no policy leaves all as before, and the same reload comes into force later', async () => {
  const store = await openMemoryStore()
  let isFull = false
  const full = new Proxy(store, {
    get(target, name) {
      if (name === 'write' && isFull) return () => Promise.reject(new AnchormeshError('STORE_FULL', 'no space left'))
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    }
  })
  const anna = await alone(policyOf(ANNA, [ANNA]), { ports: { store: full } })
  const before = await anna.node.status()
  const { did } = ANNA.signer
  const signer = localSigner(sha256('the next key of anna'), { did, kid: 'next' })
  const policy = policyOf({ ...ANNA, signer }, ALL)
  isFull = true
  expect(await codeOf(anna.node.reload({ config: { policy, signer, version: 'test' } }))).toBe('STORE_FULL')
  isFull = false
  const { log, namespaces, kid } = await anna.node.status()
  expect([log.logSeq, namespaces, kid]).toEqual([before.log.logSeq, before.namespaces, before.kid])
  const event = await next(BEN, null, announceBody('b'))
  expect(await anna.node.submit(event.wire)).toMatchObject({ code: 'SIGNER_NOT_MEMBER' })
  await untilAnswer('the log takes writes again', async () => {
    await anna.ports.clock.advance(1_000)
    return (await codeOf(anna.node.reload({ config: { policy, signer, version: 'test' } }))) === undefined
  })
  expect((await anna.node.status()).kid).toBe('next')
  expect(await policiesOf(anna)).toBe(2)
})

test('a node that is stopping goes by no other configuration', async () => {
  const anna = await alone(policyOf(ANNA, [ANNA]))
  const closing = anna.node.close()
  expect(await codeOf(anna.node.reload(configOf(anna, policyOf(ANNA, [ANNA, BEN]))))).toBe('NODE_NOT_RUNNING')
  await closing
  expect(await codeOf(anna.node.reload(configOf(anna, policyOf(ANNA, [ANNA, BEN]))))).toBe('NODE_NOT_RUNNING')
})
