import fc from 'fast-check'
import { expect, test } from 'vitest'
import { localEvent } from '../../src/events/local.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import { PROJECTIONS } from '../../src/projections/all.ts'
import type { Digest } from '../../src/projections/digest.ts'
import type { Projection } from '../../src/projections/projection.ts'
import { announceBody, next } from '../support/events.ts'
import type { SignedEvent } from '../support/events.ts'
import { NAMESPACE, policyOf } from '../support/identities.ts'
import { settled } from '../support/settled.ts'
import { openLedger } from './support/ledger.ts'
import { isFold, watchedStore, writeGate } from './support/stores.ts'
import { ALICE, BERTA, CARL, EVERYBODY, OTHER_NAMESPACE, eventsOf, someActs } from './support/world.ts'

const policy = policyOf(ALICE, EVERYBODY, { namespaces: [NAMESPACE, OTHER_NAMESPACE] })

async function digestOf(events: readonly SignedEvent[], namespace: string = NAMESPACE, by = policy): Promise<Digest> {
  const ledger = await openLedger({ policy: by })
  if (events.length > 0) await ledger.append(...events)
  await ledger.caughtUp()
  const digest = await ledger.digest(namespace)
  await ledger.close()
  return digest
}

const HASH = expect.stringMatching(/^[0-9a-f]{64}$/) as string

test('a digest has the form that the contract names', async () => {
  const event = await next(ALICE, null, announceBody('batch-1'))
  expect(await digestOf([event])).toEqual({
    namespace: NAMESPACE,
    logSeq: 2,
    count: 1,
    membershipDigest: HASH,
    events: HASH,
    state: HASH,
    projections: {
      batches: HASH,
      'timestamp-anchors': HASH,
      'trust-anchors': HASH,
      sequences: HASH,
      equivocations: HASH,
      attestations: HASH
    },
    winners: { digest: HASH, policyDigest: HASH, verdictSetDigest: HASH }
  })
})

test('one event more or less in a namespace changes its digest and that of no other', async () => {
  await fc.assert(
    fc.asyncProperty(someActs(12), fc.nat(100), async (acts, pick) => {
      const events = await eventsOf(acts)
      fc.pre(events.length > 0)
      const followed = new Set(events.map(({ envelope }) => envelope.prev))
      const tips = events.filter(({ id }) => !followed.has(id))
      const left = tips[pick % tips.length] as SignedEvent
      const fewer = events.filter(({ id }) => id !== left.id)
      for (const namespace of [NAMESPACE, OTHER_NAMESPACE, '_trust']) {
        const all = await digestOf(events, namespace)
        const most = await digestOf(fewer, namespace)
        const touched = namespace === left.envelope.namespace
        expect([
          all.events === most.events,
          all.projections['sequences'] === most.projections['sequences'],
          all.count - most.count
        ]).toEqual([!touched, !touched, touched ? 1 : 0])
        // Trust anchors of its members' organisations are in the state of every namespace.
        if (touched) expect(all.state).not.toBe(most.state)
        else if (left.envelope.namespace !== '_trust') expect(all).toEqual({ ...most, logSeq: all.logSeq })
      }
    }),
    { numRuns: 12 }
  )
})

test('the same evidence id with other content, another root, another owner: each shows', async () => {
  const anchor = { chainId: 'eip155:1', txHash: 'ab'.repeat(32), blockNumber: 1, carriedIn: 'log' as const }
  const body = { ...announceBody('batch-1'), timestampAnchors: [anchor] }
  const variants = [
    body,
    { ...body, timestampAnchors: [{ ...anchor, blockNumber: 2 }] },
    { ...body, timestampAnchors: [] },
    { ...body, batchRoot: 'cd'.repeat(32) },
    { ...body, owner: 'org-b' },
    { ...body, receiptCount: 4 }
  ]
  const states = []
  for (const variant of variants) states.push((await digestOf([await next(ALICE, null, variant)])).projections)
  expect(new Set(states.map((projections) => projections['batches'])).size).toBe(variants.length)
  expect(new Set(states.map((projections) => projections['timestamp-anchors'])).size).toBe(variants.length)
})

test("what is this node's own affair is in no digest", async () => {
  const event = await next(ALICE, null, announceBody('batch-1'))
  const { batchRoot } = announceBody('batch-1') as { batchRoot: string }
  const plain = await digestOf([event])
  const ledger = await openLedger({ policy: policyOf(BERTA, EVERYBODY, { namespaces: [NAMESPACE, OTHER_NAMESPACE] }) })
  const sealed = {
    namespace: NAMESPACE,
    owner: 'org-a',
    batchId: 'batch-1',
    batchRoot,
    receiptCount: 1,
    firstIndex: 0,
    leaves: ['ef'.repeat(32)]
  }
  await ledger.appendLocal(
    localEvent('batch-sealed', 1, sealed),
    localEvent('batch-sealed', 1, { ...sealed, batchId: 'batch-9', batchRoot: '12'.repeat(32) })
  )
  await ledger.append(event)
  await ledger.caughtUp()
  expect(await ledger.digest(NAMESPACE)).toEqual({ ...plain, logSeq: 4 })
})

test('membership and policy have digests of their own; another role alone leaves the state as it is', async () => {
  const events = [await next(ALICE, null, announceBody('batch-1')), await next(BERTA, null, announceBody('batch-2'))]
  const namespaces = [NAMESPACE, OTHER_NAMESPACE]
  const before = await digestOf(events)
  const roles = await digestOf(events, NAMESPACE, policyOf(ALICE, EVERYBODY, { namespaces, announcers: [ALICE] }))
  expect(roles.winners.policyDigest).not.toBe(before.winners.policyDigest)
  expect(roles.winners.digest).not.toBe(before.winners.digest)
  expect({ ...roles, winners: before.winners }).toEqual(before)
  const members = await digestOf(events, NAMESPACE, policyOf(ALICE, [ALICE, BERTA, CARL], { namespaces }))
  expect(members.membershipDigest).not.toBe(before.membershipDigest)
  expect(members.events).toBe(before.events)
})

test('a namespace that is not carried has none; a halted projection and a position that does not come are told', async () => {
  const ledger = await openLedger({ policy })
  await expect(ledger.digest('dao:unknown')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  expect((await ledger.digest('_trust')).count).toBe(0)

  const gate = writeGate()
  const slow = await openLedger({ store: watchedStore(await openMemoryStore(), gate.hooks), policy })
  await slow.caughtUp()
  gate.hold(isFold, 'before')
  await slow.append(await next(ALICE, null, announceBody('batch-1')))
  const outcome = slow.digest(NAMESPACE).catch((error: unknown) => error)
  await slow.clock.advance(5_000)
  expect(await outcome).toMatchObject({ code: 'NOT_YET' })
  gate.release()
  await slow.caughtUp()
  expect((await slow.digest(NAMESPACE)).count).toBe(1)
})

const NOT_COMPARED = new Set(['receipts', 'effects', 'anchorings', 'checkpoints', 'deliveries', 'findings', 'feedback'])

test('a digest needs the projections that it is made of, no other; of those it names the one that halted', async () => {
  const broken = (name: string): Projection[] =>
    PROJECTIONS.map((projection) =>
      projection.name !== name ? projection : { ...projection, fold: () => Promise.reject(new Error('a defect')) }
    )
  const event = await next(ALICE, null, announceBody('batch-1'))
  for (const { name } of PROJECTIONS) {
    const ledger = await openLedger({ policy, projections: broken(name) })
    await ledger.append(event)
    const asked = ledger.digest(NAMESPACE)
    if (NOT_COMPARED.has(name)) expect((await asked).count, name).toBe(1)
    else
      await expect(asked, name).rejects.toMatchObject({
        code: 'PROJECTION_HALTED',
        message: expect.stringContaining(name) as string
      })
    await ledger.close()
  }
})

test('asked again and again, a digest is worked out once for each state of its namespace, and never twice at a time', async () => {
  const reads = { now: 0 }
  const store = watchedStore(await openMemoryStore(), { onRead: () => void (reads.now += 1) })
  const ledger = await openLedger({ store, policy })
  await ledger.append(await next(ALICE, null, announceBody('batch-1')))
  await ledger.caughtUp()
  const costOf = async <T>(work: () => Promise<T>): Promise<{ readonly cost: number; readonly result: T }> => {
    reads.now = 0
    const result = await work()
    return { cost: reads.now, result }
  }
  const first = await costOf(() => ledger.digest(NAMESPACE))
  expect(first.cost).toBeGreaterThan(0)
  expect(await costOf(() => ledger.digest(NAMESPACE))).toEqual({ cost: 0, result: first.result })
  const other = await costOf(() => ledger.digest(OTHER_NAMESPACE))
  expect([other.cost > 0, other.result.count]).toEqual([true, 0])
  expect((await costOf(() => ledger.digest(NAMESPACE))).cost).toBe(0)

  await ledger.append(await next(BERTA, null, announceBody('batch-2')))
  await ledger.caughtUp()
  const many = await costOf(() => Promise.all(Array.from({ length: 20 }, () => ledger.digest(NAMESPACE))))
  expect(many.cost).toBeLessThan(2 * first.cost)
  expect(new Set(many.result.map(({ count }) => count))).toEqual(new Set([2]))

  await ledger.appendPolicy(
    policyOf(ALICE, EVERYBODY, { namespaces: [NAMESPACE, OTHER_NAMESPACE], announcers: [ALICE] })
  )
  await ledger.caughtUp()
  const byAnother = await ledger.digest(NAMESPACE)
  expect(byAnother.winners.policyDigest).not.toBe(first.result.winners.policyDigest)
  const before = { ...byAnother }
  await ledger.engine.rebuild()
  expect(await ledger.digest(NAMESPACE)).toEqual(before)
})

test('who asks while another answer is worked out gets none from before the question', async () => {
  const held = Promise.withResolvers<void>()
  const hold = { reads: false }
  const store = watchedStore(await openMemoryStore(), {
    onRead: (key) => (hold.reads && key.startsWith('v!') ? held.promise : undefined)
  })
  const ledger = await openLedger({ store, policy })
  await ledger.append(await next(ALICE, null, announceBody('batch-1')))
  await ledger.caughtUp()
  const second = await next(BERTA, null, announceBody('batch-2'))
  hold.reads = true
  const early = ledger.digest(NAMESPACE)
  await settled()
  hold.reads = false
  await ledger.append(second)
  await ledger.caughtUp()
  const late = ledger.digest(NAMESPACE)
  held.resolve()
  expect([(await early).count, (await late).count]).toEqual([1, 2])
})

test('a digest that is asked for while events come in is that of one position', async () => {
  await fc.assert(
    fc.asyncProperty(
      someActs(14),
      fc.array(fc.constantFrom('append', 'fold', 'digest'), { maxLength: 40, size: 'max' }),
      fc.constantFrom('before', 'after'),
      async (acts, steps, when) => {
        const events = await eventsOf(acts)
        const gate = writeGate()
        const ledger = await openLedger({ store: watchedStore(await openMemoryStore(), gate.hooks), policy })
        await ledger.caughtUp()
        gate.hold(isFold, when)
        const taken: Promise<Digest>[] = []
        const waiting = [...events]
        for (const step of [...steps, 'digest']) {
          if (step === 'digest') taken.push(ledger.digest(NAMESPACE))
          else if (step === 'fold') gate.release('keep')
          else await ledger.append(...waiting.splice(0, 1))
          await ledger.clock.advance(0)
        }
        gate.release()
        await ledger.caughtUp()
        for (const digest of await Promise.all(taken)) {
          expect(digest).toEqual({ ...(await digestOf(events.slice(0, digest.logSeq - 1))), logSeq: digest.logSeq })
        }
      }
    ),
    { numRuns: 25 }
  )
})
