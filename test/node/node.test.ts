import { expect, test } from 'vitest'
import { createMemoryHub } from '../../simulations/ports/memory-network.ts'
import { createVirtualClock } from '../../simulations/ports/virtual-clock.ts'
import { RECORD_PREFIX } from '../../src/log/keys.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import type { Network, NetworkStatus } from '../../src/network/network.ts'
import { AnchormeshError } from '../../src/platform/errors.ts'
import { announceBody, next } from '../support/events.ts'
import type { SignedEvent } from '../support/events.ts'
import { NAMESPACE, policyOf } from '../support/identities.ts'
import { settled } from '../support/settled.ts'
import { allRows, everyRow } from '../projections/support/ledger.ts'
import type { LogLine } from '../support/recording-logger.ts'
import { recordingLogger } from '../support/recording-logger.ts'
import { isFold, keysOf, watchedStore } from '../projections/support/stores.ts'
import { ADAM, ALICE, BERTA } from '../projections/support/world.ts'
import { openNode, quiet, reopen } from './nodes.ts'

const members = [ALICE, ADAM, BERTA]
const RECEIPTS = [{ invoice: 1 }, { invoice: 2 }, { invoice: 3 }]

async function chain(count: number, author = BERTA): Promise<SignedEvent[]> {
  const events: SignedEvent[] = []
  for (let index = 0; index < count; index += 1)
    events.push(await next(author, events.at(-1) ?? null, announceBody(`batch-${index}`)))
  return events
}

async function* wiresOf(events: readonly SignedEvent[]): AsyncGenerator<Uint8Array> {
  for (const { wire } of events) yield wire
}

/** A mesh of which a test sees the calls. */
function fakeNetwork(calls: Partial<Network>): Network {
  const status: NetworkStatus = {
    peerId: 'p',
    multiaddrs: [],
    peers: [],
    topics: {},
    gossip: { judged: 0, dropped: 0, late: 0, published: 0 },
    refusedConnections: 0
  }
  return {
    start: () => Promise.resolve(),
    publish: () => Promise.resolve(0),
    status: () => status,
    prepare: () => () => Promise.resolve(),
    connected: () => [],
    open: () => Promise.resolve({ ok: false, reason: 'offline', detail: '' }),
    penalise: () => undefined,
    stop: () => Promise.resolve(),
    ...calls
  }
}

test("a node's own events are durable before they leave it", async () => {
  const order: string[] = []
  const store = watchedStore(await openMemoryStore(), {
    afterWrite: ({ operations, sync }) =>
      void (operations.some(({ key }) => key.startsWith(RECORD_PREFIX)) && order.push(sync ? 'synced' : 'written'))
  })
  const network = fakeNetwork({
    publish: (namespace, wire) => Promise.resolve(order.push(`published in ${namespace}, ${wire.length > 0}`))
  })
  const { node } = await openNode(ALICE, members, { network, ports: { store } })
  await node.start()
  await node.seal({ namespace: NAMESPACE, batchId: 'batch-1', receipts: RECEIPTS })
  order.length = 0
  await node.announce({ namespace: NAMESPACE, batchId: 'batch-1', timestampAnchors: [] })
  await node.publishPack()
  // The keys of the pack are logged after it, perhaps before it is published.
  const steps = order.filter((step, index) => step !== order[index - 1])
  expect(steps.slice(0, 4)).toEqual([
    'synced',
    `published in ${NAMESPACE}, true`,
    'synced',
    'published in _trust, true'
  ])
})

test('an event that is durable counts as published, also where the mesh could not take it', async () => {
  const lines: LogLine[] = []
  const logger = recordingLogger(lines)
  const network = fakeNetwork({ publish: () => Promise.reject(new Error('no peers')) })
  const { node } = await openNode(ALICE, members, { network, logger })
  await node.start()
  const published = await node.publishPack()
  expect(published).toMatchObject({ packSeq: 1, recipients: 0 })
  expect(lines.filter(({ level }) => level === 'warn').map(({ fields }) => fields['reason'])).toContain('no peers')
})

test('status says what there is, before the start, after it and when something is wrong', async () => {
  const hub = createMemoryHub()
  const opened = await openNode(ALICE, members, {
    network: hub.join({ did: ALICE.signer.did, peerId: 'alice', namespaces: ['_trust', NAMESPACE] })
  })
  const { node, ports } = opened
  expect((await node.status()).network).toBeNull()
  await node.start()
  for (const { wire } of await chain(2)) await node.submit(wire)
  await node.submit(Buffer.from('garbage'))
  await quiet(opened)
  await ports.clock.advance(1_500)
  const status = await node.status()
  expect(status).toEqual({
    did: ALICE.signer.did,
    orgId: 'org-a',
    audit: {
      records: 1,
      oldest: ports.clock.now() - 1_500,
      newest: ports.clock.now() - 1_500,
      queue: 0,
      lost: 0,
      fault: null,
      damage: null,
      syslog: null
    },
    kid: ALICE.signer.kid,
    version: 'test',
    startedAt: ports.clock.now() - 1_500,
    uptimeMs: 1_500,
    health: { ok: true, reasons: [] },
    warnings: [],
    log: {
      logSeq: 3,
      epoch: expect.stringMatching(/^[0-9a-f]{16}$/) as string,
      headHash: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      storeBytes: 0,
      bytesPerEvent: 0
    },
    namespaces: [
      { namespace: '_trust', members: 3, events: 0 },
      { namespace: NAMESPACE, members: 3, events: 2 }
    ],
    projections: [
      'batches',
      'receipts',
      'timestamp-anchors',
      'trust-anchors',
      'winners',
      'attestations',
      'sequences',
      'equivocations',
      'effects',
      'anchorings',
      'checkpoints',
      'deliveries',
      'findings',
      'feedback'
    ].map((name) => ({
      name,
      version: expect.any(Number) as number,
      logSeq: 3,
      state: 'live'
    })),
    ingest: {
      outcomes: { accepted: 2, 'rejected(MALFORMED)': 1 },
      signaturesVerified: 2,
      pending: { events: 0, bytes: 0, dropped: 0 }
    },
    verification: {
      undecided: 0,
      waiting: 0,
      running: 0,
      rechecks: 0,
      unconfirmed: 0,
      unconfirmedSince: null,
      isBehind: false,
      providers: []
    },
    anchoring: { underWay: 0, failed: 0, jobs: [], sealing: [] },
    receipts: {
      missing: 6,
      batches: 2,
      oldestMs: 1_500,
      namespaces: [{ namespace: NAMESPACE, missing: 6, batches: 2, oldestMs: 1_500 }],
      served: {}
    },
    findings: {},
    sync: [],
    network: expect.objectContaining({ peerId: 'alice', peers: [] }) as NetworkStatus
  })
  await node.close()
})

test('a policy is logged when it comes into force, and only then', async () => {
  const first = await openNode(ALICE, members)
  const again = await reopen(first)
  expect((await again.node.status()).log.logSeq).toBe(1)
  const other = await reopen(again, { policy: policyOf(ALICE, [ALICE]) })
  expect((await other.node.status()).log.logSeq).toBe(2)
  const types = []
  for await (const { event } of other.node.events({ scope: 'local' })) types.push(event['type'])
  expect(types).toEqual(['policy', 'policy'])
})

test('a node that starts again under another policy shows what a node shows that had it all along, and rebuilds to the same bytes', async () => {
  const events = await chain(5)
  const first = await openNode(ALICE, members, { policy: policyOf(ALICE, members, { announcers: [ALICE] }) })
  await first.node.importEvents(wiresOf(events))
  const policy = policyOf(ALICE, members)
  const second = await reopen(first, { policy })
  await quiet(second)
  const fresh = await openNode(ALICE, members, { policy })
  await fresh.node.importEvents(wiresOf(events))
  await quiet(fresh)
  expect({ ...(await second.node.digest(NAMESPACE)), logSeq: 0 }).toEqual({
    ...(await fresh.node.digest(NAMESPACE)),
    logSeq: 0
  })
  expect((await second.node.rebuild()).filter(({ identical }) => !identical)).toEqual([])
})

test('two packs that are published at the same time follow one another, whatever the clock says', async () => {
  const clock = createVirtualClock({ settle: settled })
  let ticks = 0
  const opened = await openNode(ALICE, members, {
    ports: { clock: { ...clock, timersSet: 0, now: () => clock.now() + (ticks += 1) } }
  })
  const { node } = opened
  const packs = await Promise.all([node.publishPack(), node.publishPack(), node.publishPack()])
  expect(packs.map(({ packSeq }) => packSeq)).toEqual([1, 2, 3])
  await quiet(opened)
  const [head] = (await node.query('sequences', { namespace: '_trust' })).rows
  expect(head).toMatchObject({ orgId: 'org-a', packSeq: 3, frozen: false })
})

test('batches, packs and announces that are asked for at the same time all come out whole', async () => {
  const { node } = await openNode(ALICE, members)
  const ids = Array.from({ length: 12 }, (_, index) => `batch-${index}`)
  await Promise.all(ids.map((batchId) => node.seal({ namespace: NAMESPACE, batchId, receipts: RECEIPTS })))
  await expect(node.seal({ namespace: NAMESPACE, batchId: 'batch-1', receipts: RECEIPTS })).rejects.toMatchObject({
    code: 'BATCH_EXISTS'
  })
  await Promise.all([
    ...ids.map((batchId) => node.announce({ namespace: NAMESPACE, batchId, timestampAnchors: [] })),
    node.publishPack()
  ])
  expect((await node.digest(NAMESPACE)).count).toBe(12)
  expect(await allRows(node, 'equivocations')).toEqual([])
  expect((await allRows(node, 'sequences')).map(({ forked }) => forked)).not.toContain(true)
})

test('closing ends who follows and who waits, lets go of the stores, and can be done twice', async () => {
  const closed: string[] = []
  const watch = async (name: string) => {
    const store = await openMemoryStore()
    return { ...watchedStore(store, {}), close: () => store.close().then(() => void closed.push(name)) }
  }
  const store = await watch('store')
  const opened = await openNode(ALICE, members, {
    hub: createMemoryHub(),
    ports: { store, blobs: await watch('blobs') }
  })
  const { node, ports } = opened
  await node.submit((await chain(1))[0]?.wire ?? new Uint8Array())
  const changes = node.changes('batches')[Symbol.asyncIterator]()
  await changes.next()
  const waiting = changes.next()
  const asked = node.query('batches', { waitFor: 99 }).catch((error: unknown) => error)
  await settled()
  await Promise.all([node.close(), node.close()])
  await node.close()
  expect(await waiting).toEqual({ done: true, value: undefined })
  expect(await asked).toMatchObject({ code: 'NOT_YET' })
  expect(closed).toEqual(['store', 'blobs'])
  expect(ports.clock.timersSet).toBe(0)
})

test('events that were taken in when the node closes are in the log, or their sender was told otherwise', async () => {
  const opened = await openNode(ALICE, members)
  const events = await chain(50)
  const outcomes = events.map(({ wire }) =>
    opened.node.submit(wire).then(
      ({ outcome }) => outcome,
      () => 'failed'
    )
  )
  await settled()
  await opened.node.close()
  const accepted = (await Promise.all(outcomes)).filter((outcome) => outcome === 'accepted').length
  const again = await reopen(opened)
  expect((await again.node.status()).log.logSeq - 1).toBeGreaterThanOrEqual(accepted)
  expect((await again.node.verifyLog()).ok).toBe(true)
})

test('a mesh that can not be left does not keep the stores from being closed', async () => {
  const store = await openMemoryStore()
  let closed = false
  const { node } = await openNode(ALICE, members, {
    network: fakeNetwork({ stop: () => Promise.reject(new Error('stuck')) }),
    ports: { store: { ...watchedStore(store, {}), close: () => store.close().then(() => void (closed = true)) } }
  })
  await node.start()
  await expect(node.close()).rejects.toThrow('stuck')
  expect(closed).toBe(true)
})

test('a start reads a bounded number of records, however long the log is', async () => {
  const opened = await openNode(ALICE, members)
  const { node, ports } = opened
  await node.importEvents(wiresOf(await chain(1_000)))
  await node.importEvents(wiresOf(await chain(1_000, ADAM)))
  await node.seal({ namespace: NAMESPACE, batchId: 'own', receipts: RECEIPTS })
  await node.publishPack()
  await quiet(opened)
  await node.close()
  await ports.store.reopen()
  await ports.blobs.reopen()
  const read = { records: 0, all: 0 }
  const store = watchedStore(ports.store, {
    onRead(key) {
      read.all += 1
      if (key.startsWith(RECORD_PREFIX)) read.records += 1
    }
  })
  const again = await openNode(ALICE, members, { ports: { ...ports, store } })
  await quiet(again)
  expect(read.records).toBeLessThan(30)
  expect(read.all).toBeLessThan(120)
  expect(await allRows(again.node, 'winners')).toHaveLength(2_000)
})

test('a node whose fold of the packs halts still opens, says so, and can be rebuilt', async () => {
  const first = await openNode(ALICE, members)
  await first.node.publishPack()
  await first.node.seal({ namespace: NAMESPACE, batchId: 'batch-1', receipts: RECEIPTS })
  await quiet(first)
  const expected = await everyRow(first.node)
  const states = await keysOf(first.ports.store, 'w!trust-anchors')
  await first.node.close()
  await first.ports.store.reopen()
  await first.ports.blobs.reopen()
  await first.ports.store.write(
    states.map((key) => ({ type: 'del', key })),
    { sync: true }
  )
  let broken = true
  const store = watchedStore(first.ports.store, {
    onRead(key) {
      if (broken && key.startsWith('v!trust-anchors') && key.includes('!x!pack!')) throw new Error('a defect')
    }
  })
  const { node } = await openNode(ALICE, members, { ports: { ...first.ports, store } })
  const { health } = await node.status()
  expect(health.ok).toBe(false)
  expect(health.reasons.join()).toContain('trust-anchors')
  await expect(node.query('trust-anchors', {})).rejects.toMatchObject({ code: 'PROJECTION_HALTED' })
  // Which keys count is not known, nor so which batches are announced.
  await expect(node.announce({ namespace: NAMESPACE, batchId: 'batch-1', timestampAnchors: [] })).rejects.toMatchObject(
    { code: 'PROJECTION_HALTED' }
  )
  await expect(node.publishPack()).rejects.toMatchObject({ code: 'PROJECTION_HALTED' })

  broken = false
  await node.rebuild()
  expect((await node.status()).health.ok).toBe(true)
  expect(await allRows(node, 'trust-anchors')).toEqual(expected['trust-anchors'])
  expect(await node.publishPack()).toMatchObject({ packSeq: 2 })
  await node.announce({ namespace: NAMESPACE, batchId: 'batch-1', timestampAnchors: [] })
})

test('while folds can not be written, status says why', async () => {
  let full = false
  const store = watchedStore(await openMemoryStore(), {
    beforeWrite(write) {
      if (full && isFold(write)) throw Object.assign(new Error('no room'), { code: 'LEVEL_IO_ERROR' })
    }
  })
  const { node, ports } = await openNode(ALICE, members, { ports: { store } })
  full = true
  await node.submit((await chain(1))[0]?.wire ?? new Uint8Array())
  await settled()
  const { health, projections } = await node.status()
  expect(projections[0]).toMatchObject({ state: 'catching-up', reason: 'no room' })
  expect(health.ok).toBe(false)
  full = false
  for (let seconds = 0; seconds < 5; seconds += 1) await ports.clock.advance(1_000)
  await settled()
  expect((await node.status()).health).toEqual({ ok: true, reasons: [] })
})

test('what a command that has no mesh can do is all there', async () => {
  const { node } = await openNode(ALICE, members)
  await node.start()
  expect(await node.publishPack()).toMatchObject({ recipients: 0 })
  expect((await node.status()).network).toBeNull()
  expect(await node.event('00'.repeat(32))).toBeNull()
  await expect(node.seal({ namespace: '_trust', batchId: 'x', receipts: RECEIPTS })).rejects.toBeInstanceOf(
    AnchormeshError
  )
  await expect(node.digest('dao:unknown')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  const exported = []
  for await (const wire of node.exportEvents('_trust')) exported.push(wire)
  expect(exported).toHaveLength(1)
  const proofs = node.proofs(NAMESPACE, 'x')[Symbol.asyncIterator]()
  await expect(proofs.next()).rejects.toMatchObject({ code: 'BATCH_UNKNOWN' })
})
