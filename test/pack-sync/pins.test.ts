import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { AnchorPack } from '../../protocols/event/v1/anchor-pack.ts'
import { packHash } from '../../protocols/event/v1/anchor-pack.ts'
import { getAnchors } from '../../src/pack-sync/anchors.ts'
import { planAnchorSync } from '../../src/pack-sync/plan.ts'
import type { SyncResult } from '../../src/pack-sync/result.ts'
import { runAnchorSync } from '../../src/pack-sync/run.ts'
import type { AnchorSyncOptions } from '../../src/pack-sync/sync-options.ts'
import type { SignedEvent } from '../support/events.ts'
import { createHandClock } from '../support/hand-clock.ts'
import { makePack, packEvent } from '../support/packs.ts'
import { ADA, KEYS, ORG, honestSource, keyEntry, nextPack, syncWorld, withPins } from './support.ts'

const NAME = { namespace: '_trust', orgId: ORG }
const SOURCE = 'https://source.example'
const clock = createHandClock()

interface Side {
  readonly packs: readonly AnchorPack[]
  readonly events: readonly SignedEvent[]
}

/** Further packs after some: the keys of each differ from those before it, `salt` makes them another side of a fork. */
async function grow({ packs, events }: Side, count: number, salt: number): Promise<Side> {
  const [longer, carried] = [[...packs], [...events]]
  for (let index = 0; index < count; index += 1) {
    const keys = KEYS.slice(0, longer.length % (KEYS.length + 1))
    const before = longer.at(-1) ?? null
    const kept = KEYS.filter((key) => before?.keys.some(({ kid }) => kid === key.kid))
    const resulting = [ADA.signer, ...new Set([...kept, ...keys])]
    const pack = nextPack(before, salt + index, resulting)
    carried.push(await packEvent(ADA.signer, [ADA.signer], pack, carried.at(-1) ?? null))
    longer.push(pack)
  }
  return { packs: longer, events: carried }
}

const wiresOf = (...sides: readonly Side[]): Uint8Array[] =>
  sides.flatMap(({ events }) => events.map(({ wire }) => wire))
const hashAt = ({ packs }: Side, packSeq: number): string => packHash(packs[packSeq - 1] ?? {})

async function sync(options: AnchorSyncOptions): Promise<SyncResult> {
  const [result] = await runAnchorSync(await planAnchorSync(options), options)
  if (result === undefined) throw new Error('nothing was asked')
  return result
}

test('an organisation that rotated, was forked and is pinned comes from a source that gives both sides', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        common: fc.integer({ min: 0, max: 3 }),
        here: fc.integer({ min: 1, max: 4 }),
        there: fc.integer({ min: 1, max: 5 }),
        limit: fc.integer({ min: 1, max: 5 }),
        salt: fc.integer({ min: 1_000, max: 2_000 }),
        known: fc.constantFrom('nothing', 'this side', 'the other side', 'the fork')
      }),
      async ({ common, here, there, limit, salt, known }) => {
        const trunk = await grow({ packs: [], events: [] }, common, 0)
        const [one, other] = [await grow(trunk, here, 100), await grow(trunk, there, salt)]
        const both = honestSource(wiresOf(one, other), clock)
        const { options, store } = syncWorld({ [SOURCE]: both }, { limit })
        const earlier = { nothing: [], 'this side': [one], 'the other side': [other], 'the fork': [one, other] }[known]
        if (earlier.length > 0)
          await sync({ ...options, transport: () => honestSource(wiresOf(...earlier), clock, SOURCE) })
        const pinned = withPins(options, [common + 1, hashAt(one, common + 1)])
        for (const isAgain of [false, true]) {
          const result = await sync(pinned)
          expect(result).toMatchObject({ outcome: 'done', to: common + here })
          if (isAgain) expect(result.applied).toBe(0)
          const anchors = await getAnchors(store, NAME)
          expect(anchors).toMatchObject({ hash: hashAt(one, common + here), forkedAt: null })
        }
      }
    ),
    { numRuns: 60 }
  )
})

test('a source that has the other side alone is told of, and is no liar', async () => {
  const trunk = await grow({ packs: [], events: [] }, 2, 0)
  const [one, other] = [await grow(trunk, 2, 100), await grow(trunk, 4, 200)]
  const { options, store } = syncWorld({ [SOURCE]: honestSource(wiresOf(other), clock) })
  const pinned = withPins(options, [3, hashAt(one, 3)])
  expect(await sync(pinned)).toMatchObject({
    outcome: 'done',
    to: 2,
    warnings: [{ code: 'SOURCE_OTHER_SIDE' }],
    disagreesAt: null
  })
  const elsewhere = { ...pinned, transport: () => honestSource(wiresOf(one), clock, SOURCE) }
  expect(await sync(elsewhere)).toMatchObject({ outcome: 'done', to: 4, warnings: [] })
  expect(await getAnchors(store, NAME)).toMatchObject({ hash: hashAt(one, 4) })
})

test('a fork above a pin is no side that the pin rules out', async () => {
  const trunk = await grow({ packs: [], events: [] }, 2, 0)
  const [one, other] = [await grow(trunk, 3, 100), await grow(trunk, 3, 200)]
  const { options } = syncWorld({ [SOURCE]: honestSource(wiresOf(one), clock) })
  const pinned = withPins(options, [1, hashAt(trunk, 1)])
  expect(await sync(pinned)).toMatchObject({ outcome: 'done', to: 5 })
  const disagreeing = { ...pinned, transport: () => honestSource(wiresOf(other), clock, SOURCE) }
  expect(await sync(disagreeing)).toMatchObject({ outcome: 'refused', code: 'PACK_PREV_MISMATCH', to: 5 })
})

test('a pin waives the threshold of the keys before it, which are lost', async () => {
  const [fresh] = KEYS
  if (fresh === undefined) throw new Error('no key')
  const first = nextPack(null, 0, [ADA.signer, ...KEYS.slice(1)])
  const begun = await packEvent(ADA.signer, [ADA.signer], first, null)
  const keys = [ADA.signer, ...KEYS.slice(1)].map((key) => keyEntry(key))
  const recovering = makePack({ orgId: ORG, before: first, keys: [...keys, keyEntry(fresh)], signers: [fresh] })
  const event = await packEvent(fresh, [fresh], recovering, null)
  const { options } = syncWorld({ [SOURCE]: honestSource([begun.wire, event.wire], clock) })
  expect(await sync(options)).toMatchObject({ outcome: 'refused', code: 'PACK_THRESHOLD' })
  const pinned = withPins(options, [2, packHash(recovering)])
  const again = { ...pinned, clock: createHandClock(clock.now() + 3_600_001) }
  expect(await sync(again)).toMatchObject({ outcome: 'done', to: 2 })
})
