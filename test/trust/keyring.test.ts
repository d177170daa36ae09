import { describe, expect, test } from 'vitest'
import { toBase64url } from '../../protocols/primitives/bytes.ts'
import { didKeyOf } from '../../protocols/signature/v1/did-key.ts'
import { Keyring } from '../../src/trust/keyring.ts'
import { localSigner } from '../../src/trust/local-signer.ts'
import { member } from '../support/identities.ts'

const { signer } = member('ada')
const others = Array.from({ length: 20 }, (_, index) => member(`other-${index}`).signer)
const textOf = (publicKey: Uint8Array): string => toBase64url(publicKey)

function found(keyring: Keyring, did: string, kid: string, orgId?: string): string[] | string {
  const lookup = keyring.find(did, kid, orgId)
  return lookup.ok ? lookup.keys.map(({ bytes }) => textOf(bytes)) : lookup.code
}

describe('did:key', () => {
  test('needs no binding, under its own kid alone', () => {
    const keyring = new Keyring()
    expect(found(keyring, signer.did, signer.kid)).toEqual([textOf(signer.publicKey)])
    expect(found(keyring, signer.did, 'machine-1')).toBe('KEY_UNKNOWN')
    expect(found(keyring, signer.did, others[0]?.kid ?? '')).toBe('KEY_UNKNOWN')
    expect(found(keyring, 'did:web:example.org', signer.kid)).toBe('KEY_UNKNOWN')
  })

  test.each([
    ['the identity', Uint8Array.of(1, ...new Uint8Array(31))],
    ['a point of order two', Uint8Array.of(0xec, ...new Uint8Array(30).fill(0xff), 0x7f)],
    ['a point of order four', new Uint8Array(32)],
    ['no point', Uint8Array.of(2, ...new Uint8Array(31))],
    ['an encoding that is not canonical', Uint8Array.of(0xee, ...new Uint8Array(30).fill(0xff), 0x7f)]
  ])('is weak when it is %s, at every time of asking', (_, publicKey) => {
    const keyring = new Keyring()
    const did = didKeyOf(publicKey)
    const kid = did.slice('did:key:'.length)
    expect([found(keyring, did, kid), found(keyring, did, kid)]).toEqual(['KEY_WEAK', 'KEY_WEAK'])
  })

  test('of another kind of key is weak', () => {
    const did = 'did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme'
    expect(found(new Keyring(), did, did.slice('did:key:'.length))).toBe('KEY_WEAK')
  })
})

describe('bindings', () => {
  test('to a DID and to its organisation, and to nobody else', () => {
    const keyring = new Keyring()
    const [first, second] = others
    if (first === undefined || second === undefined) throw new Error('no keys')
    expect(keyring.bind('did:web:ada', 'machine-1', textOf(first.publicKey))).toBe(true)
    expect(keyring.bind('org-ada', 'machine-2', textOf(second.publicKey))).toBe(true)
    expect(found(keyring, 'did:web:ada', 'machine-1')).toEqual([textOf(first.publicKey)])
    expect(found(keyring, 'did:web:ada', 'machine-2', 'org-ada')).toEqual([textOf(second.publicKey)])
    expect(found(keyring, 'did:web:bob', 'machine-1', 'org-bob')).toBe('KEY_UNKNOWN')
    expect(found(keyring, 'did:web:ada', 'machine-2', 'org-bob')).toBe('KEY_UNKNOWN')
    expect(found(keyring, 'did:web:ada', 'machine-2')).toBe('KEY_UNKNOWN')
  })

  test('come to the same in whatever order: every key that a kid ever stood for', () => {
    const [first, second, third] = others.map(({ publicKey }) => textOf(publicKey))
    const bindings = [
      ['did:web:ada', first],
      ['org-ada', second],
      ['org-ada', third],
      ['org-ada', first]
    ] as const
    const inOrder = new Keyring()
    const reversed = new Keyring()
    for (const [holder, key] of bindings) inOrder.bind(holder, 'kid', key ?? '')
    for (const [holder, key] of bindings.toReversed()) reversed.bind(holder, 'kid', key ?? '')
    for (const keyring of [inOrder, reversed]) {
      expect(new Set(found(keyring, 'did:web:ada', 'kid', 'org-ada'))).toEqual(new Set([first, second, third]))
      expect(found(keyring, 'did:web:ada', 'kid', 'org-ada')).toHaveLength(3)
    }
  })

  test('are new once, and a thief can not make them many', () => {
    const keyring = new Keyring()
    const key = textOf(signer.publicKey)
    expect([
      keyring.bind('org', 'kid', key),
      keyring.bind('org', 'kid', key),
      keyring.bind('org', 'kid', 'no key!')
    ]).toEqual([true, false, false])
    for (const { publicKey } of others) keyring.bind('org', 'kid', textOf(publicKey))
    expect(found(keyring, 'did:web:x', 'kid', 'org')).toHaveLength(16)
  })

  test('of one kid beyond sixteen: the smallest count, whichever came first, and those of a DID stand apart', () => {
    const keys = others.map(({ publicKey }) => Buffer.from(publicKey))
    const smallest = keys.sort((left, right) => Buffer.compare(left, right))
    const expected = smallest.slice(0, 16).map((key) => textOf(key))
    for (const order of [others, others.toReversed()]) {
      const keyring = new Keyring()
      const configured = textOf(smallest.at(-1) ?? new Uint8Array())
      keyring.bind('did:web:x', 'kid', configured)
      for (const { publicKey } of order) keyring.bind('org', 'kid', textOf(publicKey))
      expect(found(keyring, 'did:web:y', 'kid', 'org')).toEqual(expected)
      expect(found(keyring, 'did:web:x', 'kid', 'org')).toEqual([configured, ...expected])
      expect(keyring.bind('org', 'kid', configured)).toBe(false)
    }
  })
})

test('a local signer is the did:key of its seed, or whom it is told to be', async () => {
  const seed = new Uint8Array(32).fill(9)
  const own = localSigner(seed)
  expect(own.did).toBe(didKeyOf(own.publicKey))
  expect(`did:key:${own.kid}`).toBe(own.did)
  expect(localSigner(seed, { did: 'did:web:ada', kid: 'machine-1' })).toMatchObject({
    did: 'did:web:ada',
    kid: 'machine-1',
    publicKey: own.publicKey
  })
  expect(await own.sign(new Uint8Array(3))).toHaveLength(64)
  expect(() => localSigner(new Uint8Array(31))).toThrow(RangeError)
})
