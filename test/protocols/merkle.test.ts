import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  inclusionProof,
  leafHash,
  MerkleAccumulator,
  merkleRoot,
  MerkleTree,
  verifyInclusion
} from '../../protocols/batch/v1/merkle.ts'
import { encodeReceipt, RECEIPT_BYTES_MAX } from '../../protocols/batch/v1/receipt.ts'
import { fromHex, toHex } from '../../protocols/primitives/bytes.ts'
import { sha256 } from '../../protocols/primitives/sha256.ts'
import { describeThirdParty, jsonFiles, readJson } from './third-party.ts'

const leavesOf = (size: number): Uint8Array[] =>
  Array.from({ length: size }, (_, index) => leafHash(sha256(`${index}`)))

describe('the tree', () => {
  test('the accumulator, the tree and the proofs agree for all sizes to 70', () => {
    const accumulator = new MerkleAccumulator()
    const leaves = leavesOf(70)
    for (let size = 0; size <= leaves.length; size += 1) {
      const some = leaves.slice(0, size)
      const root = accumulator.root()
      expect(accumulator.size).toBe(size)
      expect(new MerkleTree(some).root()).toEqual(root)
      some.forEach((leaf, index) => {
        const path = inclusionProof(some, index)
        expect(verifyInclusion({ leafHash: leaf, index, treeSize: size, path, root })).toBe(true)
      })
      if (size < leaves.length) accumulator.append(leaves[size] as Uint8Array)
    }
  })

  test('a proof holds for its own leaf at its own place alone', () => {
    const leaves = leavesOf(100)
    const place = fc.record({
      treeSize: fc.integer({ min: 1, max: 100 }),
      index: fc.nat({ max: 99 }),
      other: fc.nat({ max: 99 })
    })
    fc.assert(
      fc.property(place, ({ treeSize, index: anyIndex, other: anyOther }) => {
        const [index, other] = [anyIndex % treeSize, anyOther % treeSize]
        const some = leaves.slice(0, treeSize)
        const path = inclusionProof(some, index)
        const root = merkleRoot(some)
        const claim = { leafHash: leaves[index] as Uint8Array, index, treeSize, path, root }
        expect(verifyInclusion(claim)).toBe(true)
        expect(verifyInclusion({ ...claim, index: other })).toBe(index === other)
        expect(verifyInclusion({ ...claim, leafHash: leaves[other] as Uint8Array })).toBe(index === other)
        expect(verifyInclusion({ ...claim, path: [...path, root] })).toBe(false)
        path.forEach((hash, at) => {
          expect(verifyInclusion({ ...claim, path: path.with(at, sha256(hash)) })).toBe(false)
        })
      })
    )
  })

  test('a proof in a tree of 2^53 − 1 leaves', () => {
    // All leaves on the left edge: the path of leaf 0 can be anything, and the root follows from it.
    const path = Array.from({ length: 53 }, (_, level) => sha256(`level ${level}`))
    const [leaf = new Uint8Array()] = leavesOf(1)
    const root = path.reduce((hash, sibling) => sha256(Buffer.concat([Buffer.of(1), hash, sibling])), leaf)
    const claim = { leafHash: leaf, index: 0, treeSize: Number.MAX_SAFE_INTEGER, path, root }
    expect(verifyInclusion(claim)).toBe(true)
    expect(verifyInclusion({ ...claim, index: 2 ** 32 })).toBe(false)
    expect(verifyInclusion({ ...claim, treeSize: 2 ** 53 })).toBe(false)
    expect(verifyInclusion({ ...claim, treeSize: Number.POSITIVE_INFINITY })).toBe(false)
  })

  test('no proof of a leaf that is not there', () => {
    for (const index of [-1, 3, 0.5]) expect(() => inclusionProof(leavesOf(3), index)).toThrow(RangeError)
    expect(() => inclusionProof([], 0)).toThrow(RangeError)
  })
})

describe('receipt records', () => {
  const salt = sha256('salt').subarray(0, 16)

  test('the size limit is exact', () => {
    const around = encodeReceipt({ receipt: '', salt })
    const room = RECEIPT_BYTES_MAX - (around.ok ? around.record.length : 0)
    expect(encodeReceipt({ receipt: 'a'.repeat(room), salt })).toMatchObject({ ok: true })
    expect(encodeReceipt({ receipt: 'a'.repeat(room + 1), salt })).toMatchObject({
      ok: false,
      code: 'RECEIPT_TOO_LARGE'
    })
  })

  test('what canonical JSON can not hold is an outcome, a wrong salt a defect', () => {
    expect(encodeReceipt({ receipt: 2 ** 53, salt })).toMatchObject({ ok: false, code: 'RECEIPT_NOT_IJSON' })
    expect(() => encodeReceipt({ receipt: 1, salt: salt.subarray(1) })).toThrow(RangeError)
  })
})

describeThirdParty('merkle', (folder) => {
  test('the reference tree of RFC 6962 at every size', () => {
    const { leaves, rootsBySize } = readJson(folder, 'reference-tree-8.json') as {
      leaves: string[]
      rootsBySize: Record<string, string>
    }
    const hashes = leaves.map((leaf) => leafHash(fromHex(leaf) as Uint8Array))
    for (const [size, root] of Object.entries(rootsBySize)) {
      expect(toHex(merkleRoot(hashes.slice(0, Number(size))))).toBe(root)
      expect(toHex(new MerkleTree(hashes.slice(0, Number(size))).root())).toBe(root)
    }
    expect(Object.keys(rootsBySize).length).toBe(9)
  })

  type Proof = {
    leafIdx: number
    treeSize: number
    root: string
    leafHash: string
    proof: string[] | null
    desc: string
    wantErr: boolean
  }
  const files = jsonFiles(`${folder}/transparency-dev/inclusion`)

  test('there are proofs', () => {
    expect(files.length).toBeGreaterThan(20)
  })

  test.each(files.map((file) => [file.slice(folder.length + 1), file]))('%s', (_name, file) => {
    const { leafIdx, treeSize, root, leafHash: leaf, proof, wantErr } = readJson(file) as Proof
    const claim = {
      leafHash: Buffer.from(leaf, 'base64'),
      index: leafIdx,
      treeSize,
      path: (proof ?? []).map((hash) => Buffer.from(hash, 'base64')),
      root: Buffer.from(root, 'base64')
    }
    expect(verifyInclusion(claim)).toBe(!wantErr)
  })
})
