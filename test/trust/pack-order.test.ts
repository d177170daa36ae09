import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { OrganisationRoot } from '../../src/trust/pack-chain.ts'
import type { PackChain, ReceivedPack } from '../support/pack-walk.ts'
import { walkPacks } from '../support/pack-walk.ts'
import { packKey } from '../support/packs.ts'
import { PACK_ORG, PACK_SIGNERS, makePacks, someStep, unique } from '../support/some-packs.ts'
import { Variety, assertVaried } from '../support/variety.ts'

const root: OrganisationRoot = {
  orgId: PACK_ORG,
  threshold: 1,
  pins: new Map(),
  keys: PACK_SIGNERS.slice(0, 2).map((key) => packKey(key))
}

/** Without the order in which maps were filled. */
function shown({ head, frozen, effects, everBound }: PackChain): unknown {
  return {
    frozen,
    head: { ...head, keys: [...head.keys].sort(([left], [right]) => (left < right ? -1 : 1)) },
    effects: [...effects].sort(([left], [right]) => (left < right ? -1 : 1)),
    everBound: everBound.map(({ kid, publicKey }) => `${kid} ${publicKey}`).sort()
  }
}

test('whatever the packs and the order in which they come, the walk gives the same', async () => {
  const variety = new Variety({ frozen: 6, long: 6 })
  await assertVaried(
    fc.property(
      fc.array(someStep, { minLength: 1, maxLength: 9 }).chain((steps) => {
        const packs = unique(makePacks(steps))
        return fc.tuple(fc.constant(packs), fc.shuffledSubarray(packs, { minLength: packs.length }))
      }),
      ([packs, shuffled]) => {
        const chain = walkPacks(root, packs)
        expect(shown(walkPacks(root, shuffled))).toEqual(shown(chain))
        variety.saw('frozen', chain.frozen)
        variety.saw('long', chain.head.packSeq > 1)
      }
    ),
    variety,
    // Frozen are 0.11 of the cases, long 0.19.
    { numRuns: 300, portions: 3 }
  )
})

test('what was ever bound stays bound when more packs come', () => {
  fc.assert(
    fc.property(fc.array(someStep, { minLength: 2, maxLength: 9 }), fc.nat(8), (steps, cut) => {
      const packs = unique(makePacks(steps))
      const some = packs.slice(0, 1 + (cut % packs.length))
      const bound = (of: readonly ReceivedPack[]): string[] =>
        walkPacks(root, of).everBound.map(({ kid, publicKey }) => `${kid} ${publicKey}`)
      const all = new Set(bound(packs))
      expect(bound(some).filter((key) => !all.has(key))).toEqual([])
    }),
    { numRuns: 200 }
  )
})
