import { afterEach, expect, test } from 'vitest'
import { ANSWER_BYTES_MAX, encodeAnswer } from '../../protocols/bundle/v1/answer.ts'
import type { PagePart } from '../../protocols/bundle/v1/page.ts'
import { createMemoryHub } from '../../simulations/ports/memory-network.ts'
import type { MemoryNode } from '../node/nodes.ts'
import { peerIdOf, quiet } from '../node/nodes.ts'
import { NAMESPACE } from '../support/identities.ts'
import { ANNA, announced, BERT, blobsOf, CLEO, numbered, openBundleNode, receiptRows, sharedClock } from './support.ts'
import type { KnownBatch, RawAnswer } from './raw-peer.ts'
import { knownBatch, pageBytes, partFor, rawPeer } from './raw-peer.ts'

const opened: MemoryNode[] = []
afterEach(async () => {
  for (const { node } of opened.splice(0)) await node.close()
})

/** Anna announced `batch-1` and `batch-2` of five receipts each and serves nobody; Cleo answers Bert as the test says. */
async function world(serves: boolean, answer: (batch: KnownBatch, other: KnownBatch) => RawAnswer, seed = 'seed') {
  const hub = createMemoryHub()
  const clock = sharedClock()
  const open = async (self: typeof ANNA, roles = {}): Promise<MemoryNode> => {
    const node = await openBundleNode(self, { hub, clock, roles, seed })
    opened.push(node)
    return node
  }
  const anna = await open(ANNA)
  const bert = await open(BERT, serves ? {} : { serve: [CLEO] })
  await announced(anna, hub, 'batch-1', numbered(5))
  await announced(anna, hub, 'batch-2', numbered(5, 5))
  await quiet(anna, bert)
  await rawPeer(hub, CLEO, answer(await knownBatch(anna, 'batch-1'), await knownBatch(anna, 'batch-2')))
  return { bert, clock }
}

const want = { from: 0, to: 5 }
const first = ({ leaves }: PagePart): PagePart['leaves'] => leaves.slice(0, 1)

const LIES: Readonly<Record<string, (batch: KnownBatch, other: KnownBatch) => RawAnswer>> = {
  'bytes that are no answer': () => () => Promise.resolve(Buffer.from('garbage')),
  'a page that is none': () => () => Promise.resolve(encodeAnswer({ ok: true, page: new Uint8Array(100) })),
  'a frame that is too large': () => () => Promise.resolve(new Uint8Array(ANSWER_BYTES_MAX + 1)),
  'receipts under another root': (batch) => (request) =>
    pageBytes(CLEO, request, [{ ...partFor(batch, want), batchRoot: 'ab'.repeat(32) }]),
  'receipts of another batch': (batch, other) => (request) => {
    const { leaves, proof } = partFor(other, want)
    return pageBytes(CLEO, request, [{ ...partFor(batch, want), leaves, proof }])
  },
  'another batch': (_, other) => (request) => pageBytes(CLEO, request, [partFor(other, want)]),
  'a receipt in the place of another': (batch) => (request) => {
    const part = partFor(batch, want)
    return pageBytes(CLEO, request, [{ ...part, leaves: part.leaves.toReversed() }])
  },
  'a receipt in two places': (batch) => (request) => {
    const part = partFor(batch, { from: 1, to: 2 })
    return pageBytes(CLEO, request, [part, part])
  },
  'parts in another order': (batch) => (request) =>
    pageBytes(CLEO, request, [partFor(batch, { from: 3, to: 4 }), partFor(batch, { from: 1, to: 2 })]),
  'one good part and one that is not': (batch) => (request) => {
    const bad = partFor(batch, { from: 3, to: 4 })
    return pageBytes(CLEO, request, [partFor(batch, { from: 0, to: 2 }), { ...bad, proof: [] }])
  },
  'the answer to another request': (batch) => (request) =>
    pageBytes(CLEO, request, [partFor(batch, want)], { request: 'ab'.repeat(32) }),
  'a page for somebody else': (batch) => (request) =>
    pageBytes(CLEO, request, [partFor(batch, want)], { audience: ANNA.signer.did }),
  'a page of another namespace': (batch) => (request) =>
    pageBytes(CLEO, request, [partFor(batch, want)], { namespace: 'dao:other' }),
  'a page by another server': (batch) => (request) => pageBytes(ANNA, request, [partFor(batch, want)]),
  'a page that another signed in its name': (batch) => (request) =>
    pageBytes(CLEO, request, [partFor(batch, want)], {}, ANNA),
  'a next that is not behind the page': (batch) => (request) => {
    const part = partFor(batch, want, 3)
    const { owner, batchId, batchRoot } = part
    return pageBytes(CLEO, request, [part], { next: { owner, batchId, batchRoot, index: 1 } })
  },
  'a next without a part': (batch) => (request) => {
    const { owner, batchId, batchRoot } = partFor(batch, want)
    return pageBytes(CLEO, request, [], { next: { owner, batchId, batchRoot, index: 1 } })
  }
}

test.each(Object.entries(LIES))('%s: nothing of it is kept, and the sender pays', async (_, answer) => {
  const { bert } = await world(false, answer)
  expect(await bert.node.fetchBundles({ namespace: NAMESPACE, batchId: 'batch-1' })).toMatchObject({
    held: 0,
    missing: 5,
    failures: { lied: 1 }
  })
  expect(await blobsOf(bert)).toEqual(new Set())
  expect(await receiptRows(bert)).toEqual([])
  const { network } = await bert.node.status()
  expect(network?.peers.find(({ peerId }) => peerId === peerIdOf(CLEO))?.score).toBeLessThan(0)
})

test('another count of receipts: nothing is kept, but the owner may have announced both, so nobody pays', async () => {
  const { bert } = await world(
    false,
    (batch) => (request) =>
      pageBytes(CLEO, request, [{ ...partFor(batch, want), receiptCount: 4, leaves: first(partFor(batch, want)) }])
  )
  expect(await bert.node.fetchBundles({ namespace: NAMESPACE, batchId: 'batch-1' })).toMatchObject({
    held: 0,
    missing: 5,
    failures: { 'other-count': 1 }
  })
  expect(await blobsOf(bert)).toEqual(new Set())
  const { network } = await bert.node.status()
  expect(network?.peers.find(({ peerId }) => peerId === peerIdOf(CLEO))?.score).toBeUndefined()
})

test('a page of an earlier request is refused, though it was good then', async () => {
  const pages: Uint8Array[] = []
  const { bert } = await world(false, (batch) => async (request) => {
    pages.push(await pageBytes(CLEO, request, [partFor(batch, { from: 0, to: 2 })]))
    return pages[0] ?? null
  })
  expect(await bert.node.fetchBundles({ namespace: NAMESPACE, batchId: 'batch-1' })).toMatchObject({
    held: 2,
    failures: {}
  })
  expect(await bert.node.fetchBundles({ namespace: NAMESPACE, batchId: 'batch-1' })).toMatchObject({
    held: 0,
    missing: 3,
    failures: { lied: 1 }
  })
})

test('a server that breaks off half-way: what came is kept, and the next peer is asked for the rest', async () => {
  // Whom Bert asks first is chance.
  for (let seed = 0, brokeOff = false; !brokeOff; seed += 1) {
    const asked: number[] = []
    const halfWay =
      (batch: KnownBatch): RawAnswer =>
      async (request) => {
        const [gap = { from: 0, to: 0 }] = request.request.want ?? []
        asked.push(gap.from)
        if (gap.from > 0) return null
        const part = partFor(batch, gap, 2)
        const { owner, batchId, batchRoot } = part
        return await pageBytes(CLEO, request, [part], { next: { owner, batchId, batchRoot, index: 2 } })
      }
    const { bert } = await world(true, halfWay, `seed ${seed}`)
    const fetched = await bert.node.fetchBundles({ namespace: NAMESPACE, batchId: 'batch-1' })
    expect(fetched).toMatchObject({ held: 5, missing: 0 })
    const { network } = await bert.node.status()
    expect(network?.peers.find(({ peerId }) => peerId === peerIdOf(CLEO))?.score).toBeUndefined()
    brokeOff = asked.length > 0
    if (!brokeOff) continue
    expect(asked).toEqual([0, 2])
    expect(fetched).toMatchObject({ asked: 2, failures: { unreachable: 1 } })
  }
})

test('a server that gives a leaf at a time, as slowly as it may, loses its turn to the next one', async () => {
  // Whom Bert asks first is chance.
  for (let seed = 0, asked = 0; asked === 0; seed += 1) {
    let later: (() => Promise<void>) | null = null
    const trickle =
      (batch: KnownBatch): RawAnswer =>
      async (request) => {
        const [gap = { from: 0, to: 0 }] = request.request.want ?? []
        asked += 1
        await later?.()
        const part = partFor(batch, gap, 1)
        const { owner, batchId, batchRoot } = part
        const next = gap.from === 4 ? null : { owner, batchId, batchRoot, index: gap.from + 1 }
        return await pageBytes(CLEO, request, [part], { next })
      }
    const { bert, clock } = await world(true, trickle, `seed ${seed}`)
    later = () => clock.sleep(25_000)
    const state = { done: false }
    const fetching = bert.node.fetchBundles({ namespace: NAMESPACE, batchId: 'batch-1' }).finally(() => {
      state.done = true
    })
    while (!state.done) {
      await quiet(bert)
      if (!state.done) await clock.advance(1_000)
    }
    expect(await fetching).toMatchObject({ held: 5, missing: 0, failures: {}, asked: asked === 0 ? 1 : 2 })
    expect(asked).toBeLessThan(5)
  }
})

test('a server that says nothing is given up after its time', async () => {
  const { bert, clock } = await world(false, () => () => new Promise(() => {}))
  const fetching = bert.node.fetchBundles({ namespace: NAMESPACE, batchId: 'batch-1' })
  await quiet(bert)
  await clock.advance(31_000)
  expect(await fetching).toMatchObject({ held: 0, missing: 5, failures: { unreachable: 1 } })
})
