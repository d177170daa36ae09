import { afterEach, describe, expect, test } from 'vitest'
import type { BundleAnswer } from '../../protocols/bundle/v1/answer.ts'
import { decodePage, PAGE_BYTES_MAX, provenLeaves } from '../../protocols/bundle/v1/page.ts'
import type { BundlePage } from '../../protocols/bundle/v1/page.ts'
import type { Place, Want } from '../../protocols/bundle/v1/request.ts'
import { REQUEST_BYTES_MAX } from '../../protocols/bundle/v1/request.ts'
import { sha256 } from '../../protocols/primitives/sha256.ts'
import { createMemoryHub } from '../../simulations/ports/memory-network.ts'
import { REQUESTS_OF_PEER_MAX } from '../../src/bundles/server.ts'
import { localSigner } from '../../src/trust/local-signer.ts'
import type { MemoryNode } from '../node/nodes.ts'
import { quiet, reopen } from '../node/nodes.ts'
import { member, NAMESPACE } from '../support/identities.ts'
import type { PolicyOptions } from '../support/identities.ts'
import { makePack, packEvent, packKey } from '../support/packs.ts'
import { ANNA, announced, BERT, bundlePolicy, CLEO, numbered, openBundleNode, sharedClock } from './support.ts'
import type { Roles } from './support.ts'
import { rawPeer, requestBytes, sendRaw } from './raw-peer.ts'

const SKEW_MS = 300_000

const opened: MemoryNode[] = []
afterEach(async () => {
  for (const { node } of opened.splice(0)) await node.close()
})

/** Anna serves; Cleo is no node and asks what the test says. */
async function world(roles: Roles = {}) {
  const hub = createMemoryHub()
  const clock = sharedClock()
  const anna = await openBundleNode(ANNA, { hub, clock, roles })
  opened.push(anna)
  const cleo = await rawPeer(hub, CLEO)
  return { hub, clock, anna, cleo }
}

function pageIn(answer: BundleAnswer | null): BundlePage {
  const decoding = answer?.ok === true ? decodePage(answer.page) : null
  if (decoding?.ok !== true) throw new Error(JSON.stringify(answer ?? decoding))
  return decoding.decoded.page
}

const wantOf = (batchRoot: string, from: number, to: number, batchId = 'batch-1'): Want => ({
  owner: ANNA.orgId,
  batchId,
  batchRoot,
  from,
  to
})

test('what is asked for comes with its proof: ranges, gaps, and what is beyond is left out', async () => {
  const { hub, anna, cleo } = await world()
  const root = await announced(anna, hub, 'batch-1', numbered(300))
  await quiet(anna)
  const want = [wantOf(root, 3, 5), wantOf(root, 255, 258), wantOf(root, 298, 1_000), wantOf(root, 300, 301)]
  const { parts, next, announces } = {
    announces: [],
    ...pageIn(await sendRaw(cleo, anna, await requestBytes(CLEO, anna, { want })))
  }
  expect(parts.map(({ from, leaves }) => [from, leaves.length])).toEqual([
    [3, 2],
    [255, 3],
    [298, 2]
  ])
  for (const part of parts) expect(provenLeaves(part, 300).ok).toBe(true)
  expect([next, announces]).toEqual([null, []])
})

test('all batches of a namespace: in order, of a time, on from a place, with the announces behind them', async () => {
  const { hub, anna, cleo, clock } = await world()
  const begin = clock.now()
  await announced(anna, hub, 'batch-1', numbered(2))
  await clock.advance(1_000)
  const between = clock.now()
  const second = await announced(anna, hub, 'batch-2', numbered(3))
  await quiet(anna)
  const ask = async (changes: Parameters<typeof requestBytes>[2]): Promise<BundlePage> =>
    pageIn(await sendRaw(cleo, anna, await requestBytes(CLEO, anna, changes)))
  const all = await ask({})
  expect(all.parts.map(({ batchId, leaves }) => [batchId, leaves.length])).toEqual([
    ['batch-1', 2],
    ['batch-2', 3]
  ])
  expect(all.parts.map(({ announces }) => announces.length)).toEqual([1, 1])
  expect((await ask({ fromTs: begin, toTs: between })).parts.map(({ batchId }) => batchId)).toEqual(['batch-1'])
  expect((await ask({ fromTs: between })).parts.map(({ batchId }) => batchId)).toEqual(['batch-2'])
  const after: Place = { owner: ANNA.orgId, batchId: 'batch-2', batchRoot: second, index: 1 }
  expect((await ask({ after })).parts.map(({ from, leaves }) => [from, leaves.length])).toEqual([[1, 2]])
})

test('pages stay within their size, and lead to all leaves', async () => {
  const { hub, anna, cleo } = await world()
  await announced(anna, hub, 'small', numbered(4))
  await announced(
    anna,
    hub,
    'large',
    Array.from({ length: 40 }, (_, index) => `${index} ${'x'.repeat(60_000)}`)
  )
  await quiet(anna)
  let leaves = 0
  let pages = 0
  for (let after: Place | null | undefined; after !== null; pages += 1) {
    const answer = await sendRaw(cleo, anna, await requestBytes(CLEO, anna, after === undefined ? {} : { after }))
    if (answer?.ok === true) expect(answer.page.length).toBeLessThanOrEqual(PAGE_BYTES_MAX)
    const page = pageIn(answer)
    leaves += page.parts.reduce((sum, part) => sum + part.leaves.length, 0)
    after = page.next
  }
  expect([leaves, pages]).toEqual([44, 4])
})

test('each check has its code', async () => {
  const { hub, anna, cleo, clock } = await world()
  const root = await announced(anna, hub, 'batch-1', numbered(3))
  await quiet(anna)
  const want = [wantOf(root, 0, 3)]
  const answered = async (wire: Uint8Array): Promise<string | null> => {
    const answer = await sendRaw(cleo, anna, wire)
    return answer === null ? null : answer.ok ? 'page' : answer.code
  }
  const code = async (changes: Parameters<typeof requestBytes>[2], by = CLEO, signer = by): Promise<string | null> =>
    await answered(await requestBytes(by, anna, { want, ...changes }, signer))

  expect(await code({})).toBe('page')
  expect(await answered(Buffer.from('garbage'))).toBe('bad-request')
  expect(await answered(new Uint8Array(REQUEST_BYTES_MAX + 1))).toBe('too-big')
  // Somebody else's request, as it was overheard, and one in somebody else's name.
  expect(await code({}, BERT)).toBe('denied')
  expect(await code({ audience: BERT.signer.did })).toBe('wrong-audience')
  expect(await code({ namespace: 'dao:other' })).toBe('denied')
  expect(await code({ ts: clock.now() - SKEW_MS - 1 })).toBe('skew')
  expect(await code({ ts: clock.now() + SKEW_MS + 1 })).toBe('skew')
  expect(await code({ ts: clock.now() - SKEW_MS })).toBe('page')
  expect(await code({}, CLEO, BERT)).toBe('bad-signature')
  expect(await code({ kid: 'another' })).toBe('unknown-key')
  expect(await code({ want: [wantOf('ab'.repeat(32), 0, 3)] })).toBe('not-held')
  expect(await code({ want: [wantOf(root, 0, 3, 'batch-9')] })).toBe('not-held')
  expect((await anna.node.status()).receipts.served).toMatchObject({ page: 2, denied: 2, skew: 2, 'not-held': 2 })
})

test('a key that packs revoked signs no requests any more; the one that they put in its place does', async () => {
  const { hub, anna, cleo } = await world()
  const root = await announced(anna, hub, 'batch-1', numbered(3))
  const want = [wantOf(root, 0, 3)]
  const second = localSigner(sha256('second key'), { did: CLEO.signer.did, kid: 'second' })
  const keys = [packKey(CLEO.signer), packKey(second)]
  const pack1 = makePack({ orgId: CLEO.orgId, keys, signers: [CLEO.signer] })
  const revoked = [packKey(CLEO.signer, { status: 'REVOKED', revokedAt: 1 }), packKey(second)]
  const pack2 = makePack({ orgId: CLEO.orgId, before: pack1, keys: revoked, signers: [second] })
  await anna.node.submit((await packEvent(CLEO.signer, [CLEO.signer], pack1)).wire)
  await quiet(anna)
  expect(await sendRaw(cleo, anna, await requestBytes(CLEO, anna, { want }))).toMatchObject({ ok: true })
  await anna.node.submit((await packEvent(second, [second], pack2)).wire)
  await quiet(anna)
  expect(await sendRaw(cleo, anna, await requestBytes(CLEO, anna, { want }))).toMatchObject({ code: 'bad-signature' })
  const bySecond = { orgId: CLEO.orgId, signer: second }
  expect(await sendRaw(cleo, anna, await requestBytes(bySecond, anna, { want }))).toMatchObject({ ok: true })
})

test('a nonce serves once, also after a restart, and a request that failed its checks uses none up', async () => {
  const { hub, anna, cleo, clock } = await world()
  const root = await announced(anna, hub, 'batch-1', numbered(3))
  await quiet(anna)
  const want = [wantOf(root, 0, 3)]
  const nonce = Buffer.alloc(16, 7).toString('base64url')
  const wire = await requestBytes(CLEO, anna, { want, nonce })
  const forged = await requestBytes(CLEO, anna, { want, nonce }, BERT)
  expect(await sendRaw(cleo, anna, forged)).toMatchObject({ code: 'bad-signature' })
  const both = await Promise.all([sendRaw(cleo, anna, wire), sendRaw(cleo, anna, wire)])
  expect(both.map((answer) => (answer?.ok === false ? answer.code : 'page')).toSorted()).toEqual(['page', 'replay'])
  const again = await reopen(anna, { hub })
  opened.push(again)
  expect(await sendRaw(cleo, again, wire)).toMatchObject({ code: 'replay' })
  await clock.advance(SKEW_MS)
  expect(await sendRaw(cleo, again, wire)).toMatchObject({ code: 'replay' })
  await clock.advance(1)
  expect(await sendRaw(cleo, again, wire)).toMatchObject({ code: 'skew' })
  // Once it is too old by far, it is forgotten: what is remembered does not grow for ever.
  await clock.advance(3 * SKEW_MS)
  await sendRaw(cleo, again, await requestBytes(CLEO, again, { want }))
  const kept = []
  for await (const [key] of again.ports.store.range({ gte: 'q!', lt: 'q!~' })) kept.push(key)
  expect(kept).toHaveLength(1)
})

test('roles: who may not ask, a server that may not serve, and a stranger to the namespace get the same answer', async () => {
  for (const roles of [{ request: [ANNA, BERT] }, { serve: [BERT, CLEO] }]) {
    const { hub, anna, cleo } = await world(roles)
    await announced(anna, hub, 'batch-1', numbered(3))
    expect(await sendRaw(cleo, anna, await requestBytes(CLEO, anna))).toMatchObject({ code: 'denied' })
  }
  const { hub, anna } = await world()
  const dora = member('dora')
  const stranger = await rawPeer(hub, dora)
  expect(await sendRaw(stranger, anna, await requestBytes(dora, anna))).toMatchObject({ code: 'denied' })
})

test('no more requests of one peer are worked on than are allowed', async () => {
  const { hub, anna, cleo } = await world()
  const root = await announced(anna, hub, 'batch-1', numbered(3))
  await quiet(anna)
  const wires: Uint8Array[] = []
  for (let count = 0; count < REQUESTS_OF_PEER_MAX + 3; count += 1)
    wires.push(await requestBytes(CLEO, anna, { want: [wantOf(root, 0, 3)] }))
  const answers = await Promise.all(wires.map((wire) => sendRaw(cleo, anna, wire)))
  const codes = answers.map((answer) => (answer?.ok === false ? answer.code : 'page'))
  expect(codes.filter((code) => code === 'page')).toHaveLength(REQUESTS_OF_PEER_MAX)
  expect(codes.filter((code) => code === 'busy')).toHaveLength(3)
  expect(await sendRaw(cleo, anna, await requestBytes(CLEO, anna, { want: [wantOf(root, 0, 3)] }))).toMatchObject({
    ok: true
  })
})

test('a batch that this node holds by half, or that its owner has not announced, is not served', async () => {
  const { anna, cleo } = await world()
  const { batchRoot } = await anna.node.seal({ namespace: NAMESPACE, batchId: 'batch-1', receipts: numbered(3) })
  await quiet(anna)
  const wire = await requestBytes(CLEO, anna, { want: [wantOf(batchRoot, 0, 3)] })
  expect(await sendRaw(cleo, anna, wire)).toMatchObject({ code: 'not-held' })
  expect(pageIn(await sendRaw(cleo, anna, await requestBytes(CLEO, anna))).parts).toEqual([])
})

describe('receipts of another organisation', () => {
  const denying = (rules: PolicyOptions['crossOrg'] & object) => ({
    ...bundlePolicy(ANNA),
    crossOrg: rules
  })

  async function serving(rules: PolicyOptions['crossOrg'] & object) {
    const hub = createMemoryHub()
    const clock = sharedClock()
    const anna = await openBundleNode(ANNA, { hub, clock, policy: denying(rules) })
    opened.push(anna)
    const cleo = await rawPeer(hub, CLEO)
    const root = await announced(anna, hub, 'batch-1', numbered(3))
    await quiet(anna)
    return { anna, cleo, root }
  }

  test('are denied without a rule, with the code of the policy, and left out of all batches', async () => {
    const { anna, cleo, root } = await serving([{ from: ANNA.orgId, to: CLEO.orgId, operations: ['*'] }])
    const wire = await requestBytes(CLEO, anna, { want: [wantOf(root, 0, 3)] })
    expect(await sendRaw(cleo, anna, wire)).toEqual({
      ok: false,
      code: 'denied',
      detail: `CROSS_ORG_DENIED: crossOrg.allow has no rule {from: ${CLEO.orgId}, to: ${ANNA.orgId}, operations: [bundle]}`
    })
    // What was denied used up no nonce.
    expect(await sendRaw(cleo, anna, wire)).toMatchObject({ code: 'denied' })
    expect(pageIn(await sendRaw(cleo, anna, await requestBytes(CLEO, anna))).parts).toEqual([])
  })

  test('are served with one', async () => {
    const { anna, cleo, root } = await serving([{ from: CLEO.orgId, to: '*', operations: ['bundle'] }])
    const wire = await requestBytes(CLEO, anna, { want: [wantOf(root, 0, 3)] })
    expect(pageIn(await sendRaw(cleo, anna, wire)).parts).toHaveLength(1)
    expect(pageIn(await sendRaw(cleo, anna, await requestBytes(CLEO, anna))).parts).toHaveLength(1)
  })
})

test('who asks faster than the rate of the namespace is busy for the server, and another is not', async () => {
  const hub = createMemoryHub()
  const clock = sharedClock()
  const policy = bundlePolicy(ANNA)
  const settings = policy.namespaces[NAMESPACE]
  if (settings === undefined) throw new Error('no namespace')
  const namespaces = { [NAMESPACE]: { ...settings, rate: { ...settings.rate, perPeer: 2 } } }
  const anna = await openBundleNode(ANNA, { hub, clock, policy: { ...policy, namespaces } })
  opened.push(anna)
  const [cleo, bert] = [await rawPeer(hub, CLEO), await rawPeer(hub, BERT)]
  const ask = async (): Promise<string> => {
    const answer = await sendRaw(cleo, anna, await requestBytes(CLEO, anna))
    return answer?.ok === true ? 'page' : `${answer?.code}: ${answer?.detail}`
  }
  const busy = 'busy: it asks faster than policy allows'
  expect([await ask(), await ask(), await ask(), await ask()]).toEqual(['page', 'page', busy, busy])
  expect(await sendRaw(bert, anna, await requestBytes(BERT, anna))).toMatchObject({ ok: true })
  expect((await anna.node.status()).network?.peers.map(({ score }) => score)).toEqual([undefined, undefined])
  // The fifth is beyond twice the rate: it pays.
  expect(await ask()).toBe(busy)
  const scores = (await anna.node.status()).network?.peers.map(({ score }) => score ?? 0) ?? []
  expect(Math.min(...scores)).toBe(-10)
})
