import { expect, test } from 'vitest'
import type { AnchorPack, PackKey } from '../../protocols/event/v1/anchor-pack.ts'
import { packHash } from '../../protocols/event/v1/anchor-pack.ts'
import { toBase64url } from '../../protocols/primitives/bytes.ts'
import { sha256 } from '../../protocols/primitives/sha256.ts'
import { localSigner } from '../../src/trust/local-signer.ts'
import type { OrganisationRoot, PackEffect } from '../../src/trust/pack-chain.ts'
import type { PackChain } from '../support/pack-walk.ts'
import { walkPacks } from '../support/pack-walk.ts'
import type { Signer } from '../../src/trust/signer.ts'
import type { PackPlan } from '../support/packs.ts'
import { makePack, packKey, received } from '../support/packs.ts'

const ORG = 'org-a'

/** A machine of the organisation; another `seed` gives another key under the same kid. */
function machine(kid: string, seed: string = kid): Signer {
  return localSigner(sha256(`machine ${seed}`), { did: 'did:web:org-a.example', kid })
}

const [k1, k2, k3, k4] = [machine('k1'), machine('k2'), machine('k3'), machine('k4')]
const weak: Pick<Signer, 'kid' | 'publicKey'> = { kid: 'k9', publicKey: new Uint8Array(32) }

function rootOf(changes: Partial<OrganisationRoot> = {}): OrganisationRoot {
  const keys = [k1, k2, k3].map(({ kid, publicKey }) => ({ kid, publicKey: toBase64url(publicKey) }))
  return { orgId: ORG, threshold: 1, pins: new Map(), keys, ...changes }
}

const pack = (plan: Omit<PackPlan, 'orgId'>): AnchorPack => makePack({ orgId: ORG, ...plan })

const keysOf = (...signers: readonly Pick<Signer, 'kid' | 'publicKey'>[]): PackKey[] =>
  signers.map((signer) => packKey(signer))

const retired = (signer: Signer): PackKey => packKey(signer, { status: 'RETIRED', retiredAt: 1_700_000_000_500 })
const revoked = (signer: Signer): PackKey => packKey(signer, { status: 'REVOKED', revokedAt: 1_700_000_000_500 })

const walk = (packs: readonly AnchorPack[], root: OrganisationRoot = rootOf()): PackChain =>
  walkPacks(
    root,
    packs.map((each) => received(each))
  )

/** Status by kid at the head. */
const statuses = ({ head }: PackChain): Record<string, string> =>
  Object.fromEntries([...head.keys].map(([kid, { key }]) => [kid, key.status]))

const one = pack({ keys: keysOf(k1, k2), signers: [k1] })
const twoOfThree = pack({ keys: keysOf(k1, k2, k3), signers: [k1, k2], changes: { threshold: 2 } })
const retiredFirst = pack({ keys: [packKey(k1), retired(k2)], signers: [k1] })
const revokedFirst = pack({ keys: [packKey(k1), revoked(k2)], signers: [k1] })
/** A key with as many last good events as it may have. */
const heavy = (signer: Signer): PackKey => {
  const last = { id: 'a'.repeat(64), kid: signer.kid, namespace: 'n'.repeat(64), signer: `did:web:${'x'.repeat(200)}` }
  const lastGood = Array.from({ length: 64 }, (_, index) => ({ ...last, authorSeq: 1 + index }))
  return { ...retired(signer), lastGood }
}
const bulky = pack({ keys: [packKey(k1), heavy(k2)], signers: [k1] })
const after = (
  before: AnchorPack,
  keys: readonly PackKey[],
  signers: readonly Signer[],
  changes: Partial<AnchorPack> = {}
): AnchorPack => pack({ before, keys, signers, changes })

const second = after(one, [packKey(k1), retired(k2)], [k1])

interface Refused {
  readonly name: string
  /** The packs before, which all count. */
  readonly before: readonly AnchorPack[]
  readonly pack: AnchorPack
  readonly root?: OrganisationRoot
  readonly signerBelongs?: boolean
  readonly signed?: boolean
}

// A fork takes two: it has a test of its own below.
const REFUSED: Readonly<Record<Exclude<PackEffect, 'PACK_FORK'>, readonly Refused[]>> = {
  BODY_INVALID: [
    { name: 'a key of small order', before: [], pack: pack({ keys: keysOf(k1, weak), signers: [k1] }) },
    {
      name: 'a delta that leaves more than 49,152 bytes of keys',
      before: [bulky],
      pack: pack({
        before: bulky,
        keys: [heavy(k4)],
        resulting: [...bulky.keys, heavy(k4)],
        signers: [k1],
        changes: { kind: 'delta' }
      })
    },
    {
      name: 'a kid with another key than before',
      before: [one],
      pack: after(one, keysOf(k1, machine('k2', 'other')), [k1])
    }
  ],
  PACK_GAP: [
    { name: 'no predecessor', before: [], pack: after(one, keysOf(k1, k2), [k1]) },
    { name: 'a number two above the head', before: [one], pack: after(one, keysOf(k1, k2), [k1], { packSeq: 3 }) },
    {
      name: 'one stolen key of a 2-of-3 set, fast forward to a high number',
      before: [twoOfThree],
      pack: after(twoOfThree, keysOf(k1, k2, k3), [k1], { packSeq: 1_000, threshold: 1 })
    }
  ],
  PACK_PREV_MISMATCH: [
    { name: 'another predecessor', before: [one], pack: after(twoOfThree, keysOf(k1, k2), [k1]) },
    {
      name: 'a number that goes back, after the head',
      before: [one, second],
      pack: after(second, keysOf(k1, k2), [k1], { packSeq: 2 })
    },
    {
      name: 'the next number after a predecessor of before',
      before: [one, second],
      pack: after(one, [packKey(k1), retired(k2)], [k1], { packSeq: 3 })
    },
    {
      name: 'a first pack that is not the pinned one',
      before: [],
      pack: one,
      root: rootOf({ pins: new Map([[1, packHash(twoOfThree)]]) })
    }
  ],
  PACK_ROOT_MISMATCH: [
    {
      name: 'a root over fewer keys',
      before: [],
      pack: pack({ keys: keysOf(k1, k2), resulting: keysOf(k1), signers: [k1] })
    },
    { name: 'a root over the delta alone', before: [one], pack: after(one, keysOf(k3), [k1], { kind: 'delta' }) }
  ],
  PACK_STATUS_BACKWARD: [
    { name: 'a retired key made active', before: [retiredFirst], pack: after(retiredFirst, keysOf(k1, k2), [k1]) },
    {
      name: 'a revoked key made retired',
      before: [revokedFirst],
      pack: after(revokedFirst, [packKey(k1), retired(k2)], [k1])
    },
    { name: 'a full pack that drops a key', before: [one], pack: after(one, keysOf(k1), [k1]) },
    { name: 'a full pack that exchanges a key for another', before: [one], pack: after(one, keysOf(k1, k3), [k1]) }
  ],
  PACK_THRESHOLD: [
    {
      name: 'one stolen key of a 2-of-3 set, with a new key beside it',
      before: [twoOfThree],
      pack: after(twoOfThree, keysOf(k1, k2, k3, k4), [k1, k4])
    },
    {
      name: 'one stolen key of a 2-of-3 set, lowering the threshold',
      before: [twoOfThree],
      pack: after(twoOfThree, keysOf(k1, k2, k3), [k1], { threshold: 1 })
    },
    {
      name: 'one stolen key of a 2-of-3 set, revoking the others',
      before: [twoOfThree],
      pack: after(twoOfThree, [packKey(k1), revoked(k2), revoked(k3)], [k1], { threshold: 1 })
    },
    {
      name: 'a signer whose key was retired',
      before: [retiredFirst],
      pack: after(retiredFirst, [packKey(k1), retired(k2)], [k2])
    },
    {
      name: 'a first pack by keys that policy does not bind',
      before: [],
      pack: pack({ keys: keysOf(k4), signers: [k4] })
    },
    {
      name: 'a first pack that gives a bound kid another key',
      before: [],
      pack: pack({ keys: keysOf(machine('k1', 'other')), signers: [k1] })
    },
    { name: 'a first pack by fewer than policy asks for', before: [], pack: one, root: rootOf({ threshold: 2 }) }
  ],
  PACK_SIGNER_REVOKED: [
    {
      name: 'a revoked key among enough signers',
      before: [revokedFirst],
      pack: after(revokedFirst, [packKey(k1), revoked(k2)], [k1, k2])
    }
  ],
  PACK_SIGNER_FOREIGN: [
    { name: 'an unlisted key among enough signers', before: [one], pack: after(one, keysOf(k1, k2), [k1, k3]) },
    { name: 'signatures under other keys of its kids', before: [], pack: one, signed: false },
    { name: 'an event of another organisation', before: [], pack: one, signerBelongs: false },
    {
      name: 'an event of another organisation, above a gap',
      before: [],
      pack: after(one, keysOf(k1, k2), [k1]),
      signerBelongs: false
    },
    {
      name: 'an event of another organisation, far above the head',
      before: [one],
      pack: after(one, keysOf(k1, k2), [k1], { packSeq: 9 }),
      signerBelongs: false
    }
  ]
}

const cases = Object.entries(REFUSED).flatMap(([effect, refused]) => refused.map((each) => ({ effect, ...each })))

test.each(cases)(
  '$effect: $name; nothing else changes',
  ({ effect, before, pack: refused, root = rootOf(), signerBelongs = true, signed = true }) => {
    const good = walk(before, root)
    expect([...good.effects.values()]).toEqual(before.map(() => null))
    const chain = walkPacks(root, [
      ...before.map((each) => received(each)),
      received(refused, { signerBelongs, signed })
    ])
    const { wellJudged } = chain
    expect(chain).toEqual({ ...good, wellJudged, effects: new Map([...good.effects, [packHash(refused), effect]]) })
  }
)

test('PACK_FORK: one stolen key of a 1-of-n set can freeze its organisation, not take it over', () => {
  const honest = after(one, keysOf(k1, k2, k3), [k1])
  const stolen = after(one, keysOf(k1, k2, k4), [k2])
  const fastForward = after(stolen, [revoked(k1), packKey(k2), packKey(k4)], [k2, k4])
  const chain = walk([one, honest, stolen, fastForward])
  expect(chain).toMatchObject({ frozen: true, head: walk([one]).head })
  expect([one, honest, stolen, fastForward].map((each) => chain.effects.get(packHash(each)))).toEqual([
    null,
    'PACK_FORK',
    'PACK_FORK',
    'PACK_FORK'
  ])
})

test('a foreign copy of what would be a fork freezes nothing', () => {
  const honest = after(one, keysOf(k1, k2, k3), [k1])
  const foreign = after(one, keysOf(k1, k2, k4), [k1])
  const chain = walkPacks(rootOf(), [received(one), received(honest), received(foreign, { signerBelongs: false })])
  expect(chain).toMatchObject({ frozen: false, head: { hash: packHash(honest) } })
  expect(chain.everBound.map(({ kid }) => kid)).toEqual(['k1', 'k2', 'k3'])
})

test('two keys of a 2-of-3 set hand over to new keys, which co-sign', () => {
  const handedOver = after(twoOfThree, [retired(k1), retired(k2), packKey(k3), packKey(k4)], [k1, k2, k3, k4])
  expect(statuses(walk([twoOfThree, handedOver], rootOf({ threshold: 2 })))).toEqual({
    k1: 'RETIRED',
    k2: 'RETIRED',
    k3: 'ACTIVE',
    k4: 'ACTIVE'
  })
})

test('a key that was retired and then revoked stays listed, and stays bound for admission', () => {
  const two = after(one, [packKey(k1), retired(k2)], [k1])
  const three = pack({
    before: two,
    keys: [revoked(k2)],
    resulting: [packKey(k1), revoked(k2)],
    signers: [k1],
    changes: { kind: 'delta' }
  })
  expect(statuses(walk([one, two]))).toEqual({ k1: 'ACTIVE', k2: 'RETIRED' })
  const chain = walk([one, two, three])
  expect(statuses(chain)).toEqual({ k1: 'ACTIVE', k2: 'REVOKED' })
  expect(chain.head.keys.get('k2')).toMatchObject({ packSeq: 3, updatedAt: received(three).ts })
  expect(chain.everBound.map(({ kid }) => kid)).toEqual(['k1', 'k2'])
})
