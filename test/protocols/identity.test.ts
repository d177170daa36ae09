import { publicKeyFromProtobuf } from '@libp2p/crypto/keys'
import { peerIdFromPublicKey } from '@libp2p/peer-id'
import fc from 'fast-check'
import { base58btc } from 'multiformats/bases/base58'
import { describe, expect, test } from 'vitest'
import { bytesOfHex, fromBase64url, fromHex, toBase64url, toHex, utf8 } from '../../protocols/primitives/bytes.ts'
import { didKeyOf, kidOfDidKey, publicKeyOfDidKey } from '../../protocols/signature/v1/did-key.ts'
import { checkPublicKey, verifyEd25519 } from '../../protocols/signature/v1/ed25519.ts'
import { describeThirdParty, readJson } from './third-party.ts'

describe('bytes as text', () => {
  test('hex and base64url go there and back, as Buffer writes them', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), (bytes) => {
        expect(toHex(bytes)).toBe(Buffer.from(bytes).toString('hex'))
        expect(fromHex(toHex(bytes))).toEqual(bytes)
        expect(toBase64url(bytes)).toBe(Buffer.from(bytes).toString('base64url'))
        expect(fromBase64url(toBase64url(bytes))).toEqual(bytes)
      })
    )
  })

  test('a text is read only if it is what its bytes are written as', () => {
    const text = fc.string({
      unit: fc.constantFrom('A', 'B', 'Q', 'g', '0', 'f', '-', '_', '+', '/', '=', ' ', '\n', 'é', '😀'),
      maxLength: 9
    })
    fc.assert(
      fc.property(text, (candidate) => {
        const ofBase64url = fromBase64url(candidate)
        const lenient = Buffer.from(candidate, 'base64url')
        expect(ofBase64url !== null).toBe(lenient.toString('base64url') === candidate)
        const ofHex = fromHex(candidate)
        expect(ofHex !== null).toBe(Buffer.from(candidate, 'hex').toString('hex') === candidate)
      }),
      { numRuns: 3000 }
    )
  })

  test('bytes of hex that was found to be good, and a defect where it is not', () => {
    expect(bytesOfHex('00ff')).toEqual(Uint8Array.of(0, 255))
    expect(() => bytesOfHex('0')).toThrow(TypeError)
    expect(() => bytesOfHex('FF')).toThrow(TypeError)
  })
})

describe('did:key', () => {
  test('goes there and back, in 56 characters', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (publicKey) => {
        const did = didKeyOf(publicKey)
        expect(did).toMatch(/^did:key:z6Mk.{44}$/)
        expect(publicKeyOfDidKey(did)).toEqual(publicKey)
        expect(`did:key:${kidOfDidKey(did)}`).toBe(did)
      })
    )
  })

  test('any change of a character gives another key or none', () => {
    const did = didKeyOf(new Uint8Array(32).fill(7))
    fc.assert(
      fc.property(fc.nat({ max: did.length - 1 }), fc.constantFrom('1', 'z', 'Z', '0', 'é'), (at, character) => {
        const changed = did.slice(0, at) + character + did.slice(at + 1)
        const publicKey = publicKeyOfDidKey(changed)
        if (publicKey !== null) expect(didKeyOf(publicKey)).toBe(changed)
      })
    )
  })
})

describeThirdParty('identity', (folder) => {
  test('the key of a libp2p PeerId has one did:key', () => {
    const vector = readJson(folder, 'libp2p', 'ed25519-vector.json') as {
      publicKeyProtobuf: string
      derivedPeerIdBase58: string
    }
    const protobuf = fromHex(vector.publicKeyProtobuf) as Uint8Array
    const key = publicKeyFromProtobuf(protobuf)
    if (key.type !== 'Ed25519') throw new Error(key.type)
    expect(peerIdFromPublicKey(key).toString()).toBe(vector.derivedPeerIdBase58)
    const did = didKeyOf(key.raw)
    expect(publicKeyOfDidKey(did)).toEqual(key.raw)
    // A PeerId is the identity multihash of the protobuf, a did:key the multicodec of the same 32 bytes.
    expect(base58btc.baseEncode(Buffer.concat([Buffer.of(0x00, protobuf.length), protobuf]))).toBe(
      vector.derivedPeerIdBase58
    )
    expect(protobuf.subarray(-32)).toEqual(key.raw)
  })

  test('the signature of RFC 8037', () => {
    const vector = readJson(folder, 'rfc8037', 'appendix-a.json') as {
      publicJwk: { x: string }
      signingInput: string
      signature: string
    }
    const check = checkPublicKey(fromBase64url(vector.publicJwk.x) as Uint8Array)
    if (!check.ok) throw new Error(check.detail)
    expect(verifyEd25519(check.key, utf8(vector.signingInput), fromBase64url(vector.signature) as Uint8Array)).toBe(
      true
    )
  })
})
