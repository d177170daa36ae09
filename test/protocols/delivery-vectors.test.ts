import { describe, expect, test } from 'vitest'
import { decodeCanonical } from '../../protocols/canonical-json/v1/codec.ts'
import type { JsonObject, JsonValue } from '../../protocols/canonical-json/v1/json.ts'
import type { SignedReceipt } from '../../protocols/delivery/v1/receipt.ts'
import { checkReceipt, decodeReceipt, decodeReceiptAnswer, signReceipt } from '../../protocols/delivery/v1/receipt.ts'
import type { Challenge, Delivery, SignedDecoding } from '../../protocols/delivery/v1/request.ts'
import {
  decodeChallenge,
  decodeDelivery,
  encodeChallenge,
  encodeDelivery
} from '../../protocols/delivery/v1/request.ts'
import { bytesOfHex, utf8 } from '../../protocols/primitives/bytes.ts'
import type { CheckedPublicKey } from '../../protocols/signature/v1/ed25519.ts'
import { checkPublicKey, verifyEd25519 } from '../../protocols/signature/v1/ed25519.ts'
import { PROTOCOLS } from './make-vectors.ts'
import { readJson } from './third-party.ts'

function vectorsOf(name: string): readonly unknown[] {
  return (readJson(PROTOCOLS, `delivery/v1/vectors/${name}.json`) as { vectors: readonly unknown[] }).vectors
}

function keyOf(publicKey: string): CheckedPublicKey {
  const checked = checkPublicKey(bytesOfHex(publicKey))
  if (!checked.ok) throw new Error(checked.detail)
  return checked.key
}

interface Valid {
  readonly body: string
  readonly canonical: string
  readonly hash: string
  readonly publicKey: string
}

function decodedOf<Request>(decoding: SignedDecoding<Request>, { canonical, hash, publicKey }: Valid): Request {
  if (!decoding.ok) throw new Error(decoding.detail)
  const { request, signature } = decoding.decoded
  expect(decoding.decoded).toMatchObject({ hash, canonical: utf8(canonical) })
  expect(decodeCanonical(utf8(canonical))).toEqual({ ok: true, value: request })
  expect(verifyEd25519(keyOf(publicKey), signature.input, signature.signature)).toBe(true)
  return request
}

describe('requests', () => {
  test.each(vectorsOf('challenges') as readonly Valid[])('challenge: $description', async (vector) => {
    const decoding = decodeChallenge(utf8(vector.body))
    const challenge = decodedOf<Challenge>(decoding, vector)
    const signature = decoding.ok ? decoding.decoded.signature : null
    const { body } = await encodeChallenge(challenge, (input) => {
      expect(input).toEqual(signature?.input)
      return Promise.resolve(signature?.signature ?? input)
    })
    expect(JSON.parse(body)).toEqual(JSON.parse(vector.body))
  })

  test.each(vectorsOf('deliveries') as readonly Valid[])('delivery: $description', async (vector) => {
    const decoding = decodeDelivery(utf8(vector.body))
    const delivery = decodedOf<Delivery>(decoding, vector)
    const signature = decoding.ok ? decoding.decoded.signature : null
    const { body, hash } = await encodeDelivery(delivery, (input) => {
      expect(input).toEqual(signature?.input)
      return Promise.resolve(signature?.signature ?? input)
    })
    expect(hash).toBe(vector.hash)
    expect(decodeDelivery(utf8(body))).toEqual(decoding)
  })

  type Invalid = { readonly code: string } & (
    { readonly body: string } | { readonly repeat: string; readonly count: number }
  )
  test.each(vectorsOf('requests-invalid') as readonly Invalid[])('$rule $code: $description', (vector) => {
    const body = 'body' in vector ? vector.body : vector.repeat.repeat(vector.count)
    expect(decodeDelivery(bytesOfHex(body))).toMatchObject({ ok: false, code: vector.code })
  })

  test('a delivery is no challenge', () => {
    const [vector] = vectorsOf('deliveries') as readonly Valid[]
    expect(decodeChallenge(utf8(vector?.body ?? ''))).toMatchObject({ ok: false, code: 'SCHEMA_INVALID' })
  })
})

describe('receipts', () => {
  interface Held {
    readonly receipt: JsonObject
    readonly sender: string
    readonly receiver: string
    readonly deliveryHash: string
    readonly publicKey: string
    readonly rule: string
  }
  const check = (vector: Held): JsonValue | object => {
    const decoding = decodeReceipt(vector.receipt)
    return decoding.ok ? checkReceipt(decoding.decoded, { ...vector, key: keyOf(vector.publicKey) }) : decoding
  }

  test.each(vectorsOf('receipts') as readonly (Held & { recordHash: string; leafHash: string })[])(
    '$description',
    async (vector) => {
      const { recordHash, leafHash } = vector
      expect(check(vector)).toEqual({ ok: true, recordHash, leafHash })
      const answer = decodeReceiptAnswer(utf8(JSON.stringify({ receipt: vector.receipt })))
      expect(answer).toEqual(decodeReceipt(vector.receipt))
      const { protected: _header, signature: _signature, ...receipt } = vector.receipt as unknown as SignedReceipt
      const { signature } = answer.ok ? answer.decoded : { signature: null }
      expect(await signReceipt(receipt, () => Promise.resolve(signature?.signature ?? new Uint8Array()))).toEqual(
        vector.receipt
      )
    }
  )

  test.each(vectorsOf('receipts-invalid') as readonly Held[])('$rule $code: $description', (vector) => {
    expect(check(vector)).toMatchObject({ ok: false, code: 'RECEIPT_INVALID' })
    // What has not the form of a receipt is refused before any key is needed, and nothing else is.
    expect(decodeReceipt(vector.receipt).ok).toBe(vector.rule !== 'DE-17')
  })

  test.each([
    ['nothing', ''],
    ['another answer', '{}'],
    ['two of them', '{"receipt":{},"receipt":{}}'],
    ['a list', '[]']
  ])('%s is no receipt', (_, text) => {
    expect(decodeReceiptAnswer(utf8(text))).toMatchObject({ ok: false, code: 'RECEIPT_INVALID' })
  })
})
