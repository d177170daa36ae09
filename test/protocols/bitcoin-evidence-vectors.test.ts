import { describe, expect, test } from 'vitest'
import type { BitcoinTimestampAnchor } from '../../protocols/event/v1/timestamp-anchor.ts'
import { timestampAnchorProblem } from '../../protocols/event/v1/timestamp-anchor.ts'
import { checkBitcoinEvidence, checkBitcoinHeader } from '../../protocols/bitcoin-evidence/v1/evidence.ts'
import { hasProofOfWork, parseHeader, targetOf } from '../../protocols/bitcoin-evidence/v1/header.ts'
import { branchOf, rootOfBranch } from '../../protocols/bitcoin-evidence/v1/merkle-branch.ts'
import { attestationsOf, encodeOtsProof, parseOtsProof } from '../../protocols/bitcoin-evidence/v1/open-timestamps.ts'
import type { OtsAttested, OtsProof } from '../../protocols/bitcoin-evidence/v1/open-timestamps.ts'
import { pendingAttestations, withUpgrade } from '../../protocols/bitcoin-evidence/v1/ots-upgrade.ts'
import { parseTransaction } from '../../protocols/bitcoin-evidence/v1/transaction.ts'
import { fromHex, toHex } from '../../protocols/primitives/bytes.ts'
import { PROTOCOLS } from './make-vectors.ts'
import { readJson } from './third-party.ts'

// The type is what the caller expects of the file, as with `readJson`.
function vectorsOf(name: string): readonly unknown[] {
  return (readJson(PROTOCOLS, `bitcoin-evidence/v1/vectors/${name}.json`) as { vectors: readonly unknown[] }).vectors
}

function bytesOf(hex: string): Uint8Array {
  const bytes = fromHex(hex)
  if (bytes === null) throw new Error(`not hex: ${hex}`)
  return bytes
}

function proofOf(hex: string): OtsProof {
  const reading = parseOtsProof(bytesOf(hex))
  if (!reading.ok) throw new Error(reading.detail)
  return reading.proof
}

interface Output {
  readonly satoshis: string
  readonly script: string
}

describe('transactions', () => {
  type Valid = { transaction: string; stripped: string; txid: string; outputs: readonly Output[] }
  test.each(vectorsOf('transactions') as readonly Valid[])('$description', (vector) => {
    const reading = parseTransaction(bytesOf(vector.transaction))
    if (!reading.ok) throw new Error(reading.detail)
    const { txid, stripped, outputs } = reading.transaction
    expect([txid, toHex(stripped)]).toEqual([vector.txid, vector.stripped])
    expect(outputs.map(({ satoshis, script }) => ({ satoshis: String(satoshis), script: toHex(script) }))).toEqual(
      vector.outputs
    )
  })

  type Invalid = { transaction: string; code: string }
  test.each(vectorsOf('transactions-invalid') as readonly Invalid[])(
    '$rule $code: $description',
    ({ transaction, code }) => {
      expect(parseTransaction(bytesOf(transaction))).toMatchObject({ ok: false, code })
    }
  )
})

describe('blocks', () => {
  type Branch = { leaf: string; index: number; branch: readonly string[]; root: string | null }
  const branches = vectorsOf('branches') as readonly Branch[]
  test.each(branches)('branch: $description', ({ leaf, index, branch, root }) => {
    const found = rootOfBranch(bytesOf(leaf), index, branch.map(bytesOf))
    expect(found && toHex(found)).toBe(root)
  })

  test('branches are made as they stand there', () => {
    const good = branches.filter(({ root }) => root !== null)
    for (const { root } of good) {
      const block = good.filter((branch) => branch.root === root)
      const leaves = block.map(({ leaf }) => bytesOf(leaf))
      for (const { index, branch } of block) expect(branchOf(leaves, index).map(toHex)).toEqual(branch)
    }
    expect(() => branchOf([new Uint8Array(32), new Uint8Array(32)], 2)).toThrow(RangeError)
  })

  type Target = { bits: number; target: string | null }
  test.each(vectorsOf('targets') as readonly Target[])('target: $bits, $description', ({ bits, target }) => {
    expect(targetOf(bits)).toBe(target === null ? null : BigInt(`0x${target}`))
  })

  type Header = {
    header: string
    network: string
    hash: string
    merkleRoot: string
    time: number
    proofOfWork: boolean
  }
  test.each(vectorsOf('headers') as readonly Header[])('header: $description ($network)', (vector) => {
    const header = parseHeader(bytesOf(vector.header))
    if (header === null) throw new Error('no header')
    const { hash, merkleRoot, time } = header
    expect({ hash, merkleRoot: toHex(merkleRoot), time }).toEqual({
      hash: vector.hash,
      merkleRoot: vector.merkleRoot,
      time: vector.time
    })
    expect(hasProofOfWork(header, vector.network)).toBe(vector.proofOfWork)
  })

  test('a header has 80 bytes', () => {
    expect(parseHeader(new Uint8Array(79))).toBeNull()
    expect(parseHeader(new Uint8Array(81))).toBeNull()
  })
})

describe('proofs', () => {
  /** As the vectors write them. */
  function written({ attestation, message }: OtsAttested): object {
    if (attestation.kind !== 'unknown') return { ...attestation, message: toHex(message) }
    const { kind, tag, payload } = attestation
    return { kind, tag: toHex(tag), payload: toHex(payload), message: toHex(message) }
  }

  type Valid = { proof: string; hash: string; digest: string; attestations: readonly object[] }
  test.each(vectorsOf('proofs') as readonly Valid[])('$description', (vector) => {
    const proof = proofOf(vector.proof)
    expect(proof.hash).toBe(vector.hash)
    expect(toHex(proof.timestamp.message)).toBe(vector.digest)
    expect(attestationsOf(proof.timestamp).map(written)).toEqual(vector.attestations)
    expect(toHex(encodeOtsProof(proof))).toBe(vector.proof)
  })

  type Repeated = { prefix: string; repeat: string; count: number; suffix: string }
  type Invalid = ({ proof: string } | Repeated) & { code: string }
  const textOf = (vector: Invalid): string =>
    'proof' in vector ? vector.proof : vector.prefix + vector.repeat.repeat(vector.count) + vector.suffix
  test.each(vectorsOf('proofs-invalid') as readonly Invalid[])('$rule $code: $description', (vector) => {
    expect(parseOtsProof(bytesOf(textOf(vector)))).toMatchObject({ ok: false, code: vector.code })
  })

  test('what is too much is only a little too much', () => {
    const repeated = (vectorsOf('proofs-invalid') as readonly Invalid[]).filter((vector) => 'count' in vector)
    expect(repeated.length).toBe(3)
    for (const vector of repeated) {
      expect(parseOtsProof(bytesOf(textOf({ ...vector, count: vector.count - 50 })))).toMatchObject({ ok: true })
    }
  })

  type Upgrade = { proof: string; commitment: string; answer: string; upgraded: string }
  test.each(vectorsOf('upgrades') as readonly Upgrade[])(
    'upgrade: $description',
    ({ proof, commitment, answer, upgraded }) => {
      const before = proofOf(proof)
      const after = withUpgrade(before, bytesOf(commitment), bytesOf(answer))
      if (!after.ok) throw new Error(after.detail)
      expect(toHex(encodeOtsProof(after.proof))).toBe(upgraded)
      expect(toHex(encodeOtsProof(before))).toBe(proof)
      expect(pendingAttestations(before).map((pending) => toHex(pending.commitment))).toContain(commitment)
    }
  )

  test('an answer that is none does not change a proof', () => {
    const [{ proof, commitment, answer } = { proof: '', commitment: '', answer: '' }] = vectorsOf(
      'upgrades'
    ) as readonly Upgrade[]
    const before = proofOf(proof)
    for (const bad of ['', answer.slice(2), answer.slice(0, -2), `${answer}00`]) {
      expect(withUpgrade(before, bytesOf(commitment), bytesOf(bad))).toMatchObject({ ok: false, code: 'OTS_MALFORMED' })
    }
    expect(() => withUpgrade(before, new Uint8Array(32), bytesOf(answer))).toThrow(RangeError)
  })

  test('an answer that makes a proof too deep is refused', () => {
    const deep = '08'.repeat(200)
    const end = '000588960d73d719010101'
    const { timestamp } = proofOf((vectorsOf('proofs') as readonly Valid[])[0]?.proof ?? '')
    const header = toHex(encodeOtsProof({ hash: 'sha256', timestamp })).slice(0, 33 * 2)
    const before = proofOf(header + toHex(timestamp.message) + deep + end)
    const [{ message } = { message: new Uint8Array() }] = attestationsOf(before.timestamp)
    expect(withUpgrade(before, message, bytesOf(`${'08'.repeat(55)}${end}`))).toMatchObject({ ok: true })
    expect(withUpgrade(before, message, bytesOf(`${'08'.repeat(56)}${end}`))).toMatchObject({ ok: false })
  })
})

describe('evidence', () => {
  type Valid = { timestampAnchor: BitcoinTimestampAnchor; batchRoot: string; header: string; provenTime: number }
  test.each(vectorsOf('evidence') as readonly Valid[])(
    '$description',
    ({ timestampAnchor, batchRoot, header, provenTime }) => {
      expect(timestampAnchorProblem(timestampAnchor as never, 'it')).toBeNull()
      const commitment = checkBitcoinEvidence(timestampAnchor, batchRoot)
      if (!commitment.ok) throw new Error(commitment.detail)
      expect(checkBitcoinHeader(commitment, timestampAnchor, bytesOf(header))).toEqual({ ok: true, provenTime })
      expect(checkBitcoinHeader(commitment, timestampAnchor, bytesOf(header).fill(0, 0, 4))).toBeNull()
    }
  )

  type Invalid = { timestampAnchor: BitcoinTimestampAnchor; batchRoot: string; header?: string; code: string }
  test.each(vectorsOf('evidence-invalid') as readonly Invalid[])('$rule $code: $description', (vector) => {
    const { timestampAnchor, batchRoot, header, code } = vector
    expect(timestampAnchorProblem(timestampAnchor as never, 'it')).toBeNull()
    const commitment = checkBitcoinEvidence(timestampAnchor, batchRoot)
    if (header === undefined) expect(commitment).toMatchObject({ ok: false, code })
    else if (commitment.ok) {
      expect(checkBitcoinHeader(commitment, timestampAnchor, bytesOf(header))).toMatchObject({ ok: false, code })
    } else throw new Error(`found without the header: ${commitment.code}`)
  })

  test('every code has a vector', () => {
    const codes = new Set((vectorsOf('evidence-invalid') as readonly Invalid[]).map(({ code }) => code))
    expect([...codes].toSorted()).toEqual([
      'BTC_BRANCH',
      'BTC_MALFORMED',
      'BTC_POW',
      'BTC_ROOT_NOT_FOUND',
      'BTC_TX_64_BYTES',
      'OTS_MALFORMED',
      'OTS_ROOT'
    ])
  })

  test('evidence that stands by its hash is missing', () => {
    const [transaction] = vectorsOf('evidence') as readonly Valid[]
    if (transaction === undefined) throw new Error('no vectors')
    const rawTx = { blob: '00'.repeat(32) }
    const timestampAnchor = { ...transaction.timestampAnchor, rawTx } as BitcoinTimestampAnchor
    expect(checkBitcoinEvidence(timestampAnchor, transaction.batchRoot)).toMatchObject({ code: 'EVIDENCE_MISSING' })
  })
})
