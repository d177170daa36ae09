import { Point } from '@noble/ed25519'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fromHex, toHex, utf8 } from '../../protocols/primitives/bytes.ts'
import { checkPublicKey, restorePublicKey, verifyEd25519 } from '../../protocols/signature/v1/ed25519.ts'
import type { PublicKeyCheck } from '../../protocols/signature/v1/ed25519.ts'
import { verifyWithPoints } from '../../protocols/signature/v1/ed25519-points.ts'
import { hasSoundForm } from '../../protocols/signature/v1/signature-bytes.ts'
import { describeThirdParty, readJson } from './third-party.ts'
import { keyOf } from './vectors/vector-file.ts'

const bytesOf = (hex: string): Uint8Array => fromHex(hex) as Uint8Array

const checked = new Map<string, PublicKeyCheck>()

/** Checks of keys, each once: it is what costs most here. */
function checkOf(publicKey: string): PublicKeyCheck {
  const check = checked.get(publicKey) ?? checkPublicKey(bytesOf(publicKey))
  checked.set(publicKey, check)
  return check
}

/** The verdicts of both ways, which must be one. A weak key makes every signature bad. */
function verdictOf(publicKey: string, message: Uint8Array, signature: Uint8Array): boolean {
  const check = checkOf(publicKey)
  if (!check.ok) return false
  const verdict = verifyEd25519(check.key, message, signature)
  expect(verifyWithPoints(check.key, message, signature)).toBe(verdict)
  return verdict
}

describe('the explicit checks', () => {
  const order8 = Point.fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05')
  const scalarZero = new Uint8Array(32)

  test('the eight points of small order, as R, are refused in their canonical encodings', () => {
    const encodings = new Set<string>()
    let point = Point.ZERO
    for (let multiple = 0; multiple < 8; multiple += 1) {
      encodings.add(point.toHex())
      expect(point.isSmallOrder()).toBe(true)
      expect(hasSoundForm(Buffer.concat([point.toBytes(), scalarZero]))).toBe(false)
      point = point.add(order8)
    }
    expect(encodings.size).toBe(8)
  })

  test('S passes below the group order and not from there on', () => {
    const order = Point.CURVE().n
    const soundWith = (scalar: bigint): boolean => {
      const littleEndian = Buffer.from(scalar.toString(16).padStart(64, '0'), 'hex').reverse()
      return hasSoundForm(Buffer.concat([Point.BASE.toBytes(), littleEndian]))
    }
    for (const scalar of [0n, 1n, 2n ** 252n, order - 256n, order - 1n]) expect(soundWith(scalar)).toBe(true)
    for (const scalar of [order, order + 1n, order + 2n ** 64n, 2n ** 253n, 2n ** 256n - 1n])
      expect(soundWith(scalar)).toBe(false)
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }), fc.boolean(), (scalar, near) => {
        const value = near ? order + (scalar % 1024n) - 512n : scalar
        expect(soundWith(value)).toBe(value < order)
      })
    )
  })

  test('what is signed is good, and nothing near it', () => {
    const signer = keyOf('ed25519 property')
    const publicKey = toHex(signer.publicKey)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat({ max: 511 }), (message, bit) => {
        const signature = signer.sign(message)
        expect(verdictOf(publicKey, message, signature)).toBe(true)
        const index = bit >> 3
        signature[index] = (signature[index] ?? 0) ^ (1 << (bit & 7))
        expect(verdictOf(publicKey, message, signature)).toBe(false)
      }),
      { numRuns: 30 }
    )
  })

  test('a key that was taken back gives the same verdicts', () => {
    const signer = keyOf('restored')
    const key = restorePublicKey(signer.publicKey)
    const message = utf8('a message')
    for (const verify of [verifyEd25519, verifyWithPoints]) {
      expect(verify(key, message, signer.sign(message))).toBe(true)
      expect(verify(key, utf8('another'), signer.sign(message))).toBe(false)
    }
  })

  test('the key that was checked is a copy', () => {
    const bytes = Uint8Array.from(keyOf('copy').publicKey)
    const check = checkPublicKey(bytes)
    bytes.fill(0)
    expect(check.ok && toHex(check.key.bytes)).toBe(toHex(keyOf('copy').publicKey))
  })
})

describeThirdParty('ed25519/rfc8032', (folder) => {
  type Vector = { variant: string; publicKey: string; message: string; signature: string }
  const vectors = (readJson(folder, 'vectors.json') as { vectors: Vector[] }).vectors.filter(
    ({ variant }) => variant === 'Ed25519'
  )

  test('all are good', () => {
    expect(vectors.length).toBeGreaterThan(0)
    for (const { publicKey, message, signature } of vectors) {
      expect(verdictOf(publicKey, bytesOf(message), bytesOf(signature))).toBe(true)
    }
  })
})

describeThirdParty('ed25519/wycheproof', (folder) => {
  type Group = {
    publicKey: { pk: string }
    tests: { tcId: number; msg: string; sig: string; result: 'valid' | 'invalid' }[]
  }
  const { testGroups } = readJson(folder, 'ed25519_test.json') as { testGroups: Group[] }

  test('the verdict of all 151 cases', () => {
    let cases = 0
    for (const { publicKey, tests } of testGroups) {
      for (const { tcId, msg, sig, result } of tests) {
        expect(verdictOf(publicKey.pk, bytesOf(msg), bytesOf(sig)), `tcId ${tcId}`).toBe(result === 'valid')
        cases += 1
      }
    }
    expect(cases).toBe(151)
  })
})

describeThirdParty('ed25519/cctv', (folder) => {
  type Case = { number: number; key: string; sig: string; msg: string; flags: string[] | null }
  const cases = readJson(folder, 'ed25519vectors.json') as Case[]

  // What makes a case an edge that the rule refuses; all but one of these cases have at least one.
  const refused = new Set([
    'low_order_A',
    'low_order_component_A',
    'low_order_R',
    'low_order_component_R',
    'low_order_residue',
    'non_canonical_A',
    'non_canonical_R',
    'reencoded_k'
  ])

  test('both ways give one verdict on all 914, and it is the documented rule', () => {
    let good = 0
    for (const { number, key, sig, msg, flags } of cases) {
      const verdict = verdictOf(key, utf8(msg), bytesOf(sig))
      const isEdge = (flags ?? []).some((flag) => refused.has(flag))
      expect(verdict, `case ${number}: ${(flags ?? []).join()}`).toBe(!isEdge)
      if (verdict) good += 1
    }
    expect(cases.length).toBe(914)
    expect(good).toBe(1)
  })
})
