import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { BitcoinTimestampAnchor } from '../../protocols/event/v1/timestamp-anchor.ts'
import {
  attestedBlocks,
  checkBitcoinEvidence,
  checkBitcoinHeader
} from '../../protocols/bitcoin-evidence/v1/evidence.ts'
import { parseHeader, targetOf } from '../../protocols/bitcoin-evidence/v1/header.ts'
import { branchOf, rootOfBranch } from '../../protocols/bitcoin-evidence/v1/merkle-branch.ts'
import {
  attestationsOf,
  encodeOtsProof,
  encodeOtsTimestamp,
  parseOtsProof,
  parseOtsTimestamp
} from '../../protocols/bitcoin-evidence/v1/open-timestamps.ts'
import { pendingAttestations, withUpgrade } from '../../protocols/bitcoin-evidence/v1/ots-upgrade.ts'
import { parseTransaction } from '../../protocols/bitcoin-evidence/v1/transaction.ts'
import { fromBase64url, fromHex, toBase64url, toHex } from '../../protocols/primitives/bytes.ts'
import { PROTOCOLS } from './make-vectors.ts'
import { arbitraryTimestamp } from './open-timestamps-arbitrary.ts'
import { readJson } from './third-party.ts'
import {
  blockBranch,
  blockRoot,
  hash256,
  inBitcoin,
  path,
  pending,
  printed,
  proofFile,
  REVERSE,
  SHA256,
  transaction
} from './vectors/bitcoin-parts.ts'
import { sha256 } from './vectors/vector-file.ts'

interface Evidence {
  readonly timestampAnchor: BitcoinTimestampAnchor
  readonly batchRoot: string
  readonly header: string
}

const EVIDENCE = (readJson(PROTOCOLS, 'bitcoin-evidence/v1/vectors/evidence.json') as { vectors: readonly Evidence[] })
  .vectors
const DIGEST = sha256('what was stamped')

const bytes = (maxLength: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength })

describe('transactions', () => {
  const outputs = fc.array(fc.record({ satoshis: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), script: bytes(300) }), {
    minLength: 1,
    maxLength: 300
  })
  const inputs = fc.array(fc.tuple(bytes(300), fc.array(bytes(300), { maxLength: 3 })), {
    minLength: 1,
    maxLength: 300
  })

  test('any transaction is read with and without its witness, and has one id', () => {
    fc.assert(
      fc.property(inputs, outputs, fc.nat(), (spent, made, lockTime) => {
        const parts = { scripts: spent.map(([script]) => script), outputs: made, lockTime }
        const witness = spent.map(([, items]) => items)
        const stripped = transaction(parts)
        const raw = witness.some((items) => items.length > 0) ? transaction({ ...parts, witness }) : stripped
        const reading = parseTransaction(raw)
        expect(reading).toMatchObject({ ok: true, transaction: { txid: printed(hash256(stripped)) } })
        if (!reading.ok) return
        expect(toHex(reading.transaction.stripped)).toBe(toHex(stripped))
        expect(reading.transaction.outputs.map(({ satoshis }) => satoshis)).toEqual(
          made.map(({ satoshis }) => satoshis)
        )
        expect(parseTransaction(raw.subarray(0, -1)).ok).toBe(false)
        expect(parseTransaction(Buffer.concat([raw, Buffer.of(0)])).ok).toBe(false)
      })
    )
  })

  test('counts of four bytes are read', () => {
    const script = Buffer.alloc(65_536, 0x51)
    const reading = parseTransaction(transaction({ outputs: [{ satoshis: 1n, script }] }))
    expect(reading.ok && reading.transaction.outputs[0]?.script.length).toBe(65_536)
  })

  test('what is larger than a block is refused', () => {
    const script = Buffer.alloc(4_000_000)
    expect(parseTransaction(transaction({ outputs: [{ satoshis: 1n, script }] }))).toMatchObject({ ok: false })
  })

  test('no bytes make the parsers throw', () => {
    fc.assert(
      fc.property(fc.oneof(bytes(300), fc.tuple(bytes(8), bytes(300)).map(startingLikeOne)), (some) => {
        const reading = parseTransaction(some)
        expect(reading).toMatchObject(reading.ok ? {} : { code: 'BTC_MALFORMED' })
        parseHeader(some)
      }),
      { numRuns: 1_000 }
    )
  })

  function startingLikeOne([start, rest]: [Uint8Array, Uint8Array]): Uint8Array {
    return Buffer.concat([Buffer.of(2, 0, 0, 0, 0, 1), start, rest])
  }
})

describe('blocks', () => {
  const hashes = fc.uniqueArray(fc.nat(2 ** 31), { minLength: 1, maxLength: 40 }).map((numbers) => numbers.map(hashOf))

  function hashOf(number: number): Buffer {
    return hash256(Buffer.from(String(number)))
  }

  test('each transaction leads to the root from its own place and from no other', () => {
    fc.assert(
      fc.property(hashes, fc.nat(), (all, number) => {
        const index = number % all.length
        const leaf = all[index] as Buffer
        const branch = branchOf(all, index)
        expect(branch.map(toHex)).toEqual(blockBranch(all, index).map(toHex))
        const root = toHex(blockRoot(all))
        for (let place = 0; place < 2 ** branch.length + 2; place += 1) {
          const found = rootOfBranch(leaf, place, branch)
          expect(found !== null && toHex(found) === root).toBe(place === index)
        }
        if (branch.length === 0) return
        for (const short of [branch.slice(1), branch.slice(0, -1)]) {
          const found = rootOfBranch(leaf, index % 2 ** short.length, short)
          expect(found === null || toHex(found) !== root).toBe(true)
        }
      })
    )
  })

  test('a compact form that is a target is read as the number that it stands for', () => {
    fc.assert(
      fc.property(fc.integer({ min: 3, max: 32 }), fc.integer({ min: 1, max: 0x7fffff }), (size, word) => {
        expect(targetOf(size * 2 ** 24 + word)).toBe(BigInt(word) * 256n ** BigInt(size - 3))
      })
    )
  })
})

describe('proofs', () => {
  test('any proof is read and written again with the same bytes', () => {
    fc.assert(
      fc.property(arbitraryTimestamp, (timestamp) => {
        const file = proofFile(DIGEST, timestamp)
        const reading = parseOtsProof(file)
        if (!reading.ok) throw new Error(reading.detail)
        expect(toHex(encodeOtsProof(reading.proof))).toBe(toHex(file))
        const alone = parseOtsTimestamp(timestamp, DIGEST)
        expect(alone.ok && toHex(encodeOtsTimestamp(alone.timestamp))).toBe(toHex(timestamp))
      })
    )
  })

  test('no bytes make the parser throw, and what it reads it writes again', () => {
    fc.assert(
      fc.property(arbitraryTimestamp, bytes(20), fc.nat(), (timestamp, noise, number) => {
        const at = number % (timestamp.length + 1)
        for (const changed of [
          Buffer.concat([timestamp.subarray(0, at), noise, timestamp.subarray(at)]),
          Buffer.concat([timestamp.subarray(0, at), noise, timestamp.subarray(at + noise.length)]),
          Buffer.from(noise)
        ]) {
          const file = proofFile(DIGEST, changed)
          const reading = parseOtsProof(file)
          if (reading.ok) expect(toHex(encodeOtsProof(reading.proof))).toBe(toHex(file))
          else expect(reading.code).toBe('OTS_MALFORMED')
        }
      }),
      { numRuns: 500 }
    )
  })

  /** Reversed twice, a message is the same again: what is known about it would go on for ever. */
  const withoutReturn = arbitraryTimestamp.filter((timestamp) => !timestamp.includes(REVERSE.bytes))

  test('an upgrade is there afterwards, once, with all that was there before', () => {
    fc.assert(
      fc.property(arbitraryTimestamp, withoutReturn, (timestamp, answer) => {
        const before = parseOtsProof(proofFile(DIGEST, timestamp))
        if (!before.ok) throw new Error(before.detail)
        for (const { commitment } of pendingAttestations(before.proof)) {
          const after = withUpgrade(before.proof, commitment, answer)
          if (!after.ok) continue
          const again = withUpgrade(after.proof, commitment, answer)
          expect(again.ok && toHex(encodeOtsProof(again.proof))).toBe(toHex(encodeOtsProof(after.proof)))
          const blocks = attestedBlocks(after.proof)
          expect(blocks).toEqual(expect.arrayContaining([...attestedBlocks(before.proof)]))
          const answered = parseOtsTimestamp(answer, commitment)
          if (!answered.ok) throw new Error(answered.detail)
          const heights = attestedBlocks({ hash: 'sha256', timestamp: answered.timestamp })
          expect(blocks.map(({ merkleRoot }) => merkleRoot)).toEqual(
            expect.arrayContaining(heights.map(({ merkleRoot }) => merkleRoot))
          )
        }
      })
    )
  })

  test('the blocks of a proof are named with the transaction that it passes through', () => {
    const raw = transaction({ outputs: [{ satoshis: 0n, script: Buffer.concat([Buffer.of(0x6a, 0x20), DIGEST]) }] })
    const at = raw.indexOf(DIGEST)
    const carried = {
      bytes: Buffer.concat([
        Buffer.of(0xf1, at),
        raw.subarray(0, at),
        Buffer.of(0xf0, raw.length - at - 32),
        raw.subarray(at + 32)
      ]),
      apply: () => raw
    }
    const of = (timestamp: Buffer): unknown => {
      const reading = parseOtsProof(proofFile(DIGEST, timestamp))
      return reading.ok ? attestedBlocks(reading.proof) : reading
    }
    const txid = printed(hash256(raw))
    expect(of(path([carried, SHA256, SHA256], inBitcoin(7)))).toEqual([{ blockHeight: 7, merkleRoot: txid, txid }])
    expect(of(path([SHA256, SHA256], inBitcoin(7)))).toMatchObject([{ blockHeight: 7, txid: null }])
    expect(of(pending('https://calendar.example.org'))).toEqual([])
  })

  test('attestations share the steps that are on the way to all of them', () => {
    const shared = path([SHA256], Buffer.concat([Buffer.of(0xff), inBitcoin(1), path([REVERSE], inBitcoin(2))]))
    const reading = parseOtsProof(proofFile(DIGEST, shared))
    const [first, second] = reading.ok ? attestationsOf(reading.proof.timestamp) : []
    expect(first?.lastStep).not.toBeNull()
    expect(second?.lastStep?.previous).toBe(first?.lastStep)
  })
})

describe('evidence', () => {
  /** Whether it proves the root. */
  function holds({ timestampAnchor, batchRoot, header }: Evidence): boolean {
    const commitment = checkBitcoinEvidence(timestampAnchor, batchRoot)
    return commitment.ok && checkBitcoinHeader(commitment, timestampAnchor, fromHex(header) as Uint8Array)?.ok === true
  }

  function bytesOf({ timestampAnchor }: Evidence): Uint8Array {
    const evidence = 'otsProof' in timestampAnchor ? timestampAnchor.otsProof : timestampAnchor.rawTx
    return fromBase64url(evidence as string) as Uint8Array
  }

  function withBytes(evidence: Evidence, changed: Uint8Array): Evidence {
    const member = 'otsProof' in evidence.timestampAnchor ? 'otsProof' : 'rawTx'
    return { ...evidence, timestampAnchor: { ...evidence.timestampAnchor, [member]: toBase64url(changed) } }
  }

  function flipped(hex: string, bit: number): string {
    const changed = fromHex(hex) as Uint8Array
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    return toHex(changed)
  }

  // Neither a witness nor what stands beside the way to the block is covered by the hashes.
  const tight = EVIDENCE.filter(({ timestampAnchor }) => bytesOf({ timestampAnchor } as Evidence).length < 250).filter(
    (evidence) => !toHex(bytesOf(evidence)).startsWith('020000000001')
  )

  test('one flipped bit of the evidence, the branch or the header, or a byte less, and nothing is proven', () => {
    expect(tight.length).toBeGreaterThan(5)
    for (const evidence of tight) {
      expect(holds(evidence)).toBe(true)
      const whole = bytesOf(evidence)
      for (let bit = 0; bit < whole.length * 8; bit += 1) {
        expect(holds(withBytes(evidence, fromHex(flipped(toHex(whole), bit)) as Uint8Array)), `bit ${bit}`).toBe(false)
      }
      for (let length = 1; length < whole.length; length += 1) {
        expect(holds(withBytes(evidence, whole.subarray(0, length)))).toBe(false)
      }
      for (let bit = 0; bit < 640; bit += 1) {
        expect(holds({ ...evidence, header: flipped(evidence.header, bit) })).toBe(false)
      }
      if ('merkleBranch' in evidence.timestampAnchor) {
        const { timestampAnchor } = evidence
        timestampAnchor.merkleBranch.forEach((hash, level) => {
          const merkleBranch = timestampAnchor.merkleBranch.with(level, flipped(hash, 100 + level))
          expect(holds({ ...evidence, timestampAnchor: { ...timestampAnchor, merkleBranch } })).toBe(false)
        })
      }
    }
  })

  test('any bytes in the place of evidence are judged, and prove nothing', () => {
    fc.assert(
      fc.property(fc.constantFrom(...EVIDENCE), fc.uint8Array({ minLength: 1, maxLength: 300 }), (evidence, noise) => {
        expect(holds(withBytes(evidence, noise))).toBe(false)
        const whole = bytesOf(evidence)
        const from = (noise[0] ?? 0) % whole.length
        const changed = withBytes(evidence, Buffer.concat([whole.subarray(0, from), noise]))
        expect(typeof holds(changed)).toBe('boolean')
      })
    )
  })
})
