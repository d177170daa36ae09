import { describe, expect, test } from 'vitest'
import { toBase64url } from '../../protocols/primitives/bytes.ts'
import { effectivePolicy } from '../../src/policy/policy.ts'
import { reopen } from '../node/nodes.ts'
import { NAMESPACE, member } from '../support/identities.ts'
import { ORG, firstPack, keyOf, openMachines, statuses } from './organisation.ts'
import type { Machine } from './organisation.ts'

async function open(): Promise<Machine> {
  const [machine] = await openMachines(['alone'])
  if (machine === undefined) throw new Error('no machine')
  return machine
}

async function announce({ node }: Pick<Machine, 'node'>, batchId: string): Promise<string> {
  await node.seal({ namespace: NAMESPACE, batchId, receipts: [batchId] })
  return (await node.announce({ namespace: NAMESPACE, batchId, timestampAnchors: [] })).id
}

const refusedWith = (code: string): object => ({ code: 'PUBLISH_REFUSED', detail: { code } })

describe('a rotation by one key', () => {
  test('gives a new key, retires the old one at all that it signed, and moves signing to the new one', async () => {
    const machine = await open()
    const { node, registry, self } = machine
    const old = self.signer.kid
    await node.publishPack()
    const event = await announce(machine, 'one')
    const { added, retired } = await node.rotateKey({ reason: 'yearly' })
    expect([added, retired]).toMatchObject([
      { held: true, signing: false, inForce: null, intended: { status: 'ACTIVE', uses: ['event', 'pack'] } },
      { kid: old, signing: true, inForce: { status: 'ACTIVE' }, intended: { status: 'RETIRED', lastGood: 'tips' } }
    ])
    // Nobody can know the new key yet.
    expect((await registry.held()).signing).toBe(old)
    const later = await announce(machine, 'two')
    expect(later).not.toBe(event)
    await node.publishPack()
    expect(await statuses(machine)).toEqual({ [old]: 'RETIRED', [added.kid]: 'ACTIVE' })
    const { signers } = await node.signers()
    const lastGood = signers.find(({ kid }) => kid === old)?.inForce?.lastGood ?? []
    expect(lastGood.filter(({ namespace }) => namespace === NAMESPACE)).toEqual([
      { signer: self.signer.did, kid: old, namespace: NAMESPACE, authorSeq: 2, id: later }
    ])
    expect((await registry.held()).signing).toBe(added.kid)
    expect(await registry.plan()).toEqual({ threshold: null, keys: [] })
    // This node was given one signer for its life: it signs nothing with the old key any more.
    await node.seal({ namespace: NAMESPACE, batchId: 'three', receipts: [3] })
    await expect(node.announce({ namespace: NAMESPACE, batchId: 'three', timestampAnchors: [] })).rejects.toMatchObject(
      refusedWith('KEY_CUT_OFF')
    )
    expect((await node.status()).warnings.join()).toContain(added.kid)

    const signer = await registry.signer(added.kid)
    if (signer === null) throw new Error('the new key is not held')
    const again = await reopen(machine, { signers: registry, signer })
    await again.node.announce({ namespace: NAMESPACE, batchId: 'three', timestampAnchors: [] })
    expect((await again.node.query('effects', {})).rows).toEqual([])
    expect((await again.node.publishPack()).packSeq).toBe(3)
  })

  test('is audited, and so is what is refused', async () => {
    const { node, audited, self } = await open()
    await node.publishPack()
    const { added } = await node.rotateKey({})
    await node.publishPack()
    await expect(node.retireKey({ kid: 'nobody' })).rejects.toMatchObject({ code: 'SIGNER_UNKNOWN' })
    expect(audited).toMatchObject([
      { action: 'FED_ANCHOR_PUBLISH', subject: ORG, outcome: 'ok', detail: { packSeq: 1 } },
      { action: 'KEY_ROTATED', subject: self.signer.kid, outcome: 'ok', detail: { newKid: added.kid } },
      { action: 'FED_ANCHOR_PUBLISH', outcome: 'ok', detail: { packSeq: 2 } },
      { action: 'KEY_RETIRED', subject: 'nobody', outcome: 'refused', code: 'SIGNER_UNKNOWN' }
    ])
  })

  test('over several machines: the threshold, the draft and each signature are audited where they are made', async () => {
    const [first, second] = await openMachines(['first', 'second'])
    if (first === undefined || second === undefined) throw new Error('no machines')
    await firstPack([first, second])
    const before = first.audited.length
    await first.node.setKeyThreshold({ threshold: 2 })
    const drafted = await first.node.draftPack({ with: [second.self.signer.kid] })
    const { packSeq, packHash } = drafted
    await second.node.signPack(drafted.draft)
    await expect(second.node.signPack({ ...drafted.draft, id: 'a'.repeat(64) })).rejects.toThrow()
    expect(first.audited.slice(before)).toMatchObject([
      { action: 'KEY_THRESHOLD_SET', subject: ORG, outcome: 'ok', detail: { threshold: 2 } },
      { action: 'PACK_DRAFTED', subject: ORG, outcome: 'ok', detail: { packSeq, packHash } }
    ])
    expect(second.audited.slice(-2)).toMatchObject([
      { action: 'PACK_SIGNED', actor: second.self.signer.did, outcome: 'ok', detail: { packSeq, packHash } },
      { action: 'PACK_SIGNED', outcome: 'refused' }
    ])
  })

  test('of a key that is held elsewhere is refused', async () => {
    const [first, second] = await openMachines(['first', 'second'])
    if (first === undefined || second === undefined) throw new Error('no machines')
    await firstPack([first, second])
    await expect(first.node.rotateKey({ kid: second.self.signer.kid })).rejects.toMatchObject({ code: 'KEY_NOT_HELD' })
  })

  test('loses no event that is signed meanwhile', async () => {
    const machine = await open()
    const { node } = machine
    await node.publishPack()
    await node.rotateKey({})
    for (const batchId of ['a', 'b', 'c', 'd']) await node.seal({ namespace: NAMESPACE, batchId, receipts: [batchId] })
    const announcing = ['a', 'b', 'c', 'd'].map(
      async (batchId) => await node.announce({ namespace: NAMESPACE, batchId, timestampAnchors: [] })
    )
    const [, ...announced] = await Promise.allSettled([node.publishPack(), ...announcing])
    const { signers } = await node.signers()
    const lastGood = signers.flatMap(({ inForce }) => inForce?.lastGood ?? [])
    const good = lastGood.find(({ namespace }) => namespace === NAMESPACE)?.authorSeq ?? 0
    expect(announced.filter(({ status }) => status === 'fulfilled')).toHaveLength(good)
  })
})

describe('a key is added', () => {
  test('of another machine; then it is for packs alone, and for ever', async () => {
    const { node, self } = await open()
    const other = keyOf(member('other'))
    expect(await node.addKey({ ...other })).toMatchObject({
      kid: other.kid,
      held: false,
      intended: { status: 'ACTIVE', uses: ['event', 'pack'] }
    })
    await node.publishPack()
    await node.addKey({ kid: other.kid, uses: ['pack'] })
    await node.publishPack()
    await expect(node.addKey({ kid: other.kid, uses: ['event', 'pack'] })).rejects.toMatchObject(
      refusedWith('PACK_STATUS_BACKWARD')
    )
    expect((await node.signers()).signers).toMatchObject(
      [
        { kid: other.kid, inForce: { uses: ['pack'] }, packSeq: 2 },
        { kid: self.signer.kid, packSeq: 1 }
      ].sort((left, right) => (left.kid < right.kid ? -1 : 1))
    )
  })

  test('by its public key alone, under the name that its did:key has', async () => {
    const { node } = await open()
    const { kid, publicKey } = keyOf(member('other'))
    expect(await node.addKey({ publicKey })).toMatchObject({ kid })
  })

  test.each<[string, (machine: Machine) => Promise<unknown>, object]>([
    ['is known', ({ node, self }) => node.addKey(keyOf(self)), { code: 'KEY_EXISTS' }],
    [
      'has the name of another',
      ({ node, self }) => node.addKey({ ...keyOf(member('other')), kid: self.signer.kid }),
      { code: 'KEY_EXISTS' }
    ],
    [
      'is known by another name',
      ({ node, self }) => node.addKey({ ...keyOf(self), kid: 'twin' }),
      { code: 'KEY_EXISTS' }
    ],
    ['is nowhere', ({ node }) => node.addKey({ kid: 'nobody' }), { code: 'SIGNER_UNKNOWN' }],
    [
      'is of small order',
      ({ node }) => node.addKey({ kid: 'weak', publicKey: toBase64url(new Uint8Array(32)) }),
      refusedWith('KEY_WEAK')
    ],
    [
      'was retired',
      async ({ node }) => {
        const other = keyOf(member('other'))
        await node.addKey(other)
        await node.publishPack()
        await node.retireKey({ kid: other.kid })
        await node.publishPack()
        await node.addKey(other)
      },
      refusedWith('PACK_STATUS_BACKWARD')
    ]
  ])('but not one that %s', async (_, add, refusal) => {
    const machine = await open()
    await machine.node.publishPack()
    await expect(add(machine)).rejects.toMatchObject(refusal)
  })
})

describe('a key is retired or revoked', () => {
  test('a revocation must say what stays good, and lists what there is', async () => {
    const [first, second] = await openMachines(['first', 'second'])
    if (first === undefined || second === undefined) throw new Error('no machines')
    await firstPack([first, second])
    const id = await announce(second, 'one')
    await first.node.importEvents(second.node.exportEvents())
    const { kid } = second.self.signer
    await expect(first.node.revokeKey({ kid, reason: 'stolen' })).rejects.toMatchObject({
      code: 'LAST_GOOD_REQUIRED',
      detail: { tips: [{ namespace: NAMESPACE, authorSeq: 1, id }] }
    })
    await expect(first.node.revokeKey({ kid, reason: 'stolen', lastGood: ['0'.repeat(64)] })).rejects.toMatchObject({
      code: 'LAST_GOOD_UNKNOWN'
    })
    await first.node.revokeKey({ kid, reason: 'stolen', lastGood: [id] })
    await first.node.publishPack()
    expect((await first.node.signers()).signers.find((signer) => signer.kid === kid)?.inForce).toMatchObject({
      status: 'REVOKED',
      reason: 'stolen',
      lastGood: [{ id, authorSeq: 1 }]
    })
  })

  test('what was retired keeps what its retirement left good, unless the revocation says otherwise', async () => {
    const [first, second] = await openMachines(['first', 'second'])
    if (first === undefined || second === undefined) throw new Error('no machines')
    await firstPack([first, second])
    const id = await announce(second, 'one')
    await first.node.importEvents(second.node.exportEvents())
    const { kid } = second.self.signer
    await first.node.retireKey({ kid })
    await first.node.publishPack()
    expect(await first.node.revokeKey({ kid, reason: 'stolen after all' })).toMatchObject({
      intended: { status: 'REVOKED', lastGood: [{ id }] }
    })
    await first.node.revokeKey({ kid, reason: 'stolen long ago', lastGood: 'none' }).catch(() => {})
    await first.node.publishPack()
    await expect(first.node.retireKey({ kid })).rejects.toMatchObject(refusedWith('PACK_STATUS_BACKWARD'))
    await expect(first.node.revokeKey({ kid, reason: 'again', lastGood: 'none' })).rejects.toMatchObject(
      refusedWith('PACK_STATUS_BACKWARD')
    )
  })

  test('nothing that is in no pack yet is for ever: adding the key keeps it as it is', async () => {
    const { node, self } = await open()
    const { kid } = self.signer
    await node.publishPack()
    await node.revokeKey({ kid, reason: 'a mistake', lastGood: 'none' })
    await expect(node.revokeKey({ kid, reason: 'twice', lastGood: 'none' })).rejects.toMatchObject(
      refusedWith('PACK_STATUS_BACKWARD')
    )
    // It is the last one that can sign packs.
    await expect(node.publishPack()).rejects.toMatchObject(refusedWith('PACK_THRESHOLD'))
    expect(await node.addKey({ kid })).toMatchObject({ inForce: { status: 'ACTIVE' }, intended: null })
    await expect(node.addKey({ kid })).rejects.toMatchObject({ code: 'KEY_EXISTS' })
    expect(await node.publishPack()).toMatchObject({ packSeq: 2 })
  })

  test('but not the only one that this node can sign events with', async () => {
    const { node, self } = await open()
    await node.publishPack()
    await expect(node.retireKey({ kid: self.signer.kid })).rejects.toMatchObject({ code: 'KEY_IN_USE' })
    await node.addKey({})
    await node.retireKey({ kid: self.signer.kid })
    await node.publishPack()
    expect(Object.values(await statuses({ node } as Machine)).sort()).toEqual(['ACTIVE', 'RETIRED'])
  })

  test('what another machine decided meanwhile holds', async () => {
    const [first, second] = await openMachines(['first', 'second'])
    if (first === undefined || second === undefined) throw new Error('no machines')
    const third = keyOf(member('third'))
    await first.node.addKey(third)
    await firstPack([first, second])
    await second.node.addKey({ kid: third.kid, uses: ['pack'] })
    await first.node.retireKey({ kid: third.kid })
    await first.node.publishPack()
    await second.node.importEvents(first.node.exportEvents())
    await second.node.publishPack()
    expect((await statuses(second))[third.kid]).toBe('RETIRED')
  })
})

test('a node keeps the keys that it signed with in its policy, or its own first packs would not count any more', () => {
  const [self, old] = [member('self'), member('old')]
  const { kid, publicKey } = self.signer
  const federation = {
    v: 1,
    node: { did: self.signer.did, orgId: ORG },
    namespaces: {},
    rails: { btc: {}, eip155: {}, rfc3161: {} },
    sealing: {}
  }
  const peers = { v: 1, peers: [], organisations: [], crossOrg: { allow: [] } }
  const result = effectivePolicy(federation as never, peers as never, {
    did: self.signer.did,
    orgId: ORG,
    kid,
    publicKey,
    formerKeys: [keyOf(old)]
  })
  expect(result).toMatchObject({ ok: true, policy: { peers: [{ did: self.signer.did }] } })
  const kids = result.ok ? result.policy.peers.flatMap(({ keys }) => keys.map((key) => key.kid)) : []
  expect(kids).toEqual([kid, old.signer.kid].sort())
})
