import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { FEEDBACK_ACTIONS } from '../../protocols/feedback/v1/feedback.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import { SEVERITIES } from '../../protocols/telemetry/v1/finding.ts'
import type { LocalEvent } from '../../src/events/local.ts'
import { localEvent } from '../../src/events/local.ts'
import type { FeedbackTaken, TelemetryTaken } from '../../src/projections/finding-records.ts'
import type { FeedbackRow } from '../../src/projections/feedback.ts'
import type { FindingRow } from '../../src/projections/findings.ts'
import { ADJUSTMENTS_MAX } from '../../src/projections/findings.ts'
import { findingsPolicy } from '../findings/support.ts'
import { allRows, openLedger } from './support/ledger.ts'
import type { Ledger } from './support/ledger.ts'

const SIGNER = { signer: 'did:web:agent.example', kid: 'key-1' }
const measurementOf = (index: number): string => sha256Hex(`measurement ${index}`)
const fingerprintOf = (index: number): string => sha256Hex(`fingerprint ${index}`)

const someTelemetry = fc.record({
  tenant: fc.constantFrom('alpha', 'beta'),
  run: fc.nat(1),
  findings: fc.array(
    fc.record({
      findingId: fc.constantFrom('a', 'a1', 'b'),
      kind: fc.constantFrom('k', 'l'),
      severity: fc.constantFrom(...SEVERITIES),
      score: fc.integer({ min: 0, max: 1_000 })
    }),
    { maxLength: 3 }
  )
})
const someFeedback = fc.record({
  tenant: fc.constantFrom('alpha', 'beta'),
  run: fc.nat(1),
  measurement: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constant(1) }),
  findingId: fc.constantFrom('a', 'a1', 'b'),
  action: fc.constantFrom(...FEEDBACK_ACTIONS),
  severity: fc.constantFrom(...SEVERITIES),
  score: fc.integer({ min: 0, max: 1_000 })
})
const someRecord = fc.oneof(
  fc.record({ telemetry: someTelemetry }),
  fc.record({ feedback: someFeedback }),
  fc.record({ feedback: someFeedback })
)
type SomeRecord = typeof someRecord extends fc.Arbitrary<infer Value> ? Value : never

function eventOf(record: SomeRecord, index: number): LocalEvent {
  const ids = { ...SIGNER, bodyHash: sha256Hex(`body ${index}`) }
  if ('telemetry' in record) {
    const { tenant, run, findings } = record.telemetry
    const taken: TelemetryTaken = {
      ...ids,
      tenant,
      reportId: sha256Hex(`report ${index}`),
      timestamp: index,
      executionId: `run-${run}`,
      attestationMeasurementHash: measurementOf(0),
      fingerprint: fingerprintOf(run),
      findings
    }
    return localEvent('telemetry', index, taken)
  }
  const { tenant, run, measurement, findingId, action, severity, score } = record.feedback
  const taken: FeedbackTaken = {
    ...ids,
    tenant,
    feedbackId: sha256Hex(`feedback ${index}`),
    signedAt: index,
    findingId,
    fingerprint: fingerprintOf(run),
    attestationMeasurementHash: measurementOf(measurement),
    action,
    ...(action === 'adjust' ? { severity, score } : {}),
    rule: 'r'
  }
  return localEvent('feedback', index, taken)
}

/** What the rows must be, from the records alone. */
function expectedRows(records: readonly SomeRecord[]): ReadonlyMap<string, JsonObject> {
  const rows = new Map<string, { severity: string; score: number; status: string; run: number; count: number }>()
  for (const record of records) {
    if ('telemetry' in record) {
      const { tenant, run, findings } = record.telemetry
      for (const { findingId, severity, score } of findings) {
        const key = `${tenant}!${findingId}`
        if (!rows.has(key)) rows.set(key, { severity, score, status: 'open', run, count: 0 })
      }
      continue
    }
    const { tenant, run, measurement, findingId, action, severity, score } = record.feedback
    const row = rows.get(`${tenant}!${findingId}`)
    if (row?.run !== run || measurement !== 0) continue
    row.count += 1
    if (action === 'adjust') Object.assign(row, { severity, score })
    else row.status = { confirm: 'confirmed', dismiss: 'dismissed', reopen: 'open' }[action]
  }
  return rows
}

async function rowsOf(ledger: Ledger): Promise<readonly JsonObject[][]> {
  await ledger.caughtUp()
  return [await allRows(ledger, 'findings'), await allRows(ledger, 'feedback')]
}

test('findings are what the records make of them in the order of the log, however they are grouped, and rebuilt', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(someRecord, { maxLength: 30 }), fc.nat(30), async (records, cut) => {
      const events = records.map(eventOf)
      const whole = await openLedger({ policy: findingsPolicy() })
      const parts = await openLedger({ policy: findingsPolicy() })
      await whole.appendLocal(...events)
      await parts.appendLocal(...events.slice(0, cut))
      await parts.caughtUp()
      for (const event of events.slice(cut)) await parts.appendLocal(event)
      const [findings = [], feedback = []] = await rowsOf(whole)
      expect(await rowsOf(parts)).toEqual([findings, feedback])
      const expected = expectedRows(records)
      expect(
        findings.map((row) => {
          const { tenant, findingId, severity, score, status, adjustmentCount } = row as FindingRow
          return [`${tenant}!${findingId}`, severity, score, status, adjustmentCount]
        })
      ).toEqual(
        [...expected]
          .toSorted(([left], [right]) => (left < right ? -1 : 1))
          .map(([key, { severity, score, status, count }]) => [key, severity, score, status, count])
      )
      expect(feedback).toHaveLength(records.filter((record) => 'feedback' in record).length)
      for (const { projection, identical } of await whole.engine.rebuild()) {
        expect([projection, identical]).toEqual([projection, true])
      }
      expect(await rowsOf(whole)).toEqual([findings, feedback])
      await whole.close()
      await parts.close()
    }),
    { numRuns: 10, seed: 20_260_602 }
  )
})

test('a finding shows its last adjustments, each going on from the one before', async () => {
  const ledger = await openLedger({ policy: findingsPolicy() })
  const telemetry = {
    tenant: 'alpha' as const,
    run: 0,
    findings: [{ findingId: 'a' as const, kind: 'k' as const, severity: 'high' as const, score: 0 }]
  }
  const adjust = (score: number): SomeRecord => ({
    feedback: {
      tenant: 'alpha',
      run: 0,
      measurement: 0,
      findingId: 'a',
      action: 'adjust' as const,
      severity: 'high' as const,
      score
    }
  })
  const records = [{ telemetry }, ...Array.from({ length: ADJUSTMENTS_MAX + 5 }, (_, index) => adjust(index + 1))]
  await ledger.appendLocal(...records.map(eventOf))
  const [[row] = [], feedback = []] = await rowsOf(ledger)
  const { adjustments, adjustmentCount, score } = row as FindingRow
  expect([adjustments.length, adjustmentCount, score]).toEqual([
    ADJUSTMENTS_MAX,
    ADJUSTMENTS_MAX + 5,
    ADJUSTMENTS_MAX + 5
  ])
  for (const [index, { from, to }] of adjustments.entries()) {
    expect(to.score).toBe(from.score + 1)
    expect(from).toEqual(adjustments[index - 1]?.to ?? from)
  }
  expect(feedback.map((one) => (one as FeedbackRow).score)).toEqual(
    Array.from({ length: ADJUSTMENTS_MAX + 5 }, (_, index) => index + 1)
  )
  expect(feedback.map((one) => (one as FeedbackRow).severity)).toEqual(feedback.map(() => 'high'))
})
