import { afterEach, describe, expect, test } from 'vitest'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { packHash } from '../../protocols/event/v1/anchor-pack.ts'
import { RECORD_PREFIX } from '../../src/log/keys.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import type { Store } from '../../src/log/store.ts'
import type { EffectivePolicy } from '../../src/policy/policy.ts'
import { PROJECTIONS } from '../../src/projections/all.ts'
import type { Projection } from '../../src/projections/projection.ts'
import type { SignedEvent } from '../support/events.ts'
import { announceBody } from '../support/events.ts'
import { NAMESPACE, policyOf } from '../support/identities.ts'
import type { Ledger } from './support/ledger.ts'
import { allRows, everyRow, openLedger } from './support/ledger.ts'
import { NEW, OLD, Packs, chainOf, goodOf, retired, revoked } from './support/rotation.ts'
import { watchedStore } from './support/stores.ts'
import { ALICE, BERTA } from './support/world.ts'

const POLICY = policyOf(ALICE, [ALICE, BERTA])
const OTHER = 'dao:other'

const opened: Ledger[] = []

afterEach(async () => {
  for (const ledger of opened.splice(0)) await ledger.close()
})

async function open(options: { store?: Store; policy?: EffectivePolicy; projections?: readonly Projection[] } = {}) {
  const ledger = await openLedger({ policy: POLICY, ...options })
  opened.push(ledger)
  return ledger
}

const announces = (count: number, name = 'batch'): JsonObject[] =>
  Array.from({ length: count }, (_, index) => announceBody(`${name}-${index + 1}`))

async function caughtUp(ledger: Ledger): Promise<void> {
  await ledger.caughtUp()
  expect((await ledger.engine.rebuild()).filter(({ identical }) => !identical)).toEqual([])
}

/** The batches whose claims count, and the events that are listed as cut off. */
async function shown(ledger: Ledger, at?: number) {
  const query = at === undefined ? {} : { at }
  const counting = (await allRows(ledger, 'batches', query)).filter(({ effect }) => effect === null)
  const effects = await allRows(ledger, 'effects', query)
  return {
    counting: counting.map(({ batchId }) => batchId),
    cutOff: effects.filter(({ effect }) => effect === 'KEY_CUT_OFF').map(({ eventId }) => eventId as string)
  }
}

const ids = (...events: readonly (SignedEvent | undefined)[]): string[] => events.map((event) => event?.id ?? '').sort()

describe('the events of a key', () => {
  test.each([
    ['retired', retired],
    ['revoked', revoked]
  ] as const)('that is %s count up to the last good one, by descent, whatever their times say', async (_, ended) => {
    const packs = new Packs()
    const first = await packs.next()
    const [one, two, three] = await chainOf(OLD, announces(3))
    if (one === undefined || two === undefined || three === undefined) throw new Error('three were made')
    const ledger = await open()
    await ledger.append(first, one, two, three)
    await ledger.caughtUp()
    expect(await shown(ledger)).toEqual({ counting: ['batch-1', 'batch-2', 'batch-3'], cutOff: [] })
    await ledger.append(await packs.next(ended(two)))
    await caughtUp(ledger)
    expect(await shown(ledger)).toEqual({ counting: ['batch-1', 'batch-2'], cutOff: ids(three) })
    const row = (await allRows(ledger, 'batches')).find(({ batchId }) => batchId === 'batch-3')
    expect(row).toMatchObject({ effect: 'KEY_CUT_OFF', announcements: [{ eventId: three.id, effect: 'KEY_CUT_OFF' }] })
    // As it was before the pack.
    expect(await shown(ledger, ledger.log.head.logSeq - 1)).toMatchObject({ cutOff: [] })
  })

  test('that is retired without last good events have no effect, in any namespace', async () => {
    const policy = policyOf(ALICE, [ALICE, BERTA], { namespaces: [NAMESPACE, OTHER] })
    const packs = new Packs()
    const here = await chainOf(OLD, announces(2))
    const there = await chainOf(OLD, announces(2, 'other'), { namespace: OTHER })
    const ledger = await open({ policy })
    await ledger.append(await packs.next(), ...here, ...there, await packs.next(retired()))
    await caughtUp(ledger)
    expect(await shown(ledger)).toEqual({ counting: [], cutOff: [...ids(...there), ...ids(...here)] })
  })

  test('that is for packs alone have none; those of another key of the same DID count', async () => {
    const packs = new Packs()
    const old = await chainOf(OLD, announces(1, 'old'))
    const fresh = await chainOf(NEW, announces(1, 'new'))
    const ledger = await open()
    await ledger.append(await packs.next(), ...old, ...fresh)
    await ledger.append(await packs.next({ uses: ['pack'] }))
    await caughtUp(ledger)
    expect(await shown(ledger)).toEqual({ counting: ['new-1'], cutOff: ids(...old) })
  })

  test('on the side of a fork of the chain that the last good event is not on have none', async () => {
    const packs = new Packs()
    const [one, two, three] = await chainOf(OLD, announces(3))
    if (one === undefined || two === undefined || three === undefined) throw new Error('three were made')
    const stolen = await chainOf(OLD, announces(3, 'stolen'))
    const ledger = await open()
    await ledger.append(await packs.next(), ...stolen, one, two, three, await packs.next(revoked(two)))
    await caughtUp(ledger)
    expect(await shown(ledger)).toEqual({ counting: ['batch-1', 'batch-2'], cutOff: ids(three, ...stolen) })
  })

  test('count as far as the list goes after it lost an element', async () => {
    const policy = policyOf(ALICE, [ALICE, BERTA], { namespaces: [NAMESPACE, OTHER] })
    const packs = new Packs()
    const [one, two] = await chainOf(OLD, announces(2))
    const [there] = await chainOf(OLD, announces(1, 'other'), { namespace: OTHER })
    if (one === undefined || two === undefined || there === undefined) throw new Error('three were made')
    const ledger = await open({ policy })
    await ledger.append(await packs.next(), one, two, there, await packs.next(revoked(two, there)))
    await ledger.caughtUp()
    expect(await shown(ledger)).toMatchObject({ cutOff: [] })
    await ledger.append(await packs.next(revoked(there)))
    await caughtUp(ledger)
    expect(await shown(ledger)).toEqual({ counting: ['other-1'], cutOff: ids(one, two) })
  })

  test('are named by the whole of a last good event: with another position it names none', async () => {
    const packs = new Packs()
    const [one, two] = await chainOf(OLD, announces(2))
    if (one === undefined || two === undefined) throw new Error('two were made')
    const ledger = await open()
    await ledger.append(await packs.next(), one, two)
    await ledger.append(await packs.next({ ...retired(), lastGood: [{ ...goodOf(two), authorSeq: 1 }] }))
    await caughtUp(ledger)
    expect(await shown(ledger)).toMatchObject({ counting: [] })
  })

  test('count again when packs fork below the one that retired it, and go the way that a pin decides', async () => {
    const packs = new Packs()
    const first = await packs.next()
    const other = packs.fork()
    const events = await chainOf(OLD, announces(2))
    const ledger = await open()
    await ledger.append(first, ...events, await packs.next(retired()))
    await ledger.caughtUp()
    expect((await shown(ledger)).cutOff).toEqual(ids(...events))
    await ledger.append(await other.next({ notAfter: 1 }))
    await caughtUp(ledger)
    expect(await shown(ledger)).toMatchObject({ counting: ['batch-1', 'batch-2'], cutOff: [] })
    const pinning = ({ last }: Packs): EffectivePolicy => {
      const pins = [{ packSeq: 2, hash: packHash(last) }]
      return policyOf(ALICE, [ALICE, BERTA], { organisations: [{ orgId: BERTA.orgId, threshold: 1, pins }] })
    }
    await ledger.appendPolicy(pinning(packs))
    await caughtUp(ledger)
    expect((await shown(ledger)).cutOff).toEqual(ids(...events))
    await ledger.appendPolicy(pinning(other))
    await caughtUp(ledger)
    expect((await shown(ledger)).cutOff).toEqual([])
  })
})

describe('a last good event that comes after its pack', () => {
  test('makes its ancestors good when it comes, and not before', async () => {
    const packs = new Packs()
    const [one, two, three, four] = await chainOf(OLD, announces(4))
    if (one === undefined || two === undefined || three === undefined || four === undefined)
      throw new Error('four were made')
    const ledger = await open()
    await ledger.append(await packs.next(), await packs.next(retired(three)))
    await ledger.append(one, two)
    await ledger.caughtUp()
    expect(await shown(ledger)).toEqual({ counting: [], cutOff: ids(one, two) })
    await ledger.append(three, four)
    await ledger.caughtUp()
    const { logSeq } = ledger.log.head
    expect(await shown(ledger)).toEqual({ counting: ['batch-1', 'batch-2', 'batch-3'], cutOff: ids(four) })
    expect(await shown(ledger, logSeq - 1)).toMatchObject({ counting: ['batch-1', 'batch-2', 'batch-3'], cutOff: [] })
    expect(await shown(ledger, logSeq - 2)).toEqual({ counting: [], cutOff: ids(one, two) })
    await caughtUp(ledger)
  })

  test('has the log folded anew a few times only, however many such chains come in at once', async () => {
    const namespaces = Array.from({ length: 30 }, (_, index) => `dao:n${index}`)
    const policy = policyOf(ALICE, [ALICE, BERTA], { namespaces })
    const chains = await Promise.all(
      namespaces.map((namespace) => chainOf(OLD, announces(40, namespace.slice(4)), { namespace }))
    )
    const packs = new Packs()
    const first = await packs.next()
    const last = chains.flatMap((chain) => chain.slice(-1))
    const ledger = await open({ policy })
    await ledger.append(first, await packs.next(retired(...last)))
    await ledger.caughtUp()
    const before = ledger.engine.instance('batches').state.generation
    await ledger.append(...chains.flat())
    await ledger.caughtUp()
    expect(ledger.engine.instance('batches').state.generation - before).toBeLessThan(6)
    expect((await shown(ledger)).cutOff).toEqual([])
    await caughtUp(ledger)
  })
})

test('a key that is retired with its newest events, a pack without news and events after it fold nothing anew', async () => {
  let reads = 0
  const store = watchedStore(await openMemoryStore(), {
    onRead: (key) => void (key.startsWith(RECORD_PREFIX) && (reads += 1))
  })
  const packs = new Packs()
  const events = await chainOf(OLD, announces(200))
  const last = events.at(-1)
  if (last === undefined) throw new Error('some were made')
  const ledger = await open({ store })
  await ledger.append(await packs.next(), ...events)
  await ledger.caughtUp()
  const generation = ledger.engine.instance('batches').state.generation
  reads = 0
  const end = retired(last)
  await ledger.append(await packs.next(end))
  await ledger.append(await packs.next(end, { validUntil: 1_900_000_000_000 }))
  await ledger.append(...(await chainOf(NEW, announces(50, 'new'))))
  await ledger.caughtUp()
  expect(reads).toBeLessThan(10)
  expect(ledger.engine.instance('batches').state.generation).toBe(generation)
  expect((await shown(ledger)).cutOff).toEqual([])
})

describe('trust-anchors', () => {
  const withAnchors = (change: (anchors: Projection) => Projection): Projection[] =>
    PROJECTIONS.map((projection) => (projection.name === 'trust-anchors' ? change(projection) : projection))

  test('that halts halts those that depend on it, and says why; a rebuild gets all of them going', async () => {
    let failing = true
    const projections = withAnchors((anchors) => ({
      ...anchors,
      fold(record, context) {
        if (failing && record.scope === 'shared' && record.event.envelope.authorSeq === 2) throw new Error('no room')
        return anchors.fold(record, context)
      }
    }))
    const ledger = await open({ projections })
    const events = await chainOf(BERTA, announces(3))
    await ledger.append(...events)
    await expect(ledger.caughtUp()).rejects.toMatchObject({ code: 'PROJECTION_HALTED' })
    await ledger.engine.reached(ledger.log.head.logSeq, null, 'sequences')
    const halted = ledger.engine.status().filter(({ state }) => state === 'halted')
    expect(halted.map(({ name }) => name).sort()).toEqual([
      'attestations',
      'batches',
      'effects',
      'trust-anchors',
      'winners'
    ])
    for (const { name, reason } of halted)
      expect(reason).toContain(name === 'trust-anchors' ? 'no room' : 'trust-anchors halted')
    failing = false
    await ledger.engine.rebuild()
    await caughtUp(ledger)
    expect((await shown(ledger)).counting).toHaveLength(3)
  })

  test('that an older release left behind the others is brought up to them at the start', async () => {
    const older = withAnchors((anchors) => ({
      ...anchors,
      fold(record, context) {
        if (record.record.logSeq === 3) throw new Error('an older release could not')
        return anchors.fold(record, context)
      }
    })).map(({ dependsOnTrust: _dependsOnTrust, ...projection }) => ({
      ...projection,
      version: projection.version - 1
    }))
    const packs = new Packs()
    const events = await chainOf(OLD, announces(2))
    const records = [await packs.next(), ...events, await packs.next(retired())]
    const before = await open({ projections: older })
    await before.append(...records)
    await before.engine.reached(before.log.head.logSeq, null, 'batches')
    expect((await allRows(before, 'batches')).map(({ effect }) => effect)).toEqual([null, null])
    await before.close()
    const ledger = await open({ store: before.store })
    await ledger.caughtUp()
    const fresh = await open()
    await fresh.append(...records)
    await fresh.caughtUp()
    expect(await everyRow(ledger)).toEqual(await everyRow(fresh))
    expect((await shown(ledger)).cutOff).toEqual(ids(...events))
  })
})
