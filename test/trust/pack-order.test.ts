import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { AnchorPack, PackKey } from '../../protocols/event/v1/anchor-pack.ts'
import { packHash } from '../../protocols/event/v1/anchor-pack.ts'
import type { OrganisationRoot, PackChain, ReceivedPack } from '../../src/trust/pack-chain.ts'
import { walkPacks } from '../../src/trust/pack-chain.ts'
import { member } from '../support/identities.ts'
import { makePack, packKey, received } from '../support/packs.ts'

const ORG = 'org-ada'
const keys = ['a', 'b', 'c', 'd'].map((name) => ({ ...member(`key-${name}`).signer, kid: `kid-${name}` }))
const root: OrganisationRoot = { orgId: ORG, threshold: 1, firstPack: undefined, keys: keys.slice(0, 2).map((key) => packKey(key)) }

interface Step {
  /** Which of the packs made so far this one follows, from the newest; `null` makes a first pack. */
  readonly follows: number | null
  readonly statuses: readonly PackKey['status'][]
  readonly signers: readonly boolean[]
  readonly threshold: number
  readonly delta: boolean
  readonly belongs: boolean
  readonly wrongRoot: boolean
}

const mostly = <Value>(usual: Value, seldom: Value): fc.Arbitrary<Value> =>
  fc.oneof({ weight: 9, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constant(seldom) })

const step: fc.Arbitrary<Step> = fc.record({
  follows: fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, { weight: 3, arbitrary: fc.nat(5) }, { weight: 1, arbitrary: fc.constant(null) }),
  statuses: fc.array(fc.oneof({ weight: 12, arbitrary: fc.constant('ACTIVE' as const) }, fc.constant('RETIRED' as const), fc.constant('REVOKED' as const)), { minLength: 1, maxLength: 4 }),
  signers: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
  threshold: mostly(1, 2),
  delta: fc.boolean(),
  belongs: mostly(true, false),
  wrongRoot: mostly(false, true)
})

function makePacks(steps: readonly Step[]): ReceivedPack[] {
  const packs: AnchorPack[] = []
  const resultingOf = new Map<string, readonly PackKey[]>()
  return steps.map(({ follows, statuses, signers, threshold, delta, belongs, wrongRoot }) => {
    const before = follows === null ? null : (packs.at(-1 - follows) ?? null)
    const all = statuses.map((status, index) => packKey(keys[index] ?? { kid: '', publicKey: new Uint8Array() }, { status }))
    const old = before === null ? [] : (resultingOf.get(packHash(before)) ?? [])
    const isDelta = delta && before !== null
    const own = isDelta ? all.filter(({ kid, status }) => old.find((key) => key.kid === kid)?.status !== status) : all
    const resulting = isDelta ? [...old.filter(({ kid }) => !own.some((key) => key.kid === kid)), ...own] : all
    const signing = keys.filter((_, index) => signers[index])
    const pack = makePack({
      orgId: ORG,
      before,
      keys: own,
      resulting,
      signers: signing.length === 0 ? keys.slice(0, 1) : signing,
      changes: { kind: isDelta ? 'delta' : 'full', threshold, ...(wrongRoot ? { root: 'a'.repeat(64) } : {}) }
    })
    packs.push(pack)
    resultingOf.set(packHash(pack), resulting)
    return received(pack, { signerBelongs: belongs })
  })
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

const unique = (packs: readonly ReceivedPack[]): ReceivedPack[] => [...new Map(packs.map((pack) => [pack.hash, pack])).values()]

test('whatever the packs and the order in which they come, the walk gives the same', () => {
  let frozen = 0
  let longest = 0
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 1, maxLength: 9 }).chain((steps) => {
        const packs = unique(makePacks(steps))
        return fc.tuple(fc.constant(packs), fc.shuffledSubarray(packs, { minLength: packs.length }))
      }),
      ([packs, shuffled]) => {
        const chain = walkPacks(root, packs)
        expect(shown(walkPacks(root, shuffled))).toEqual(shown(chain))
        if (chain.frozen) frozen += 1
        longest = Math.max(longest, chain.head.packSeq)
      }
    ),
    { numRuns: 300 }
  )
  // The cases are worth something only if there were long chains and forks among them.
  expect(frozen).toBeGreaterThan(5)
  expect(longest).toBeGreaterThan(1)
})

test('what was ever bound stays bound when more packs come', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 2, maxLength: 9 }), fc.nat(8), (steps, cut) => {
      const packs = unique(makePacks(steps))
      const some = packs.slice(0, 1 + (cut % packs.length))
      const bound = (of: readonly ReceivedPack[]): string[] => walkPacks(root, of).everBound.map(({ kid, publicKey }) => `${kid} ${publicKey}`)
      const all = new Set(bound(packs))
      expect(bound(some).filter((key) => !all.has(key))).toEqual([])
    }),
    { numRuns: 200 }
  )
})
