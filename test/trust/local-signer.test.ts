import { expect, test } from 'vitest'
import { fromHex, toHex, utf8 } from '../../protocols/primitives/bytes.ts'
import { didKeyOf } from '../../protocols/signature/v1/did-key.ts'
import { checkPublicKey, verifyEd25519 } from '../../protocols/signature/v1/ed25519.ts'
import { localSigner } from '../../src/trust/local-signer.ts'

/** RFC 8032, section 7.1, TEST 2. */
const RFC8032 = {
  seed: '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
  publicKey: '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
  message: '72',
  signature:
    '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00'
}

const bytesOf = (hex: string): Uint8Array => fromHex(hex) ?? new Uint8Array()

test('signs as RFC 8032 does', async () => {
  const signer = localSigner(bytesOf(RFC8032.seed))
  expect(toHex(signer.publicKey)).toBe(RFC8032.publicKey)
  expect(toHex(await signer.sign(bytesOf(RFC8032.message)))).toBe(RFC8032.signature)
})

test('without an identity it is the did:key of its key; with one it signs for that', async () => {
  const seed = bytesOf(RFC8032.seed)
  const own = localSigner(seed)
  expect(own.did).toBe(didKeyOf(own.publicKey))
  expect(own.did).toBe(`did:key:${own.kid}`)
  const named = localSigner(seed, { did: 'did:web:org-a.example', kid: 'machine-1' })
  expect(named).toMatchObject({ did: 'did:web:org-a.example', kid: 'machine-1', publicKey: own.publicKey })
  expect(await named.sign(utf8('a'))).toEqual(await own.sign(utf8('a')))
})

test('its signatures are good under its key and for their message alone', async () => {
  const signer = localSigner(bytesOf(RFC8032.seed))
  const checked = checkPublicKey(signer.publicKey)
  if (!checked.ok) throw new Error(checked.detail)
  const signature = await signer.sign(utf8('a'))
  expect(verifyEd25519(checked.key, utf8('a'), signature)).toBe(true)
  expect(verifyEd25519(checked.key, utf8('b'), signature)).toBe(false)
})

test.each([0, 31, 33, 64])('refuses a seed of %i bytes', (length) => {
  expect(() => localSigner(new Uint8Array(length))).toThrow(RangeError)
})
