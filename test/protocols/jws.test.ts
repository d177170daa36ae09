import fc from 'fast-check'
import { createHmac, webcrypto } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import {
  decodeDetached,
  encodeDetached,
  kidOfProtectedHeader,
  protectedHeader,
  signingInput,
  typOfPurpose
} from '../../protocols/signature/v1/jws.ts'
import { keyOf } from './vectors/vector-file.ts'

interface Jws {
  readonly signatures: readonly { readonly protected: string; readonly signature: string }[]
}

/**
 * Checks the first signature of a general JWS with a detached payload by the letter of RFC 7515 section 5.2 and RFC
 * 7797 sections 3 and 6, with WebCrypto and nothing of this project.
 */
async function verifiesByTheRfcs(
  serialization: Uint8Array,
  payload: Uint8Array,
  publicKey: Uint8Array
): Promise<boolean> {
  const jws = JSON.parse(Buffer.from(serialization).toString()) as Jws
  const [first] = jws.signatures
  if (first === undefined) return false
  const header = JSON.parse(Buffer.from(first.protected, 'base64url').toString()) as Record<string, unknown>
  const critical = header['crit'] as string[]
  const understood = critical.every((name) => name === 'b64' && name in header)
  if (!understood || header['alg'] !== 'Ed25519') return false
  const encoded =
    header['b64'] === false ? Buffer.from(payload) : Buffer.from(Buffer.from(payload).toString('base64url'))
  const input = Buffer.concat([Buffer.from(first.protected, 'ascii'), Buffer.from('.'), encoded])
  const key = await webcrypto.subtle.importKey('raw', publicKey, 'Ed25519', false, ['verify'])
  return webcrypto.subtle.verify('Ed25519', key, Buffer.from(first.signature, 'base64url'), input)
}

describe('detached JWS', () => {
  const signer = keyOf('jws')

  test('is what RFC 7515 and RFC 7797 say', async () => {
    const typ = typOfPurpose('event.announce')
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (payload) => {
        const header = protectedHeader('key-1', typ)
        const signature = signer.sign(signingInput(header, payload))
        const serialization = encodeDetached([{ protected: header, signature }])
        expect(await verifiesByTheRfcs(serialization, payload, signer.publicKey)).toBe(true)
        expect(await verifiesByTheRfcs(serialization, Buffer.concat([payload, Buffer.of(0)]), signer.publicKey)).toBe(
          false
        )
      }),
      { numRuns: 50 }
    )
  })

  test('the signing input is that of the example in RFC 7797 section 4.2', () => {
    const key = Buffer.from(
      'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow',
      'base64url'
    )
    const header = Buffer.from('{"alg":"HS256","b64":false,"crit":["b64"]}').toString('base64url')
    expect(header).toBe('eyJhbGciOiJIUzI1NiIsImI2NCI6ZmFsc2UsImNyaXQiOlsiYjY0Il19')
    const mac = createHmac('sha256', key)
      .update(signingInput(header, Buffer.from('$.02')))
      .digest('base64url')
    expect(mac).toBe('A5dxf2s96_n5FLueVuW1Z_vh161FwXZC4YLPff6dmDY')
  })

  test('a header is read back, for its own purpose alone', () => {
    const kid = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._:#-]{0,127}$/)
    const purpose = fc.stringMatching(/^[a-z][a-z.-]{0,20}$/)
    fc.assert(
      fc.property(kid, purpose, purpose, (name, one, other) => {
        const header = protectedHeader(name, typOfPurpose(one))
        expect(kidOfProtectedHeader(header, typOfPurpose(one))).toBe(name)
        expect(kidOfProtectedHeader(header, typOfPurpose(other))).toBe(one === other ? name : null)
      })
    )
  })

  test('a list is read back as it was written', () => {
    const entry = fc.record({
      protected: fc.string({ unit: 'binary' }),
      signature: fc.uint8Array({ minLength: 64, maxLength: 64 })
    })
    fc.assert(
      fc.property(fc.array(entry, { minLength: 1, maxLength: 4 }), (signatures) => {
        expect(decodeDetached(encodeDetached(signatures))).toEqual({ ok: true, signatures })
      })
    )
  })
})
