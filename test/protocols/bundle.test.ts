import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { leafHash, merkleRoot } from '../../protocols/batch/v1/merkle.ts'
import { encodeReceipt } from '../../protocols/batch/v1/receipt.ts'
import { BUNDLE_ERROR_CODES, decodeAnswer, encodeAnswer } from '../../protocols/bundle/v1/answer.ts'
import { decodePage, PAGE_BYTES_MAX, provenLeaves } from '../../protocols/bundle/v1/page.ts'
import type { PageLeaf, PagePart } from '../../protocols/bundle/v1/page.ts'
import { PROOF_HASHES_MAX, provingSubtrees, rootOfRange } from '../../protocols/bundle/v1/range-proof.ts'
import { decodeRequest, REQUEST_BYTES_MAX } from '../../protocols/bundle/v1/request.ts'
import { concat, equalBytes, toBase64url, toHex, utf8 } from '../../protocols/primitives/bytes.ts'
import { sha256 } from '../../protocols/primitives/sha256.ts'

const leavesOf = (size: number): Uint8Array[] => Array.from({ length: size }, (_, index) => sha256(`leaf ${index}`))

function proofOf(leaves: readonly Uint8Array[], from: number, to: number): Uint8Array[] {
  return provingSubtrees(leaves.length, from, to).map(({ start, count }) =>
    merkleRoot(leaves.slice(start, start + count))
  )
}

const range = fc
  .tuple(fc.integer({ min: 1, max: 700 }), fc.nat(), fc.nat())
  .map(([size, a, b]) => ({ size, from: a % size, to: (a % size) + 1 + (b % (size - (a % size))) }))

describe('range proofs', () => {
  test('any range of any tree proves its leaves', () => {
    fc.assert(
      fc.property(range, ({ size, from, to }) => {
        const leaves = leavesOf(size)
        const root = rootOfRange(size, from, leaves.slice(from, to), proofOf(leaves, from, to))
        expect(root).toEqual(merkleRoot(leaves))
      })
    )
  })

  test('a leaf or hash that is changed, left out or put in gives another root or none', () => {
    fc.assert(
      fc.property(
        range,
        fc.nat(),
        fc.constantFrom('change', 'drop', 'repeat'),
        fc.boolean(),
        (tree, at, how, inProof) => {
          const { size, from, to } = tree
          const leaves = leavesOf(size)
          const parts = { range: leaves.slice(from, to), proof: proofOf(leaves, from, to) }
          const list = inProof ? parts.proof : parts.range
          fc.pre(list.length > 0)
          const index = at % list.length
          const same = list[index] as Uint8Array
          list.splice(index, 1, ...(how === 'change' ? [sha256('other')] : how === 'drop' ? [] : [same, same]))
          const root = rootOfRange(size, from, parts.range, parts.proof)
          expect(root !== null && equalBytes(root, merkleRoot(leaves))).toBe(false)
        }
      )
    )
  })

  test('the largest trees need no more hashes than a proof may have', () => {
    const size = Number.MAX_SAFE_INTEGER
    for (const from of [0, 1, 2 ** 52, size - 1, Math.floor(size / 3)])
      expect(provingSubtrees(size, from, from + 1).length).toBeLessThanOrEqual(PROOF_HASHES_MAX)
    expect(() => provingSubtrees(size, size, size + 1)).toThrow(RangeError)
  })
})

describe('leaves of a part', () => {
  const records = Array.from({ length: 9 }, (_, index) => {
    const encoded = encodeReceipt({ receipt: { index }, salt: sha256(`salt ${index}`).subarray(0, 16) })
    if (!encoded.ok) throw new Error(encoded.detail)
    return encoded.record
  })
  const hashes = records.map(leafHash)
  const partOf = (from: number, leaves: readonly PageLeaf[]): PagePart => ({
    owner: 'org',
    batchId: 'b',
    batchRoot: toHex(merkleRoot(hashes)),
    receiptCount: 9,
    from,
    leaves,
    proof: proofOf(hashes, from, from + leaves.length).map(toHex),
    announces: []
  })
  const record = (index: number): PageLeaf => ({ record: toBase64url(records[index] as Uint8Array) })
  const erased = (index: number): PageLeaf => ({ leafHash: toHex(hashes[index] as Uint8Array) })

  test('erased receipts let the others be proven', () => {
    const proven = provenLeaves(partOf(3, [record(3), erased(4), record(5)]), 9)
    expect(proven).toMatchObject({
      ok: true,
      leaves: [{ index: 3 }, { index: 4, record: null, leafHash: toHex(hashes[4] as Uint8Array) }, { index: 5 }]
    })
  })

  test.each<[string, PagePart, number]>([
    ['a receipt of another place', { ...partOf(3, [record(3)]), from: 4 }, 9],
    ['another receipt', partOf(3, [record(2)]), 9],
    ['another count than was announced', partOf(3, [record(3)]), 8],
    ['another root', { ...partOf(3, [record(3)]), batchRoot: toHex(sha256('root')) }, 9],
    ['no proof', { ...partOf(3, [record(3)]), proof: [] }, 9],
    ['bytes that are no receipt record', partOf(3, [{ record: toBase64url(utf8('{}')) }]), 9],
    [
      'an inner node as the record of a leaf',
      partOf(3, [{ record: toBase64url(concat(sha256('a'), sha256('b'))) }]),
      9
    ],
    ['leaves beyond the batch', partOf(8, [record(8)]), 8]
  ])('%s proves nothing', (_, part, receiptCount) => {
    expect(provenLeaves(part, receiptCount)).toMatchObject({ ok: false })
  })
})

describe('input from anyone', () => {
  test('random bytes are no request, no page and hardly an answer, and nothing throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.integer({ min: 0, max: 3 }), (bytes, octet) => {
        expect(decodeRequest(bytes).ok).toBe(false)
        expect(decodePage(bytes).ok).toBe(false)
        const answer = decodeAnswer(concat(Uint8Array.of(octet), bytes))
        expect(answer === null || octet === 1 || octet === 2).toBe(true)
      }),
      { numRuns: 500 }
    )
  })

  test('what is too large is refused before it is read', () => {
    expect(decodeRequest(new Uint8Array(REQUEST_BYTES_MAX + 1))).toMatchObject({ code: 'too-big' })
    expect(decodePage(new Uint8Array(PAGE_BYTES_MAX + 1))).toMatchObject({ code: 'too-big' })
    expect(decodeAnswer(concat(Uint8Array.of(2), new Uint8Array(10_000)))).toBeNull()
  })

  test('errors come back as they were, their detail cut to what is allowed', () => {
    for (const code of BUNDLE_ERROR_CODES)
      expect(decodeAnswer(encodeAnswer({ ok: false, code, detail: 'why' }))).toEqual({ ok: false, code, detail: 'why' })
    const long = decodeAnswer(encodeAnswer({ ok: false, code: 'busy', detail: `${'a'.repeat(255)}😀` }))
    expect(long).toMatchObject({ ok: false, code: 'busy', detail: `${'a'.repeat(255)}\ufffd` })
    expect(decodeAnswer(new Uint8Array())).toBeNull()
    expect(decodeAnswer(concat(Uint8Array.of(2), utf8('{"code":"other","detail":""}')))).toBeNull()
  })
})
