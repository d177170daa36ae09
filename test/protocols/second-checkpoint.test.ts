import fc from 'fast-check'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { leafHash, merkleRoot } from '../../protocols/batch/v1/merkle.ts'
import { isSignedBy, parseCheckpoint } from '../../protocols/checkpoint/v1/note.ts'
import {
  completeSubtrees,
  consistencyRanges,
  hashOfSubtrees,
  verifyConsistency
} from '../../protocols/checkpoint/v1/tree.ts'
import { bytesOfHex, toHex, utf8 } from '../../protocols/primitives/bytes.ts'
import { sha256 } from '../../protocols/primitives/sha256.ts'
import { checkPublicKey } from '../../protocols/signature/v1/ed25519.ts'
import { PROTOCOLS } from './make-vectors.ts'
import { readJson } from './third-party.ts'

interface Claim {
  readonly from: number
  readonly fromRoot: string
  readonly to: number
  readonly toRoot: string
  readonly proof: readonly string[]
}
interface NoteVector {
  readonly note: string
  readonly publicKey: string
  readonly code?: string | null
}

const vectorsOf = (name: string): readonly unknown[] =>
  (readJson(PROTOCOLS, 'checkpoint', 'v1', 'vectors', name) as { vectors: readonly unknown[] }).vectors

const LEAVES = Array.from({ length: 64 }, (_, index) => leafHash(sha256(`${index}`)))

/** Sizes, and a change of one thing that a proof claims: most of them are false. */
const someClaim = fc.record({
  sizes: fc.tuple(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 1, max: 64 })),
  change: fc.constantFrom('none', 'none', 'from', 'to', 'fromRoot', 'toRoot', 'proof', 'shorter', 'longer')
})

function claimOf(from: number, to: number): Claim {
  const proof = consistencyRanges(from, to).map((range) =>
    toHex(hashOfSubtrees(completeSubtrees(range).map(({ begin, end }) => merkleRoot(LEAVES.slice(begin, end)))))
  )
  const rootOf = (size: number): string => toHex(merkleRoot(LEAVES.slice(0, size)))
  return { from, fromRoot: rootOf(from), to, toRoot: rootOf(to), proof }
}

const OTHER = 'ab'.repeat(32)

function changed(claim: Claim, change: string): Claim {
  const { from, to, proof } = claim
  if (change === 'from') return { ...claim, from: from + 1 }
  if (change === 'to') return { ...claim, to: to + 1 }
  if (change === 'fromRoot' || change === 'toRoot') return { ...claim, [change]: OTHER }
  if (change === 'proof') return { ...claim, proof: [OTHER, ...proof.slice(1)] }
  if (change === 'shorter') return { ...claim, proof: proof.slice(0, -1) }
  return change === 'longer' ? { ...claim, proof: [...proof, OTHER] } : claim
}

const holds = (claim: Claim): boolean =>
  verifyConsistency({
    ...claim,
    fromRoot: bytesOfHex(claim.fromRoot),
    toRoot: bytesOfHex(claim.toRoot),
    proof: claim.proof.map(bytesOfHex)
  })

/** What this node makes of a note, in the form of the other implementation. */
function answerOn({ note, publicKey }: NoteVector): unknown {
  const reading = parseCheckpoint(bytesOfHex(note))
  if (!reading.ok) return reading.code
  const key = checkPublicKey(bytesOfHex(publicKey))
  if (!key.ok || !isSignedBy(reading.note, key.key)) return 'unsigned'
  const { name, size, root, epoch } = reading.note
  return { ...name, size, root: toHex(root), epoch }
}

const hasPython = spawnSync('python3', ['--version']).status === 0
if (!hasPython) console.log('skipped: the second implementation of checkpoint needs python3')

describe.skipIf(!hasPython)('checkpoint, written from its SPEC in Python', () => {
  const good = vectorsOf('consistency.json') as readonly Claim[]
  const bad = vectorsOf('consistency-invalid.json') as readonly Claim[]
  const signed = vectorsOf('notes.json') as readonly (NoteVector & Record<string, unknown>)[]
  const notes = signed.map(({ note, publicKey }): NoteVector => ({ note: toHex(utf8(note)), publicKey }))
  const invalid = vectorsOf('notes-invalid.json') as readonly NoteVector[]
  const judged = vectorsOf('judged.json') as readonly { readonly code: string | null }[]
  const claims = fc.sample(someClaim, { numRuns: 500, seed: 20_260_101 }).map(({ sizes, change }) => {
    const [from, to] = sizes.toSorted((one, other) => one - other)
    return { whole: claimOf(from as number, to as number), change }
  })
  const samples = claims.map(({ whole, change }) => changed(whole, change))
  // One byte of a good note changed, left out or doubled.
  const [first] = notes
  const broken = fc
    .sample(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }), fc.nat(2)), { numRuns: 150, seed: 20_260_102 })
    .map(([place, byte, size]): NoteVector => {
      const bytes = bytesOfHex(first?.note ?? '')
      const at = place % bytes.length
      const middle = size === 2 ? [byte, bytes[at] ?? 0] : size === 1 ? [byte] : []
      const note = toHex(Uint8Array.of(...bytes.subarray(0, at), ...middle, ...bytes.subarray(at + 1)))
      return { note, publicKey: first?.publicKey ?? '' }
    })
  let answer: {
    readonly proofs: readonly boolean[]
    readonly notes: readonly unknown[]
    readonly judged: readonly (string | null)[]
    readonly trees: readonly Omit<Claim, 'from' | 'to'>[]
  }

  beforeAll(() => {
    const trees = claims.slice(0, 100).map(({ whole: { from, to } }) => ({ leaves: LEAVES.map(toHex), from, to }))
    const input = { proofs: [...good, ...bad, ...samples], notes: [...notes, ...invalid, ...broken], judged, trees }
    const { status, stdout, stderr } = spawnSync('python3', [join(import.meta.dirname, 'second_checkpoint.py')], {
      input: JSON.stringify(input),
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024
    })
    if (status !== 0) throw new Error(stderr)
    answer = JSON.parse(stdout) as typeof answer
  })

  test('finds that the proofs of the vectors hold, and the others not', () => {
    const expected = [...good.map(() => true), ...bad.map(() => false)]
    expect(answer.proofs.slice(0, expected.length)).toEqual(expected)
  })

  test('comes to what this node says of proofs that were changed at random, and makes the same ones', () => {
    expect(answer.proofs.slice(good.length + bad.length)).toEqual(samples.map(holds))
    const made = claims.slice(0, 100).map(({ whole: { fromRoot, toRoot, proof } }) => ({ fromRoot, toRoot, proof }))
    expect(answer.trees).toEqual(made)
  })

  test('reads the notes of the vectors, and refuses those that it must', () => {
    const read = signed.map(({ signer, kid, size, root, epoch }) => ({ signer, kid, size, root, epoch }))
    const refused = invalid.map(({ code }) => code ?? 'unsigned')
    expect(answer.notes.slice(0, notes.length + invalid.length)).toEqual([...read, ...refused])
  })

  test('comes to what this node says of notes that were changed at random', () => {
    expect(answer.notes.slice(notes.length + invalid.length)).toEqual(broken.map(answerOn))
    expect(new Set(broken.map((note) => JSON.stringify(answerOn(note)))).size).toBeGreaterThan(1)
  })

  test('raises the alarms of the vectors', () => {
    expect(answer.judged).toEqual(judged.map(({ code }) => code))
  })
})
