import { expect, test } from 'vitest'
import type { FeedbackData } from '../../protocols/feedback/v1/feedback.ts'
import { executionFingerprint } from '../../protocols/telemetry/v1/fingerprint.ts'
import { reopen } from '../node/nodes.ts'
import {
  AGENT,
  JUDGE,
  MEASUREMENT,
  REVIEWER,
  TENANT,
  TenantClient,
  auditOf,
  findingOf,
  findingRow,
  findingsPolicy,
  get,
  payloadOf,
  rowsOf,
  serveFindings,
  startFindingsNode
} from './support.ts'

const PATH = `/v1/tenants/${TENANT}`

test('a measurement goes from the report to the fingerprint, the finding, the feedback and the adjustment', async () => {
  const node = await startFindingsNode()
  const agent = new TenantClient(node, AGENT)
  const reviewer = new TenantClient(node, REVIEWER)
  const execution = { id: 'run-7', agent: 'scanner 4.2', startedAt: 1, endedAt: 2 }
  const finding = findingOf('finding-1', { subject: 'host a', detail: { port: 22 } })
  const report = await agent.report(payloadOf([finding], { execution, metrics: { hosts: 12 } }))
  const { did: signer, kid } = AGENT.signer
  const fingerprint = executionFingerprint({
    attestationMeasurementHash: MEASUREMENT,
    executionId: 'run-7',
    kid,
    signer,
    tenant: TENANT
  })
  expect(report).toMatchObject({ status: 201, body: { fingerprint, findings: 1, known: 0 } })

  const row = await findingRow(node, 'finding-1')
  expect(row).toMatchObject({
    tenant: TENANT,
    status: 'open',
    severity: 'high',
    score: 700,
    fingerprint,
    attestationMeasurementHash: MEASUREMENT,
    kid,
    signer,
    adjustments: []
  })

  const data: FeedbackData = {
    findingId: 'finding-1',
    fingerprint: row?.fingerprint ?? '',
    attestationMeasurementHash: row?.attestationMeasurementHash ?? '',
    action: 'adjust',
    severity: 'low',
    score: 10,
    rule: 'triage:internal-only',
    comment: 'behind the firewall'
  }
  const judged = await reviewer.judge(data)
  expect(judged).toMatchObject({ status: 201, body: { findingId: 'finding-1' } })
  expect(await findingRow(node, 'finding-1')).toMatchObject({
    status: 'open',
    severity: 'low',
    score: 10,
    reported: { severity: 'high', score: 700 },
    adjustmentCount: 1,
    adjustments: [
      {
        feedbackId: judged.body['feedbackId'],
        action: 'adjust',
        attestationMeasurementHash: MEASUREMENT,
        kid: REVIEWER.signer.kid,
        rule: 'triage:internal-only',
        signer: REVIEWER.signer.did,
        from: { status: 'open', severity: 'high', score: 700 },
        to: { status: 'open', severity: 'low', score: 10 }
      }
    ]
  })
  expect(await rowsOf(node, `${PATH}/feedback`)).toMatchObject([
    { findingId: 'finding-1', fingerprint, action: 'adjust', comment: 'behind the firewall' }
  ])
  expect((await get(node, `${PATH}/findings/finding-1`)).body).toMatchObject({
    finding: { findingId: 'finding-1', score: 10 },
    report: { execution, subject: 'host a', detail: { port: 22 } }
  })

  expect(await auditOf(node, 'TELEMETRY_TAKEN')).toMatchObject([{ actor: signer, subject: TENANT, outcome: 'ok' }])
  expect(await auditOf(node, 'FEEDBACK_TAKEN')).toMatchObject([{ actor: REVIEWER.signer.did, subject: TENANT }])
})

test('findings and feedback are the same after a restart and a rebuild, and a replay is still one', async () => {
  const node = await startFindingsNode()
  const agent = new TenantClient(node, AGENT)
  const payload = payloadOf([findingOf('a'), findingOf('b', { severity: 'info', score: 0 })])
  const body = await agent.signTelemetry(agent.telemetryOf(payload))
  expect((await agent.post('telemetry', body)).status).toBe(201)
  const bound = { fingerprint: agent.fingerprint(payload), attestationMeasurementHash: MEASUREMENT }
  const judge = new TenantClient(node, JUDGE)
  const feedback = await judge.signFeedback(
    judge.feedbackOf({ ...bound, findingId: 'a', action: 'dismiss', rule: 'noise' })
  )
  expect((await judge.post('feedback', feedback)).status).toBe(201)
  const before = [await rowsOf(node, `${PATH}/findings`), await rowsOf(node, `${PATH}/feedback`)]
  expect(before[0]).toMatchObject([{ status: 'dismissed' }, { status: 'open' }])

  const again = await serveFindings(await reopen(node.memory, { policy: findingsPolicy() }))
  expect([await rowsOf(again, `${PATH}/findings`), await rowsOf(again, `${PATH}/feedback`)]).toEqual(before)
  const client = new TenantClient(again, AGENT)
  expect(await client.post('telemetry', body)).toMatchObject({ status: 409, body: { code: 'REPLAY' } })
  expect(await client.post('feedback', feedback)).toMatchObject({ status: 409, body: { code: 'REPLAY' } })
  for (const { projection, identical } of await again.memory.node.rebuild())
    expect([projection, identical]).toEqual([projection, true])
  expect([await rowsOf(again, `${PATH}/findings`), await rowsOf(again, `${PATH}/feedback`)]).toEqual(before)
})

test('a report is told again without effect, told otherwise not at all, and no other execution takes its finding', async () => {
  const node = await startFindingsNode()
  const agent = new TenantClient(node, AGENT)
  const payload = payloadOf([findingOf('a')])
  await agent.report(payload)
  expect(await agent.report(payloadOf([findingOf('a'), findingOf('b')]))).toMatchObject({
    status: 201,
    body: { findings: 1, known: 1 }
  })
  const otherwise = payloadOf([findingOf('c'), findingOf('a', { score: 1 })])
  expect(await agent.report(otherwise)).toMatchObject({ status: 409, body: { code: 'FINDING_EXISTS' } })
  const elsewhere = payloadOf([findingOf('a')], { execution: { id: 'run-2' } })
  expect(await agent.report(elsewhere)).toMatchObject({ status: 403, body: { code: 'MAPPING_VIOLATION' } })
  expect(await new TenantClient(node, REVIEWER).report(payload)).toMatchObject({ status: 403 })
  const ids = (await rowsOf(node, `${PATH}/findings`)).map((row) => row['findingId'])
  expect(ids).toEqual(['a', 'b'])
})

test('what was reported and commented can be erased; the finding stays', async () => {
  const node = await startFindingsNode()
  const agent = new TenantClient(node, AGENT)
  const payload = payloadOf([findingOf('a', { subject: 'a person' })])
  const report = await agent.report(payload)
  const judged = await agent.judge({
    findingId: 'a',
    fingerprint: agent.fingerprint(payload),
    attestationMeasurementHash: MEASUREMENT,
    action: 'confirm',
    rule: 'r',
    comment: 'about a person'
  })
  for (const { body } of [report, judged])
    await node.memory.node.forget({ receipt: String(body['bodyHash']), reason: 'asked for' })
  expect((await get(node, `${PATH}/findings/a`)).body).toMatchObject({ finding: { status: 'confirmed' }, report: null })
  expect(await rowsOf(node, `${PATH}/feedback`)).toMatchObject([{ action: 'confirm', comment: null }])
  expect((await node.memory.node.verifyLog()).ok).toBe(true)
})
