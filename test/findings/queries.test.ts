import { describe, expect, onTestFinished, test } from 'vitest'
import { startListener } from '../../src/http/listener.ts'
import { PUBLIC_LIMITS } from '../../src/http/limits.ts'
import { setReader } from '../../src/http/reader.ts'
import { registerTenantRoutes } from '../../src/http/tenant-routes.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import type { ReadScope } from '../../src/policy/read-scope.ts'
import type { ProjectionPage } from '../../src/projections/query.ts'
import { reopen } from '../node/nodes.ts'
import {
  AGENT,
  JUDGE,
  MEASUREMENT,
  REVIEWER,
  TENANT,
  TenantClient,
  findingOf,
  findingsPolicy,
  get,
  payloadOf,
  rowsOf,
  serveFindings,
  startFindingsNode
} from './support.ts'
import type { FindingsNode } from './support.ts'

const PATH = `/v1/tenants/${TENANT}`
const ids = (rows: ProjectionPage['rows']): unknown[] => rows.map((row) => row['findingId'])

/** Findings `f0` to `f9` of two signers, a second apart. */
async function withFindings(): Promise<{ readonly node: FindingsNode; readonly startedAt: number }> {
  const node = await startFindingsNode()
  const startedAt = node.memory.ports.clock.now()
  const agents = [new TenantClient(node, AGENT), new TenantClient(node, REVIEWER)]
  for (let index = 0; index < 10; index += 1) {
    const agent = agents[index % 2]
    const severity = index < 3 ? 'critical' : 'low'
    const execution = { id: `run-${index}` }
    const answer = await agent?.report(payloadOf([findingOf(`f${index}`, { severity })], { execution }))
    expect(answer?.status).toBe(201)
    await node.memory.ports.clock.advance(1_000)
  }
  return { node, startedAt }
}

test('findings are filtered by signer, severity, status and time', async () => {
  const { node, startedAt } = await withFindings()
  const reviewer = new TenantClient(node, REVIEWER)
  const fingerprint = reviewer.fingerprint(payloadOf([], { execution: { id: 'run-1' } }))
  const bound = { fingerprint, attestationMeasurementHash: MEASUREMENT, rule: 'r' }
  await new TenantClient(node, AGENT).judge({ ...bound, findingId: 'f1', action: 'dismiss' })
  const find = async (query: string): Promise<unknown[]> => ids(await rowsOf(node, `${PATH}/findings?${query}`))
  expect(await find(`signer=${REVIEWER.signer.did}`)).toEqual(['f1', 'f3', 'f5', 'f7', 'f9'])
  expect(await find('severity=critical')).toEqual(['f0', 'f1', 'f2'])
  expect(await find('status=dismissed')).toEqual(['f1'])
  expect(await find('status=open&severity=critical')).toEqual(['f0', 'f2'])
  expect(await find(`fromTs=${startedAt + 3_000}&toTs=${startedAt + 4_000}`)).toEqual(['f3', 'f4'])
  const feedback = await rowsOf(node, `${PATH}/feedback?findingId=f1&action=dismiss&signer=${AGENT.signer.did}`)
  expect(ids(feedback)).toEqual(['f1'])
  expect(await rowsOf(node, `${PATH}/feedback?findingId=f`)).toEqual([])
  expect(await rowsOf(node, `${PATH}/feedback?action=confirm`)).toEqual([])
})

test('pages go through all rows once, also while rows come in, and an earlier state can be read', async () => {
  const { node } = await withFindings()
  const { log } = await node.memory.node.status()
  const seen: unknown[] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const { body } = await get(node, `${PATH}/findings?limit=3${cursor === '' ? '' : `&cursor=${cursor}`}`)
    const page = body as unknown as ProjectionPage
    seen.push(...ids(page.rows))
    cursor = page.nextCursor
    if (seen.length === 3) await new TenantClient(node, AGENT).report(payloadOf([findingOf('f1a'), findingOf('f55')]))
  }
  expect(seen).toEqual(['f0', 'f1', 'f2', 'f3', 'f4', 'f5', 'f55', 'f6', 'f7', 'f8', 'f9'])
  const past = (await get(node, `${PATH}/findings?at=${log.logSeq}`)).body as unknown as ProjectionPage
  expect([past.logSeq, past.rows.length]).toEqual([log.logSeq, 10])
  expect((await get(node, `${PATH}/findings/f55?at=${log.logSeq}`)).body).toMatchObject({ code: 'NOT_FOUND' })
  expect((await get(node, `${PATH}/findings/f5`)).body).toMatchObject({ finding: { findingId: 'f5' } })
  expect((await get(node, `${PATH}/findings/f`)).status).toBe(404)
})

test('an answer that did not change is not sent again', async () => {
  const { node } = await withFindings()
  const url = `${node.url}${PATH}/findings?at=5`
  const first = await fetch(url)
  const etag = first.headers.get('etag') ?? ''
  expect(await first.text()).toContain('"rows"')
  expect((await fetch(url, { headers: { 'if-none-match': etag } })).status).toBe(304)
})

test('unknown parameters, bad values and foreign cursors are refused', async () => {
  const { node } = await withFindings()
  const { body } = await get(node, `${PATH}/findings?limit=1`)
  const { nextCursor } = body as unknown as ProjectionPage
  const forged = Buffer.from(
    JSON.stringify((JSON.parse(Buffer.from(nextCursor ?? '', 'base64url').toString()) as string[]).with(3, 'aaa!f0'))
  ).toString('base64url')
  const refused: readonly [string, number, string][] = [
    ['findings?namespace=dao:test', 400, 'QUERY_INVALID'],
    ['findings?severity=urgent', 400, 'QUERY_INVALID'],
    ['findings?limit=501', 400, 'QUERY_INVALID'],
    ['findings?at=1.5', 400, 'QUERY_INVALID'],
    ['findings?cursor=AAAA', 400, 'QUERY_INVALID'],
    [`feedback?cursor=${nextCursor}`, 400, 'CURSOR_FOREIGN'],
    [`findings?cursor=${forged}`, 400, 'CURSOR_FOREIGN'],
    ['findings/f0?limit=1', 400, 'QUERY_INVALID'],
    ['findings/f%210', 404, 'NOT_FOUND']
  ]
  for (const [path, status, code] of refused)
    expect([path, await get(node, `${PATH}/${path}`)]).toMatchObject([path, { status, body: { code } }])
  for (const tenant of ['other', 'Test', '%00', 'constructor'])
    expect(await get(node, `/v1/tenants/${tenant}/findings`)).toMatchObject({ status: 404 })
})

describe('a reader of one tenant', () => {
  async function scoped(node: FindingsNode, scope: ReadScope): Promise<string> {
    const listener = await startListener({
      listen: '127.0.0.1:0',
      key: 'http.listen',
      limits: PUBLIC_LIMITS,
      logger: silentLogger,
      clock: systemClock,
      routes: (app) => {
        app.addHook('onRequest', async (request) => setReader(request, scope))
        registerTenantRoutes(app, node.memory.node.gateway.findings, systemClock)
      }
    })
    onTestFinished(() => listener.close())
    return listener.url
  }

  test('sees it, and of another not even whether there is one', async () => {
    const { node } = await withFindings()
    const scope = { actor: 'token:t', namespaces: new Set<string>(), isOperator: false }
    const own = await scoped(node, { ...scope, tenant: TENANT })
    expect((await fetch(`${own}${PATH}/findings`)).status).toBe(200)
    const other = await scoped(node, { ...scope, tenant: 'other' })
    for (const tenant of [TENANT, 'nobody'])
      for (const route of ['findings', 'findings/f0', 'feedback']) {
        const response = await fetch(`${other}/v1/tenants/${tenant}/${route}`)
        expect([response.status, await response.json()]).toMatchObject([403, { code: 'ACCESS_DENIED' }])
      }
  })
})

test('findings of a tenant that is carried no more are still there, and nothing more comes in', async () => {
  const { node } = await withFindings()
  const policy = findingsPolicy()
  const elsewhere = Object.fromEntries(
    Object.entries(policy.namespaces).map(([name, settings]) => [name, { ...settings, tenant: 'other' }])
  )
  const again = await serveFindings(await reopen(node.memory, { policy: { ...policy, namespaces: elsewhere } }))
  expect(await rowsOf(again, `${PATH}/findings`)).toHaveLength(10)
  expect(await new TenantClient(again, AGENT).report(payloadOf([]))).toMatchObject({
    status: 403,
    body: { code: 'MAPPING_VIOLATION' }
  })
  // The key of the judge is in the domain of the tenant that is carried now.
  const judge = new TenantClient(again, JUDGE)
  expect(await judge.report(payloadOf([]), { tenant: 'other' })).toMatchObject({ status: 403 })
  const body = await judge.signTelemetry(judge.telemetryOf(payloadOf([findingOf('g')]), { tenant: 'other' }))
  expect((await judge.post('telemetry', body, 'other')).status).toBe(201)
  expect(ids(await rowsOf(again, '/v1/tenants/other/findings'))).toEqual(['g'])
})
