import { bob } from './event-parts.ts'
import {
  MEASUREMENT,
  TS,
  bodyOf,
  fingerprintOf,
  invalidBodies,
  requestOf,
  validOf,
  without
} from './tenant-requests.ts'
import type { Parts } from './tenant-requests.ts'
import type { Vector, VectorFile } from './vector-file.ts'

/** The vectors of telemetry/v1. Bodies and hashes are put together here as the SPEC says, without the codec. */
export function telemetryVectors(): readonly VectorFile[] {
  const base = 'telemetry/v1/vectors'
  return [
    {
      path: `${base}/reports.json`,
      description:
        'Reports: the body (text), the canonical form of its `signed` (text), report id and body hash (hex), the fingerprint of the execution (hex), and the public key (hex) under which the signature is good.',
      vectors: reports()
    },
    {
      path: `${base}/reports-invalid.json`,
      description:
        'Bodies (hex; or `repeat` of a byte `count` times) that are no report, with rule and code. Their signatures are good, except where they are what is wrong.',
      vectors: invalidReports()
    },
    {
      path: `${base}/fingerprints.json`,
      description: 'Facts of an execution, and its fingerprint (hex).',
      vectors: fingerprints()
    }
  ]
}

const FINDING = { findingId: 'finding-1', kind: 'secret-in-log', score: 720, severity: 'high' }

function payloadOf(changes: Parts = {}): Parts {
  return { attestationMeasurementHash: MEASUREMENT, execution: { id: 'run-1' }, findings: [FINDING], ...changes }
}

function reportOf(changes: Parts = {}): Parts {
  return requestOf({ payload: payloadOf(), timestamp: TS, ...changes })
}

function reports(): Vector[] {
  const valid = (description: string, payload: Parts, text?: string): Vector => ({
    ...validOf(description, reportOf({ payload }), 'telemetry', text),
    fingerprint: fingerprintOf().fingerprint
  })
  const whole = payloadOf({
    execution: { agent: 'scanner 4.2', endedAt: TS, id: 'run-1', startedAt: TS - 5_000 },
    findings: [
      { ...FINDING, detail: { '€': [1.5, null], '10': 'line\nbreak' }, subject: 'src/main.ts' },
      { findingId: 'finding-2', kind: 'open-port', score: 0, severity: 'info' }
    ],
    metrics: { 'cpu:seconds': 12.25, 'files.read': 310 }
  })
  const text = JSON.stringify(bodyOf(reportOf({ payload: whole }), 'telemetry'), null, 2)
  return [
    valid('a finding', payloadOf()),
    valid('everything that a report can have', whole),
    valid('the same, written in other ways', whole, text.replace('€', String.raw`\u20ac`).replace('12.25', '1225e-2')),
    valid('no findings', payloadOf({ findings: [] })),
    valid('an execution of one moment', payloadOf({ execution: { endedAt: TS, id: 'run-1', startedAt: TS } }))
  ]
}

function invalidReports(): Vector[] {
  const invalid = (rule: string, description: string, payload: unknown): Vector => ({
    description,
    rule,
    code: 'SCHEMA_INVALID',
    body: Buffer.from(JSON.stringify(bodyOf(reportOf({ payload }), 'telemetry'))).toString('hex')
  })
  const execution = (description: string, changes: Parts): Vector =>
    invalid('TM-6', description, payloadOf({ execution: { id: 'run-1', ...changes } }))
  const finding = (description: string, changes: Parts): Vector =>
    invalid('TM-7', description, payloadOf({ findings: [{ ...FINDING, ...changes }] }))
  const rules = { size: 'TM-1', form: 'TM-2', signature: 'TM-3', members: 'TM-4' }
  return [
    ...invalidBodies('telemetry', rules, { bytesMax: 262_144 }, reportOf),
    invalid('TM-4', 'a payload that is a list', []),
    invalid('TM-5', 'no measurement', without(payloadOf(), 'attestationMeasurementHash')),
    invalid(
      'TM-5',
      'a measurement in upper case',
      payloadOf({ attestationMeasurementHash: MEASUREMENT.toUpperCase() })
    ),
    invalid('TM-5', 'no execution', without(payloadOf(), 'execution')),
    invalid('TM-5', 'an unknown member', payloadOf({ tenant: 'vaultmesh' })),
    invalid('TM-5', 'null in the place of an absent member', payloadOf({ metrics: null })),
    invalid(
      'TM-5',
      '257 findings',
      payloadOf({
        findings: Array.from({ length: 257 }, (_, index) => ({ ...FINDING, findingId: `finding-${index}` }))
      })
    ),
    execution('an execution that ended before it began', { endedAt: TS, startedAt: TS + 1 }),
    execution('an id with a space', { id: 'run 1' }),
    execution('an empty agent', { agent: '' }),
    execution('an agent of 257 bytes', { agent: `${'€'.repeat(85)}ab` }),
    execution('a time with a fraction', { startedAt: TS + 0.5 }),
    execution('an unknown member', { host: 'a' }),
    finding('no such severity', { severity: 'urgent' }),
    finding('a score beyond 1,000', { score: 1_001 }),
    finding('a score below zero', { score: -1 }),
    finding('a score with a fraction', { score: 0.5 }),
    finding('an id with an exclamation mark', { findingId: 'a!b' }),
    finding('a subject of 1,025 bytes', { subject: 'a'.repeat(1_025) }),
    finding('an unknown member', { status: 'open' }),
    invalid('TM-7', 'two findings of one id', payloadOf({ findings: [FINDING, { ...FINDING, score: 1 }] })),
    invalid('TM-8', 'a metric that is a text', payloadOf({ metrics: { files: '310' } })),
    invalid('TM-8', 'a metric without a name', payloadOf({ metrics: { '': 1 } })),
    invalid(
      'TM-8',
      '65 metrics',
      payloadOf({ metrics: Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`m${index}`, index])) })
    )
  ]
}

function fingerprints(): Vector[] {
  const of = (description: string, changes: Parts = {}): Vector => ({ description, ...fingerprintOf(changes) })
  return [
    of('an execution'),
    of('another execution', { executionId: 'run-2' }),
    of('another measurement', { attestationMeasurementHash: '00'.repeat(32) }),
    of('another key', { kid: 'key-2' }),
    of('another signer', { signer: bob.did }),
    of('another tenant', { tenant: 'other' })
  ]
}
