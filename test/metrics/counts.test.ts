import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { once } from 'node:events'
import fc from 'fast-check'
import { afterEach, expect, onTestFinished, test } from 'vitest'
import { NO_ENDS, NO_REFUSALS } from '../../src/subscriptions/endings.ts'
import { connectionFigures } from '../../src/metrics/connection-figures.ts'
import { NodeMetrics } from '../../src/metrics/node-metrics.ts'
import { PUBLIC_LIMITS } from '../../src/http/limits.ts'
import type { AnchormeshNode } from '../../src/node.ts'
import { bearer, openWorld, tokenFor } from '../access/world.ts'
import { BATCH, BTC, TSA, failed, newWorld, openAnchoring } from '../anchoring/support.ts'
import {
  AGENT,
  MEASUREMENT,
  TenantClient,
  codeOf,
  findingOf,
  payloadOf,
  startFindingsNode
} from '../findings/support.ts'
import { publicListener } from '../http/support/listeners.ts'
import { registeredPartner, startPartnerNode } from '../http/support/partners.ts'
import { subscribe } from '../http/support/subscribers.ts'
import { startWholeGateway } from '../http/support/whole-gateway.ts'
import { openPackNode } from '../pack-sync/nodes-support.ts'
import { ADA, BEA } from '../pack-sync/support.ts'
import { openNode, quiet } from '../node/nodes.ts'
import { announceBody, next } from '../support/events.ts'
import { NAMESPACE, member } from '../support/identities.ts'
import { until } from '../support/until.ts'
import { openSyncMesh } from '../sync/mesh.ts'
import type { Exposition } from './exposition.ts'
import { readExposition, valueOf } from './exposition.ts'

const ANNA = member('anna')
const BEN = member('ben')

const closes: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closes.splice(0).toReversed()) await close()
})

const scraped = async (node: AnchormeshNode): Promise<Exposition> =>
  readExposition(await new NodeMetrics().exposition(node))

/** The series of a metric that are not 0, by the values of their labels. */
function moved(families: Exposition, name: string): Record<string, number> {
  const series = [...(families.get(`anchormesh_${name}`)?.series.values() ?? [])]
  expect(series.length, name).toBeGreaterThan(0)
  return Object.fromEntries(
    series.filter(({ value }) => value !== 0).map(({ labels, value }) => [Object.values(labels).join(' '), value])
  )
}

test('ends of subscriptions, and what keeps them from beginning, by code', async () => {
  const { node, url } = await startWholeGateway()
  const at = (query: string): string => `${url}/v1/subscribe?projection=${query}`
  for (const query of ['none', 'batches&cursor=none']) await expect(subscribe(at(query), 'events')).rejects.toThrow()
  const headers = bearer(await tokenFor(node, ['a:one']))
  const reader = await subscribe(at('batches'), 'events', { headers })
  expect(valueOf(await scraped(node), 'subscribers')).toBe(1)
  const [token] = await node.tokens()
  await node.revokeToken(token?.id ?? '')
  await until('the end', () => reader.state.ended)
  const families = await scraped(node)
  expect(moved(families, 'subscriptions_refused_total')).toEqual({ UNKNOWN_PROJECTION: 1, QUERY_INVALID: 1 })
  expect(moved(families, 'subscriptions_ended_total')).toEqual({ TOKEN_INVALID: 1 })
  expect(valueOf(families, 'subscribers')).toBe(0)
})

test('every code that the subscription protocol names has its series', () => {
  const spec = readFileSync(new URL('../../protocols/subscription/v1/SPEC.md', import.meta.url), 'utf8')
  const named = new Set([...spec.matchAll(/`([A-Z]+_[A-Z_]+)`/g)].map(([, code]) => code))
  expect(named.size).toBeGreaterThan(10)
  const counted: ReadonlySet<string | undefined> = new Set([...Object.keys(NO_ENDS), ...Object.keys(NO_REFUSALS)])
  expect([...named].filter((code) => !counted.has(code))).toEqual([])
})

test('whatever strangers make up, no series comes of it', async () => {
  const { node, listener } = await startWholeGateway()
  const series = async (): Promise<readonly string[]> => {
    const metrics = readExposition(await (await fetch(`${listener.url}/metrics`)).text())
    const own = [...metrics.values()].filter(({ name }) => !/^anchormesh_(nodejs|process)_/.test(name))
    return own.flatMap((family) => [...family.series.keys()]).sort()
  }
  const before = await series()
  await fc.assert(
    fc.asyncProperty(fc.stringMatching(/^[a-z0-9-]{1,12}$/), async (made) => {
      const { access } = node.gateway
      await access.ofToken(`${made}.${made}`)
      access.ofTicket(made)
      for (const path of [
        made,
        `v1/projections/${made}`,
        `v1/subscribe?projection=${made}`,
        `v1/tenants/${made}/findings`
      ])
        await (await fetch(`${listener.url}/${path}`, { headers: { authorization: `Bearer ${made}` } })).text()
      for (const path of ['challenge', 'deliver'])
        await (await fetch(`${listener.url}/v1/federation/${path}`, { method: 'POST', body: made })).text()
      await node.submit(new TextEncoder().encode(made))
    }),
    { numRuns: 10 }
  )
  expect(await series()).toEqual(before)
})

test('connections of a listener, and those beyond its cap', async () => {
  const { node } = await openNode(ANNA, [ANNA])
  closes.push(() => node.close())
  const http = await publicListener({ operations: node, limits: { ...PUBLIC_LIMITS, connectionsMax: 1 } })
  const metrics = new NodeMetrics()
  for (const figure of connectionFigures(() => ({ http, admin: null }))) metrics.keep(figure)
  const figures = async (): Promise<(number | undefined)[]> => {
    const families = readExposition(await metrics.exposition(node))
    const labels = { listener: 'http' }
    return ['http_connections', 'http_connections_refused_total'].map((name) => valueOf(families, name, labels))
  }
  expect(await figures()).toEqual([0, 0])
  const { hostname, port } = new URL(http.url)
  const held = connect(Number(port), hostname)
  onTestFinished(() => void held.destroy())
  await until('the first is served', () => http.connections().open === 1)
  const beyond = connect(Number(port), hostname)
  onTestFinished(() => void beyond.destroy())
  await until('the second is refused', () => http.connections().refused === 1)
  expect(await figures()).toEqual([1, 1])
  const ended = once(held, 'close')
  held.destroy()
  await ended
  await until('the first is gone', () => http.connections().open === 0)
  expect(await figures()).toEqual([0, 1])
})

test('challenges and deliveries by outcome', async () => {
  const served = await startPartnerNode()
  const partner = await registeredPartner(served)
  const token = await partner.token()
  expect((await partner.deliver(token)).status).toBe(201)
  expect((await partner.deliver(token)).code).toBe('TOKEN_INVALID')
  expect((await partner.deliver(token, { namespace: 'nobody:carries' })).code).toBe('NAMESPACE_NOT_CARRIED')
  expect((await partner.post('challenge', '{')).code).toBe('MALFORMED')
  const families = await scraped(served.memory.node)
  expect(moved(families, 'challenges_total')).toEqual({ taken: 1, MALFORMED: 1 })
  expect(moved(families, 'deliveries_total')).toEqual({ taken: 1, TOKEN_INVALID: 1, NAMESPACE_NOT_CARRIED: 1 })
  expect(moved(families, 'security_events_total')).toEqual({ ACCESS_REFUSED: 1, REQUEST_MAPPING_REFUSED: 1 })
})

test('telemetry and feedback by outcome', async () => {
  const served = await startFindingsNode()
  const agent = new TenantClient(served, AGENT)
  const payload = payloadOf([findingOf('f-1')])
  expect(codeOf(await agent.report(payload))).toBe('201')
  expect(codeOf(await agent.report(payload, { audience: 'did:web:somebody.else' }))).toBe('WRONG_AUDIENCE')
  const bound = { fingerprint: agent.fingerprint(payload), attestationMeasurementHash: MEASUREMENT, rule: 'r' }
  expect(codeOf(await agent.judge({ ...bound, findingId: 'f-2', action: 'confirm' }))).toBe('FINDING_UNKNOWN')
  const families = await scraped(served.memory.node)
  expect(moved(families, 'telemetry_total')).toEqual({ taken: 1, WRONG_AUDIENCE: 1 })
  expect(moved(families, 'feedback_total')).toEqual({ FINDING_UNKNOWN: 1 })
})

test('tokens and tickets that open nothing, by code', async () => {
  const { node, clock } = await openWorld()
  const { access } = node.gateway
  const token = await tokenFor(node, ['a:one'])
  const granting = await access.ofToken(token)
  if (!granting.ok || granting.grant.tokenId === null) throw new Error('the token opens nothing')
  const ticket = access.ticketFor(granting.grant.tokenId)?.ticket ?? ''
  expect(access.ofTicket(ticket).ok).toBe(true)
  await access.ofToken('nobody.knows')
  access.ofTicket('no ticket')
  await clock.advance(61_000)
  access.ofTicket(ticket)
  expect(moved(await scraped(node), 'credentials_refused_total')).toEqual({
    'token TOKEN_INVALID': 1,
    'ticket TOKEN_INVALID': 1,
    'ticket TOKEN_EXPIRED': 1
  })
})

test('checks of anchors by rail and result, and for how long the oldest has waited', async () => {
  const world = newWorld()
  const unreachable = { outcome: 'unreachable', code: 'PROVIDER_TIMEOUT', retryAfterMs: 3_600_000 } as const
  world.verdicts.set(BTC, [unreachable, { outcome: 'notYetFinal', depth: 1, needed: 6, retryAfterMs: 3_600_000 }])
  const { node, pass } = await openAnchoring({ world })
  closes.push(() => node.close())
  await node.start()
  await node.seal({ ...BATCH, receipts: ['one'] })
  expect(await node.anchor({ ...BATCH, rail: 'tsa' })).toMatchObject({ state: 'announced' })
  await pass(0)
  await node.announce({ ...BATCH, timestampAnchors: [btcEvidence] })
  await pass(60_000)
  const waiting = await scraped(node)
  expect(moved(waiting, 'timestamp_checks_total')).toEqual({ 'rfc3161 valid': 1, 'btc unreachable': 1 })
  expect(valueOf(waiting, 'timestamp_anchors_undecided_oldest_seconds')).toBe(60)
  expect(valueOf(waiting, 'timestamp_checks_queued')).toBe(0)
  await pass(3_600_000)
  await pass(3_600_000)
  const decided = await scraped(node)
  expect(moved(decided, 'timestamp_checks_total')).toMatchObject({
    'rfc3161 valid': 1,
    'btc unreachable': 1,
    'btc notYetFinal': 1
  })
})

const btcEvidence = { chainId: BTC, txid: 'b'.repeat(64), blockHash: 'a'.repeat(64), blockHeight: 7, otsProof: 'AAAA' }

test('evidence that this node makes by rail and outcome', async () => {
  const world = newWorld()
  world.steps.set(TSA, [failed('TSA_DOWN')])
  const { node, pass } = await openAnchoring({ world })
  closes.push(() => node.close())
  await node.start()
  await node.seal({ ...BATCH, receipts: ['one'] })
  await node.anchor({ ...BATCH, rail: 'tsa' })
  expect(moved(await scraped(node), 'anchorings_total')).toEqual({ 'rfc3161 retried': 1 })
  await pass(3_600_000)
  expect(moved(await scraped(node), 'anchorings_total')).toEqual({ 'rfc3161 retried': 1, 'rfc3161 announced': 1 })
})

test('sync sessions by who opened them and how they ended', async () => {
  const mesh = await openSyncMesh([ANNA, BEN])
  const [anna, ben] = mesh.nodes
  if (anna === undefined || ben === undefined) throw new Error('no nodes')
  await anna.node.submit((await next(ANNA, null, announceBody('b1'))).wire)
  await mesh.pass(180_000)
  const ends = moved(await scraped(anna.node), 'sync_sessions_ended_total')
  const sessions = (await anna.node.status()).sync.reduce((sum, { total }) => sum + total.sessions, 0)
  expect(sessions).toBeGreaterThan(0)
  expect(Object.values(ends).reduce((sum, count) => sum + count, 0)).toBe(sessions)
  expect(Object.keys(ends).every((name) => /^(initiator|responder) (equal|synced)$/.test(name))).toBe(true)
})

test('packs beside the mesh by direction and outcome', async () => {
  const { node } = await openPackNode(ADA, { sources: { [BEA.orgId]: ['file:/nowhere/at/all'] } })
  await node.pullPacks({})
  await node.pushPacks({ to: 'file:/nowhere/at/all' })
  const families = await scraped(node)
  expect(moved(families, 'pack_syncs_total')).toEqual({ 'pull unreachable': 1, 'push refused': 1 })
})

test('the age of the newest checkpoint, and what the log has behind it', async () => {
  const { node, ports, self, policy } = await openNode(ANNA, [ANNA])
  closes.push(() => node.close())
  await node.start()
  const before = await scraped(node)
  expect(valueOf(before, 'checkpoint_timestamp_seconds')).toBe(0)
  expect(valueOf(before, 'checkpoint_lag_records')).toBe((await node.status()).log.logSeq)
  await node.reload({ config: { policy, signer: self.signer, version: 'test', checkpointMs: 60_000 } })
  await node.seal({ namespace: NAMESPACE, batchId: 'b1', receipts: ['one'] })
  await ports.clock.advance(60_000)
  await quiet({ node, self, policy, ports })
  const after = await scraped(node)
  expect(moved(after, 'checkpoint_attempts_total')).toEqual({ published: 1 })
  expect(valueOf(after, 'checkpoint_timestamp_seconds')).toBe(ports.clock.now() / 1_000)
  // The checkpoint itself.
  expect(valueOf(after, 'checkpoint_lag_records')).toBe(1)
})
