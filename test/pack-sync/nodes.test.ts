import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { AnchorPack } from '../../protocols/event/v1/anchor-pack.ts'
import { packHash } from '../../protocols/event/v1/anchor-pack.ts'
import { decodePackPage } from '../../protocols/pack-sync/v1/page.ts'
import { PACK_SYNC_PREFIX } from '../../src/log/keys.ts'
import { openLevelStore } from '../../src/log/level-store.ts'
import { prefixRange } from '../../src/log/store.ts'
import { newFolder } from '../support/cli.ts'
import type { SignedEvent } from '../support/events.ts'
import { packEvent } from '../support/packs.ts'
import { untilAnswer } from '../support/until-answer.ts'
import { until } from '../support/until.ts'
import type { PackNode } from './nodes-support.ts'
import { CARL, fill, openPackNode } from './nodes-support.ts'
import { ADA, BEA, KEYS, ORG, nextPack, packChain } from './support.ts'

/** Its trust anchors, once all that it took in is folded. */
async function anchorsOf({ node }: PackNode): Promise<unknown> {
  const { rows } = await node.query('trust-anchors', { waitFor: (await node.status()).log.logSeq })
  return rows
}

async function trustDigest({ node }: PackNode): Promise<unknown> {
  const { events, state } = await node.digest('_trust')
  return { events, state }
}

async function serving(wires: readonly Uint8Array[]): Promise<{ readonly bea: PackNode; readonly url: string }> {
  const bea = await openPackNode(BEA)
  await fill(bea, wires)
  return { bea, url: await bea.serve() }
}

test('a node that is in no mesh comes to the same keys over HTTP, with all that the chains need', async () => {
  const { bea, url } = await serving((await packChain(9, { links: 3 })).wires)
  const folder = newFolder()
  const carl = await openPackNode(CARL, { sources: { [ORG]: [url] }, folder: join(folder, 'store') })
  expect((await carl.node.planPackSync({})).entries).toMatchObject([
    { orgId: ORG, source: url, afterPackSeq: 0, reason: null },
    { orgId: BEA.orgId, source: null, reason: 'NO_SOURCE' }
  ])
  const progress: number[] = []
  const pulled = await carl.node.pullPacks({}, ({ done }) => progress.push(done))
  expect(pulled).toMatchObject([{ orgId: ORG, outcome: 'done', from: 0, to: 9, applied: 9, waiting: 0, warnings: [] }])
  expect(progress).toEqual([9])
  expect(await anchorsOf(carl)).toEqual(await anchorsOf(bea))
  expect(await trustDigest(carl)).toEqual(await trustDigest(bea))
  expect(carl.audited.map(({ action, subject, outcome }) => `${action} ${subject} ${outcome}`)).toEqual([
    `FED_ANCHOR_SYNC_APPLY ${ORG} ok`,
    `FED_ANCHOR_SYNC_PULL ${ORG} ok`
  ])
  expect(new Set(carl.audited.map(({ requestId }) => requestId)).size).toBe(1)

  const { logSeq } = (await carl.node.status()).log
  expect(await carl.node.pullPacks({})).toMatchObject([{ outcome: 'done', from: 9, applied: 0, known: 1 }])
  expect((await carl.node.status()).log.logSeq).toBe(logSeq)
  await carl.node.close()
  const disk = await openLevelStore(join(folder, 'store'), { create: false })
  const stored: string[] = []
  for await (const [key] of disk.range(prefixRange(PACK_SYNC_PREFIX))) stored.push(key)
  expect(stored).toEqual([`y!a!_trust!${ORG}`, `y!s!_trust!${ORG}`])
  await disk.close()
})

test('what stands between packs comes once, and no more when there is nothing new', async () => {
  const { wires } = await packChain(3, { links: 5 })
  const { bea, url } = await serving(wires.slice(0, 12))
  const carl = await openPackNode(CARL, { sources: { [ORG]: [url] } })
  const asked: number[] = []
  const { packServing: packs } = bea.node
  const answer = packs.packPage.bind(packs)
  packs.packPage = async (request, asker) => {
    const given = await answer(request, asker)
    if (given.ok) {
      const decoding = decodePackPage(given.page)
      if (decoding.ok) asked.push(decoding.page.packs.length)
    }
    return given
  }
  expect(await carl.node.pullPacks({})).toMatchObject([{ outcome: 'done', to: 2, applied: 2 }])
  expect(await carl.node.pullPacks({})).toMatchObject([{ outcome: 'done', to: 2, applied: 0, known: 1 }])
  await fill(bea, wires.slice(12))
  expect(await carl.node.pullPacks({})).toMatchObject([{ outcome: 'done', from: 2, to: 3, applied: 1 }])
  expect(asked).toEqual([12, 1, 2, 6])
  expect(await trustDigest(carl)).toEqual(await trustDigest(bea))
})

test('packs that a key carries which an earlier one brought are taken up when it is bound', async () => {
  const [author = ADA.signer, ...others] = KEYS
  const one = nextPack(null, 0)
  const first = await packEvent(ADA.signer, [ADA.signer], one)
  const packs: AnchorPack[] = [one]
  const wires = [first.wire]
  let last: SignedEvent | null = null
  for (let index = 1; index < 4; index += 1) {
    const signingKids = [author.kid]
    const pack = nextPack(packs.at(-1) ?? null, index, [ADA.signer, author, ...others], { signingKids })
    last = await packEvent(author, [author], pack, last, 1_700_000_000_100 + index)
    packs.push(pack)
    wires.push(last.wire)
  }
  const bea = await openPackNode(BEA)
  for (const wire of wires) await bea.node.submit(wire)
  await untilAnswer('all are taken in', async () => (await bea.node.status()).ingest.pending.events === 0)
  const url = await bea.serve()
  const carl = await openPackNode(CARL, { sources: { [ORG]: [url] } })
  const [pulled] = await carl.node.pullPacks({})
  expect(pulled).toMatchObject({ outcome: 'done', to: 4, applied: 4 })
  expect((await carl.node.status()).ingest.pending.events).toBe(0)
  expect(await anchorsOf(carl)).toEqual(await anchorsOf(bea))
  expect(await trustDigest(carl)).toEqual(await trustDigest(bea))
})

test('both sides of a fork come along, and freeze the organisation here, too', async () => {
  const chain = await packChain(4)
  const rival = nextPack(chain.packs[2] ?? null, 99)
  const event = await packEvent(ADA.signer, [ADA.signer], rival, chain.events[2] ?? null)
  const { bea, url } = await serving([...chain.wires, event.wire])
  const carl = await openPackNode(CARL, { sources: { [ORG]: [url] } })
  expect(await carl.node.pullPacks({})).toMatchObject([{ outcome: 'frozen', code: 'PACK_FORK', to: 3, disagreesAt: 4 }])
  expect(await anchorsOf(carl)).toEqual(await anchorsOf(bea))
  expect((await carl.node.planPackSync({ orgId: ORG })).entries).toMatchObject([{ reason: 'FROZEN' }])
})

test('a source with another past is seen by a node that has the packs from its mesh', async () => {
  const chain = await packChain(3)
  const other = await packChain(3, { keys: [ADA.signer, ...KEYS.slice(1)] })
  const { url } = await serving(other.wires)
  const carl = await openPackNode(CARL, { sources: { [ORG]: [url] } })
  await fill(carl, chain.wires)
  const before = await anchorsOf(carl)
  const { logSeq } = (await carl.node.status()).log
  expect(await carl.node.pullPacks({})).toMatchObject([
    { outcome: 'refused', code: 'PACK_PREV_MISMATCH', disagreesAt: 3, to: 3 }
  ])
  expect(await anchorsOf(carl)).toEqual(before)
  expect((await carl.node.status()).log.logSeq).toBe(logSeq)
  expect(carl.audited).toMatchObject([
    { action: 'FED_ANCHOR_SYNC_REJECT', code: 'PACK_PREV_MISMATCH' },
    { action: 'FED_ANCHOR_SYNC_PULL', outcome: 'refused' }
  ])
})

test('a node publishes, pushes over HTTP and into a file, and another pulls from both', async () => {
  const ada = await openPackNode(ADA)
  const bea = await openPackNode(BEA)
  const url = await bea.serve()
  const { packHash: hash } = await ada.node.publishPack()
  expect(await ada.node.pushPacks({ to: url })).toMatchObject([
    { target: url, orgId: ORG, outcome: 'done', headPackSeq: 1, outcomes: { accepted: 1 } }
  ])
  expect(await ada.node.pushPacks({ to: url })).toMatchObject([{ outcome: 'done', outcomes: {} }])
  const file = `file:${join(newFolder(), 'ada.packs')}`
  expect(await ada.node.pushPacks({ to: file })).toMatchObject([{ outcome: 'done', outcomes: { accepted: 1 } }])
  const pushes = ada.audited.filter(({ action }) => action === 'FED_ANCHOR_SYNC_PUSH')
  expect(pushes.map(({ action, outcome }) => `${action} ${outcome}`)).toEqual(
    Array.from({ length: 3 }, () => 'FED_ANCHOR_SYNC_PUSH ok')
  )
  expect(bea.audited).toMatchObject([{ action: 'FED_ANCHOR_SYNC_APPLY', subject: ORG, outcome: 'ok' }])
  const carl = await openPackNode(CARL, { sources: { [ORG]: [file, url] } })
  expect(await carl.node.pullPacks({ orgId: ORG })).toMatchObject([
    { source: file, outcome: 'done', applied: 1 },
    { source: url, outcome: 'done', applied: 0, known: 1 }
  ])
  expect(await anchorsOf(carl)).toEqual(await anchorsOf(ada))
  expect(hash).toMatch(/^[0-9a-f]{64}$/)
})

test('a page has every pack that was taken in before it was asked for', async () => {
  const { wires } = await packChain(40)
  const bea = await openPackNode(BEA)
  const asker = { did: null, address: 'somebody', via: 'http' as const }
  const heads: number[] = []
  for (const wire of wires) {
    await bea.node.packServing.takePack(wire, asker)
    const answer = await bea.node.packServing.packPage({ orgId: ORG, afterPackSeq: 0, limit: 1 }, asker)
    const decoding = answer.ok ? decodePackPage(answer.page) : null
    if (decoding?.ok === true) heads.push(decoding.page.headPackSeq)
  }
  expect(heads).toEqual(wires.map((_, index) => index + 1))
})

test('a peer of the mesh is a source by its DID, and takes what is pushed', async () => {
  const chain = await packChain(3, { links: 1 })
  const bea = await openPackNode(BEA, { mesh: [] })
  await fill(bea, chain.wires)
  const carl = await openPackNode(CARL, {
    mesh: [bea],
    sources: { [ORG]: [BEA.signer.did], [BEA.orgId]: [BEA.signer.did] }
  })
  await until('they are connected', () => carl.network?.connected().length === 1)
  expect(await carl.node.pullPacks({ orgId: ORG })).toMatchObject([{ source: BEA.signer.did, outcome: 'done', to: 3 }])
  expect(await trustDigest(carl)).toEqual(await trustDigest(bea))
  await carl.node.publishPack()
  expect(await carl.node.pushPacks({ orgId: BEA.orgId })).toMatchObject([{ outcome: 'done' }])
  expect(await anchorsOf(bea)).toHaveLength(((await anchorsOf(carl)) as unknown[]).length)
})

test('what is not allowed, not known or not to be had is said, and nothing is asked', async () => {
  const { url } = await serving((await packChain(1)).wires)
  const denied = await openPackNode(CARL, { sources: { [ORG]: [url] }, crossOrg: [] })
  expect((await denied.node.planPackSync({ orgId: ORG })).entries).toMatchObject([{ reason: 'CROSS_ORG_DENIED' }])
  expect(await denied.node.pullPacks({ orgId: ORG })).toEqual([])
  await denied.node.publishPack()
  expect(await denied.node.pushPacks({ to: url })).toMatchObject([{ outcome: 'refused', code: 'CROSS_ORG_DENIED' }])
  await expect(denied.node.planPackSync({ orgId: 'org-nobody' })).rejects.toMatchObject({ code: 'NOT_FOUND' })
  await expect(denied.node.pullPacks({ orgId: CARL.orgId })).rejects.toMatchObject({ code: 'USAGE' })
  await expect(denied.node.pushPacks({ orgId: BEA.orgId })).rejects.toMatchObject({ code: 'USAGE' })
  await expect(denied.node.pushPacks({ to: 'ftp://example.org' })).rejects.toMatchObject({ code: 'USAGE' })
  const without = await openPackNode(CARL, { sources: { [ORG]: [BEA.signer.did] } })
  expect((await without.node.planPackSync({ orgId: ORG })).entries).toMatchObject([{ reason: 'SOURCE_UNKNOWN' }])
  expect(await without.node.pushPacks({ to: url })).toMatchObject([{ outcome: 'refused', code: 'PACK_GAP' }])
})

test('a fork that a pin settles is gone on from', async () => {
  const chain = await packChain(3)
  const rival = nextPack(chain.packs[1] ?? null, 99)
  const event = await packEvent(ADA.signer, [ADA.signer], rival, chain.events[1] ?? null)
  const { url } = await serving([...chain.wires, event.wire])
  const pins = [{ packSeq: 3, hash: packHash(rival) }]
  const carl = await openPackNode(CARL, { sources: { [ORG]: [url] }, pins })
  const [pulled] = await carl.node.pullPacks({})
  expect(pulled).toMatchObject({ outcome: 'done', to: 3, applied: 3, known: 1 })
})
