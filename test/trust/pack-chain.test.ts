import { describe, expect, test } from 'vitest'
import type { AnchorPack, LastGood, PackKey } from '../../protocols/event/v1/anchor-pack.ts'
import { packHash, packKeysBytes } from '../../protocols/event/v1/anchor-pack.ts'
import { toBase64url } from '../../protocols/primitives/bytes.ts'
import type { OrganisationRoot } from '../../src/trust/pack-chain.ts'
import type { PackChain, ReceivedPack } from '../support/pack-walk.ts'
import { walkPacks } from '../support/pack-walk.ts'
import { member } from '../support/identities.ts'
import { makePack, packKey, received } from '../support/packs.ts'

const ORG = 'org-ada'
const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => ({ ...member(`key-${name}`).signer, kid: `kid-${name}` })) as [
  Key,
  Key,
  Key,
  Key
]
type Key = ReturnType<typeof member>['signer']

const machineOf = (name: string): Key => ({ ...member(`key-${name}`).signer, kid: `kid-${name}` })

const retired: Partial<PackKey> = { status: 'RETIRED', retiredAt: 1 }
const revoked: Partial<PackKey> = { status: 'REVOKED', revokedAt: 1 }

function rootOf(keys: readonly Key[], changes: Partial<OrganisationRoot> = {}): OrganisationRoot {
  return { orgId: ORG, threshold: 1, pins: new Map(), keys: keys.map((key) => packKey(key)), ...changes }
}

function walk(packs: readonly (AnchorPack | ReceivedPack)[], root: OrganisationRoot = rootOf([a])): PackChain {
  return walkPacks(
    root,
    packs.map((pack) => ('hash' in pack ? pack : received(pack)))
  )
}

const pack = (keys: readonly PackKey[], signers: readonly Key[], changes: Partial<AnchorPack> = {}): AnchorPack =>
  makePack({ orgId: ORG, keys, signers, changes })
const after = (
  before: AnchorPack,
  keys: readonly PackKey[],
  signers: readonly Key[],
  changes: Partial<AnchorPack> = {}
): AnchorPack => makePack({ orgId: ORG, before, keys, signers, changes })
const delta = (
  before: AnchorPack,
  keys: readonly PackKey[],
  resulting: readonly PackKey[],
  signers: readonly Key[],
  changes: Partial<AnchorPack> = {}
): AnchorPack => makePack({ orgId: ORG, before, keys, resulting, signers, changes: { kind: 'delta', ...changes } })

const one = pack([packKey(a)], [a])
const two = after(one, [packKey(a), packKey(b)], [a])

function effectOf(chain: PackChain, of: AnchorPack): unknown {
  return chain.effects.get(packHash(of))
}

const kidsOf = (chain: PackChain): string[] =>
  [...chain.head.keys.values()].map(({ key }) => `${key.kid} ${key.status}`).sort()

test('nothing known: the head stands before the first pack', () => {
  expect(walk([])).toMatchObject({ head: { packSeq: 0, hash: null, threshold: 1 }, frozen: false, everBound: [] })
})

test('packs in their places count, and say when each key last changed', () => {
  const three = after(two, [packKey(a, retired), packKey(b)], [b])
  const chain = walk([one, two, three])
  expect([one, two, three].map((of) => effectOf(chain, of))).toEqual([null, null, null])
  expect(chain).toMatchObject({
    frozen: false,
    head: { packSeq: 3, hash: packHash(three), validUntil: three.validUntil }
  })
  expect(chain.head.keys.get('kid-a')).toMatchObject({
    key: { status: 'RETIRED' },
    packSeq: 3,
    updatedAt: received(three).ts
  })
  expect(chain.head.keys.get('kid-b')).toMatchObject({
    key: { status: 'ACTIVE' },
    packSeq: 2,
    updatedAt: received(two).ts
  })
  expect(chain.everBound.map(({ kid }) => kid).sort()).toEqual(['kid-a', 'kid-b'])
})

describe('a pack without effect', () => {
  test.each([
    ['PACK_SIGNER_FOREIGN', 'carried by a signer of another organisation', received(two, { signerBelongs: false })],
    ['PACK_GAP', 'whose predecessor is not here', after(two, [packKey(a), packKey(b), packKey(c)], [a])],
    [
      'PACK_PREV_MISMATCH',
      'that names another predecessor',
      after(one, [packKey(a), packKey(b)], [a], { prevPack: 'f'.repeat(64) })
    ],
    ['BODY_INVALID', 'that gives a kid another key', after(one, [packKey({ ...b, kid: 'kid-a' }), packKey(b)], [b])],
    [
      'BODY_INVALID',
      'with a key that is no point of prime order',
      after(one, [packKey(a), packKey({ kid: 'kid-b', publicKey: new Uint8Array(32) })], [a])
    ],
    ['PACK_STATUS_BACKWARD', 'that leaves a key out of a full set', after(one, [packKey(b)], [b])],
    [
      'PACK_ROOT_MISMATCH',
      'whose root is of other keys',
      after(one, [packKey(a), packKey(b)], [a], { root: one.root })
    ],
    [
      'PACK_ROOT_MISMATCH',
      'whose root is of another threshold',
      after(one, [packKey(a), packKey(b)], [a], { root: two.root, threshold: 2, signingKids: ['kid-a', 'kid-b'] })
    ],
    ['PACK_SIGNER_FOREIGN', 'signed by a key that is not among its own', after(one, [packKey(a)], [a, c])],
    ['PACK_THRESHOLD', 'signed by a new key alone', after(one, [packKey(a), packKey(b)], [b])],
    [
      'PACK_THRESHOLD',
      'signed by too few for its own threshold',
      after(one, [packKey(a), packKey(b)], [a], { threshold: 2 })
    ],
    ['PACK_THRESHOLD', 'that asks for more signers than there are', after(one, [packKey(a)], [a], { threshold: 3 })],
    ['PACK_THRESHOLD', 'that retires its only signer', after(one, [packKey(a, retired), packKey(b)], [a])],
    [
      'PACK_THRESHOLD',
      'that takes the use from its only signer',
      after(one, [packKey(a, { uses: ['event'] }), packKey(b)], [a])
    ]
  ] as const)('%s: %s', (effect, _, bad) => {
    const of = 'hash' in bad ? bad.pack : bad
    const chain = walk([one, bad])
    expect(effectOf(chain, of)).toBe(effect)
    expect(chain).toMatchObject({ frozen: false, head: { packSeq: 1, hash: packHash(one) } })
    expect(chain.everBound).toHaveLength(1)
    // What follows it is a gap, even if it would be in order by itself.
    const next = after(of, [packKey(a), packKey(b)], [a])
    expect(effectOf(walk([one, bad, next]), next)).toBe('PACK_GAP')
  })

  test.each([
    ['an active key after it was retired', packKey(a, retired), packKey(a)],
    ['an active key after it was revoked', packKey(a, revoked), packKey(a)],
    ['a retired key after it was revoked', packKey(a, revoked), packKey(a, retired)]
  ])('PACK_STATUS_BACKWARD: %s', (_, before, now) => {
    const start = pack([packKey(a), packKey(b)], [a])
    const second = after(start, [before, packKey(b)], [b])
    const third = after(second, [now, packKey(b)], [b])
    const chain = walk([start, second, third])
    expect([start, second, third].map((of) => effectOf(chain, of))).toEqual([null, null, 'PACK_STATUS_BACKWARD'])
    expect(chain.head.packSeq).toBe(2)
  })

  const good = (authorSeq: number): LastGood => {
    return { signer: 'did:web:a.example', kid: 'kid-a', namespace: 'dao:test', authorSeq, id: 'e'.repeat(64) }
  }
  test.each([
    ['gains an element', { ...retired, lastGood: [good(1)] }, { ...retired, lastGood: [good(1), good(2)] }, false],
    ['gets its first element', retired, { ...retired, lastGood: [good(1)] }, false],
    ['has one replaced', { ...revoked, lastGood: [good(1)] }, { ...revoked, lastGood: [good(2)] }, false],
    ['loses one', { ...retired, lastGood: [good(1), good(2)] }, { ...retired, lastGood: [good(2)] }, true],
    ['loses all', { ...revoked, lastGood: [good(1)] }, revoked, true],
    ['is set anew by a revocation', { ...retired, lastGood: [good(1)] }, { ...revoked, lastGood: [good(2)] }, true]
  ])('a list of last good events that %s', (_, before, now, counts) => {
    const start = pack([packKey(a), packKey(b)], [b])
    const second = after(start, [packKey(a, before), packKey(b)], [b])
    const third = after(second, [packKey(a, now), packKey(b)], [b])
    const chain = walk([start, second, third], rootOf([b]))
    expect(effectOf(chain, third)).toBe(counts ? null : 'PACK_STATUS_BACKWARD')
    expect(chain.head.packSeq).toBe(counts ? 3 : 2)
    expect(chain.head.keys.get('kid-a')?.key).toEqual(packKey(a, counts ? now : before))
  })

  test('a key that lost the use event, or never had it, does not get it', () => {
    const start = pack([packKey(a), packKey(b), packKey(c, { uses: ['pack'] })], [b])
    const second = after(start, [packKey(a, { uses: ['pack'] }), packKey(b), packKey(c, { uses: ['pack'] })], [b])
    const back = after(second, [packKey(a), packKey(b), packKey(c, { uses: ['pack'] })], [b])
    const given = after(second, [packKey(a, { uses: ['pack'] }), packKey(b), packKey(c)], [b])
    for (const bad of [back, given]) {
      const chain = walk([start, second, bad], rootOf([b]))
      expect([second, bad].map((of) => effectOf(chain, of))).toEqual([null, 'PACK_STATUS_BACKWARD'])
    }
    const packs = after(
      second,
      [packKey(a, { uses: ['pack'] }), packKey(b, { uses: ['event'] }), packKey(c, { uses: ['pack'] })],
      [a, b]
    )
    const again = after(packs, [packKey(a, { uses: ['pack'] }), packKey(b), packKey(c, { uses: ['pack'] })], [a])
    expect(walk([start, second, packs, again], rootOf([b])).head.packSeq).toBe(4)
  })

  test('a retired key may be revoked', () => {
    const start = pack([packKey(a), packKey(b)], [a])
    const second = after(start, [packKey(a, retired), packKey(b)], [b])
    const third = after(second, [packKey(a, revoked), packKey(b)], [b])
    expect(effectOf(walk([start, second, third]), third)).toBeNull()
  })

  test('PACK_SIGNER_REVOKED: a revoked key among the signers spoils the pack, though the others would do', () => {
    const start = pack([packKey(a), packKey(b)], [a])
    const second = after(start, [packKey(a, revoked), packKey(b)], [b])
    const third = after(second, [packKey(a, revoked), packKey(b), packKey(c)], [a, b])
    expect(effectOf(walk([start, second, third]), third)).toBe('PACK_SIGNER_REVOKED')
  })

  test('a retired key may stand among the signers, and does not count', () => {
    const start = pack([packKey(a), packKey(b)], [a])
    const second = after(start, [packKey(a, retired), packKey(b)], [b])
    const byBoth = after(second, [packKey(a, retired), packKey(b), packKey(c)], [a, b])
    const byOld = after(second, [packKey(a, retired), packKey(b), packKey(c)], [a])
    expect(effectOf(walk([start, second, byBoth]), byBoth)).toBeNull()
    expect(effectOf(walk([start, second, byOld]), byOld)).toBe('PACK_THRESHOLD')
  })

  test('a key that only signs events signs no packs', () => {
    const start = pack([packKey(a), packKey(b, { uses: ['event'] })], [a])
    const second = after(start, [packKey(a), packKey(b, { uses: ['event'] }), packKey(c)], [b])
    expect(effectOf(walk([start, second]), second)).toBe('PACK_THRESHOLD')
  })
})

describe('the threshold', () => {
  const start = pack([packKey(a), packKey(b), packKey(c)], [a, b], { threshold: 2 })

  test('of the old set must sign, whatever the new one asks for', () => {
    const root = rootOf([a])
    const lower = after(start, start.keys, [a], { threshold: 1 })
    expect(effectOf(walk([start, lower], root), lower)).toBe('PACK_THRESHOLD')
    const byTwo = after(start, start.keys, [a, c], { threshold: 1 })
    expect(walk([start, byTwo], root).head).toMatchObject({ packSeq: 2, threshold: 1 })
  })

  test('can be met by old keys for the old set and by new ones for the new', () => {
    const next = after(start, [packKey(a, retired), packKey(b), packKey(c), packKey(d)], [a, b, d], { threshold: 2 })
    expect(effectOf(walk([start, next]), next)).toBeNull()
    const short = after(start, [packKey(a, retired), packKey(b, retired), packKey(c), packKey(d)], [a, b, d], {
      threshold: 2
    })
    expect(effectOf(walk([start, short]), short)).toBe('PACK_THRESHOLD')
  })

  test('a key can sign the pack that revokes it, as one of the old set', () => {
    const next = after(start, [packKey(a, revoked), packKey(b), packKey(c)], [a, b, c], { threshold: 2 })
    expect(effectOf(walk([start, next]), next)).toBeNull()
  })
})

describe('the beginning', () => {
  test('without a pin: keys that configuration binds, with their own public key', () => {
    expect(walk([one], rootOf([])).head.packSeq).toBe(0)
    expect(effectOf(walk([one], rootOf([b])), one)).toBe('PACK_THRESHOLD')
    const otherKey = rootOf([{ ...b, kid: 'kid-a' }])
    expect(effectOf(walk([one], otherKey), one)).toBe('PACK_THRESHOLD')
    expect(effectOf(walk([one], rootOf([a], { threshold: 2 })), one)).toBe('PACK_THRESHOLD')
    const byTwo = pack([packKey(a), packKey(b)], [a, b])
    expect(effectOf(walk([byTwo], rootOf([a, b], { threshold: 2 })), byTwo)).toBeNull()
  })

  test('with a pin: that pack and no other, whoever signed it', () => {
    const other = pack([packKey(b)], [b])
    const root = rootOf([a], { pins: new Map([[1, packHash(other)]]) })
    const chain = walk([one, other], root)
    expect([effectOf(chain, one), effectOf(chain, other)]).toEqual(['PACK_PREV_MISMATCH', null])
    expect(chain).toMatchObject({ frozen: false, head: { hash: packHash(other) } })
  })

  test('a pin does not lift the threshold that the pack sets itself', () => {
    const own = pack([packKey(a), packKey(b)], [a], { threshold: 2 })
    expect(effectOf(walk([own], rootOf([], { pins: new Map([[1, packHash(own)]]) })), own)).toBe('PACK_THRESHOLD')
  })

  test('packs of a pinned first one that has not come are a gap', () => {
    const chain = walk([two], rootOf([a], { pins: new Map([[1, packHash(one)]]) }))
    expect(effectOf(chain, two)).toBe('PACK_GAP')
  })
})

describe('a fork', () => {
  const left = after(one, [packKey(a), packKey(b)], [a])
  const right = after(one, [packKey(a), packKey(c)], [a])

  test('freezes the organisation where it was, and still binds the keys of both sides for admission', () => {
    const chain = walk([one, left, right])
    expect(chain).toMatchObject({ frozen: true, head: { packSeq: 1, hash: packHash(one) } })
    expect([one, left, right].map((of) => effectOf(chain, of))).toEqual([null, 'PACK_FORK', 'PACK_FORK'])
    expect(chain.everBound.map(({ kid }) => kid).sort()).toEqual(['kid-a', 'kid-b', 'kid-c'])
  })

  test('is not healed by what follows on one side, whose keys are bound as well', () => {
    const further = after(left, [packKey(a), packKey(b), packKey(d)], [b])
    const chain = walk([further, right, left, one])
    expect(chain).toMatchObject({ frozen: true, head: { packSeq: 1 } })
    expect(effectOf(chain, further)).toBe('PACK_FORK')
    expect(chain.everBound.map(({ kid }) => kid)).toContain('kid-d')
  })

  test('a higher number on one side wins nothing', () => {
    let tip = left
    const packs = [one, left, right]
    for (let index = 0; index < 5; index += 1) {
      tip = after(tip, tip.keys, [a], { validUntil: 1_800_000_000_000 + index })
      packs.push(tip)
    }
    expect(walk(packs)).toMatchObject({ frozen: true, head: { packSeq: 1 } })
  })

  test('a second pack that is not valid freezes nothing', () => {
    const invalid = after(one, [packKey(a), packKey(c)], [c])
    const chain = walk([one, left, invalid])
    expect(chain).toMatchObject({ frozen: false, head: { packSeq: 2, hash: packHash(left) } })
    expect(effectOf(chain, invalid)).toBe('PACK_THRESHOLD')
  })

  test('two first packs freeze an organisation before it begins; a pin decides', () => {
    const other = pack([packKey(a), packKey(b)], [a])
    expect(walk([one, other])).toMatchObject({ frozen: true, head: { packSeq: 0, hash: null } })
    expect(walk([one, other], rootOf([a], { pins: new Map([[1, packHash(other)]]) }))).toMatchObject({
      frozen: false,
      head: { packSeq: 1, hash: packHash(other) }
    })
  })
})

describe('a pin', () => {
  const left = after(one, [packKey(a), packKey(b)], [a])
  const right = after(one, [packKey(a), packKey(c)], [a])
  const further = after(left, [packKey(a), packKey(b), packKey(d)], [b])
  const pinning = (packSeq: number, of: AnchorPack): OrganisationRoot =>
    rootOf([a], { pins: new Map([[packSeq, packHash(of)]]) })

  test('settles a fork: the other side is none any more, and what follows the pinned one goes on', () => {
    const packs = [one, left, right, further]
    const chain = walk(packs, pinning(2, left))
    expect(chain).toMatchObject({ frozen: false, head: { packSeq: 3, hash: packHash(further) } })
    expect(packs.map((of) => effectOf(chain, of))).toEqual([null, null, 'PACK_FORK', null])
    const other = walk(packs, pinning(2, right))
    expect(other).toMatchObject({ frozen: false, head: { packSeq: 2, hash: packHash(right) } })
    expect(packs.map((of) => effectOf(other, of))).toEqual([null, 'PACK_FORK', null, 'PACK_PREV_MISMATCH'])
  })

  test('recovers a lost threshold: nothing is asked of the old keys', () => {
    const start = pack([packKey(a), packKey(b), packKey(c)], [a, b], { threshold: 2 })
    const lost = [packKey(a, revoked), packKey(b, revoked), packKey(c), packKey(d)]
    const fresh = after(start, lost, [c, d], { threshold: 2 })
    expect(effectOf(walk([start, fresh]), fresh)).toBe('PACK_THRESHOLD')
    expect(walk([start, fresh], pinning(2, fresh))).toMatchObject({ head: { packSeq: 2, hash: packHash(fresh) } })
  })

  test.each([
    ['PACK_THRESHOLD', 'too few for its own threshold', [d], { threshold: 2 }],
    ['PACK_SIGNER_FOREIGN', 'a foreign key', [a, machineOf('e')], {}],
    ['PACK_ROOT_MISMATCH', 'a wrong root', [a], { root: one.root }],
    ['PACK_PREV_MISMATCH', 'another predecessor', [a], { prevPack: 'f'.repeat(64) }]
  ] as const)('lifts nothing else: %s for %s', (effect, _, signers, changes) => {
    const bad = after(one, [packKey(a), packKey(d)], signers, changes)
    const chain = walk([one, bad], pinning(2, bad))
    expect([effectOf(chain, bad), chain.head.packSeq]).toEqual([effect, 1])
  })

  test('lifts no status and no revocation', () => {
    const second = after(one, [packKey(a, revoked), packKey(b)], [a, b])
    const revived = after(second, [packKey(a), packKey(b)], [b])
    expect(effectOf(walk([one, second, revived], pinning(3, revived)), revived)).toBe('PACK_STATUS_BACKWARD')
    const byRevoked = after(second, [packKey(a, revoked), packKey(b)], [a, b])
    expect(effectOf(walk([one, second, byRevoked], pinning(3, byRevoked)), byRevoked)).toBe('PACK_SIGNER_REVOKED')
  })

  test('of a pack that has not come keeps the organisation where it was, whatever else is there', () => {
    const chain = walk([one, right], pinning(2, left))
    expect(chain).toMatchObject({ frozen: false, head: { packSeq: 1, hash: packHash(one) } })
    expect(effectOf(chain, right)).toBe('PACK_FORK')
  })
})

describe('a delta', () => {
  test('gives the same keys as a full pack', () => {
    const changed = packKey(a, { notAfter: 1_900_000_000_000 })
    const full = after(one, [changed, packKey(b)], [a])
    const partial = delta(one, [changed, packKey(b)], [changed, packKey(b)], [a])
    const untouched = delta(one, [packKey(b)], [packKey(a), packKey(b)], [a])
    expect(kidsOf(walk([one, full]))).toEqual(kidsOf(walk([one, partial])))
    expect([...walk([one, full]).head.keys]).toEqual([...walk([one, partial]).head.keys])
    expect(walk([one, untouched]).head.keys.get('kid-a')).toMatchObject({ packSeq: 1 })
    expect(walk([one, untouched]).head.keys.get('kid-b')).toMatchObject({ packSeq: 2 })
  })

  test('may hold nothing new: it renews how long the keys are valid', () => {
    const renewal = delta(one, [], [packKey(a)], [a], { validUntil: 1_950_000_000_000 })
    expect(walk([one, renewal]).head).toMatchObject({ packSeq: 2, validUntil: 1_950_000_000_000 })
  })

  test('whose root is over its own keys alone is refused', () => {
    const wrong = delta(one, [packKey(b)], [packKey(b)], [a])
    expect(effectOf(walk([one, wrong]), wrong)).toBe('PACK_ROOT_MISMATCH')
  })
})

test('all keys that result have at most 49,152 bytes, though a delta names few of them', () => {
  const last = { authorSeq: 1, id: 'e'.repeat(64), kid: 'kid-b', namespace: 'dao:test' }
  const keysOf = (lengths: readonly number[]): PackKey[] =>
    [lengths.slice(0, 64), lengths.slice(64)].map((of, index) => {
      const lastGood = of.map((length) => ({ ...last, signer: `did:web:${'x'.repeat(length)}` }))
      return packKey([b, c][index] ?? b, { ...retired, lastGood })
    })
  const smallest = packKeysBytes([packKey(a), ...keysOf(Array.from({ length: 128 }, () => 0))])
  const missing = 49_152 - smallest
  const effectWith = (bytes: number): unknown => {
    const lengths = Array.from({ length: 128 }, (_, index) => Math.floor((bytes + index) / 128))
    const [ofB, ofC] = keysOf(lengths) as [PackKey, PackKey]
    const big = after(one, [packKey(a), ofB], [a])
    const small = delta(big, [ofC], [packKey(a), ofB, ofC], [a])
    return effectOf(walk([one, big, small]), small)
  }
  expect([effectWith(missing), effectWith(missing + 1)]).toEqual([null, 'BODY_INVALID'])
})

test('a weak key stays weak however often it is asked for', () => {
  const bad = after(
    one,
    [packKey(a), { ...packKey(b), publicKey: toBase64url(Uint8Array.of(1, ...new Uint8Array(31))) }],
    [a]
  )
  for (let round = 0; round < 3; round += 1) expect(effectOf(walk([one, bad]), bad)).toBe('BODY_INVALID')
})
