import { describe, expect, test } from 'vitest'
import { leafHash } from '../../protocols/batch/v1/merkle.ts'
import type { BundlePage } from '../../protocols/bundle/v1/page.ts'
import { decodePage, encodePage, provenLeaves } from '../../protocols/bundle/v1/page.ts'
import { provingSubtrees, rootOfRange } from '../../protocols/bundle/v1/range-proof.ts'
import type { BundleRequest } from '../../protocols/bundle/v1/request.ts'
import { decodeRequest, encodeRequest } from '../../protocols/bundle/v1/request.ts'
import { fromHex, toHex, utf8 } from '../../protocols/primitives/bytes.ts'
import { checkPublicKey, verifyEd25519 } from '../../protocols/signature/v1/ed25519.ts'
import { PROTOCOLS } from './make-vectors.ts'
import { readJson } from './third-party.ts'

function vectorsOf(name: string): readonly unknown[] {
  return (readJson(PROTOCOLS, `bundle/v1/vectors/${name}.json`) as { vectors: readonly unknown[] }).vectors
}

function bytesOf(hex: string): Uint8Array {
  const bytes = fromHex(hex)
  if (bytes === null) throw new Error(`not hex: ${hex}`)
  return bytes
}

type Invalid = { readonly code: string; readonly rule: string } & (
  { readonly wire: string } | { readonly repeat: string; readonly count: number }
)
const inputOf = (vector: Invalid): Uint8Array =>
  bytesOf('wire' in vector ? vector.wire : vector.repeat.repeat(vector.count))

function isGood(publicKey: string, { input, signature }: { input: Uint8Array; signature: Uint8Array }): boolean {
  const checked = checkPublicKey(bytesOf(publicKey))
  return checked.ok && verifyEd25519(checked.key, input, signature)
}

describe('requests', () => {
  type Valid = { request: BundleRequest; wire: string; hash: string; publicKey: string }
  test.each(vectorsOf('requests') as readonly Valid[])('$description', async ({ request, wire, hash, publicKey }) => {
    const decoding = decodeRequest(bytesOf(wire))
    if (!decoding.ok) throw new Error(decoding.detail)
    expect(decoding.decoded).toMatchObject({ request, hash })
    const { signature } = decoding.decoded
    expect(isGood(publicKey, signature)).toBe(true)
    const encoded = await encodeRequest(request, (input) => {
      expect(input).toEqual(signature.input)
      return Promise.resolve(signature.signature)
    })
    expect([toHex(encoded.wire), encoded.hash]).toEqual([wire, hash])
  })

  test.each(vectorsOf('requests-invalid') as readonly Invalid[])('$rule $code: $description', (vector) => {
    expect(decodeRequest(inputOf(vector))).toMatchObject({ ok: false, code: vector.code })
  })
})

describe('pages', () => {
  type Valid = { page: BundlePage; wire: string; publicKey: string; leafHashes: readonly (readonly string[])[] }
  test.each(vectorsOf('pages') as readonly Valid[])('$description', async ({ page, wire, publicKey, leafHashes }) => {
    const decoding = decodePage(bytesOf(wire))
    if (!decoding.ok) throw new Error(decoding.detail)
    expect(decoding.decoded.page).toEqual(page)
    const { signature } = decoding.decoded
    expect(isGood(publicKey, signature)).toBe(true)
    expect(toHex(await encodePage(page, () => Promise.resolve(signature.signature)))).toBe(wire)
    const proven = page.parts.map((part) => provenLeaves(part, part.receiptCount))
    expect(proven).toMatchObject(
      leafHashes.map((hashes, index) => ({
        ok: true,
        leaves: hashes.map((hash, offset) => ({ leafHash: hash, index: (page.parts[index]?.from ?? 0) + offset }))
      }))
    )
  })

  test.each(vectorsOf('pages-invalid') as readonly Invalid[])('$rule $code: $description', (vector) => {
    expect(decodePage(inputOf(vector))).toMatchObject({ ok: false, code: vector.code })
  })
})

describe('range proofs', () => {
  type Proof = { size: number; from: number; to: number; proof: readonly string[]; root: string }
  test.each(vectorsOf('range-proofs') as readonly Proof[])('$description', ({ size, from, to, proof, root }) => {
    const leaves = Array.from({ length: to - from }, (_, offset) => leafHash(utf8(`leaf ${from + offset}`)))
    expect(provingSubtrees(size, from, to)).toHaveLength(proof.length)
    expect(toHex(rootOfRange(size, from, leaves, proof.map(bytesOf)) ?? new Uint8Array())).toBe(root)
  })

  type Wrong = { size: number; from: number; leafHashes: readonly string[]; proof: readonly string[]; root: string }
  test.each(vectorsOf('range-proofs-invalid') as readonly Wrong[])('wrong: $description', (vector) => {
    const { size, from, leafHashes, proof, root } = vector
    const found = rootOfRange(size, from, leafHashes.map(bytesOf), proof.map(bytesOf))
    expect(found === null ? null : toHex(found)).not.toBe(root)
  })
})
