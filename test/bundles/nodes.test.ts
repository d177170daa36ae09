import { afterEach, describe, expect, test } from 'vitest'
import type { MemoryHub } from '../../simulations/ports/memory-network.ts'
import { createMemoryHub } from '../../simulations/ports/memory-network.ts'
import type { VirtualClock } from '../../simulations/ports/virtual-clock.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import type { MemoryNode } from '../node/nodes.ts'
import { peerIdOf, quiet, reopen } from '../node/nodes.ts'
import { NAMESPACE } from '../support/identities.ts'
import type { TestMember } from '../support/identities.ts'
import { WrappedStore } from '../support/stores.ts'
import type { Roles } from './support.ts'
import {
  ANNA,
  announced,
  batchRows,
  BERT,
  blobsOf,
  bundlePolicy,
  CLEO,
  eventually,
  missingOf,
  numbered,
  openBundleNode,
  receiptRows,
  sharedClock
} from './support.ts'

const opened: MemoryNode[] = []
afterEach(async () => {
  for (const { node } of opened.splice(0)) await node.close()
})

interface World {
  readonly hub: MemoryHub
  readonly clock: VirtualClock
  readonly open: (self: TestMember, roles?: Roles) => Promise<MemoryNode>
}

function world(): World {
  const hub = createMemoryHub()
  const clock = sharedClock()
  return {
    hub,
    clock,
    async open(self, roles = {}) {
      const node = await openBundleNode(self, { hub, clock, roles })
      opened.push(node)
      return node
    }
  }
}

/** Lets the first tries of everybody run. */
async function fetched(clock: VirtualClock, ...nodes: readonly MemoryNode[]): Promise<void> {
  await quiet(...nodes)
  await clock.advance(1_000)
  for (const node of nodes) await eventually('nothing is missing', async () => (await missingOf(node)) === 0)
}

describe('nodes that hear of a batch', () => {
  test('fetch its receipts by themselves, prove them, and a rebuild changes nothing', async () => {
    const { hub, clock, open } = world()
    const anna = await open(ANNA)
    const bert = await open(BERT)
    const batchRoot = await announced(anna, hub, 'batch-1', numbered(600))
    await quiet(bert)
    expect((await bert.node.status()).receipts).toMatchObject({ missing: 600, batches: 1 })
    await fetched(clock, bert)
    const rows = await receiptRows(bert)
    expect(rows.map(({ index }) => index)).toEqual(Array.from({ length: 600 }, (_, index) => index))
    expect(new Set(rows.map(({ status, checked }) => `${status} ${checked}`))).toEqual(new Set(['held true']))
    expect(await blobsOf(bert)).toEqual(await blobsOf(anna))
    expect(await batchRows(bert)).toMatchObject([
      { batchRoot, receiptsPresent: 600, receiptsKnown: 600, receiptsSealed: 0, missingSince: null }
    ])
    expect((await anna.node.status()).receipts).toMatchObject({ missing: 0, served: { page: 1 } })
    await clock.advance(61_000)
    expect(await Array.fromAsync(anna.node.audit({ action: 'BUNDLES_SERVED' }))).toMatchObject([
      { actor: BERT.signer.did, subject: NAMESPACE, outcome: 'ok', code: null, detail: { count: 1 } }
    ])
    for (const { identical } of await bert.node.rebuild()) expect(identical).toBe(true)
    expect((await bert.node.verifyLog()).ok).toBe(true)
  })

  test('take a batch of many pages page by page', async () => {
    const { hub, clock, open } = world()
    const anna = await open(ANNA)
    const bert = await open(BERT)
    await announced(
      anna,
      hub,
      'large',
      Array.from({ length: 90 }, (_, index) => `${index} ${'x'.repeat(40_000)}`)
    )
    await fetched(clock, bert)
    expect(await blobsOf(bert)).toEqual(await blobsOf(anna))
    expect((await anna.node.status()).receipts.served['page']).toBeGreaterThan(3)
  })

  test('get them from one that fetched them, when the owner is gone', async () => {
    const { hub, clock, open } = world()
    const anna = await open(ANNA)
    const bert = await open(BERT)
    await announced(anna, hub, 'batch-1', numbered(20))
    await fetched(clock, bert)
    const wires = await exported(bert)
    await anna.node.close()
    const cleo = await open(CLEO)
    await cleo.node.importEvents(wires)
    await fetched(clock, cleo)
    expect((await bert.node.status()).receipts.served).toEqual({ page: 1 })
    expect(await blobsOf(cleo)).toEqual(await blobsOf(bert))
  })

  test('wait for a server to connect, whatever became of them meanwhile', async () => {
    const { hub, clock, open } = world()
    const anna = await open(ANNA)
    const bert = await open(BERT)
    hub.cut(peerIdOf(BERT), peerIdOf(ANNA))
    await announced(anna, hub, 'batch-1', numbered(3))
    await quiet(bert)
    await clock.advance(10_000)
    expect((await bert.node.status()).receipts).toMatchObject({ missing: 3, oldestMs: 10_000 })
    const again = await reopen(bert, { hub })
    opened.push(again)
    expect(await missingOf(again)).toBe(3)
    hub.heal(peerIdOf(BERT), peerIdOf(ANNA))
    await fetched(clock, again)
  })

  test('keep asking after a failure, also after a restart, and not before it is time', async () => {
    const { hub, clock, open } = world()
    const anna = await open(ANNA, { request: [] })
    const bert = await open(BERT)
    await announced(anna, hub, 'batch-1', numbered(3))
    await quiet(bert)
    await clock.advance(1_000)
    await eventually('it is denied', async () => (await servedBy(anna))['denied'] === 1)
    await quiet(bert)
    const again = await reopen(bert, { hub })
    opened.push(again)
    await quiet(again)
    await clock.advance(3_000)
    await quiet(again)
    expect(await servedBy(anna)).toEqual({ denied: 1 })
    await clock.advance(5_000)
    await eventually('it is asked again', async () => (await servedBy(anna))['denied'] === 2)
    expect(await missingOf(again)).toBe(3)
  })

  test('want nothing that they sealed, nothing without the role, and nothing that only others announced', async () => {
    const { hub, clock, open } = world()
    const anna = await open(ANNA)
    const bert = await open(BERT, { request: [ANNA, CLEO] })
    await announced(anna, hub, 'batch-1', numbered(3))
    await quiet(anna, bert)
    await clock.advance(10_000)
    expect(await missingOf(anna)).toBe(0)
    expect((await bert.node.status()).receipts).toEqual({
      missing: 0,
      batches: 0,
      oldestMs: null,
      namespaces: [],
      served: {}
    })
    expect(await servedBy(anna)).toEqual({})
    await expect(bert.node.fetchBundles({ namespace: NAMESPACE })).rejects.toMatchObject({ code: 'PUBLISH_REFUSED' })
  })

  test('that do not serve are not asked, and deny', async () => {
    const { hub, clock, open } = world()
    const anna = await open(ANNA, { serve: [] })
    const bert = await open(BERT)
    await announced(anna, hub, 'batch-1', numbered(3))
    await quiet(bert)
    await clock.advance(1_000)
    await eventually('it denies', async () => (await servedBy(anna))['denied'] === 1)
    const cleo = await open(CLEO, { serve: [BERT] })
    await cleo.node.importEvents(await exported(anna))
    await quiet(cleo)
    await clock.advance(1_000)
    await quiet(cleo)
    expect((await servedBy(anna))['denied']).toBe(1)
  })
})

/** A disk with room for the log, but not for receipts of others. */
class NearlyFull extends WrappedStore {
  free = 100 * 1024 * 1024

  override freeBytes(): Promise<number> {
    return Promise.resolve(this.free)
  }
}

test('a disk that is nearly full takes no receipts of others, and goes on once there is room', async () => {
  const { hub, clock, open } = world()
  const anna = await open(ANNA)
  const store = new NearlyFull(await openMemoryStore())
  const bert = await openBundleNode(BERT, { hub, clock, ports: { store } })
  opened.push(bert)
  await announced(anna, hub, 'batch-1', numbered(3))
  await quiet(bert)
  await expect(bert.node.fetchBundles({ namespace: NAMESPACE })).rejects.toMatchObject({ code: 'STORE_FULL' })
  expect(await missingOf(bert)).toBe(3)
  expect(await blobsOf(bert)).toEqual(new Set())
  store.free = Infinity
  await fetched(clock, bert)
})

describe('bundle fetch', () => {
  test('fetches at once and tells what came', async () => {
    const { hub, open } = world()
    const anna = await open(ANNA)
    const bert = await open(BERT)
    await announced(anna, hub, 'batch-1', numbered(5))
    await announced(anna, hub, 'batch-2', numbered(7))
    await quiet(bert)
    const told: number[] = []
    expect(
      await bert.node.fetchBundles({ namespace: NAMESPACE, batchId: 'batch-2' }, ({ done }) => told.push(done))
    ).toEqual({ namespace: NAMESPACE, batches: 1, held: 7, missing: 0, asked: 1, failures: {} })
    expect(told).toEqual([7])
    expect(await bert.node.fetchBundles({ namespace: NAMESPACE })).toMatchObject({ batches: 1, held: 5, missing: 0 })
    expect(await bert.node.fetchBundles({ namespace: NAMESPACE })).toMatchObject({ batches: 0, held: 0, missing: 0 })
    await expect(bert.node.fetchBundles({ namespace: NAMESPACE, batchId: 'batch-3' })).rejects.toMatchObject({
      code: 'BATCH_UNKNOWN'
    })
    await expect(bert.node.fetchBundles({ namespace: 'dao:other' })).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  test('tells why nothing came', async () => {
    const { hub, open } = world()
    const anna = await open(ANNA, { request: [] })
    const bert = await open(BERT)
    await announced(anna, hub, 'batch-1', numbered(5))
    await quiet(bert)
    expect(await bert.node.fetchBundles({ namespace: NAMESPACE })).toMatchObject({
      batches: 1,
      held: 0,
      missing: 5,
      asked: 1,
      failures: { denied: 1 }
    })
  })
})

async function servedBy({ node }: MemoryNode): Promise<Readonly<Record<string, number>>> {
  return (await node.status()).receipts.served
}

async function exported({ node }: MemoryNode): Promise<AsyncIterable<Uint8Array>> {
  const wires: Uint8Array[] = []
  for await (const wire of node.exportEvents(NAMESPACE)) wires.push(wire)
  return (async function* give() {
    yield* wires
  })()
}

test('a node asks those that routing names, the first first, and nobody else while they are away', async () => {
  const { hub, clock, open } = world()
  const anna = await open(ANNA)
  const bert = await open(BERT)
  const policy = bundlePolicy(CLEO)
  const settings = policy.namespaces[NAMESPACE]
  if (settings === undefined) throw new Error('no namespace')
  const namespaces = { [NAMESPACE]: { ...settings, routing: [BERT.signer.did] } }
  const cleo = await openBundleNode(CLEO, { hub, clock, policy: { ...policy, namespaces } })
  opened.push(cleo)
  hub.cut(peerIdOf(BERT), peerIdOf(CLEO))
  await announced(anna, hub, 'batch-1', numbered(3))
  await fetched(clock, bert)
  await clock.advance(60_000)
  expect(await missingOf(cleo)).toBe(3)
  expect((await anna.node.status()).receipts.served).toEqual({ page: 1 })
  expect((await cleo.node.status()).warnings).toContain(
    `none of the peers that routing.ask names for ${NAMESPACE} is connected: nobody is asked`
  )
  hub.heal(peerIdOf(BERT), peerIdOf(CLEO))
  await fetched(clock, cleo)
  expect((await anna.node.status()).receipts.served).toEqual({ page: 1 })
  expect((await cleo.node.status()).warnings).toEqual([])
})

test('a node that is denied another organisation’s receipts says why, and asks the next', async () => {
  const { hub, clock, open } = world()
  const anna = await openBundleNode(ANNA, { hub, clock, policy: { ...bundlePolicy(ANNA), crossOrg: [] } })
  opened.push(anna)
  const bert = await open(BERT)
  await announced(anna, hub, 'batch-1', numbered(3))
  await quiet(bert)
  expect(await bert.node.fetchBundles({ namespace: NAMESPACE })).toMatchObject({
    held: 0,
    failures: { 'cross-org-denied': 1 }
  })
})
