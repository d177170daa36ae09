import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeCanonical } from '../../protocols/canonical-json/v1/codec.ts'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { AnchorPack } from '../../protocols/event/v1/anchor-pack.ts'
import { viewPolicy } from '../../src/policy/policy-view.ts'
import type { EffectivePolicy } from '../../src/policy/policy.ts'
import { effects } from '../../src/projections/effects.ts'
import { organisationRoot } from '../../src/projections/packs.ts'
import { sequences } from '../../src/projections/sequences.ts'
import { BOUND_KEYS_PREFIX, trustAnchors } from '../../src/projections/trust-anchors.ts'
import { collect } from '../support/collect.ts'
import type { SignedEvent } from '../support/events.ts'
import type { Signer } from '../../src/trust/signer.ts'
import { member, policyOf } from '../support/identities.ts'
import type { ReceivedPack } from '../support/pack-walk.ts'
import { walkPacks } from '../support/pack-walk.ts'
import { makePack, packKey, signedCarrierOf } from '../support/packs.ts'
import { PACK_ORG, PACK_SIGNERS, makePacks, someSteps, unique } from '../support/some-packs.ts'
import { Variety, assertVaried } from '../support/variety.ts'
import type { Ledger } from './support/ledger.ts'
import { allRows, openLedger } from './support/ledger.ts'

const PROJECTIONS = [trustAnchors, effects, sequences]
const self = member('self')
const OWN = 'did:web:ada.example'
const FOREIGN = 'did:web:mallory.example'
const roots = PACK_SIGNERS.slice(0, 2)

/** The organisation's DID with the root keys, and another DID that carries packs in its name. */
function policyWith(organisations: NonNullable<Parameters<typeof policyOf>[2]>['organisations'] = []): EffectivePolicy {
  const members = [
    self,
    ...roots.map((signer) => ({ orgId: PACK_ORG, signer })),
    { orgId: PACK_ORG, signer: { ...self.signer, did: OWN } },
    { orgId: 'org-mallory', signer: { ...self.signer, did: FOREIGN } }
  ]
  return policyOf(self, members, { organisations })
}

interface Carrying {
  readonly pack: ReceivedPack
  readonly event: SignedEvent
  readonly own: boolean
  /** Whether it is signed under the keys that count, or under others with the same kids. */
  readonly signed: boolean
}

interface Carrier {
  readonly own: boolean
  readonly signed: boolean
  readonly ts: number
}

/** How a pack is carried: by whom, how signed, and at what time, so that its copies differ. */
const someCarriers = fc.array(fc.record({ own: fc.boolean(), signed: fc.boolean(), ts: fc.nat(50) }), {
  minLength: 0,
  maxLength: 3
})

/** Other keys under the same kids. */
const IMPOSTORS = PACK_SIGNERS.map(({ kid }) => ({ ...member(`impostor of ${kid}`).signer, kid }))

/** Signed under the keys that count but for the last of them. */
const lastForged = (pack: AnchorPack): Signer[] => {
  const forged = pack.signingKids.at(-1)
  return PACK_SIGNERS.map((signer, index) => (signer.kid === forged ? (IMPOSTORS[index] ?? signer) : signer))
}

async function carrying(pack: ReceivedPack, { own, signed, ts }: Carrier): Promise<Carrying> {
  const signers = signed ? PACK_SIGNERS : lastForged(pack.pack)
  const event = await signedCarrierOf(own ? OWN : FOREIGN, pack.pack, 1_700_000_000_000 + ts, signers)
  return { pack, event, own, signed }
}

/** One event of an id: what stands under other signature bytes is another set of events. */
async function carriersOf(packs: readonly ReceivedPack[], more: readonly Carrier[][]): Promise<Carrying[]> {
  const all = await Promise.all(
    packs.flatMap((pack, index) => {
      const first: Carrier = { own: pack.signerBelongs, signed: pack.signed === true, ts: 100 }
      return [first, ...(more[index % more.length] ?? [])].map((carrier) => carrying(pack, carrier))
    })
  )
  return [...new Map(all.map((each) => [each.event.id, each])).values()]
}

/** The rows that the plain walk over the whole set says. */
function expectedRows(carryings: readonly Carrying[], policy: EffectivePolicy): Record<string, string[]> {
  const byId = carryings.toSorted((left, right) => (left.event.id < right.event.id ? -1 : 1))
  const spokesmen = new Map<string, Carrying>()
  for (const each of byId) {
    const known = spokesmen.get(each.pack.hash)
    if (each.own && (known === undefined || (each.signed && !known.signed))) spokesmen.set(each.pack.hash, each)
  }
  const received = [...spokesmen.values()].map(({ pack, signed, event: { envelope } }) => {
    return { ...pack, signerBelongs: true, signed, ts: envelope.ts }
  })
  const chain = walkPacks(organisationRoot(PACK_ORG, viewPolicy(policy)), received)
  const keys = [...chain.head.keys.values()].sort((left, right) => (left.key.kid < right.key.kid ? -1 : 1))
  const effectRows = byId.flatMap(({ pack: { hash }, event, own, signed }): JsonObject[] => {
    const foreign = !own || (!signed && chain.wellJudged.has(hash))
    const effect = foreign ? 'PACK_SIGNER_FOREIGN' : (chain.effects.get(hash) ?? null)
    const { namespace, signer, kid, authorSeq, type } = event.envelope
    const detail = own ? `pack ${hash} of ${PACK_ORG}` : `${signer} does not belong to ${PACK_ORG}`
    return effect === null ? [] : [{ namespace, eventId: event.id, type, signer, kid, authorSeq, effect, detail }]
  })
  const { packSeq, hash } = chain.head
  const head = { namespace: '_trust', orgId: PACK_ORG, packSeq, packHash: hash, frozen: chain.frozen }
  return {
    'trust-anchors': keys.map(({ key, ...of }) => {
      return encodeCanonical({ orgId: PACK_ORG, ...(key as unknown as JsonObject), ...of })
    }),
    effects: effectRows.map((row) => encodeCanonical(row)),
    sequences: received.length === 0 ? [] : [encodeCanonical(head)],
    bound: chain.everBound.map(({ kid, publicKey }) => `${kid}!${publicKey}`).sort()
  }
}

async function foldedRows(ledger: Ledger): Promise<Record<string, string[]>> {
  const lines = async (projection: string): Promise<string[]> => {
    return (await allRows(ledger, projection)).map((row) => encodeCanonical(row))
  }
  const prefix = `${BOUND_KEYS_PREFIX}${PACK_ORG}!`
  const bound = await collect(ledger.engine.instance('trust-anchors').factsWithPrefix(prefix))
  return {
    'trust-anchors': await lines('trust-anchors'),
    effects: await lines('effects'),
    sequences: (await lines('sequences')).filter((line) => line.includes('"packSeq"')),
    bound: bound.map(([key]) => key.slice(prefix.length)).sort()
  }
}

/** What may be wrong with a pack, of which every run must have had some. */
const USUAL = ['PACK_GAP', 'PACK_PREV_MISMATCH', 'PACK_FORK', 'PACK_SIGNER_FOREIGN', 'PACK_ROOT_MISMATCH'] as const

test('whatever packs come, by whom and in whatever order: the rows that a walk over the whole set gives', async () => {
  const variety = new Variety({
    frozen: 4,
    forged: 11,
    long: 4,
    PACK_GAP: 1,
    PACK_PREV_MISMATCH: 1,
    PACK_FORK: 1,
    PACK_SIGNER_FOREIGN: 1,
    PACK_ROOT_MISMATCH: 1
  })
  const some = fc
    .record({
      steps: someSteps(8),
      more: fc.array(someCarriers, { minLength: 1, maxLength: 6 }),
      pin: fc.option(fc.nat(2), { freq: 6 })
    })
    .chain(({ steps: made, more, pin }) => {
      const packs = unique(makePacks(made)).map((each, index) => ({ ...each, signed: index % 8 !== 7 }))
      const first = packs.filter(({ pack }) => pack.packSeq === 1)
      const pinned = pin === null ? undefined : first[pin % Math.max(1, first.length)]?.hash
      return fc.record({
        pinned: fc.constant(pinned),
        packs: fc.constant(packs),
        more: fc.constant(more),
        places: fc.array(fc.nat(), { minLength: 48, maxLength: 48 }),
        groups: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 })
      })
    })
  await assertVaried(
    fc.asyncProperty(some, async ({ pinned, packs, more, places, groups }) => {
      const placed = (await carriersOf(packs, more)).map((each, index) => ({ each, place: places[index % 48] ?? 0 }))
      const order = placed.sort((left, right) => left.place - right.place).map(({ each }) => each)
      const policy = policyWith(pinned === undefined ? [] : [{ orgId: PACK_ORG, threshold: 1, firstPack: pinned }])
      const ledger = await openLedger({ policy, projections: PROJECTIONS })
      for (let from = 0, turn = 0; from < order.length; turn += 1) {
        const size = groups[turn % groups.length] ?? 1
        await ledger.append(...order.slice(from, from + size).map(({ event }) => event))
        if (turn % 2 === 0) await ledger.caughtUp()
        from += size
      }
      await ledger.caughtUp()
      const expected = expectedRows(order, policy)
      expect(await foldedRows(ledger)).toEqual(expected)
      expect((await ledger.engine.rebuild()).filter(({ identical }) => !identical)).toEqual([])
      await ledger.close()
      const shown = (expected['effects'] ?? []).map((line) => JSON.parse(line) as { effect: string; detail: string })
      for (const effect of USUAL)
        variety.saw(
          effect,
          shown.some((row) => row.effect === effect)
        )
      variety.saw(
        'forged',
        shown.some(({ effect, detail }) => effect === 'PACK_SIGNER_FOREIGN' && detail.startsWith('pack '))
      )
      const head = expected['sequences']?.[0] ?? ''
      variety.saw('frozen', head.includes('"frozen":true'))
      variety.saw('long', Number(/"packSeq":(\d+)/.exec(head)?.[1] ?? 0) > 2)
    }),
    variety,
    // The least share is that of a wrong root: 0.06 of the cases. Of each of the others, it is 0.2 and more.
    { numRuns: 100, portions: 6 }
  )
})

const rootKeys = roots.map((key) => packKey(key))

const pack = (before: AnchorPack | null, validUntil: number): AnchorPack =>
  makePack({ orgId: PACK_ORG, before, keys: rootKeys, signers: roots.slice(0, 1), changes: { validUntil } })

test('a long chain that comes from its end is judged when its first pack comes, and freezes with that', async () => {
  const chain: AnchorPack[] = []
  for (let index = 0; index < 300; index += 1) chain.push(pack(chain.at(-1) ?? null, 1_800_000_000_000 + index))
  const ledger = await openLedger({ policy: policyWith(), projections: PROJECTIONS })
  const events = await Promise.all(chain.map((each) => signedCarrierOf(OWN, each, 1_700_000_000_000, roots)))
  await ledger.append(...events.toReversed())
  await ledger.caughtUp()
  expect((await foldedRows(ledger))['effects']).toEqual([])
  expect((await allRows(ledger, 'sequences'))[0]).toMatchObject({ packSeq: 300, frozen: false })
  await ledger.append(await signedCarrierOf(OWN, pack(null, 1), 1_700_000_000_000, roots))
  await ledger.caughtUp()
  const shown = (await allRows(ledger, 'effects')).map(({ effect }) => effect)
  expect(shown).toEqual(Array.from({ length: 301 }, () => 'PACK_FORK'))
  expect((await allRows(ledger, 'sequences'))[0]).toMatchObject({ packSeq: 0, packHash: null, frozen: true })
  expect(await allRows(ledger, 'trust-anchors')).toEqual([])
  await ledger.close()
})

test('the time of a key is that of the smallest event id, also when that comes later', async () => {
  const one = pack(null, 1_800_000_000_000)
  const times = Array.from({ length: 8 }, (_, index) => 1_700_000_000_000 + index)
  const carriers = await Promise.all(times.map((ts) => signedCarrierOf(OWN, one, ts, roots)))
  const byId = carriers.toSorted((left, right) => (left.id < right.id ? -1 : 1))
  const ledger = await openLedger({ policy: policyWith(), projections: PROJECTIONS })
  for (const carrier of byId.toReversed()) {
    await ledger.append(carrier)
    await ledger.caughtUp()
    const shown = (await allRows(ledger, 'trust-anchors')).map(({ updatedAt }) => updatedAt)
    expect(shown).toEqual([carrier.envelope.ts, carrier.envelope.ts])
  }
  expect((await ledger.engine.rebuild()).filter(({ identical }) => !identical)).toEqual([])
  await ledger.close()
})
