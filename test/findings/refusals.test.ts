import { request } from 'node:http'
import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import { encodeSignedBody } from '../../protocols/delivery/v1/signed-body.ts'
import type { FeedbackData } from '../../protocols/feedback/v1/feedback.ts'
import { REQUESTS_WAITING_MAX } from '../../src/findings/findings.ts'
import { TENANT_REQUESTS_PER_MINUTE } from '../../src/http/tenant-routes.ts'
import {
  AGENT,
  JUDGE,
  MEASUREMENT,
  NOBODYS,
  REVIEWER,
  SIBLING,
  STRANGER,
  TENANT,
  TenantClient,
  UNKNOWN,
  auditOf,
  codeOf,
  findingOf,
  payloadOf,
  post,
  rowsOf,
  startFindingsNode
} from './support.ts'

const PATH = `/v1/tenants/${TENANT}`
const SKEW_MS = 300_000

test('a report counts within the skew to the millisecond, on both sides', async () => {
  const node = await startFindingsNode()
  const agent = new TenantClient(node, AGENT)
  const codes = []
  for (const offset of [-SKEW_MS - 1, -SKEW_MS, SKEW_MS, SKEW_MS + 1])
    codes.push(codeOf(await agent.report(payloadOf([]), { timestamp: agent.now + offset })))
  expect(codes).toEqual(['TIMESTAMP_SKEW', '201', '201', 'TIMESTAMP_SKEW'])
})

test('only keys of the tenant report for it', async () => {
  const node = await startFindingsNode()
  const codes: Record<string, string> = {}
  for (const [name, who] of Object.entries({ AGENT, REVIEWER, SIBLING, JUDGE, STRANGER, NOBODYS, UNKNOWN }))
    codes[name] = codeOf(await new TenantClient(node, who).report(payloadOf([], { execution: { id: name } })))
  expect(codes).toEqual({
    AGENT: '201',
    REVIEWER: '201',
    SIBLING: 'MAPPING_VIOLATION',
    JUDGE: 'MAPPING_VIOLATION',
    STRANGER: 'MAPPING_VIOLATION',
    NOBODYS: 'MAPPING_VIOLATION',
    UNKNOWN: 'NODE_UNKNOWN'
  })
})

test('a kid that is somebody else’s is a mapping failure, whoever signed', async () => {
  const node = await startFindingsNode()
  const agent = new TenantClient(node, AGENT)
  expect(codeOf(await agent.report(payloadOf([]), { kid: JUDGE.signer.kid }))).toBe('MAPPING_VIOLATION')
  // Signed by the stranger in the agent's name.
  const stranger = new TenantClient(node, STRANGER)
  const { did: signer, kid } = AGENT.signer
  expect(codeOf(await stranger.report(payloadOf([]), { signer, kid }))).toBe('SIGNATURE_INVALID')
  expect(codeOf(await agent.report(payloadOf([]), { kid: 'key-of-nobody' }))).toBe('NODE_UNKNOWN')
})

describe('feedback', () => {
  test('is bound to the execution and the measurement of its finding', async () => {
    const node = await startFindingsNode()
    const agent = new TenantClient(node, AGENT)
    const payload = payloadOf([findingOf('a')])
    await agent.report(payload)
    const bound: FeedbackData = {
      findingId: 'a',
      fingerprint: agent.fingerprint(payload),
      attestationMeasurementHash: MEASUREMENT,
      action: 'dismiss',
      rule: 'r'
    }
    const refused: readonly (readonly [Partial<FeedbackData>, string])[] = [
      [{ fingerprint: agent.fingerprint(payloadOf([], { execution: { id: 'run-2' } })) }, 'MAPPING_VIOLATION'],
      [{ attestationMeasurementHash: '00'.repeat(32) }, 'MAPPING_VIOLATION'],
      [{ findingId: 'b' }, 'FINDING_UNKNOWN']
    ]
    for (const [changes, code] of refused) expect(codeOf(await agent.judge({ ...bound, ...changes }))).toBe(code)
    expect(await rowsOf(node, `${PATH}/findings`)).toMatchObject([{ status: 'open', adjustmentCount: 0 }])
    expect(await rowsOf(node, `${PATH}/feedback`)).toEqual([])
  })

  test('crosses tenants only from one organisation to another, where a rule says so', async () => {
    const node = await startFindingsNode()
    const agent = new TenantClient(node, AGENT)
    const reviewer = new TenantClient(node, REVIEWER)
    const payload = payloadOf([findingOf('a')])
    const registered = payloadOf([findingOf('of-a-registered-node')])
    await agent.report(payload)
    await reviewer.report(registered)
    const of = (client: TenantClient, findingId: string, from: typeof payload): FeedbackData => ({
      findingId,
      fingerprint: client.fingerprint(from),
      attestationMeasurementHash: MEASUREMENT,
      action: 'confirm',
      rule: 'r'
    })
    const codes: Record<string, readonly string[]> = {}
    for (const [name, who] of Object.entries({ AGENT, REVIEWER, JUDGE, SIBLING, STRANGER, NOBODYS, UNKNOWN })) {
      const client = new TenantClient(node, who)
      codes[name] = [
        codeOf(await client.judge(of(agent, 'a', payload))),
        codeOf(await client.judge(of(reviewer, 'of-a-registered-node', registered))),
        codeOf(await client.judge(of(agent, 'nothing', payload)))
      ]
    }
    const foreign = ['MAPPING_VIOLATION', 'MAPPING_VIOLATION', 'MAPPING_VIOLATION']
    expect(codes).toEqual({
      AGENT: ['201', '201', 'FINDING_UNKNOWN'],
      REVIEWER: ['201', '201', 'FINDING_UNKNOWN'],
      JUDGE: ['201', 'MAPPING_VIOLATION', 'MAPPING_VIOLATION'],
      SIBLING: foreign,
      STRANGER: foreign,
      NOBODYS: foreign,
      UNKNOWN: ['NODE_UNKNOWN', 'NODE_UNKNOWN', 'NODE_UNKNOWN']
    })
  })
})

test('signature, mapping and replay failures are security events, counted by where they came from', async () => {
  const node = await startFindingsNode()
  const agent = new TenantClient(node, AGENT)
  const body = await agent.signTelemetry(agent.telemetryOf(payloadOf([])))
  await agent.post('telemetry', body)
  for (let time = 0; time < 3; time += 1) await agent.post('telemetry', body)
  await agent.post('telemetry', body.replace('run-1', 'run-2'))
  await new TenantClient(node, UNKNOWN).report(payloadOf([]))
  await new TenantClient(node, SIBLING).report(payloadOf([]))
  const actor = '127.0.0.1'
  expect(await auditOf(node, 'REQUEST_REPLAYED')).toMatchObject([
    { actor, subject: TENANT, outcome: 'refused', code: 'REPLAY', detail: { count: 3 } }
  ])
  expect((await auditOf(node, 'REQUEST_SIGNATURE_REFUSED')).map(({ code }) => code)).toEqual([
    'SIGNATURE_INVALID',
    'NODE_UNKNOWN'
  ])
  expect(await auditOf(node, 'REQUEST_MAPPING_REFUSED')).toMatchObject([
    { code: 'MAPPING_VIOLATION', detail: { signer: SIBLING.signer.did } }
  ])
  expect(node.memory.node.gateway.findings.counts).toEqual({
    telemetry: 1,
    REPLAY: 3,
    SIGNATURE_INVALID: 1,
    NODE_UNKNOWN: 1,
    MAPPING_VIOLATION: 1
  })
})

test('names of tenants that nobody carries are not told apart in the audit log', async () => {
  const node = await startFindingsNode()
  const unknown = new TenantClient(node, UNKNOWN)
  for (const tenant of ['no-one', 'no-two', 'no-three'])
    await unknown.post('telemetry', await unknown.signTelemetry(unknown.telemetryOf(payloadOf([]), { tenant })), tenant)
  expect(await auditOf(node, 'REQUEST_SIGNATURE_REFUSED')).toMatchObject([
    { actor: '127.0.0.1', subject: 'unknown', code: 'NODE_UNKNOWN', detail: { count: 3 } }
  ])
})

test('what is no body of the kind is refused as such, and the node goes on', async () => {
  const node = await startFindingsNode()
  const agent = new TenantClient(node, AGENT)
  const path = `${PATH}/telemetry`
  const deep = `${'['.repeat(10_000)}${']'.repeat(10_000)}`
  const good = await agent.signTelemetry(agent.telemetryOf(payloadOf([])))
  const refused: readonly (readonly [string, number, string])[] = [
    ['', 400, 'MALFORMED'],
    ['{', 400, 'MALFORMED'],
    [deep, 400, 'MALFORMED'],
    ['null', 422, 'SCHEMA_INVALID'],
    ['{"signed":{},"signatures":[]}', 422, 'SCHEMA_INVALID'],
    [good.replace('"nonce":', '"nonce":"","nonce":'), 400, 'DUPLICATE_KEY'],
    [good.replace('"signed":{', '"signed":{"__proto__":{},'), 422, 'SCHEMA_INVALID'],
    [' '.repeat(262_145), 413, 'BODY_TOO_LARGE'],
    [' '.repeat(10_000_000), 413, 'BODY_TOO_LARGE']
  ]
  for (const [body, status, code] of refused)
    expect([body.slice(0, 40), await post(node, path, body)]).toMatchObject([
      body.slice(0, 40),
      { status, body: { code } }
    ])
  expect(await post(node, `${path}?dry=1`, good)).toMatchObject({ status: 400, body: { code: 'QUERY_INVALID' } })
  const text = await fetch(node.url + path, { method: 'POST', body: good, headers: { 'content-type': 'text/plain' } })
  expect([text.status, await text.json()]).toMatchObject([415, { code: 'MEDIA_TYPE_UNSUPPORTED' }])
  expect(codeOf(await post(node, path, good))).toBe('201')
  // A signature for another purpose, over the very same object.
  const signed = agent.telemetryOf(payloadOf([]))
  const { body } = await encodeSignedBody(signed, 'delivery', (input) => AGENT.signer.sign(input))
  expect(codeOf(await post(node, path, body))).toBe('SIGNATURE_INVALID')
})

test('an address that sends too much is told when to come again, before its body is read', async () => {
  const node = await startFindingsNode()
  const { findings } = node.memory.node.gateway
  // Over one connection, none waiting for the answer to the one before. The listener has the clock of the machine, which
  // gives ten more a second.
  const { hostname, port } = new URL(node.url)
  const one = `POST ${PATH}/telemetry HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 1\r\n\r\n{`
  const count = TENANT_REQUESTS_PER_MINUTE + 300
  const socket = connect(Number(port), hostname)
  let text = ''
  const statuses = (): readonly string[] => text.match(/HTTP\/1\.1 [0-9]{3}/g) ?? []
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject)
    socket.on('close', () => resolve())
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      if (statuses().length === count) resolve()
    })
    socket.write(one.repeat(count))
  })
  socket.destroy()
  expect(new Set(statuses())).toEqual(new Set(['HTTP/1.1 400', 'HTTP/1.1 429']))
  expect(text).toContain('"code":"RATE_LIMITED"')
  expect(text).toMatch(/retry-after: [0-9]+/)
  expect(findings.counts).toEqual({ MALFORMED: expect.any(Number) as number })
  expect((await rowsOf(node, `${PATH}/findings`)).length).toBe(0)
})

test('more at once than can wait are refused for now, and what was taken is there once', async () => {
  const node = await startFindingsNode()
  const { findings } = node.memory.node.gateway
  const agent = new TenantClient(node, AGENT)
  const count = REQUESTS_WAITING_MAX + 20
  const bodies = await Promise.all(
    Array.from({ length: count }, (_, index) =>
      agent.signTelemetry(agent.telemetryOf(payloadOf([findingOf(`f${index}`)])))
    )
  )
  const origin = { address: '192.0.2.1', requestId: 'r' }
  const send = (body: string) => findings.takeTelemetry(TENANT, Buffer.from(body), origin)
  const taken = await Promise.all(bodies.map(send))
  expect(taken.filter(({ ok }) => ok)).toHaveLength(REQUESTS_WAITING_MAX)
  expect(taken.flatMap((one) => (one.ok ? [] : [one.code]))).toEqual(Array.from({ length: 20 }, () => 'OVERLOADED'))
  // Their nonces were not used up.
  const again = await Promise.all(bodies.filter((_, index) => taken[index]?.ok === false).map(send))
  expect(again.map(({ ok }) => ok)).toEqual(Array.from({ length: 20 }, () => true))
  expect(await rowsOf(node, `${PATH}/findings?limit=500`)).toHaveLength(count)
})

test('the same bytes sent at the same time are taken once', async () => {
  const node = await startFindingsNode()
  const agent = new TenantClient(node, AGENT)
  const body = await agent.signTelemetry(agent.telemetryOf(payloadOf([findingOf('a')])))
  const answers = await Promise.all(Array.from({ length: 20 }, () => agent.post('telemetry', body)))
  expect(answers.map(codeOf).toSorted()).toEqual(['201', ...Array.from({ length: 19 }, () => 'REPLAY')])
})

test('a client that goes away in the middle of its body leaves nothing behind', async () => {
  const node = await startFindingsNode()
  const agent = new TenantClient(node, AGENT)
  const body = await agent.signTelemetry(agent.telemetryOf(payloadOf([findingOf('a')])))
  await new Promise<void>((resolve) => {
    const headers = { 'content-type': 'application/json', 'content-length': body.length }
    const sent = request(`${node.url}${PATH}/telemetry`, { method: 'POST', headers, agent: false })
    sent.on('error', () => resolve())
    sent.write(body.slice(0, 100), () => sent.destroy())
    sent.on('close', () => resolve())
  })
  expect(await rowsOf(node, `${PATH}/findings`)).toEqual([])
  expect(codeOf(await agent.post('telemetry', body))).toBe('201')
})
