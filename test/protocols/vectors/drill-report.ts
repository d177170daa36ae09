import { ada, bob, canonicalOf, hashOf, TS } from './event-parts.ts'
import type { Author } from './event-parts.ts'
import { hex } from './vector-file.ts'
import type { Vector, VectorFile } from './vector-file.ts'

type Parts = Readonly<Record<string, unknown>>

const base64url = (data: Uint8Array | string): string => Buffer.from(data).toString('base64url')
const isoOf = (ms: number): string => new Date(ms).toISOString()

/** The vectors of drill-report/v1, put together as the SPEC says, without the codec. */
export function drillReportVectors(): readonly VectorFile[] {
  const base = 'drill-report/v1/vectors'
  return [
    {
      path: `${base}/reports.json`,
      description:
        'Files that are reports by DR-1 to DR-9: the text, what is signed (canonical JSON), and the public key (hex) under which it is.',
      vectors: [
        valid('a drill that passed', passed()),
        valid('a drill that failed at the first step', failed()),
        valid('white space and the order of members are free', passed(), (value) =>
          JSON.stringify(Object.fromEntries(Object.entries(value).toReversed()))
        )
      ]
    },
    {
      path: `${base}/reports-invalid.json`,
      description:
        'Files (`file`: text; `bytes`: hex; or `repeat` of a character `count` times) that are no reports, with rule and code.',
      vectors: invalid()
    }
  ]
}

function step(name: string, changes: Parts = {}): Parts {
  return { code: null, detail: '', duration_ms: 12, name, outcome: 'passed', status: 200, ...changes }
}

/** Which steps a report has to have. */
const NAMES = ['challenge', 'delivery', 'receipt-signature', 'replay-guard']

function passed(changes: Parts = {}): Parts {
  return {
    base_url: 'https://staging.example:8088',
    challenge_issue_passed: true,
    delivery_hash: hashOf('delivery'),
    delivery_passed: true,
    drill_id: '20260101T000000000Z-0a1b2c3d',
    finished_time: isoOf(TS + 1_500),
    inclusion_proof: [hashOf('sibling')],
    kid: ada.kid,
    node_document: { did: bob.did },
    passed: true,
    receipt: { signer: bob.did },
    receipt_signature_verified: true,
    remote_node_id: 'partner-1',
    replay_guard_passed: true,
    schema_version: 1,
    signer: ada.did,
    steps: NAMES.map((name) => step(name)),
    target: 'staging',
    test_time: isoOf(TS),
    versions: { drill: '0.1.0', target: '0.1.0' },
    ...changes
  }
}

function failed(): Parts {
  const skipped = { outcome: 'skipped', status: null }
  return passed({
    challenge_issue_passed: false,
    delivery_hash: null,
    delivery_passed: false,
    inclusion_proof: null,
    node_document: null,
    passed: false,
    receipt: null,
    receipt_signature_verified: false,
    replay_guard_passed: false,
    steps: [
      step('node-document', { code: 'UNREACHABLE', detail: 'nobody listens there', outcome: 'failed', status: null }),
      ...NAMES.map((name) => step(name, skipped))
    ],
    versions: { drill: '0.1.0', target: null }
  })
}

function headerOf(kid: string, purpose = 'drill-report'): string {
  return base64url(`{"alg":"Ed25519","b64":false,"crit":["b64"],"kid":"${kid}","typ":"anchormesh.${purpose}.v1+jws"}`)
}

function entryOf(report: Parts, author: Author = ada, header: string = headerOf(author.kid)): Parts {
  const input = Buffer.concat([Buffer.from(`${header}.`), canonicalOf(report)])
  return { protected: header, signature: base64url(author.sign(input)) }
}

function signed(report: Parts): Parts {
  return { ...report, signatures: [entryOf(report)] }
}

function valid(
  description: string,
  report: Parts,
  textOf: (value: Parts) => string = (value) => `${JSON.stringify(value, null, 2)}\n`
): Vector {
  return {
    description,
    file: textOf(signed(report)),
    signed: canonicalOf(report).toString(),
    publicKey: hex(ada.publicKey)
  }
}

function without(report: Parts, member: string): Parts {
  return Object.fromEntries(Object.entries(report).filter(([name]) => name !== member))
}

function invalid(): readonly Vector[] {
  const bad = (rule: string, code: string, description: string, more: Parts): Vector => ({
    description,
    rule,
    code,
    ...more
  })
  const file = (value: unknown): Parts => ({ file: JSON.stringify(value) })
  const form = (rule: string, description: string, changes: Parts): Vector =>
    bad(rule, 'REPORT_INVALID', description, file(signed(passed(changes))))
  const whole = JSON.stringify(signed(passed()))
  const nested = `${'['.repeat(40)}${']'.repeat(40)}`
  const unsigned = (description: string, signatures: unknown): Vector =>
    bad(rule(description), 'SIGNATURE_INVALID', description, file({ ...passed(), signatures }))
  const entry = entryOf(passed())
  return [
    bad('DR-1', 'REPORT_TOO_LARGE', 'one byte too many', { repeat: ' ', count: 262_145 }),
    bad('DR-2', 'MALFORMED', 'no JSON', { file: 'passed: true' }),
    bad('DR-2', 'MALFORMED', 'no UTF-8', { bytes: '7b22c3227d' }),
    bad('DR-2', 'MALFORMED', 'a byte order mark', { bytes: `efbbbf${hex(whole)}` }),
    bad('DR-2', 'MALFORMED', 'too many levels', { file: whole.replace('{"did"', `{"a":${nested},"did"`) }),
    bad('DR-2', 'DUPLICATE_KEY', 'a member twice', { file: whole.replace('{', '{"passed":false,') }),
    bad('DR-2', 'NUMBER_NOT_IJSON', 'a number that is none of I-JSON', {
      file: whole.replace('"duration_ms":12', '"duration_ms":1e400')
    }),
    bad('DR-2', 'LONE_SURROGATE', 'half a character', { file: whole.replace('"staging"', '"\\ud800"') }),
    bad('DR-3', 'REPORT_INVALID', 'no object', file([])),
    bad('DR-3', 'UNKNOWN_VERSION', 'a later version', file({ ...passed(), schema_version: 2 })),
    form('DR-4', 'a member more', { more: 1 }),
    bad('DR-4', 'REPORT_INVALID', 'a member less', file(signed(without(passed(), 'remote_node_id')))),
    form('DR-4', 'an empty remote node id', { remote_node_id: '' }),
    form('DR-4', 'passed as text', { passed: 'true' }),
    form('DR-4', 'a time without milliseconds', { test_time: '2026-01-01T00:00:00Z' }),
    form('DR-4', 'a day that there is not', { finished_time: '2026-02-30T00:00:00.000Z' }),
    form('DR-4', 'it ended before it began', { finished_time: isoOf(TS - 1) }),
    form('DR-4', 'a drill id of another time', { drill_id: '20260101T000000001Z-0a1b2c3d' }),
    form('DR-4', 'a URL with a password', { base_url: 'https://a:b@staging.example/' }),
    form('DR-4', 'a URL with a query', { base_url: 'https://staging.example/?token=1' }),
    form('DR-4', 'a signer that is no did:key', { signer: 'did:web:partner.example' }),
    form('DR-4', 'a kid of another key', { kid: bob.kid }),
    form('DR-4', 'a line break in a name', { target: 'staging\nproduction' }),
    form('DR-5', 'an outcome that is none', { steps: [step('challenge', { outcome: 'fine' })] }),
    form('DR-5', 'a duration below zero', { steps: [step('challenge', { duration_ms: -1 })] }),
    form('DR-5', 'two steps of one name', { steps: [...NAMES, 'challenge'].map((name) => step(name)) }),
    form('DR-6', 'no step replay-guard', { steps: NAMES.slice(0, 3).map((name) => step(name)) }),
    form('DR-6', 'a boolean against its step', { replay_guard_passed: false, passed: false }),
    form('DR-6', 'passed, though a step failed', {
      steps: [...NAMES.map((name) => step(name)), step('unregister', { outcome: 'failed' })]
    }),
    form('DR-6', 'not passed, though every step did', { passed: false }),
    form('DR-7', 'delivered, but no receipt', { receipt: null }),
    form('DR-7', 'passed without a proof of inclusion', { inclusion_proof: null }),
    form('DR-7', 'a receipt that was verified under nobody’s key', { node_document: null }),
    unsigned('not signed', []),
    unsigned('two signatures', [entry, entry]),
    unsigned('a signature for another purpose', [entryOf(passed(), ada, headerOf(ada.kid, 'delivery'))]),
    unsigned('a signature of another key', [entryOf(passed(), bob, headerOf(ada.kid))]),
    bad('DR-9', 'SIGNATURE_INVALID', 'changed after it was signed', {
      file: whole.replace('"staging"', '"preprod"')
    })
  ]
}

/** What is wrong with the form breaks DR-8, what is wrong with the signature itself DR-9. */
function rule(description: string): string {
  return description === 'a signature of another key' ? 'DR-9' : 'DR-8'
}
