import fc from 'fast-check'
import type { AnchorPack, PackKey } from '../../protocols/event/v1/anchor-pack.ts'
import { packHash } from '../../protocols/event/v1/anchor-pack.ts'
import { member } from './identities.ts'
import type { ReceivedPack } from './pack-walk.ts'
import { makePack, packKey, received } from './packs.ts'

export const PACK_ORG = 'org-ada'

/** Keys of the organisation's machines; tests bind the first two at the root. */
export const PACK_SIGNERS = ['a', 'b', 'c', 'd'].map((name) => {
  return { ...member(`key-${name}`).signer, kid: `kid-${name}` }
})

export interface Step {
  /** Which of the packs made so far this one follows, from the newest; `null` makes a first pack. */
  readonly follows: number | null
  readonly statuses: readonly PackKey['status'][]
  readonly signers: readonly boolean[]
  readonly threshold: number
  readonly delta: boolean
  readonly belongs: boolean
  readonly wrongRoot: boolean
  /** Whether it stands one number too high. */
  readonly skips: boolean
}

const mostly = <Value>(usual: Value, seldom: Value): fc.Arbitrary<Value> =>
  fc.oneof({ weight: 9, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constant(seldom) })

const anyStep: fc.Arbitrary<Step> = fc.record({
  follows: fc.oneof(
    { weight: 6, arbitrary: fc.constant(0) },
    { weight: 3, arbitrary: fc.nat(5) },
    { weight: 1, arbitrary: fc.constant(null) }
  ),
  statuses: fc.array(
    fc.oneof(
      { weight: 12, arbitrary: fc.constant('ACTIVE' as const) },
      fc.constant('RETIRED' as const),
      fc.constant('REVOKED' as const)
    ),
    { minLength: 1, maxLength: 4 }
  ),
  signers: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
  threshold: mostly(1, 2),
  delta: fc.boolean(),
  belongs: mostly(true, false),
  wrongRoot: mostly(false, true),
  skips: mostly(false, true)
})

/** One that is valid wherever its predecessor is; it takes the signers to tell two of them apart. */
const goodStep: fc.Arbitrary<Step> = fc.record({
  follows: fc.oneof({ weight: 12, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(3) }),
  statuses: fc.constant(['ACTIVE', 'ACTIVE', 'ACTIVE', 'ACTIVE'] as const),
  signers: fc.tuple(fc.constant(true), fc.boolean(), fc.boolean(), fc.boolean()),
  threshold: fc.constant(1),
  delta: fc.boolean(),
  belongs: fc.constant(true),
  wrongRoot: fc.constant(false),
  skips: fc.constant(false)
})

export const someStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: anyStep },
  { weight: 1, arbitrary: goodStep }
)

/** Good ones and then any: chains get long, and are continued in every way. */
export const someSteps = (maxLength: number): fc.Arbitrary<Step[]> => {
  const lists = [goodStep, someStep].map((arbitrary) => fc.array(arbitrary, { minLength: 1, maxLength, size: 'max' }))
  return fc.tuple(...lists).map((parts) => parts.flat())
}

/** Packs of one organisation, valid and not, in chains and forks. Which signer carries them is for the caller. */
export function makePacks(steps: readonly Step[]): ReceivedPack[] {
  const packs: AnchorPack[] = []
  const resultingOf = new Map<string, readonly PackKey[]>()
  return steps.map(({ follows, statuses, signers, threshold, delta, belongs, wrongRoot, skips }) => {
    const before = follows === null ? null : (packs.at(-1 - follows) ?? null)
    const nobody = { kid: '', publicKey: new Uint8Array() }
    const all = statuses.map((status, index) => packKey(PACK_SIGNERS[index] ?? nobody, { status }))
    const old = before === null ? [] : (resultingOf.get(packHash(before)) ?? [])
    const isDelta = delta && before !== null
    const own = isDelta ? all.filter(({ kid, status }) => old.find((key) => key.kid === kid)?.status !== status) : all
    const resulting = isDelta ? [...old.filter(({ kid }) => !own.some((key) => key.kid === kid)), ...own] : all
    const signing = PACK_SIGNERS.filter((_, index) => signers[index])
    const skipped = skips && before !== null ? { packSeq: before.packSeq + 2 } : {}
    const pack = makePack({
      orgId: PACK_ORG,
      before,
      keys: own,
      resulting,
      signers: signing.length === 0 ? PACK_SIGNERS.slice(0, 1) : signing,
      changes: {
        kind: isDelta ? 'delta' : 'full',
        threshold,
        ...(wrongRoot ? { root: 'a'.repeat(64) } : {}),
        ...skipped
      }
    })
    packs.push(pack)
    resultingOf.set(packHash(pack), resulting)
    return received(pack, { signerBelongs: belongs })
  })
}

/** Each pack once. */
export const unique = (packs: readonly ReceivedPack[]): ReceivedPack[] => [
  ...new Map(packs.map((pack) => [pack.hash, pack])).values()
]
