import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { inclusionProof, leafHash, merkleRoot, verifyInclusion } from '../../protocols/batch/v1/merkle.ts'
import type { KnownCheckpoint } from '../../protocols/checkpoint/v1/judge.ts'
import { judgeCheckpoint } from '../../protocols/checkpoint/v1/judge.ts'
import {
  checkpointText,
  encodeCheckpoint,
  isSignedBy,
  originOf,
  parseCheckpoint,
  verifierKeyOf
} from '../../protocols/checkpoint/v1/note.ts'
import type { LeafRange } from '../../protocols/checkpoint/v1/tree.ts'
import {
  completeSubtrees,
  consistencyRanges,
  hashOfSubtrees,
  inclusionRanges,
  verifyConsistency
} from '../../protocols/checkpoint/v1/tree.ts'
import type { Checkpoint } from '../../protocols/event/v1/checkpoint.ts'
import { parseCheckpointBody } from '../../protocols/event/v1/checkpoint.ts'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { bytesOfHex, fromBase64, toBase64, toHex, utf8 } from '../../protocols/primitives/bytes.ts'
import { sha256 } from '../../protocols/primitives/sha256.ts'
import type { CheckedPublicKey } from '../../protocols/signature/v1/ed25519.ts'
import { checkPublicKey } from '../../protocols/signature/v1/ed25519.ts'
import { member } from '../support/identities.ts'
import { PROTOCOLS } from './make-vectors.ts'
import { describeThirdParty, jsonFiles, readJson } from './third-party.ts'

const vectorsOf = (path: string): readonly Record<string, unknown>[] =>
  (readJson(PROTOCOLS, path) as { vectors: readonly Record<string, unknown>[] }).vectors

const LEAVES = Array.from({ length: 150 }, (_, index) => leafHash(sha256(`${index}`)))

/** As RFC 9162 section 2.1.4.1 has it. */
function naiveProof(m: number, leaves: readonly Uint8Array[], isWhole: boolean): Uint8Array[] {
  if (m === leaves.length) return isWhole ? [] : [merkleRoot(leaves)]
  let k = 1
  while (k * 2 < leaves.length) k *= 2
  if (m <= k) return [...naiveProof(m, leaves.slice(0, k), isWhole), merkleRoot(leaves.slice(k))]
  return [...naiveProof(m - k, leaves.slice(k), false), merkleRoot(leaves.slice(0, k))]
}

const hashOf = ({ begin, end }: LeafRange): Uint8Array =>
  hashOfSubtrees(completeSubtrees({ begin, end }).map((range) => merkleRoot(LEAVES.slice(range.begin, range.end))))

function keyOf(bytes: Uint8Array): CheckedPublicKey {
  const checked = checkPublicKey(bytes)
  if (!checked.ok) throw new Error(checked.detail)
  return checked.key
}

describe('the tree', () => {
  test('ranges are those of RFC 9162 for all sizes to 70', () => {
    for (let to = 0; to <= 70; to += 1) {
      const leaves = LEAVES.slice(0, to)
      expect(hashOf({ begin: 0, end: to })).toEqual(merkleRoot(leaves))
      for (let index = 0; index < to; index += 1)
        expect(inclusionRanges(index, to).map(hashOf)).toEqual(inclusionProof(leaves, index))
      for (let from = 1; from <= to; from += 1)
        expect(consistencyRanges(from, to).map(hashOf)).toEqual(naiveProof(from, leaves, true))
    }
  })

  test('a consistency proof holds for its own sizes and roots alone', () => {
    const sizes = fc.record({ a: fc.integer({ min: 1, max: 150 }), b: fc.integer({ min: 1, max: 150 }) })
    fc.assert(
      fc.property(sizes, fc.integer({ min: 0, max: 150 }), fc.nat({ max: 149 }), ({ a, b }, other, changed) => {
        const [from, to] = a < b ? [a, b] : [b, a]
        const proof = consistencyRanges(from, to).map(hashOf)
        const fromRoot = merkleRoot(LEAVES.slice(0, from))
        const claim = { from, fromRoot, to, toRoot: merkleRoot(LEAVES.slice(0, to)), proof }
        expect(verifyConsistency(claim)).toBe(true)
        if (other !== from)
          expect(verifyConsistency({ ...claim, fromRoot: merkleRoot(LEAVES.slice(0, other)) })).toBe(false)
        if (other !== to)
          expect(verifyConsistency({ ...claim, toRoot: merkleRoot(LEAVES.slice(0, other)) })).toBe(false)
        expect(verifyConsistency({ ...claim, proof: [...proof, fromRoot] })).toBe(false)
        proof.forEach((hash, at) =>
          expect(verifyConsistency({ ...claim, proof: proof.with(at, sha256(hash)) })).toBe(false)
        )
        // A record that the old tree holds can't be changed, whatever the proof.
        const rewritten = LEAVES.with(changed, sha256('changed')).slice(0, to)
        const forged = { ...claim, toRoot: merkleRoot(rewritten), proof: naiveProof(from, rewritten, true) }
        if (changed < to) expect(verifyConsistency(forged)).toBe(changed >= from)
      })
    )
  })

  test('sizes to 2^53 − 1, and none beyond', () => {
    const most = Number.MAX_SAFE_INTEGER
    expect(inclusionRanges(0, most)).toHaveLength(53)
    expect(consistencyRanges(1, most)).toHaveLength(53)
    expect(consistencyRanges(most - 1, most).length).toBeLessThan(64)
    expect(completeSubtrees({ begin: 0, end: most })).toHaveLength(53)
    for (const [one, two] of [
      [0, 1],
      [2, 1],
      [0.5, 1],
      [1, 2 ** 53]
    ] as const) {
      expect(() => consistencyRanges(one, two)).toThrow(RangeError)
      const claim = { from: one, fromRoot: sha256(''), to: two, toRoot: sha256(''), proof: [] }
      expect(verifyConsistency(claim)).toBe(false)
    }
    for (const [one, two] of [
      [-1, 1],
      [1, 1],
      [0.5, 1],
      [0, 2 ** 53]
    ] as const)
      expect(() => inclusionRanges(one, two)).toThrow(RangeError)
  })

  const decoded = (vector: Record<string, unknown>): Parameters<typeof verifyConsistency>[0] => ({
    from: vector['from'] as number,
    fromRoot: bytesOfHex(vector['fromRoot'] as string),
    to: vector['to'] as number,
    toRoot: bytesOfHex(vector['toRoot'] as string),
    proof: (vector['proof'] as string[]).map(bytesOfHex)
  })
  test.each(vectorsOf('checkpoint/v1/vectors/consistency.json'))('$description', (vector) => {
    expect(verifyConsistency(decoded(vector))).toBe(true)
  })
  test.each(vectorsOf('checkpoint/v1/vectors/consistency-invalid.json'))('$rule: $description', (vector) => {
    expect(verifyConsistency(decoded(vector))).toBe(false)
  })
})

describe('the note', () => {
  const { signer } = member('ada')
  const name = { signer: signer.did, kid: signer.kid }
  const checkpoint = { name, size: 8, root: sha256('root'), epoch: '9f8a1c52be07d3e4' }

  test('what is written is read, and good under the key alone', async () => {
    const signature = await signer.sign(checkpointText(checkpoint))
    const text = encodeCheckpoint(checkpoint, signer.publicKey, signature)
    const reading = parseCheckpoint(utf8(text))
    expect(reading).toMatchObject({ ok: true, note: checkpoint })
    if (!reading.ok) return
    expect(isSignedBy(reading.note, keyOf(signer.publicKey))).toBe(true)
    expect(isSignedBy(reading.note, keyOf(member('bob').signer.publicKey))).toBe(false)
    const [, keyId, key] = verifierKeyOf(name, signer.publicKey).split('+')
    expect(toHex(reading.note.signatures[0]?.keyId ?? new Uint8Array())).toBe(keyId)
    expect(verifierKeyOf(name, signer.publicKey)).toContain(originOf(name))
    expect(key).toMatch(/^A/)
  })

  test('whatever bytes come, reading says what they are and throws nothing', () => {
    const signed = utf8(encodeCheckpoint(checkpoint, signer.publicKey, new Uint8Array(64)))
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat({ max: signed.length }), (bytes, at) => {
        parseCheckpoint(bytes)
        parseCheckpoint(Buffer.concat([signed.subarray(0, at), bytes, signed.subarray(at)]))
      })
    )
  })

  test.each(vectorsOf('checkpoint/v1/vectors/notes.json'))('$description', (vector) => {
    const { note, publicKey, signer: did, kid, size, root, epoch } = vector
    const reading = parseCheckpoint(utf8(note as string))
    expect(reading).toMatchObject({ ok: true, note: { name: { signer: did, kid }, size, epoch } })
    if (!reading.ok) return
    expect(toHex(reading.note.root)).toBe(root)
    expect(isSignedBy(reading.note, keyOf(bytesOfHex(publicKey as string)))).toBe(true)
  })

  test.each(vectorsOf('checkpoint/v1/vectors/notes-invalid.json'))(
    '$rule: $description',
    ({ note, publicKey, code }) => {
      const reading = parseCheckpoint(bytesOfHex(note as string))
      if (code !== null) expect(reading).toMatchObject({ ok: false, code })
      else if (reading.ok) expect(isSignedBy(reading.note, keyOf(bytesOfHex(publicKey as string)))).toBe(false)
      else expect(reading).toMatchObject({ ok: true })
    }
  )

  test('base64 has one encoding', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), (bytes) => {
        expect(toBase64(bytes)).toBe(Buffer.from(bytes).toString('base64'))
        expect(fromBase64(toBase64(bytes))).toEqual(bytes)
      })
    )
    for (const text of ['A', 'AA', 'AA=', 'AB==', 'A===', 'AA-_', 'AAAA====', '====', 'AA==AA==', 'A A='])
      expect(fromBase64(text)).toBeNull()
  })
})

describe('checkpoints in events', () => {
  test.each(vectorsOf('checkpoint/v1/vectors/judged.json'))('$description', ({ checkpoint, before, base, code }) => {
    expect(parseCheckpointBody(checkpoint as JsonObject)).toMatchObject({ ok: true })
    expect(
      judgeCheckpoint(checkpoint as Checkpoint, before as KnownCheckpoint | null, base as KnownCheckpoint | null)
    ).toBe(code)
  })
  test.each(vectorsOf('event/v1/vectors/checkpoint.json'))('body: $description', ({ body }) => {
    expect(parseCheckpointBody(body as JsonObject)).toEqual({ ok: true, checkpoint: body })
  })
  test.each(vectorsOf('event/v1/vectors/checkpoint-invalid.json'))('body, $rule: $description', ({ body }) => {
    expect(parseCheckpointBody(body as JsonObject)).toMatchObject({ ok: false, code: 'BODY_INVALID' })
  })
})

describeThirdParty('merkle', (folder) => {
  type Proof = { size1: number; size2: number; root1: string; root2: string; proof: string[] | null; wantErr: boolean }
  const files = jsonFiles(`${folder}/transparency-dev/consistency`)

  test('there are proofs', () => {
    expect(files.length).toBeGreaterThan(15)
  })

  test.each(files.map((file) => [file.slice(folder.length + 1), file]))('%s', (_name, file) => {
    const { size1, size2, root1, root2, proof, wantErr } = readJson(file) as Proof
    const claim = {
      from: size1,
      fromRoot: Buffer.from(root1, 'base64'),
      to: size2,
      toRoot: Buffer.from(root2, 'base64'),
      proof: (proof ?? []).map((hash) => Buffer.from(hash, 'base64'))
    }
    expect(verifyConsistency(claim)).toBe(!wantErr)
  })

  test('the reference tree of RFC 6962: proofs between all its sizes', () => {
    const { leaves, rootsBySize } = readJson(folder, 'reference-tree-8.json') as {
      leaves: string[]
      rootsBySize: Record<string, string>
    }
    const hashes = leaves.map((leaf) => leafHash(bytesOfHex(leaf)))
    const hash = ({ begin, end }: LeafRange): Uint8Array => merkleRoot(hashes.slice(begin, end))
    for (let to = 1; to <= 8; to += 1) {
      const toRoot = bytesOfHex(rootsBySize[to] ?? '')
      for (let from = 1; from <= to; from += 1) {
        const fromRoot = bytesOfHex(rootsBySize[from] ?? '')
        const proof = consistencyRanges(from, to).map(hash)
        expect(verifyConsistency({ from, fromRoot, to, toRoot, proof })).toBe(true)
      }
      for (let index = 0; index < to; index += 1) {
        const path = inclusionRanges(index, to).map(hash)
        const leaf = hashes[index] ?? new Uint8Array()
        expect(verifyInclusion({ leafHash: leaf, index, treeSize: to, path, root: toRoot })).toBe(true)
      }
    }
  })
})
