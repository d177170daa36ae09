import { describe, expect, onTestFinished, test } from 'vitest'
import { registerAccess } from '../../src/http/access.ts'
import { originsOf } from '../../src/http/cross-origin.ts'
import type { Problem } from '../../src/http/errors.ts'
import { PUBLIC_LIMITS } from '../../src/http/limits.ts'
import type { Listener } from '../../src/http/listener.ts'
import { startListener } from '../../src/http/listener.ts'
import { registerPublicRoutes } from '../../src/http/public-routes.ts'
import { registerTicketRoutes } from '../../src/http/ticket-routes.ts'
import { NO_AUDIT } from '../../src/platform/audit.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { ADA, CLEO, DAN, bearer, listen, openWorld, tokenFor } from '../access/world.ts'
import type { World } from '../access/world.ts'
import { announceBody, next } from '../support/events.ts'
import { collect } from '../support/collect.ts'
import type { LogLine } from '../support/recording-logger.ts'
import { recordingLogger } from '../support/recording-logger.ts'
import { publicListener, rawExchange, rawGet } from './support/listeners.ts'

/** Routes for readers, on a listener that holds everybody for the holder of this DID's certificate. */
async function listenTo(node: World['node'], did: string | null): Promise<Listener> {
  const { access: readers, access } = node.gateway
  const listener = await startListener({
    listen: '127.0.0.1:0',
    key: 'http.listen',
    limits: PUBLIC_LIMITS,
    logger: silentLogger,
    clock: systemClock,
    judgesHosts: true,
    routes: (app) => {
      const origins = originsOf(['https://app.example/'])
      registerAccess(app, { readers, certificateDidOf: () => did, origins, audit: NO_AUDIT })
      registerPublicRoutes(app, node, access.visibility)
      registerTicketRoutes(app, access)
    }
  })
  onTestFinished(() => listener.close())
  return listener
}

interface Answer {
  readonly status: number
  readonly code: string | null
  readonly body: unknown
  readonly authenticate: string | undefined
}

/** Somebody from elsewhere, as a reverse proxy on this machine tells of them. */
const ELSEWHERE = { 'x-forwarded-for': '203.0.113.9' }

async function ask(url: string, headers: Readonly<Record<string, string>> = {}, method = 'GET'): Promise<Answer> {
  const answer = await rawGet(url, headers, method)
  const body: unknown = answer.body === '' ? null : JSON.parse(answer.body)
  const code = (body as Partial<Problem> | null)?.code ?? null
  return { status: answer.status, code, body, authenticate: answer.headers['www-authenticate'] }
}

async function worldWithEvents(): Promise<
  World & { readonly url: string; readonly ids: Readonly<Record<string, string>> }
> {
  const world = await openWorld()
  const events = {
    'a:one': await next(ADA, null, announceBody('a1'), { namespace: 'a:one' }),
    'a:two': await next(CLEO, null, announceBody('a2'), { namespace: 'a:two' }),
    'b:one': await next(DAN, null, announceBody('b1'), { namespace: 'b:one' })
  }
  for (const { wire } of Object.values(events)) await world.node.submit(wire)
  const { url } = await listen(world.node)
  return { ...world, url, ids: Object.fromEntries(Object.entries(events).map(([name, { id }]) => [name, id])) }
}

describe('without a credential', () => {
  test('readers on this machine see everything', async () => {
    const { url } = await worldWithEvents()
    expect(await ask(`${url}/v1/projections/batches`)).toMatchObject({ status: 200, body: { rows: { length: 3 } } })
    expect(await ask(`${url}/v1/events?scope=all`)).toMatchObject({ status: 200 })
    expect(await ask(`${url}/v1/projections/audit`)).toMatchObject({ status: 200, body: { projection: 'audit' } })
  })

  const HANDED_ON: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
    ['X-Forwarded-For', ELSEWHERE],
    ['X-Forwarded-Host', { 'x-forwarded-host': 'node.example' }],
    ['X-Forwarded-Anything', { 'x-forwarded-tls-client-cert': '' }],
    ['Forwarded', { forwarded: 'for=203.0.113.9' }],
    ['Via', { via: '1.1 proxy' }],
    ['X-Real-IP', { 'x-real-ip': '203.0.113.9' }]
  ]
  test('what a proxy on this machine hands on is asked from elsewhere', async () => {
    const { url } = await worldWithEvents()
    for (const [name, headers] of HANDED_ON) {
      for (const path of ['/v1/projections/batches', '/v1/events', '/v1/digest?namespace=a:one', '/nowhere'])
        expect([name, path, await ask(`${url}${path}`, headers)]).toMatchObject([
          name,
          path,
          { status: 401, code: 'TOKEN_REQUIRED', authenticate: 'Bearer' }
        ])
      expect(await ask(`${url}/health`, headers)).toMatchObject({ status: 200 })
      expect((await ask(`${url}/health`, headers)).body).toEqual({ status: 'ok' })
    }
  })

  test('neither does a proxy that says nothing, by the HTTP/1.0 that it speaks', async () => {
    const { url } = await worldWithEvents()
    const { host } = new URL(url)
    const answer = await rawExchange(url, `GET /v1/events HTTP/1.0\r\nhost: ${host}\r\n\r\n`)
    expect(answer).toMatch(/^HTTP\/1\.1 401 .*"code":"TOKEN_REQUIRED"/s)
  })

  test('packs and checkpoints are for everybody; what a proven record holds is not', async () => {
    const { url, ids } = await worldWithEvents()
    expect((await rawGet(`${url}/v1/log/checkpoint`, ELSEWHERE)).status).toBe(200)
    const open = await ask(`${url}/v1/log/inclusion?logSeq=2`)
    const elsewhere = await ask(`${url}/v1/log/inclusion?logSeq=2`, ELSEWHERE)
    expect([open, elsewhere]).toMatchObject([
      { status: 200, body: { record: { scope: 1 } } },
      { status: 200, body: { record: null } }
    ])
    expect(JSON.stringify(elsewhere.body)).not.toContain(ids['a:one'])
    expect((await ask(`${url}/v1/packs/org-self`, ELSEWHERE)).status).not.toBe(401)
  })

  test('without anything that opens, a token opens nothing', async () => {
    const { url } = await publicListener()
    expect(await ask(`${url}/v1/events`, bearer('a.b'))).toMatchObject({ status: 401, code: 'TOKEN_INVALID' })
    expect(await ask(`${url}/v1/tickets`, {}, 'POST')).toMatchObject({ status: 404 })
  })
})

describe('with a token', () => {
  test('any name of the node will do; without one a foreign name is refused', async () => {
    const { url, node } = await worldWithEvents()
    const token = await tokenFor(node, ['a:one'])
    expect((await ask(`${url}/v1/events`, { host: 'node.example', ...bearer(token) })).status).toBe(200)
    expect(await ask(`${url}/v1/events`, { host: 'node.example' })).toMatchObject({
      status: 403,
      code: 'HOST_NOT_ALLOWED'
    })
  })

  test('a reader sees what it opens and no more, on loopback, too', async () => {
    const { url, node, ids } = await worldWithEvents()
    const token = bearer(await tokenFor(node, ['a:one']))
    for (const headers of [token, { ...token, ...ELSEWHERE }]) {
      const read = async (path: string): Promise<Answer> => await ask(`${url}${path}`, headers)
      expect((await read('/v1/projections/batches')).body).toMatchObject({ rows: [{ namespace: 'a:one' }] })
      expect((await read('/v1/events')).body).toMatchObject({ events: [{ id: ids['a:one'] }], next: null })
      expect((await read(`/v1/events/${ids['a:one']}`)).status).toBe(200)
      expect((await read('/v1/digest?namespace=a:one')).body).toMatchObject({ count: 1 })
      expect((await read('/health')).body).toMatchObject({ status: 'ok', logSeq: 4 })
      expect(await read(`/v1/events/${ids['b:one']}`)).toMatchObject({ status: 404, code: 'NOT_FOUND' })
      expect((await read('/v1/log/inclusion?logSeq=2')).body).toMatchObject({ record: { scope: 1 } })
      expect((await read('/v1/log/inclusion?logSeq=4')).body).toMatchObject({ record: null })
      expect((await read('/v1/projections/nothing')).code).toBe('UNKNOWN_PROJECTION')
    }
  })

  test('what it may not see is denied in the same words, whether it is there or not', async () => {
    const { url, node } = await worldWithEvents()
    const token = bearer(await tokenFor(node, ['a:one']))
    const DENIED = [403, 'ACCESS_DENIED', 'you may not see NS', expect.stringContaining('token'), undefined]
    const denied = async (path: string): Promise<unknown> => {
      const { status, body } = await ask(`${url}${path}`, token)
      const { code, detail, hint, data } = body as Problem
      return [status, code, detail.replace(/[ab]:[a-z]+/, 'NS'), hint, data]
    }
    for (const path of ['/v1/projections/batches?', '/v1/events?', '/v1/digest?', '/v1/projections/peers?']) {
      const there = await denied(`${path}namespace=b:one`)
      expect([path, there]).toEqual([path, DENIED])
      expect(await denied(`${path}namespace=b:none`)).toEqual(there)
    }
    for (const path of [
      '/v1/events?scope=all',
      '/v1/events?scope=local',
      '/v1/projections/audit',
      '/v1/digest?namespace=_trust'
    ])
      expect([path, ...((await denied(path)) as unknown[]).slice(0, 2)]).toEqual([path, 403, 'ACCESS_DENIED'])
  })

  test('what is none is refused, on open routes and on loopback, too', async () => {
    const { url } = await worldWithEvents()
    for (const authorization of ['Bearer 0123456789abcdef.AAAA', 'Bearer', 'Basic dXNlcjpwYXNz', ''])
      for (const path of ['/v1/events', '/health'])
        expect([authorization, await ask(`${url}${path}`, { authorization })]).toMatchObject([
          authorization,
          { status: 401, code: 'TOKEN_INVALID', authenticate: 'Bearer error="invalid_token"' }
        ])
  })

  test('one that has ended is told apart from one that is none', async () => {
    const { url, node, clock } = await worldWithEvents()
    const [short, long] = [await tokenFor(node, ['a:one'], { ttlMs: 60_000 }), await tokenFor(node, ['a:one'])]
    await clock.advance(60_000)
    await node.revokeToken(long.split('.')[0] ?? '')
    expect(await ask(`${url}/v1/events`, bearer(short))).toMatchObject({ status: 401, code: 'TOKEN_EXPIRED' })
    expect(await ask(`${url}/v1/events`, bearer(long))).toMatchObject({ status: 401, code: 'TOKEN_INVALID' })
  })

  test('that reads nothing, readers are shown nothing', async () => {
    const { url, node } = await worldWithEvents()
    const token = bearer(await tokenFor(node, ['a:one'], { rights: ['hand-in'] }))
    expect((await ask(`${url}/v1/projections/batches`, token)).body).toMatchObject({ rows: [], nextCursor: null })
    expect((await ask(`${url}/v1/events?namespace=a:one`, token)).code).toBe('ACCESS_DENIED')
    expect((await ask(`${url}/v1/events?namespace=_trust`, token)).code).toBe('ACCESS_DENIED')
    expect((await ask(`${url}/v1/tickets`, token, 'POST')).code).toBe('ACCESS_DENIED')
    for (const path of ['/health', '/readyz']) expect((await ask(url + path, token)).body).toEqual({ status: 'ok' })
  })

  test('refusals are counted on record, without the token', async () => {
    const { url, node, store } = await worldWithEvents()
    const [token, secret] = [await tokenFor(node, ['a:one']), '0123456789abcdef.hidden']
    for (const headers of [bearer(secret), bearer(secret), ELSEWHERE]) await ask(`${url}/v1/events`, headers)
    await ask(`${url}/v1/events?namespace=b:one`, bearer(token))
    // Counts are written at the end of their minute, and before the store is closed.
    await node.close()
    await store.reopen()
    const again = await openWorld({ store })
    const records = await collect(again.node.audit({ action: 'ACCESS_REFUSED' }))
    expect(records).toMatchObject([
      { actor: '127.0.0.1', subject: 'GET /v1/events', code: 'TOKEN_INVALID', detail: { count: 2 } },
      { actor: '127.0.0.1', code: 'TOKEN_REQUIRED' },
      { actor: `token:${token.split('.')[0]}`, code: 'ACCESS_DENIED' }
    ])
    expect(JSON.stringify(records)).not.toContain('hidden')
  })
})

describe('with a client certificate', () => {
  test('its DID’s namespaces are shown; a token that comes with it counts instead', async () => {
    const { node } = await worldWithEvents()
    const { url } = await listenTo(node, DAN.signer.did)
    expect((await ask(`${url}/v1/projections/batches`, ELSEWHERE)).body).toMatchObject({
      rows: [{ namespace: 'b:one' }]
    })
    expect((await ask(`${url}/v1/events?namespace=a:one`)).code).toBe('ACCESS_DENIED')
    const token = bearer(await tokenFor(node, ['a:one']))
    expect((await ask(`${url}/v1/projections/batches`, token)).body).toMatchObject({ rows: [{ namespace: 'a:one' }] })
    expect(await ask(`${url}/v1/tickets`, {}, 'POST')).toMatchObject({ status: 401, code: 'TOKEN_REQUIRED' })
  })
})

describe('tickets', () => {
  test('open the one stream, for a minute, as often as they are shown, and nothing else', async () => {
    const { url, node, clock } = await worldWithEvents()
    const token = await tokenFor(node, ['a:one'])
    const issued = await ask(`${url}/v1/tickets`, { ...bearer(token), ...ELSEWHERE }, 'POST')
    expect(issued).toMatchObject({ status: 201, body: { expiresAt: clock.now() + 60_000 } })
    const { ticket } = issued.body as { readonly ticket: string }
    const { access } = node.gateway
    expect(access.ofTicket(ticket)).toMatchObject({
      ok: true,
      grant: { scope: { actor: `token:${token.split('.')[0]}` } }
    })
    expect(access.ofTicket(ticket)).toMatchObject({ ok: true })
    // Elsewhere it is an unknown parameter, and opens nothing.
    expect((await ask(`${url}/v1/events?ticket=${ticket}`, ELSEWHERE)).code).toBe('TOKEN_REQUIRED')
    expect((await ask(`${url}/v1/events?ticket=${ticket}`)).code).toBe('QUERY_INVALID')
    expect((await ask(`${url}/v1/events`, bearer(ticket))).code).toBe('TOKEN_INVALID')
    await clock.advance(59_999)
    expect(access.ofTicket(ticket)).toMatchObject({ ok: true })
    await clock.advance(1)
    expect(access.ofTicket(ticket)).toEqual({ ok: false, code: 'TOKEN_EXPIRED' })
    expect(access.ofTicket('x')).toEqual({ ok: false, code: 'TOKEN_INVALID' })
  })

  test('end with their token', async () => {
    const { node } = await worldWithEvents()
    const id = (await tokenFor(node, ['a:one'])).split('.')[0] ?? ''
    const ticket = node.gateway.access.ticketFor(id)?.ticket ?? ''
    await node.revokeToken(id)
    expect(node.gateway.access.ofTicket(ticket)).toEqual({ ok: false, code: 'TOKEN_INVALID' })
  })

  test('are limited for each token, and asked for with one', async () => {
    const { url, node } = await worldWithEvents()
    expect(await ask(`${url}/v1/tickets`, {}, 'POST')).toMatchObject({ status: 401, code: 'TOKEN_REQUIRED' })
    const [one, other] = [await tokenFor(node, ['a:one']), await tokenFor(node, ['a:one'])]
    for (let count = 0; count < 64; count += 1) node.gateway.access.ticketFor(one.split('.')[0] ?? '')
    expect(await ask(`${url}/v1/tickets`, bearer(one), 'POST')).toMatchObject({ status: 429, code: 'RATE_LIMITED' })
    expect((await ask(`${url}/v1/tickets`, bearer(other), 'POST')).status).toBe(201)
  })

  test('are in no line of the log', async () => {
    const { node } = await worldWithEvents()
    const lines: LogLine[] = []
    const { url } = await listen(node, { logger: recordingLogger(lines) })
    for (const path of [
      '/v1/subscribe?projection=batches&ticket=sesame',
      '/v1/events?ticket=sesame',
      '/%zz?ticket=sesame'
    ])
      await rawGet(`${url}${path}`, ELSEWHERE)
    expect(lines.length).toBeGreaterThan(0)
    expect(JSON.stringify(lines)).not.toContain('sesame')
  })
})

describe('pages of other origins', () => {
  const upgrade = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    'sec-websocket-version': '13'
  }

  test('get no WebSocket by being on this machine, or by its certificate', async () => {
    const { node } = await worldWithEvents()
    for (const did of [null, ADA.signer.did]) {
      const { url } = await listenTo(node, did)
      const asked = async (origin: string): Promise<string | null> =>
        (await ask(`${url}/v1/projections/batches`, { ...upgrade, origin })).code
      expect(await asked('https://evil.example')).toBe('ACCESS_DENIED')
      expect(await asked('null')).toBe('ACCESS_DENIED')
      expect(await asked('https://app.example')).toBeNull()
      expect(await asked(url)).toBeNull()
    }
  })

  test('may be allowed to show tokens and to hand in, never with what a browser adds by itself', async () => {
    const { node } = await worldWithEvents()
    const { url } = await listen(node, { corsOrigins: ['https://app.example', 'null'] })
    const preflight = await rawGet(
      `${url}/v1/receipts`,
      { origin: 'https://app.example', 'access-control-request-method': 'POST', ...ELSEWHERE },
      'OPTIONS'
    )
    expect([preflight.status, preflight.headers]).toMatchObject([
      204,
      {
        'access-control-allow-origin': 'https://app.example',
        'access-control-allow-methods': 'GET, HEAD, POST',
        'access-control-allow-headers': 'authorization, content-type, if-none-match, last-event-id'
      }
    ])
    expect(preflight.headers).not.toHaveProperty('access-control-allow-credentials')
    // By the name that a reverse proxy on this machine was asked for: a preflight never shows a token.
    const preflightBeyondProxy = await rawGet(
      `${url}/v1/receipts`,
      { host: 'node.example', origin: 'https://app.example', 'access-control-request-method': 'POST' },
      'OPTIONS'
    )
    expect(preflightBeyondProxy.status).toBe(204)
    const sandboxed = await rawGet(`${url}/health`, { origin: 'null' })
    expect(sandboxed.headers).not.toHaveProperty('access-control-allow-origin')
    // The page has to learn why it was refused.
    const refused = await rawGet(`${url}/v1/events`, { origin: 'https://app.example', ...ELSEWHERE })
    expect([refused.status, refused.headers['access-control-allow-origin']]).toEqual([401, 'https://app.example'])
  })
})
