import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { encodeCanonical } from '../../protocols/canonical-json/v1/codec.ts'
import { decodeFeedback, encodeFeedback } from '../../protocols/feedback/v1/feedback.ts'
import type { Feedback, FeedbackData } from '../../protocols/feedback/v1/feedback.ts'
import { bytesOfHex, utf8 } from '../../protocols/primitives/bytes.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import { checkPublicKey, verifyEd25519 } from '../../protocols/signature/v1/ed25519.ts'
import { executionFingerprint } from '../../protocols/telemetry/v1/fingerprint.ts'
import type { ExecutionFacts } from '../../protocols/telemetry/v1/fingerprint.ts'
import { decodeTelemetry, encodeTelemetry, fingerprintOf } from '../../protocols/telemetry/v1/telemetry.ts'
import type { Telemetry } from '../../protocols/telemetry/v1/telemetry.ts'
import type { TenantRequestDecoding } from '../../protocols/telemetry/v1/tenant-request.ts'
import type { FeedbackTaken } from '../../src/projections/finding-records.ts'
import { adjusted, isBoundTo } from '../../src/projections/findings.ts'
import type { FindingRow } from '../../src/projections/findings.ts'
import { PROTOCOLS } from './make-vectors.ts'
import { readJson } from './third-party.ts'

interface Valid {
  readonly body: string
  readonly canonical: string
  readonly id: string
  readonly bodyHash: string
  readonly publicKey: string
  readonly fingerprint?: string
}
type Invalid = { readonly rule: string; readonly code: string } & (
  { readonly body: string } | { readonly repeat: string; readonly count: number }
)
interface Applied {
  readonly reported: Pick<FindingRow, 'severity' | 'score'>
  readonly data: readonly FeedbackData[]
  readonly after: readonly Pick<FindingRow, 'status' | 'severity' | 'score'>[]
}
type Named = { readonly facts: ExecutionFacts; readonly fingerprint: string }

const vectorsOf = (path: string): readonly unknown[] =>
  (readJson(PROTOCOLS, path) as { vectors: readonly unknown[] }).vectors
const reports = vectorsOf('telemetry/v1/vectors/reports.json') as readonly Valid[]
const invalidReports = vectorsOf('telemetry/v1/vectors/reports-invalid.json') as readonly Invalid[]
const fingerprints = vectorsOf('telemetry/v1/vectors/fingerprints.json') as readonly Named[]
const feedback = vectorsOf('feedback/v1/vectors/feedback.json') as readonly Valid[]
const invalidFeedback = vectorsOf('feedback/v1/vectors/feedback-invalid.json') as readonly Invalid[]
const applied = vectorsOf('feedback/v1/vectors/applied.json') as readonly Applied[]

const bytesOf = (vector: Invalid): Uint8Array =>
  bytesOfHex('body' in vector ? vector.body : vector.repeat.repeat(vector.count))

/** Reads a body that is good in every way, and makes it again. */
async function checkValid<Request extends object>(
  { body, canonical, id, bodyHash, publicKey }: Valid,
  decode: (bytes: Uint8Array) => TenantRequestDecoding<Request>,
  encode: (request: Request, sign: () => Promise<Uint8Array>) => Promise<{ readonly body: string; readonly id: string }>
): Promise<Request> {
  const decoding = decode(utf8(body))
  if (!decoding.ok) throw new Error(`${decoding.code}: ${decoding.detail}`)
  const { request, signature, ...decoded } = decoding.decoded
  expect(encodeCanonical(request)).toBe(canonical)
  expect([decoded.id, sha256Hex(decoded.body)]).toEqual([id, bodyHash])
  const key = checkPublicKey(bytesOfHex(publicKey))
  expect(key.ok && verifyEd25519(key.key, signature.input, signature.signature)).toBe(true)
  const made = await encode(request, () => Promise.resolve(signature.signature))
  expect(made.id).toBe(id)
  expect(utf8(made.body)).toEqual(decoded.body)
  return request
}

describe('telemetry/v1', () => {
  test.each(reports)('$description', async (vector) => {
    const report = await checkValid<Telemetry>(vector, decodeTelemetry, encodeTelemetry)
    expect(fingerprintOf(report)).toBe(vector.fingerprint)
  })

  test.each(invalidReports)('$rule $code: $description', (vector) => {
    expect(decodeTelemetry(bytesOf(vector))).toMatchObject({ ok: false, code: vector.code })
  })

  test.each(fingerprints)('the fingerprint of $description', ({ facts, fingerprint }) => {
    expect(executionFingerprint(facts)).toBe(fingerprint)
  })

  test('the worked example of a fingerprint is the first vector', () => {
    const spec = readFileSync(join(PROTOCOLS, 'telemetry/v1/SPEC.md'), 'utf8').replaceAll(/\s/g, '')
    const [first] = fingerprints
    expect(spec).toContain(encodeCanonical({ ...first?.facts, type: 'anchormesh.execution-fingerprint.v1' }))
    expect(spec).toContain(`fingerprint${first?.fingerprint}`)
  })

  test('no two executions that differ in one fact have one fingerprint', () => {
    expect(new Set(fingerprints.map(({ fingerprint }) => fingerprint)).size).toBe(fingerprints.length)
  })
})

describe('feedback/v1', () => {
  test.each(feedback)('$description', async (vector) => {
    await checkValid<Feedback>(vector, decodeFeedback, encodeFeedback)
  })

  test.each(invalidFeedback)('$rule $code: $description', (vector) => {
    expect(decodeFeedback(bytesOf(vector))).toMatchObject({ ok: false, code: vector.code })
  })

  test.each(applied)('applied: $description', ({ reported, data, after }) => {
    const [first] = applied[0]?.data ?? []
    const bound = first ?? data[0]
    let row = { ...reported, status: 'open', ...bound, adjustmentCount: 0, adjustments: [] } as unknown as FindingRow
    for (const [index, one] of data.entries()) {
      if (isBoundTo(one, row)) row = adjusted(row, one as unknown as FeedbackTaken)
      expect(row).toMatchObject(after[index] ?? {})
    }
  })

  test('a report is no feedback, and feedback no report', () => {
    expect(decodeFeedback(utf8(reports[0]?.body ?? ''))).toMatchObject({ ok: false, code: 'SCHEMA_INVALID' })
    expect(decodeTelemetry(utf8(feedback[0]?.body ?? ''))).toMatchObject({ ok: false, code: 'SCHEMA_INVALID' })
  })
})

const hasPython = spawnSync('python3', ['--version']).status === 0
if (!hasPython) console.log('skipped: the second implementation of telemetry and feedback needs python3')

describe.skipIf(!hasPython)('telemetry and feedback, written from their SPECs in Python', () => {
  test('come to the same verdicts, hashes and fingerprints, and find the same signatures good', () => {
    const bodies = [
      ...[reports, invalidReports].map((vectors) => ({ purpose: 'telemetry', vectors })),
      ...[feedback, invalidFeedback].map((vectors) => ({ purpose: 'feedback', vectors }))
    ].flatMap(({ purpose, vectors }) =>
      vectors.map((vector) => ({
        purpose,
        body:
          'repeat' in vector
            ? vector.repeat.repeat(vector.count)
            : 'code' in vector
              ? vector.body
              : Buffer.from(vector.body).toString('hex'),
        publicKey: 'publicKey' in vector ? vector.publicKey : null
      }))
    )
    const script = join(import.meta.dirname, 'second_tenants.py')
    const { stdout, stderr } = spawnSync('python3', [script], {
      input: JSON.stringify({ bodies, applied }),
      encoding: 'utf8',
      maxBuffer: 16 * 1024 * 1024
    })
    if (stdout === '') throw new Error(stderr)
    const good = ({ id, bodyHash, fingerprint }: Valid): unknown => ({
      id,
      bodyHash,
      ...(fingerprint === undefined ? {} : { fingerprint })
    })
    const bad = ({ code }: Invalid): unknown => ({ code })
    expect(JSON.parse(stdout)).toEqual({
      bodies: [...reports.map(good), ...invalidReports.map(bad), ...feedback.map(good), ...invalidFeedback.map(bad)],
      applied: applied.map(({ after }) => after)
    })
  })
})
