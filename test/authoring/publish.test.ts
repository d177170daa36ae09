import { describe, expect, test } from 'vitest'
import { parseAnnounce } from '../../protocols/event/v1/announce.ts'
import { parseAnchorPack } from '../../protocols/event/v1/anchor-pack.ts'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { MemoryNode } from '../node/nodes.ts'
import { openNode, quiet, reopen } from '../node/nodes.ts'
import { NAMESPACE, member, policyOf } from '../support/identities.ts'
import type { PolicyOptions, TestMember } from '../support/identities.ts'
import { makePack, packEvent, packKey } from '../support/packs.ts'

const self = member('self')
const ada = member('ada')
const everybody = [self, ada]
const TOKEN = Buffer.from('a token').toString('base64url')

async function open(options: PolicyOptions = {}, members: readonly TestMember[] = everybody): Promise<MemoryNode> {
  return await openNode(self, members, { policy: policyOf(self, members, options) })
}

async function bodyOf({ node }: MemoryNode, id: string): Promise<JsonObject> {
  const listed = await node.event(id)
  return listed?.event['body'] as JsonObject
}

async function rows({ node }: MemoryNode, projection: string): Promise<readonly JsonObject[]> {
  const { log } = await node.status()
  return (await node.query(projection, { waitFor: log.logSeq, limit: 500 })).rows
}

describe('an announce', () => {
  test('says what was sealed, in the name of the own organisation', async () => {
    const opened = await open()
    const sealed = await opened.node.seal({ namespace: NAMESPACE, batchId: 'batch', receipts: [1, 2, 3] })
    const published = await opened.node.announce({
      namespace: NAMESPACE,
      batchId: 'batch',
      timestampAnchors: [{ chainId: 'rfc3161:test', token: TOKEN }]
    })
    const reading = parseAnnounce(await bodyOf(opened, published.id))
    expect(reading).toMatchObject({
      ok: true,
      announce: {
        owner: self.orgId,
        batchId: 'batch',
        batchRoot: sealed.batchRoot,
        receiptCount: 3,
        timestampAnchors: [{ chainId: 'rfc3161:test', token: TOKEN }]
      }
    })
    expect(await rows(opened, 'batches')).toMatchObject([{ batchRoot: sealed.batchRoot, receiptsPresent: 3 }])
    expect(await rows(opened, 'effects')).toEqual([])
  })

  test('may be repeated, with more anchors', async () => {
    const opened = await open()
    await opened.node.seal({ namespace: NAMESPACE, batchId: 'batch', receipts: [1] })
    const ids = []
    for (const name of ['one', 'two']) {
      const token = Buffer.from(name).toString('base64url')
      ids.push(
        (
          await opened.node.announce({
            namespace: NAMESPACE,
            batchId: 'batch',
            timestampAnchors: [{ chainId: 'rfc3161:test', token }]
          })
        ).id
      )
    }
    expect(new Set(ids).size).toBe(2)
    expect(await rows(opened, 'timestamp-anchors')).toHaveLength(2)
  })

  test.each<[string, string, JsonObject[]]>([
    ['an anchor that is none', 'BODY_INVALID', [{ hello: 'there' }]],
    ['an anchor of an unknown kind', 'BODY_INVALID', [{ chainId: 'doge:mainnet', txid: 'a'.repeat(64) }]],
    [
      'seventeen anchors',
      'BODY_INVALID',
      Array.from({ length: 17 }, () => ({ chainId: 'rfc3161:test', token: TOKEN }))
    ],
    [
      'evidence that makes it too large',
      'EVENT_TOO_LARGE',
      [{ chainId: 'rfc3161:test', token: Buffer.alloc(49_152).toString('base64url') }]
    ]
  ])('with %s is refused: %s', async (_, code, timestampAnchors) => {
    const opened = await open()
    await opened.node.seal({ namespace: NAMESPACE, batchId: 'batch', receipts: [1] })
    const before = (await opened.node.status()).log
    await expect(
      opened.node.announce({ namespace: NAMESPACE, batchId: 'batch', timestampAnchors })
    ).rejects.toMatchObject({ code: 'PUBLISH_REFUSED', detail: { code } })
    expect((await opened.node.status()).log).toEqual(before)
  })

  test('by a node without the role is refused: ROLE_MISSING', async () => {
    const opened = await open({ announcers: [ada] })
    await opened.node.seal({ namespace: NAMESPACE, batchId: 'batch', receipts: [1] })
    await expect(
      opened.node.announce({ namespace: NAMESPACE, batchId: 'batch', timestampAnchors: [] })
    ).rejects.toMatchObject({ code: 'PUBLISH_REFUSED', detail: { code: 'ROLE_MISSING' } })
  })

  test.each([
    ['retired', { status: 'RETIRED' }],
    ['revoked', { status: 'REVOKED' }],
    ['for packs alone', { uses: ['pack'] }]
  ] as const)('under a key that is %s is refused: KEY_CUT_OFF; a pack is not', async (_, changes) => {
    const opened = await open()
    const { node } = opened
    await node.seal({ namespace: NAMESPACE, batchId: 'batch', receipts: [1] })
    const one = makePack({
      orgId: self.orgId,
      keys: [packKey(self.signer), packKey(ada.signer)],
      signers: [self.signer]
    })
    const keys = [packKey(self.signer, changes), packKey(ada.signer)]
    const two = makePack({ orgId: self.orgId, before: one, keys, signers: [self.signer, ada.signer] })
    const first = await packEvent(self.signer, [self.signer], one)
    await node.submit(first.wire)
    const announced = { namespace: NAMESPACE, batchId: 'batch', timestampAnchors: [] }
    const { id } = await node.announce(announced)
    await node.submit((await packEvent(self.signer, [self.signer, ada.signer], two, first)).wire)
    await quiet(opened)
    const before = (await node.status()).log
    await expect(node.announce(announced)).rejects.toMatchObject({
      code: 'PUBLISH_REFUSED',
      detail: { code: 'KEY_CUT_OFF' }
    })
    expect((await node.status()).log).toEqual(before)
    // The announce before is none of the last good ones: the pack names none.
    expect(await rows(opened, 'effects')).toMatchObject([{ eventId: id, effect: 'KEY_CUT_OFF' }])
  })

  test.each<[string, PolicyOptions]>([
    ['MAPPING_VIOLATION', { tenants: { [self.orgId]: 'other' } }],
    ['ATTESTATION_DENIED', { attestations: { required: true, measurements: ['a'.repeat(64)] } }],
    ['ATTESTATION_DENIED', { attestations: { measurements: ['a'.repeat(64)] }, measurement: 'b'.repeat(64) }]
  ])('that would have no effect is refused: %s', async (code, options) => {
    const opened = await open(options)
    await opened.node.seal({ namespace: NAMESPACE, batchId: 'batch', receipts: [1] })
    const before = (await opened.node.status()).log
    await expect(
      opened.node.announce({ namespace: NAMESPACE, batchId: 'batch', timestampAnchors: [] })
    ).rejects.toMatchObject({ code: 'PUBLISH_REFUSED', detail: { code } })
    expect((await opened.node.status()).log).toEqual(before)
  })

  test('names the measurement that the node is configured with', async () => {
    const measurement = 'a'.repeat(64)
    const opened = await open({ attestations: { required: true, measurements: [measurement] }, measurement })
    await opened.node.seal({ namespace: NAMESPACE, batchId: 'batch', receipts: [1] })
    const { id } = await opened.node.announce({ namespace: NAMESPACE, batchId: 'batch', timestampAnchors: [] })
    expect(await bodyOf(opened, id)).toMatchObject({ attestationMeasurementHash: measurement })
    expect(await rows(opened, 'effects')).toEqual([])
  })

  test.each(['dao:other', '_trust'])('in %s is refused: NAMESPACE_NOT_CARRIED', async (namespace) => {
    const { node } = await open()
    await expect(node.announce({ namespace, batchId: 'batch', timestampAnchors: [] })).rejects.toMatchObject({
      code: 'PUBLISH_REFUSED',
      detail: { code: 'NAMESPACE_NOT_CARRIED' }
    })
  })
})

describe('packs', () => {
  test('follow one another, name all keys of the organisation, and are valid for ninety days', async () => {
    const opened = await open()
    const before = opened.ports.clock.now()
    const first = await opened.node.publishPack()
    await opened.ports.clock.advance(1_000)
    const second = await opened.node.publishPack()
    expect([first, second]).toMatchObject([
      { orgId: self.orgId, packSeq: 1 },
      { orgId: self.orgId, packSeq: 2 }
    ])
    const readings = await Promise.all([first, second].map(async ({ id }) => parseAnchorPack(await bodyOf(opened, id))))
    expect(readings).toMatchObject([
      {
        ok: true,
        pack: {
          prevPack: null,
          kind: 'full',
          threshold: 1,
          validUntil: before + 90 * 86_400_000,
          keys: [{ kid: self.signer.kid, status: 'ACTIVE', uses: ['event', 'pack'], notBefore: before }]
        }
      },
      {
        ok: true,
        pack: {
          prevPack: first.packHash,
          validUntil: before + 1_000 + 90 * 86_400_000,
          keys: [{ kid: self.signer.kid, notBefore: before }]
        }
      }
    ])
    expect(await rows(opened, 'effects')).toEqual([])
    expect(await rows(opened, 'trust-anchors')).toMatchObject([
      { orgId: self.orgId, kid: self.signer.kid, status: 'ACTIVE', packSeq: 1, updatedAt: before }
    ])
  })

  test('go on after a restart', async () => {
    const opened = await open()
    const first = await opened.node.publishPack()
    const again = await reopen(opened)
    expect(await again.node.publishPack()).toMatchObject({ packSeq: 2 })
    expect(parseAnchorPack(await bodyOf(again, (await again.node.publishPack()).id))).toMatchObject({
      ok: true,
      pack: { packSeq: 3 }
    })
    expect(first.packSeq).toBe(1)
  })

  test('take up what another machine of the organisation published', async () => {
    const machine = member('machine-2', self.orgId)
    const opened = await open({}, [self, machine, ada])
    const pack = makePack({
      orgId: self.orgId,
      keys: [packKey(machine.signer), packKey(self.signer)],
      signers: [machine.signer]
    })
    const event = await packEvent(machine.signer, [machine.signer], pack)
    expect(await opened.node.submit(event.wire)).toMatchObject({ outcome: 'accepted' })
    const published = await opened.node.publishPack()
    expect(published).toMatchObject({ packSeq: 2 })
    expect(parseAnchorPack(await bodyOf(opened, published.id))).toMatchObject({ ok: true, pack: { keys: pack.keys } })
    expect(await rows(opened, 'effects')).toEqual([])
  })

  test('are refused when the packs give the own kid another key, under which nothing can be signed here', async () => {
    const machine = member('machine-2', self.orgId)
    const opened = await open({}, [self, machine, ada])
    const keys = [packKey(machine.signer), packKey({ ...ada.signer, kid: self.signer.kid })]
    const pack = makePack({ orgId: self.orgId, keys, signers: [machine.signer] })
    await opened.node.submit((await packEvent(machine.signer, [machine.signer], pack)).wire)
    await expect(opened.node.publishPack()).rejects.toMatchObject({
      code: 'PUBLISH_REFUSED',
      detail: { code: 'PACK_SIGNER_FOREIGN' }
    })
  })

  test.each<[string, string, PolicyOptions, (opened: MemoryNode) => Promise<void>]>([
    [
      'two must sign',
      'PACK_THRESHOLD',
      { organisations: [{ orgId: self.orgId, threshold: 2 }] },
      () => Promise.resolve()
    ],
    [
      'the first pack is pinned and has not come',
      'PACK_PREV_MISMATCH',
      { organisations: [{ orgId: self.orgId, threshold: 1, firstPack: 'a'.repeat(64) }] },
      () => Promise.resolve()
    ],
    [
      'its own key is retired',
      'PACK_THRESHOLD',
      {},
      async ({ node }) => {
        const one = makePack({ orgId: self.orgId, keys: [packKey(self.signer)], signers: [self.signer] })
        const two = makePack({
          orgId: self.orgId,
          before: one,
          keys: [packKey(self.signer, { status: 'RETIRED' }), packKey(ada.signer)],
          signers: [self.signer, ada.signer]
        })
        const first = await packEvent(self.signer, [self.signer], one)
        await node.submit(first.wire)
        const second = await packEvent(self.signer, [self.signer, ada.signer], two, first)
        expect(await node.submit(second.wire)).toMatchObject({ outcome: 'accepted' })
      }
    ],
    [
      'its packs are forked',
      'PACK_FORK',
      {},
      async ({ node }) => {
        const packs = [packKey(self.signer), packKey(self.signer, { notBefore: 1 })].map((key) =>
          makePack({ orgId: self.orgId, keys: [key], signers: [self.signer] })
        )
        const [one, two] = packs
        if (one === undefined || two === undefined) throw new Error('no packs')
        await node.submit((await packEvent(self.signer, [self.signer], one)).wire)
        await node.submit((await packEvent(self.signer, [self.signer], two)).wire)
      }
    ]
  ])('are refused where %s: %s', async (_, code, options, arrange) => {
    const opened = await open(options)
    await arrange(opened)
    await quiet(opened)
    const before = (await opened.node.status()).log
    await expect(opened.node.publishPack()).rejects.toMatchObject({ code: 'PUBLISH_REFUSED', detail: { code } })
    expect((await opened.node.status()).log).toEqual(before)
  })
})
