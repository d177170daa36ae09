import fc from 'fast-check'
import { expect } from 'vitest'
import type { FeedbackAction, FeedbackData } from '../../protocols/feedback/v1/feedback.ts'
import { utf8 } from '../../protocols/primitives/bytes.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import { executionFingerprint } from '../../protocols/telemetry/v1/fingerprint.ts'
import type { FindingRow } from '../../src/projections/findings.ts'
import { openNode } from '../node/nodes.ts'
import { allRows } from '../projections/support/ledger.ts'
import type { TestMember } from '../support/identities.ts'
import {
  AGENT,
  HOME,
  JUDGE,
  MEASUREMENT,
  NOBODYS,
  REVIEWER,
  SIBLING,
  STRANGER,
  TENANT,
  TenantClient,
  UNKNOWN,
  findingOf,
  findingsPolicy,
  freshNonce,
  payloadOf,
  serveFindings
} from './support.ts'

const SKEW_MS = 300_000
const OTHER_MEASUREMENT = sha256Hex('another environment that is allowed')
const DENIED_MEASUREMENT = sha256Hex('an environment that is not allowed')

const WHO = { AGENT, REVIEWER, SIBLING, JUDGE, STRANGER, NOBODYS, UNKNOWN } as const
const OWN: ReadonlySet<string> = new Set(['AGENT', 'REVIEWER'])

/** All that the steps can come to, sorted. */
const CODES = [
  '201',
  'ATTESTATION_DENIED',
  'FINDING_EXISTS',
  'FINDING_UNKNOWN',
  'MALFORMED',
  'MAPPING_VIOLATION',
  'NODE_UNKNOWN',
  'REPLAY',
  'SCHEMA_INVALID',
  'SIGNATURE_INVALID',
  'TIMESTAMP_SKEW',
  'WRONG_AUDIENCE'
]

const step = fc.record({
  kind: fc.constantFrom('telemetry', 'feedback', 'feedback'),
  who: fc.constantFrom(...(Object.keys(WHO) as (keyof typeof WHO)[]), 'AGENT', 'AGENT', 'REVIEWER', 'JUDGE'),
  fault: fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom('none', 'replay') },
    {
      weight: 2,
      arbitrary: fc.constantFrom(
        ...(['cut', 'member', 'purpose', 'audience', 'tenant', 'route', 'kid', 'altered'] as const),
        ...(['early', 'late', 'too-early', 'too-late'] as const)
      )
    }
  ),
  finding: fc.nat(1),
  run: fc.nat(1),
  measurement: fc.constantFrom(MEASUREMENT, MEASUREMENT, MEASUREMENT, OTHER_MEASUREMENT, DENIED_MEASUREMENT),
  score: fc.nat(1),
  reporter: fc.constantFrom('AGENT', 'AGENT', 'REVIEWER'),
  action: fc.constantFrom<FeedbackAction>('confirm', 'dismiss', 'adjust', 'reopen'),
  pick: fc.nat(50)
})
type Step = Readonly<typeof step extends fc.Arbitrary<infer Value> ? Value : never>

interface ModelFinding {
  status: string
  score: number
  readonly reported: number
  readonly by: string
  readonly fingerprint: string
  readonly measurement: string
}

const findingId = ({ finding }: Step): string => `finding-${finding}`
const fingerprintOf = (who: TestMember, { run, measurement }: Step): string =>
  executionFingerprint({
    attestationMeasurementHash: measurement,
    executionId: `run-${run}`,
    kid: who.signer.kid,
    signer: who.signer.did,
    tenant: TENANT
  })

/** What every request comes to, worked out from what is asked for alone. */
class Model {
  readonly findings = new Map<string, ModelFinding>()

  /** `isReplay`: these very bytes came before, and got as far as their nonce. */
  code(asked: Step, isReplay: boolean): string {
    return this.#beforeNonce(asked) ?? (isReplay ? 'REPLAY' : this.#afterNonce(asked))
  }

  /** Whether a request with this fault uses up its nonce. */
  usesNonce(asked: Step): boolean {
    return this.#beforeNonce(asked) === null
  }

  #beforeNonce({ kind, who, fault, measurement }: Step): string | null {
    const faults: Readonly<Partial<Record<Step['fault'], string>>> = {
      cut: 'MALFORMED',
      member: 'SCHEMA_INVALID',
      purpose: 'SIGNATURE_INVALID',
      audience: 'WRONG_AUDIENCE',
      tenant: 'MAPPING_VIOLATION',
      route: 'MAPPING_VIOLATION',
      'too-early': 'TIMESTAMP_SKEW',
      'too-late': 'TIMESTAMP_SKEW',
      kid: 'MAPPING_VIOLATION'
    }
    const early = faults[fault]
    if (early !== undefined) return early
    if (who === 'UNKNOWN') return 'NODE_UNKNOWN'
    if (fault === 'altered') return 'SIGNATURE_INVALID'
    if (kind === 'feedback') return null
    if (!OWN.has(who)) return 'MAPPING_VIOLATION'
    return measurement === DENIED_MEASUREMENT ? 'ATTESTATION_DENIED' : null
  }

  #afterNonce(asked: Step): string {
    const { kind, who, measurement, score, action } = asked
    const id = findingId(asked)
    const known = this.findings.get(id)
    if (kind === 'telemetry') {
      const fingerprint = fingerprintOf(WHO[who], asked)
      if (known !== undefined && known.fingerprint !== fingerprint) return 'MAPPING_VIOLATION'
      if (known !== undefined && known.reported !== score) return 'FINDING_EXISTS'
      if (known === undefined)
        this.findings.set(id, { status: 'open', score, reported: score, by: who, fingerprint, measurement })
      return '201'
    }
    const isAllowed = who === 'JUDGE' && known?.by === 'AGENT'
    if (!OWN.has(who) && !isAllowed) return 'MAPPING_VIOLATION'
    if (known === undefined) return 'FINDING_UNKNOWN'
    const { fingerprint } = boundOf(asked)
    if (known.fingerprint !== fingerprint || known.measurement !== measurement) return 'MAPPING_VIOLATION'
    const after = { confirm: 'confirmed', dismiss: 'dismissed', reopen: 'open', adjust: known.status }[action]
    known.status = after
    if (action === 'adjust') known.score = score
    return '201'
  }
}

/** The execution that feedback names. */
function boundOf(asked: Step): { readonly fingerprint: string } {
  return { fingerprint: fingerprintOf(WHO[asked.reporter], asked) }
}

/** So many mixes of good, forged, foreign, stale and repeated requests, each on a new node, get the codes of the model. */
export async function checkMixes(numRuns: number): Promise<void> {
  const seen = new Set<string>()
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60 }), async (steps) => {
      const policy = findingsPolicy({ attestations: { measurements: [MEASUREMENT, OTHER_MEASUREMENT] } })
      const memory = await openNode(HOME, [], { policy })
      const node = await serveFindings(memory)
      const { findings } = memory.node.gateway
      const origin = { address: '192.0.2.1', requestId: 'r' }
      const model = new Model()
      const sent: { readonly asked: Step; readonly body: string; readonly route: string; readonly used: boolean }[] = []
      for (const drawn of steps) {
        const earlier = drawn.fault === 'replay' ? sent[drawn.pick % Math.max(1, sent.length)] : undefined
        const asked = earlier?.asked ?? (drawn.fault === 'replay' ? { ...drawn, fault: 'none' as const } : drawn)
        const route = earlier?.route ?? (asked.fault === 'route' ? 'other' : TENANT)
        const body = earlier?.body ?? (await bodyOf(new TenantClient(node, WHO[asked.who]), asked))
        const expected = model.code(asked, earlier?.used === true)
        const bytes = utf8(body)
        const taken =
          asked.kind === 'telemetry'
            ? await findings.takeTelemetry(route, bytes, origin)
            : await findings.takeFeedback(route, bytes, origin)
        expect([asked, taken.ok ? '201' : taken.code]).toEqual([asked, expected])
        seen.add(expected)
        sent.push({ asked, body, route, used: model.usesNonce(asked) })
      }
      const { log } = await memory.node.status()
      await memory.node.query('findings', { waitFor: log.logSeq })
      const rows = (await allRows(memory.node, 'findings')) as unknown as FindingRow[]
      expect(rows.map((row) => [row.findingId, row.status, row.score, row.fingerprint])).toEqual(
        [...model.findings]
          .toSorted(([left], [right]) => (left < right ? -1 : 1))
          .map(([id, { status, score, fingerprint }]) => [id, status, score, fingerprint])
      )
      await memory.node.close()
    }),
    { numRuns, seed: 20_260_601 }
  )
  expect([...seen].toSorted()).toEqual(CODES)
}

const OFFSETS: Readonly<Partial<Record<Step['fault'], number>>> = {
  early: -SKEW_MS,
  late: SKEW_MS,
  'too-early': -SKEW_MS - 1,
  'too-late': SKEW_MS + 1
}

async function bodyOf(client: TenantClient, asked: Step): Promise<string> {
  const { kind, fault, measurement, run, score, action } = asked
  const common = {
    nonce: freshNonce(),
    ...(fault === 'audience' ? { audience: AGENT.signer.did } : {}),
    ...(fault === 'tenant' ? { tenant: 'other' } : {}),
    // Of somebody else, who is known.
    ...(fault === 'kid' ? { kid: client.signer.did === AGENT.signer.did ? JUDGE.signer.kid : AGENT.signer.kid } : {}),
    ...(fault === 'member' ? { more: true } : {})
  }
  const ts = client.now + (OFFSETS[fault] ?? 0)
  const telemetry = client.telemetryOf(
    payloadOf([findingOf(findingId(asked), { score })], {
      execution: { id: `run-${run}` },
      attestationMeasurementHash: measurement
    }),
    { ...common, timestamp: ts }
  )
  const data: FeedbackData = {
    findingId: findingId(asked),
    attestationMeasurementHash: measurement,
    ...boundOf(asked),
    action,
    rule: 'r',
    ...(action === 'adjust' ? { score } : {})
  }
  const feedback = client.feedbackOf(data, { ...common, signedAt: ts })
  const body = kind === 'telemetry' ? await client.signTelemetry(telemetry) : await client.signFeedback(feedback)
  if (fault === 'cut') return body.slice(0, -1)
  if (fault === 'purpose') {
    const other = await client.signFeedback(feedback)
    const swapped = kind === 'telemetry' ? other : await client.signTelemetry(telemetry)
    return JSON.stringify({
      ...JSON.parse(body),
      signatures: (JSON.parse(swapped) as { signatures: unknown }).signatures
    })
  }
  return fault === 'altered' ? body.replace(/"nonce":"[^"]+"/, `"nonce":"${freshNonce()}"`) : body
}
