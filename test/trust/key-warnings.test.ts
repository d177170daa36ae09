import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { keyWarnings } from '../../src/trust/key-warnings.ts'
import type { KeyFacts } from '../../src/trust/key-warnings.ts'

const DAY = 86_400_000
const NOW = 1_000 * DAY
const NOTHING: KeyFacts = {
  now: NOW,
  rotateEveryMs: 365 * DAY,
  warnBeforeMs: 30 * DAY,
  orgId: 'own',
  ownKeys: [],
  peers: [],
  packs: [],
  certificates: []
}
const key = { kid: 'k', publicKey: 'A', createdAt: NOW, signs: true }
const packed = { kid: 'k', publicKey: 'A', status: 'ACTIVE', notAfter: null }
const pack = { orgId: 'own', packSeq: 3, validUntil: NOW + 365 * DAY, keys: [packed] }
const codesOf = (facts: Partial<KeyFacts>): readonly string[] =>
  keyWarnings({ ...NOTHING, ...facts }).map(({ code, subject }) => `${code} ${subject}`)

describe('warnings of keys', () => {
  test.each<[string, Partial<KeyFacts>, readonly string[]]>([
    ['a new key', { ownKeys: [key] }, []],
    ['a key 335 days old', { ownKeys: [{ ...key, createdAt: NOW - 335 * DAY }] }, ['KEY_ROTATION_DUE k']],
    ['a day younger', { ownKeys: [{ ...key, createdAt: NOW - 334 * DAY }] }, []],
    ['an old key that does not sign', { ownKeys: [{ ...key, createdAt: 0, signs: false }] }, []],
    ['a key of unknown age', { ownKeys: [{ ...key, createdAt: null }] }, []],
    ['all as the pack says', { ownKeys: [key], packs: [pack] }, []],
    [
      'an end that is near',
      { ownKeys: [key], packs: [{ ...pack, keys: [{ ...packed, notAfter: NOW + DAY }] }] },
      ['KEY_ENDS k']
    ],
    [
      'an end that is past',
      { ownKeys: [key], packs: [{ ...pack, keys: [{ ...packed, notAfter: NOW }] }] },
      ['KEY_ENDED k']
    ],
    ['a key that the pack lacks', { ownKeys: [key], packs: [{ ...pack, keys: [] }] }, ['DRIFT_MISSING k']],
    [
      'another key',
      { ownKeys: [key], packs: [{ ...pack, keys: [{ ...packed, publicKey: 'B' }] }] },
      ['DRIFT_OTHER_KEY k']
    ],
    [
      'a retired key',
      { ownKeys: [key], packs: [{ ...pack, keys: [{ ...packed, status: 'RETIRED' }] }] },
      ['DRIFT_NOT_ACTIVE k']
    ],
    [
      'a retired key that a DID is by itself, and one beside it',
      {
        peers: [
          {
            did: 'did:key:k',
            orgId: 'own',
            keys: [
              { kid: 'k', publicKey: 'A' },
              { kid: 'l', publicKey: 'L' }
            ]
          }
        ],
        packs: [
          {
            ...pack,
            keys: ['k', 'l'].map((kid) => ({ ...packed, kid, publicKey: kid === 'k' ? 'A' : 'L', status: 'RETIRED' }))
          }
        ]
      },
      ['DRIFT_NOT_ACTIVE l']
    ],
    [
      'own and other packs that end',
      {
        packs: [
          { ...pack, orgId: 'b', validUntil: NOW },
          { ...pack, validUntil: NOW + 30 * DAY }
        ]
      },
      ['PACK_ENDS own', 'PACK_STALE b']
    ],
    [
      'peers.yaml behind a pack',
      {
        peers: [
          {
            did: 'did:web:b',
            orgId: 'b',
            keys: [
              { kid: 'k', publicKey: 'A' },
              { kid: 'l', publicKey: 'L' },
              { kid: 'm', publicKey: 'M' }
            ]
          },
          { did: 'did:web:c', orgId: 'c', keys: [{ kid: 'k', publicKey: 'A' }] }
        ],
        packs: [
          {
            ...pack,
            orgId: 'b',
            keys: [
              { ...packed, status: 'REVOKED' },
              { ...packed, kid: 'l', publicKey: 'X' }
            ]
          }
        ]
      },
      ['DRIFT_NOT_ACTIVE k', 'DRIFT_OTHER_KEY l', 'DRIFT_MISSING m']
    ],
    [
      'certificates',
      {
        certificates: [
          { what: 'a', notAfter: NOW - 1 },
          { what: 'b', notAfter: NOW + 1 },
          { what: 'c', notAfter: NOW + 31 * DAY }
        ]
      },
      ['CERTIFICATE_ENDED a', 'CERTIFICATE_ENDS b']
    ]
  ])('%s', (_name, facts, codes) => expect(codesOf(facts)).toEqual(codes))

  test('name what to do, and when', () => {
    const [due] = keyWarnings({ ...NOTHING, ownKeys: [{ ...key, createdAt: NOW - 360 * DAY }] })
    expect(due?.text).toBe('the signing key k is due for rotation in 5 days: anchormesh keys rotate')
    const [late] = keyWarnings({ ...NOTHING, ownKeys: [{ ...key, createdAt: NOW - 367 * DAY }] })
    expect(late?.text).toContain('2 days ago')
  })

  test('never go away as time passes, and are never more than there are things', () => {
    const someTime = fc.integer({ min: NOW - 400 * DAY, max: NOW + 400 * DAY })
    const someFacts = fc.record({
      ownKeys: fc.array(
        fc.record({
          kid: fc.constantFrom('a', 'b'),
          publicKey: fc.constantFrom('A', 'B'),
          createdAt: someTime,
          signs: fc.boolean()
        }),
        { maxLength: 3 }
      ),
      packs: fc.array(
        fc.record({
          orgId: fc.constantFrom('own', 'b'),
          packSeq: fc.nat(5),
          validUntil: someTime,
          keys: fc.array(
            fc.record({
              kid: fc.constantFrom('a', 'b'),
              publicKey: fc.constantFrom('A', 'B'),
              status: fc.constantFrom('ACTIVE', 'RETIRED'),
              notAfter: fc.option(someTime)
            })
          )
        }),
        { maxLength: 2 }
      ),
      certificates: fc.array(fc.record({ what: fc.string(), notAfter: someTime }))
    })
    fc.assert(
      fc.property(someFacts, fc.nat(500 * DAY), (facts, laterMs) => {
        const now = keyWarnings({ ...NOTHING, ...facts })
        const later = keyWarnings({ ...NOTHING, ...facts, now: NOW + laterMs })
        const subjects = (list: typeof now): string[] =>
          list.map(({ code, subject }) => `${code.replace(/(?:ENDS|ENDED|STALE)$/, 'END')} ${subject}`)
        expect(subjects(later)).toEqual(expect.arrayContaining(subjects(now)))
        expect(now.length).toBeLessThanOrEqual(
          facts.ownKeys.length * 3 + facts.packs.length + facts.certificates.length
        )
      })
    )
  })
})
