import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { AnchorPack } from '../../protocols/event/v1/anchor-pack.ts'
import { packHash } from '../../protocols/event/v1/anchor-pack.ts'
import type { EffectivePolicy } from '../../src/policy/policy.ts'
import type { SignedEvent } from '../support/events.ts'
import { NAMESPACE, policyOf } from '../support/identities.ts'
import { Variety, assertVaried } from '../support/variety.ts'
import { keyModel } from './support/key-model.ts'
import { allRows, openLedger, sharedLines } from './support/ledger.ts'
import type { Arrival } from './support/order.ts'
import { admissible, someArrival } from './support/order.ts'
import type { Act } from './support/world.ts'
import { ADAM, ALICE, EVERYBODY, OTHER_NAMESPACE, eventsOf } from './support/world.ts'

// All of one organisation, whose two members and two further keys retire and revoke each other.
const author = fc.nat(1)
const mostlyTip = fc.oneof({ arbitrary: fc.constant(0), weight: 5 }, { arbitrary: fc.nat(2), weight: 1 })

const pack: fc.Arbitrary<Act> = fc.record({
  act: fc.constant('pack' as const),
  author,
  back: fc.constant(0),
  organisation: fc.constant('own' as const),
  parent: fc.oneof({ arbitrary: fc.constant(0), weight: 8 }, { arbitrary: fc.nat(2), weight: 1 }),
  gap: fc.constant(false),
  change: fc.constantFrom('add', 'add', 'add', 'retire', 'retire', 'revoke', 'no-events', 'none'),
  good: fc.oneof(
    { arbitrary: fc.constant(0), weight: 3 },
    { arbitrary: fc.nat(2), weight: 2 },
    { arbitrary: fc.constant('none' as const), weight: 1 }
  ),
  validFor: fc.constant('long' as const),
  kind: fc.constantFrom('full', 'delta'),
  threshold: fc.constant(1),
  cosigned: fc.boolean(),
  variant: fc.nat(1),
  wrongRoot: fc.constant(false)
})

const announce: fc.Arbitrary<Act> = fc.record({
  act: fc.constant('announce' as const),
  author,
  back: mostlyTip,
  namespace: fc.nat(1),
  batch: fc.nat(1),
  root: fc.nat(1),
  owner: fc.constant('own' as const),
  anchors: fc.array(fc.record({ rail: fc.nat(3), evidence: fc.nat(1), variant: fc.nat(1) }), { maxLength: 2 })
})

const byPackKey: fc.Arbitrary<Act> = fc.record({
  act: fc.constant('by-pack-key' as const),
  author,
  back: mostlyTip,
  key: fc.nat(1),
  batch: fc.nat(3)
})

const attest: fc.Arbitrary<Act> = fc.record({
  act: fc.constant('attest' as const),
  author,
  back: mostlyTip,
  otherKey: fc.boolean(),
  pick: fc.nat(20),
  organisation: fc.constant(0),
  says: fc.constantFrom('verified', 'refuted'),
  position: fc.nat(2)
})

const someLife = fc.array(
  fc.oneof(
    { arbitrary: pack, weight: 4 },
    { arbitrary: byPackKey, weight: 5 },
    { arbitrary: announce, weight: 3 },
    { arbitrary: attest, weight: 2 }
  ),
  { minLength: 8, maxLength: 40, size: 'max' }
)

/** A policy that pins one of the packs, at whatever number and on whichever side of a fork it stands. */
function policyWith(events: readonly SignedEvent[], pick: number | null): EffectivePolicy {
  const bodies = events.filter(({ envelope }) => envelope.type === 'anchor-pack').map(({ envelope }) => envelope.body)
  const pinned = pick === null ? undefined : bodies[pick % Math.max(1, bodies.length)]
  const pins = pinned === undefined ? [] : [{ packSeq: Number(pinned['packSeq']), hash: packHash(pinned) }]
  return policyOf(ALICE, EVERYBODY, {
    namespaces: [NAMESPACE, OTHER_NAMESPACE],
    quorum: { k: 1, of: [ADAM] },
    organisations: [{ orgId: ALICE.orgId, threshold: 1, pins }]
  })
}

interface Coming {
  readonly arrival: Arrival
  readonly restartAt: number | null
  /** Reloads on the way: after a group of events, with another pack pinned or with none. */
  readonly reloads?: readonly { readonly after: number; readonly pick: number | null }[]
}

async function stateAfter(events: readonly SignedEvent[], policy: EffectivePolicy, coming: Coming | null) {
  const reloads = coming?.reloads ?? []
  let ledger = await openLedger({ policy: reloads.length === 0 ? policy : policyWith(events, null) })
  const groups = coming === null ? [events] : admissible(events, coming.arrival)
  for (const [index, group] of groups.entries()) {
    await ledger.append(...group)
    if (group.length % 2 === 0) await ledger.caughtUp()
    for (const { after, pick } of reloads)
      if (after % groups.length === index) await ledger.appendPolicy(policyWith(events, pick))
    if (index !== coming?.restartAt) continue
    await ledger.close()
    ledger = await openLedger({ policy, store: ledger.store })
  }
  if (reloads.length > 0) await ledger.appendPolicy(policy)
  await ledger.caughtUp()
  const digests = []
  for (const namespace of [NAMESPACE, OTHER_NAMESPACE, '_trust'])
    digests.push({ ...(await ledger.digest(namespace)), logSeq: 0 })
  const lines = await sharedLines(ledger)
  const effects = await allRows(ledger, 'effects')
  const rebuilt = await ledger.engine.rebuild()
  await ledger.close()
  expect(rebuilt.filter(({ identical }) => !identical)).toEqual([])
  return { digests, lines, effects }
}

test('packs, events and revocations in any order give the same state, which is that of a log folded from scratch', async () => {
  const someComing = fc.record({ arrival: someArrival, restartAt: fc.option(fc.nat(6)) })
  const variety = new Variety({ cutOff: 1, named: 1, forked: 1 })
  await assertVaried(
    fc.asyncProperty(
      someLife,
      fc.option(fc.nat(20)),
      fc.array(someComing, { minLength: 2, maxLength: 3 }),
      async (acts, pick, comings) => {
        const events = await eventsOf(acts)
        const policy = policyWith(events, pick)
        const fresh = await stateAfter(events, policy, null)
        for (const coming of comings) expect(await stateAfter(events, policy, coming)).toEqual(fresh)
        const { cutOff } = keyModel(events, policy)
        const listed = fresh.effects.filter(({ effect }) => effect === 'KEY_CUT_OFF').map(({ eventId }) => eventId)
        expect(new Set(listed)).toEqual(cutOff)
        variety.saw('cutOff', cutOff.size > 0)
        variety.saw('named', cutOff.size > 0 && namedIn(events).some((id) => !cutOff.has(id)))
        variety.saw(
          'forked',
          fresh.effects.some(({ effect }) => effect === 'PACK_FORK')
        )
      }
    ),
    variety,
    // The least share is that of forks: 0.155 of the cases.
    { numRuns: 25, portions: 6 }
  )
})

test('pins that come and go while packs and events arrive leave no trace behind the last ones', async () => {
  const someReload = fc.record({ after: fc.nat(9), pick: fc.option(fc.nat(20)) })
  const someComing = fc.record({
    arrival: someArrival,
    restartAt: fc.option(fc.nat(6)),
    reloads: fc.array(someReload, { minLength: 1, maxLength: 3 })
  })
  await fc.assert(
    fc.asyncProperty(
      someLife,
      fc.option(fc.nat(20)),
      fc.array(someComing, { minLength: 2, maxLength: 2 }),
      async (acts, pick, comings) => {
        const events = await eventsOf(acts)
        const policy = policyWith(events, pick)
        const fresh = await stateAfter(events, policy, null)
        for (const coming of comings) expect(await stateAfter(events, policy, coming)).toEqual(fresh)
      }
    ),
    { numRuns: 8 }
  )
})

/** The events that any pack names as last good ones. */
function namedIn(events: readonly SignedEvent[]): string[] {
  return events.flatMap(({ envelope: { type, body } }) => {
    const keys = type === 'anchor-pack' ? (body as unknown as AnchorPack).keys : []
    return keys.flatMap(({ lastGood = [] }) => lastGood.map(({ id }) => id))
  })
}
