import { readFileSync } from 'node:fs'
import { afterEach, expect, test } from 'vitest'
import type { AnchormeshNode } from '../../src/node.ts'
import { newAdminToken, startAdminListener } from '../../src/http/admin-listener.ts'
import type { Listener } from '../../src/http/listener.ts'
import { startPublicListener } from '../../src/http/public-listener.ts'
import { NodeMetrics } from '../../src/metrics/node-metrics.ts'
import type { MetricsSource } from '../../src/metrics/node-metrics.ts'
import { logStatus } from '../../src/metrics/status-line.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { systemRandom } from '../../src/platform/random.ts'
import { openNode } from '../node/nodes.ts'
import { announceBody, next } from '../support/events.ts'
import { NAMESPACE, member } from '../support/identities.ts'
import type { Exposition } from './exposition.ts'
import { readExposition, valueOf } from './exposition.ts'
import { LIST, listOfMetrics } from './list.ts'

const [ALICE, BERTA, CARL] = [member('alice', 'org-a'), member('berta', 'org-b'), member('carl', 'org-c')]

const closes: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closes.splice(0).toReversed()) await close()
})

interface Served {
  readonly node: AnchormeshNode
  readonly http: Listener
  readonly scrape: () => Promise<Exposition>
  readonly text: () => Promise<string>
}

async function serve(metrics = new NodeMetrics()): Promise<Served> {
  const { node } = await openNode(ALICE, [ALICE, BERTA])
  closes.push(() => node.close())
  const { requests, contentType } = metrics
  const serving = { requests, contentType, text: () => metrics.exposition(node) }
  const http = await startPublicListener({
    listen: '127.0.0.1:0',
    operations: node,
    metrics: serving,
    logger: silentLogger,
    clock: systemClock
  })
  closes.push(() => http.close())
  const text = async (): Promise<string> => {
    const answer = await fetch(`${http.url}/metrics`)
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
    return await answer.text()
  }
  return { node, http, text, scrape: async () => readExposition(await text()) }
}

/** What a node's metrics are read off, so that a test can put something else in its place. */
const source = (node: AnchormeshNode): MetricsSource => ({ status: () => node.status(), counts: () => node.counts() })

const seriesOf = (families: Exposition): string[] =>
  [...families.values()]
    .filter(({ name }) => !name.startsWith('anchormesh_nodejs_') && !name.startsWith('anchormesh_process_'))
    .flatMap(({ series }) => [...series.keys()])
    .sort()

test('the text is what Prometheus reads, with names as it wants them', async () => {
  const { scrape } = await serve()
  const families = await scrape()
  expect(families.size).toBeGreaterThan(50)
  for (const { name, type, help, series } of families.values()) {
    expect(name).toMatch(/^anchormesh_[a-z0-9_]+$/)
    expect(help).not.toBe('')
    if (/^anchormesh_(nodejs|process)_/.test(name)) continue
    expect(series.size, name).toBeGreaterThan(0)
    expect(name.endsWith('_total'), name).toBe(type === 'counter')
    expect(name).not.toMatch(/_(ms|milliseconds|kib|kilobytes|minutes)(_|$)/)
  }
})

test('every series is there from the start, and counts what happens', async () => {
  const { node, http, scrape } = await serve()
  const before = await scrape()
  expect(valueOf(before, 'ingest_events_total', { outcome: 'rejected', code: 'SIGNATURE_INVALID' })).toBe(0)
  expect(valueOf(before, 'http_requests_total', { route: '/v1/events/:id', status: '5xx' })).toBe(0)

  const event = await next(BERTA, null, announceBody('batch-1'))
  await node.submit(event.wire)
  await node.submit(event.wire)
  await node.submit((await next(CARL, null, announceBody('batch-2'))).wire)
  await node.submit(new Uint8Array([1, 2, 3]))
  for (const path of ['/health', '/v1/events', '/v1/events/none', '/nowhere', '/v1/events?limit=no'])
    await (await fetch(http.url + path)).text()
  await fetch(`${http.url}/health`, { method: 'HEAD' })
  await (await fetch(`${http.url}/nowhere`, { method: 'PATCH' })).text()
  const after = await scrape()

  expect(seriesOf(after)).toEqual(seriesOf(before))
  expect(valueOf(after, 'ingest_events_total', { outcome: 'accepted' })).toBe(1)
  expect(valueOf(after, 'ingest_events_total', { outcome: 'duplicate' })).toBe(1)
  expect(valueOf(after, 'ingest_events_total', { code: 'SIGNER_NOT_MEMBER' })).toBe(1)
  expect(valueOf(after, 'ingest_events_total', { code: 'MALFORMED' })).toBe(1)
  expect(valueOf(after, 'namespace_events', { namespace: NAMESPACE })).toBe(1)
  expect(valueOf(after, 'log_records')).toBe((await node.status()).log.logSeq)
  expect(valueOf(after, 'projection_lag_records', { projection: 'winners' })).toBe(0)
  expect(valueOf(after, 'http_requests_total', { method: 'GET', route: '/health', status: '2xx' })).toBe(1)
  expect(valueOf(after, 'http_requests_total', { method: 'HEAD', route: '/health', status: '2xx' })).toBe(1)
  expect(valueOf(after, 'http_requests_total', { route: '/v1/events', status: '4xx' })).toBe(1)
  expect(valueOf(after, 'http_requests_total', { route: '/v1/events/:id', status: '4xx' })).toBe(1)
  expect(valueOf(after, 'http_requests_total', { route: 'unknown', status: '4xx' })).toBe(2)
  expect(valueOf(after, 'http_requests_total', { method: 'PATCH' })).toBeUndefined()
})

test('nobody is named: no DID, no key, no PeerId', async () => {
  const { node, text } = await serve()
  await node.submit((await next(BERTA, null, announceBody('batch-1'))).wire)
  const shown = await text()
  for (const { signer } of [ALICE, BERTA]) {
    expect(shown).not.toContain(signer.did)
    expect(shown).not.toContain(signer.kid)
  }
  expect(shown).not.toMatch(/did:|12D3Koo/)
})

test('whoever asks meanwhile gets the same exposition', async () => {
  const metrics = new NodeMetrics()
  const { node } = await serve(metrics)
  let asked = 0
  const status = () => {
    asked += 1
    return node.status()
  }
  const texts = await Promise.all([1, 2, 3].map(() => metrics.exposition({ ...source(node), status })))
  expect(new Set(texts).size).toBe(1)
  expect(asked).toBe(1)
})

test('a status that fails is an error of that scrape alone', async () => {
  const metrics = new NodeMetrics()
  const { node } = await serve(metrics)
  await expect(
    metrics.exposition({ ...source(node), status: () => Promise.reject(new Error('not now')) })
  ).rejects.toThrow('not now')
  expect(await metrics.exposition(node)).toContain('anchormesh_healthy 1')
})

test('the admin listener shows them to those who have its token', async () => {
  const metrics = new NodeMetrics()
  const { node } = await serve(metrics)
  const { requests, contentType } = metrics
  const admin = await startAdminListener({
    listen: '127.0.0.1:0',
    operations: node,
    metrics: { requests, contentType, text: () => metrics.exposition(node) },
    logger: silentLogger,
    clock: systemClock,
    token: newAdminToken(systemRandom),
    shutdown: () => undefined
  })
  closes.push(() => admin.close())
  expect((await fetch(`${admin.url}/metrics`)).status).toBe(401)
  const answer = await fetch(`${admin.url}/metrics`, { headers: { authorization: `Bearer ${admin.token}` } })
  expect(readExposition(await answer.text()).size).toBeGreaterThan(50)
})

test('the list of metrics is what the code has: node test/metrics/make-list.ts', async () => {
  expect(readFileSync(LIST, 'utf8')).toBe(await listOfMetrics())
})

test('a line a minute says how the node is', async () => {
  const { node, ports } = await openNode(ALICE, [ALICE, BERTA])
  closes.push(() => node.close())
  const lines: Record<string, unknown>[] = []
  const logger = { ...silentLogger, info: (fields: object, message: string) => void lines.push({ ...fields, message }) }
  const stop = new AbortController()
  const logged = logStatus({ status: () => node.status(), clock: ports.clock, logger }, stop.signal)
  await ports.clock.advance(59_000)
  expect(lines).toEqual([])
  await ports.clock.advance(1_000)
  await node.submit((await next(BERTA, null, announceBody('batch-1'))).wire)
  await ports.clock.advance(60_000)
  await ports.clock.advance(60_000)
  expect(lines).toMatchObject([
    { message: 'status', ok: true, eventsPerMinute: 0, pending: 0, foldLag: 0 },
    { eventsPerMinute: 1 },
    { eventsPerMinute: 0 }
  ])
  stop.abort()
  await logged
  expect(lines).toHaveLength(3)
})
