import { Point } from '@noble/ed25519'
import { createHash } from 'node:crypto'
import { didKeys, invalidHeaders, invalidJws, jws } from './jws.ts'
import { hex, keyOf } from './vector-file.ts'
import type { Vector, VectorFile } from './vector-file.ts'

const FIELD_PRIME = 2n ** 255n - 19n
const GROUP_ORDER = Point.CURVE().n

const signer = keyOf('anchormesh vectors: signer')
const MESSAGE = Buffer.from('a message of the vectors')

/** A point of order 8, from which all eight of small order come. */
const ORDER_8 = Point.fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05')
const ORDER_4 = ORDER_8.double()
const ORDER_2 = ORDER_4.double()

/** The vectors of signature/v1. */
export function signatureVectors(): readonly VectorFile[] {
  return [
    {
      path: 'signature/v1/vectors/keys.json',
      description:
        'Ed25519 public keys (hex): good ones, and weak ones with the rule that they break. The code is KEY_WEAK.',
      vectors: [...goodKeys(), ...weakKeys()]
    },
    {
      path: 'signature/v1/vectors/signatures.json',
      description: 'Signatures under good keys (all hex): whether they are valid, and if not the rule that they break.',
      vectors: [...validSignatures(), ...invalidSignatures()]
    },
    {
      path: 'signature/v1/vectors/did-key.json',
      description:
        'DIDs with the public key (hex) and kid that they hold, or null where they are no did:key of Ed25519.',
      vectors: didKeys()
    },
    {
      path: 'signature/v1/vectors/jws.json',
      description:
        'Detached JWS over `payload` (hex): header, signing input (hex), signature and the serialization (hex).',
      vectors: jws()
    },
    {
      path: 'signature/v1/vectors/jws-invalid.json',
      description: 'Serializations (hex) that are no detached JWS, with the code.',
      vectors: invalidJws()
    },
    {
      path: 'signature/v1/vectors/headers-invalid.json',
      description: 'Protected headers (base64url) that are not the one allowed encoding for any kid under `typ`.',
      vectors: invalidHeaders()
    }
  ]
}

function goodKeys(): Vector[] {
  const good = (description: string, publicKey: Uint8Array): Vector => ({
    description,
    publicKey: hex(publicKey),
    ok: true
  })
  return [
    good('an ordinary key', signer.publicKey),
    good('the base point, whose private scalar is 1', Point.BASE.toBytes()),
    good('with the sign bit set', Point.BASE.negate().toBytes())
  ]
}

function weakKeys(): Vector[] {
  const weak = (description: string, rule: string, publicKey: Uint8Array): Vector => ({
    description,
    publicKey: hex(publicKey),
    ok: false,
    rule
  })
  const signerPoint = Point.fromBytes(signer.publicKey)
  return [
    weak('31 bytes', 'SIG-1', signer.publicKey.subarray(0, 31)),
    weak('33 bytes', 'SIG-1', Buffer.concat([signer.publicKey, Buffer.of(0)])),
    weak('no bytes', 'SIG-1', Buffer.alloc(0)),
    weak('no point has this y (2)', 'SIG-2', encodedY(2n)),
    weak('y is not below the field prime: 2^255 − 19 + 1 for the identity', 'SIG-2', encodedY(FIELD_PRIME + 1n)),
    weak(
      'y is not below the field prime: 2^255 − 19 + 3, whose y of 3 is on the curve',
      'SIG-2',
      encodedY(FIELD_PRIME + 3n)
    ),
    weak('the identity with the sign bit: x is zero and has no sign', 'SIG-2', encodedY(1n + 2n ** 255n)),
    weak('all bits set', 'SIG-2', Buffer.alloc(32, 0xff)),
    weak('the identity', 'SIG-3', Point.ZERO.toBytes()),
    weak('of order 2', 'SIG-3', ORDER_2.toBytes()),
    weak('of order 4', 'SIG-3', ORDER_4.toBytes()),
    weak('of order 8', 'SIG-3', ORDER_8.toBytes()),
    weak('an ordinary key plus the point of order 2', 'SIG-3', signerPoint.add(ORDER_2).toBytes()),
    weak('an ordinary key plus a point of order 8', 'SIG-3', signerPoint.add(ORDER_8).toBytes())
  ]
}

function validSignatures(): Vector[] {
  return ['', 'a', MESSAGE.toString(), 'x'.repeat(1000)].map((message) => ({
    description: `an ordinary signature over ${message.length} bytes`,
    publicKey: hex(signer.publicKey),
    message: hex(message),
    signature: hex(signer.sign(Buffer.from(message))),
    valid: true
  }))
}

function invalidSignatures(): Vector[] {
  const invalid = (
    description: string,
    rule: string,
    signature: Uint8Array,
    message: Uint8Array = MESSAGE
  ): Vector => ({
    description,
    publicKey: hex(signer.publicKey),
    message: hex(message),
    signature: hex(signature),
    valid: false,
    rule
  })
  const good = signer.sign(MESSAGE)
  const encodedR = good.subarray(0, 32)
  const scalar = numberOf(good.subarray(32))
  const withS = (value: bigint): Buffer => Buffer.concat([encodedR, encodedY(value)])
  return [
    invalid('63 bytes', 'SIG-4', good.subarray(0, 63)),
    invalid('65 bytes', 'SIG-4', Buffer.concat([good, Buffer.of(0)])),
    invalid('no bytes', 'SIG-4', Buffer.alloc(0)),
    invalid('S plus the group order', 'SIG-5', withS(scalar + GROUP_ORDER)),
    invalid('S is the group order', 'SIG-5', withS(GROUP_ORDER)),
    invalid('S has all bits', 'SIG-5', withS(2n ** 256n - 1n)),
    invalid('R is the identity, and S fits it', 'SIG-6', forged(Point.ZERO.toBytes(), Point.ZERO)),
    ...[ORDER_2, ORDER_4, ORDER_8, ORDER_8.negate(), ORDER_8.multiply(3n), ORDER_8.multiply(5n)].map((point) =>
      invalid(
        'R is of small order, and S fits it where the cofactor is multiplied in',
        'SIG-6',
        forged(point.toBytes(), Point.ZERO)
      )
    ),
    invalid(
      'R is the identity with the sign bit, and S fits it',
      'SIG-6',
      forged(encodedY(1n + 2n ** 255n), Point.ZERO)
    ),
    invalid(
      'R is the identity, not canonically encoded, and S fits it',
      'SIG-7',
      forged(encodedY(FIELD_PRIME + 1n), Point.ZERO)
    ),
    invalid('R has a part of order 8, and S fits it where the cofactor is multiplied in', 'SIG-7', mixedOrderR()),
    invalid('another message', 'SIG-7', good, Buffer.from('another message')),
    invalid('a flipped bit in R', 'SIG-7', flipped(good, 0)),
    invalid('the sign bit of R flipped', 'SIG-7', flipped(good, 255)),
    invalid('a flipped bit in S', 'SIG-7', flipped(good, 256)),
    invalid('S is zero', 'SIG-7', withS(0n)),
    invalid('the signature of another key', 'SIG-7', keyOf('anchormesh vectors: other').sign(MESSAGE)),
    invalid('over the SHA-512 of the message', 'SIG-7', signer.sign(createHash('sha512').update(MESSAGE).digest()))
  ]
}

/** A signature whose S makes S·B − k·A the given point for an R that is written as it is. */
function forged(encodedR: Uint8Array, expected: Point, nonce = 0n): Buffer {
  if (!Point.BASE.multiply(nonce, false).equals(expected)) throw new Error('the nonce does not make the point')
  const challenge = numberOf(sha512(encodedR, signer.publicKey, MESSAGE)) % GROUP_ORDER
  return Buffer.concat([encodedR, encodedY((nonce + challenge * privateScalar()) % GROUP_ORDER)])
}

function mixedOrderR(): Buffer {
  const nonce = 12_345n
  const point = Point.BASE.multiply(nonce)
  return forged(point.add(ORDER_8).toBytes(), point, nonce)
}

/** The scalar of the signer (RFC 8032 section 5.1.5). */
function privateScalar(): bigint {
  const half = sha512(signer.seed).subarray(0, 32)
  return (numberOf(half) & (2n ** 254n - 8n)) | (2n ** 254n)
}

function encodedY(value: bigint): Buffer {
  return Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse()
}

function numberOf(littleEndian: Uint8Array): bigint {
  return BigInt(`0x${hex(Uint8Array.from(littleEndian).reverse())}`)
}

function sha512(...parts: readonly Uint8Array[]): Buffer {
  return createHash('sha512').update(Buffer.concat(parts)).digest()
}

function flipped(bytes: Uint8Array, bit: number): Buffer {
  const copy = Buffer.from(bytes)
  const index = Math.floor(bit / 8)
  copy[index] = (copy[index] ?? 0) ^ (1 << (bit % 8))
  return copy
}
