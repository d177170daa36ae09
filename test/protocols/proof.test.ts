import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { fromHex, utf8 } from '../../protocols/primitives/bytes.ts'
import { decodeProof, encodeProof } from '../../protocols/proof/v1/proof.ts'
import { checkProof } from '../../src/proofs/check-proof.ts'
import type { ProofTrust } from '../../src/proofs/check-proof.ts'
import type { ProofReport, ProofStep, StepName } from '../../src/proofs/report.ts'
import { Keyring } from '../../src/trust/keyring.ts'
import { PROTOCOLS } from './make-vectors.ts'
import { readJson } from './third-party.ts'

function vectorsOf(name: string): readonly unknown[] {
  return (readJson(PROTOCOLS, `proof/v1/vectors/${name}.json`) as { vectors: readonly unknown[] }).vectors
}

const keyring = new Keyring()
/** A reader who knows nothing but what a did:key says itself. */
const NOBODY_KNOWN: ProofTrust = {
  verifiers: [],
  finality: () => ({}),
  findKeys: (signer, kid) => keyring.find(signer, kid, undefined),
  orgOf: () => undefined
}

async function reportOf(file: string): Promise<ProofReport> {
  const check = await checkProof(utf8(file), NOBODY_KNOWN, new AbortController().signal)
  if (!check.ok) throw new Error(`${check.code}: ${check.detail}`)
  return check.report
}

const RULES: Readonly<Record<StepName, string>> = {
  record: 'PR-9',
  inclusion: 'PR-10',
  announcement: 'PR-11',
  owner: 'PR-12',
  'timestamp-anchor': 'PR-13',
  attestation: 'PR-15'
}

/** A timestamp anchor that only PR-14 leaves undecided has passed PR-13. */
function shownAs({ step, outcome }: ProofStep): string {
  const passed = step === 'timestamp-anchor' && outcome === 'undecided'
  return `${RULES[step]} ${passed ? 'ok' : outcome}`
}

describe('files', () => {
  type Valid = { file: string; steps: readonly string[]; overall: string }
  test.each(vectorsOf('proofs') as readonly Valid[])('$description', async ({ file, steps, overall }) => {
    const report = await reportOf(file)
    expect(report.steps.map(shownAs).toSorted()).toEqual(steps.toSorted())
    expect(report.overall).toBe(overall)
    const decoding = decodeProof(utf8(file))
    if (!decoding.ok) throw new Error(decoding.detail)
    expect(decodeProof(utf8(encodeProof(decoding.proof)))).toEqual(decoding)
  })

  type Invalid = { code: string; rule: string } & (
    { file: string } | { bytes: string } | { repeat: string; count: number }
  )
  const bytesOf = (vector: Invalid): Uint8Array => {
    if ('bytes' in vector) return fromHex(vector.bytes) ?? new Uint8Array()
    return utf8('file' in vector ? vector.file : vector.repeat.repeat(vector.count))
  }
  test.each(vectorsOf('proofs-invalid') as readonly Invalid[])('$rule $code: $description', (vector) => {
    expect(decodeProof(bytesOf(vector))).toMatchObject({ ok: false, code: vector.code })
  })

  type Failing = { rule: string; code: string; file: string }
  test.each(vectorsOf('proofs-failing') as readonly Failing[])('$rule: $description', async ({ rule, code, file }) => {
    const report = await reportOf(file)
    const failed = report.steps.filter(({ outcome }) => outcome === 'failed')
    expect(failed.map(({ step, code: of }) => `${RULES[step]} ${of}`)).toContain(`${rule} ${code}`)
    expect(report).toMatchObject({ overall: 'failed', provenTime: null })
  })

  test('a record of escapes only is read, and its size bounded', () => {
    const [first] = vectorsOf('proofs') as readonly Valid[]
    const file = first?.file ?? ''
    const proof = JSON.parse(file) as { receipt: { record: string } }
    const escapes = { ...proof, receipt: { ...proof.receipt, record: '"'.repeat(65_536) } }
    expect(decodeProof(utf8(JSON.stringify(escapes))).ok).toBe(true)
  })
})

const hasPython = spawnSync('python3', ['--version']).status === 0
if (!hasPython) console.log('skipped: the second implementation needs python3')

test.skipIf(!hasPython)('an implementation that was written from the SPEC finds the same of every step', async () => {
  const files = ['proofs', 'proofs-failing'].flatMap((name) => vectorsOf(name) as readonly { file: string }[])
  const run = spawnSync('python3', [join(import.meta.dirname, 'second_proof.py')], {
    input: JSON.stringify(files.map(({ file }) => file)),
    encoding: 'utf8',
    maxBuffer: 2 ** 24
  })
  if (run.status !== 0) throw new Error(run.stderr)
  const answers = JSON.parse(run.stdout) as readonly (readonly string[])[]
  for (const [index, { file }] of files.entries()) {
    const { steps } = await reportOf(file)
    expect(answers[index]?.toSorted(), file).toEqual(steps.map(shownAs).toSorted())
  }
})
