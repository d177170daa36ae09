import { createServer } from 'node:net'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { EVENTS_LOOKED_AT_MAX } from '../../src/http/limits.ts'
import * as schemas from '../../src/http/schemas.ts'
import type { LoggedEvent, Operations } from '../../src/operations.ts'
import { AnchormeshError } from '../../src/platform/errors.ts'
import type { FailureCode } from '../../src/platform/errors.ts'
import type { LogLine } from '../support/recording-logger.ts'
import { recordingLogger } from '../support/recording-logger.ts'
import { nodeWith, problemOf, publicListener, rawExchange, rawGet } from './support/listeners.ts'
import { NAMESPACE, memoryNode } from './support/memory-operations.ts'

const get = async (path: string, operations: Operations = nodeWith(3), init: RequestInit = {}): Promise<Response> =>
  await fetch(`${(await publicListener({ operations })).url}${path}`, init)

describe('GET /health', () => {
  it('says that the node is well', async () => {
    const response = await get('/health')
    expect(response.status).toBe(200)
    const body: unknown = await response.json()
    expect(body).toEqual({
      status: 'ok',
      did: 'did:key:z6MkTest',
      peerId: '12D3KooWTest',
      version: '0.1.0',
      uptimeMs: 5,
      logSeq: 3
    })
    expect(schemas.health.parse(body)).toEqual(body)
    expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-z]+-1$/)
  })

  it('says why it is not, with 503', async () => {
    const status = {
      ...(await memoryNode().status()),
      health: { ok: false, reasons: ['projection batches halted'] },
      network: null
    }
    const response = await get('/health', memoryNode({ status: async () => status }))
    expect(response.status).toBe(503)
    expect(await response.json()).toMatchObject({
      status: 'failing',
      peerId: null,
      reasons: ['projection batches halted']
    })
  })
})

describe('GET /v1/projections/{name}', () => {
  it('hands on every query parameter', async () => {
    const asked = {
      namespace: NAMESPACE,
      batchId: 'b-1',
      signer: 'did:key:z6MkTest',
      status: 'unverified',
      cursor: 'WyJwIl0',
      fromTs: 1,
      toTs: 2,
      limit: 500,
      at: 4,
      waitFor: 5
    }
    const search = new URLSearchParams(
      Object.entries(asked).map(([name, value]): [string, string] => [name, String(value)])
    )
    const response = await get(`/v1/projections/batches?${search.toString()}`)
    expect(response.status).toBe(200)
    const body: unknown = await response.json()
    expect(body).toEqual({
      projection: 'batches',
      version: 1,
      epoch: 'e1',
      logSeq: 3,
      rows: [{ asked }],
      nextCursor: null
    })
    expect(schemas.projectionPage.parse(body)).toEqual(body)
  })

  it('takes the reserved namespace', async () => {
    const response = await get('/v1/projections/batches?namespace=_trust')
    expect(await response.json()).toMatchObject({ rows: [{ asked: { namespace: '_trust' } }] })
  })

  it.each([
    ['an unknown parameter', 'namspace=dao:test', 'unknown: "namspace"'],
    ['a limit above 500', 'limit=501', 'limit: is no integer from 1 to 500'],
    ['a limit of 0', 'limit=0', 'limit: is no integer from 1 to 500'],
    ['no limit at all', 'limit=', 'limit: is no integer from 1 to 500'],
    ['a limit in another notation', 'limit=1e2', 'limit: is no integer from 1 to 500'],
    ['a repeated parameter', 'limit=1&limit=2', 'limit: '],
    ['a position that is no safe integer', 'at=9007199254740993', 'at: is no integer from 0 to 9007199254740991'],
    ['a namespace that is none', 'namespace=DAO', 'namespace: is no namespace'],
    ['a batch id that is none', 'batchId=%20', 'batchId: is no batch id'],
    ['a signer that is none', 'signer=me', 'signer: is no DID'],
    ['an empty cursor', 'cursor=', 'cursor: '],
    ['a parameter with the name of a prototype', '__proto__=1', 'unknown: "__proto__"']
  ])('refuses %s', async (_name, search, detail) => {
    const response = await get(`/v1/projections/batches?${search}`)
    const told = await problemOf(response)
    expect(told).toMatchObject({ type: 'about:blank', title: 'Bad Request', status: 400, code: 'QUERY_INVALID' })
    expect(told.detail).toContain(detail)
    expect(told.requestId).toBe(response.headers.get('x-request-id'))
  })

  it.each<[FailureCode, number]>([
    ['UNKNOWN_PROJECTION', 404],
    ['STATE_OUTDATED', 410],
    ['CURSOR_TOO_OLD', 410],
    ['CURSOR_FOREIGN', 400],
    ['CURSOR_FUTURE', 400],
    ['QUERY_INVALID', 400],
    ['NOT_YET', 503],
    ['PROJECTION_HALTED', 503]
  ])('answers %s with %d', async (code, status) => {
    const query: Operations['query'] = () =>
      Promise.reject(new AnchormeshError(code, 'no', { hint: 'do', detail: { oldest: 12 } }))
    const response = await get('/v1/projections/batches', memoryNode({ query }))
    expect(response.status).toBe(status)
    expect(await problemOf(response)).toMatchObject({
      status,
      code,
      detail: 'no',
      hint: 'do',
      oldest: 12,
      data: { oldest: 12 }
    })
    expect(response.headers.get('retry-after')).toBe(code === 'NOT_YET' ? '1' : null)
  })

  it('answers 304 for as long as nothing has changed', async () => {
    const operations = nodeWith(1)
    const url = `${(await publicListener({ operations })).url}/v1/projections/batches`
    const first = await fetch(url)
    const etag = first.headers.get('etag') ?? ''
    expect(etag).toMatch(/^"[A-Za-z0-9_-]{43}"$/)
    expect(first.headers.get('cache-control')).toBe('no-cache')
    await first.text()
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const same = await fetch(url, { headers: { 'if-none-match': known } })
      expect([same.status, await same.text(), same.headers.get('etag')]).toEqual([304, '', etag])
    }
    operations.append(Buffer.from('one more'))
    const changed = await fetch(url, { headers: { 'if-none-match': etag } })
    expect(changed.status).toBe(200)
    expect(changed.headers.get('etag')).not.toBe(etag)
  })

  it('gives no ETag to an error', async () => {
    expect((await get('/v1/projections/none')).headers.get('etag')).toBeNull()
  })
})

describe('GET /v1/events', () => {
  it('pages through the log', async () => {
    const operations = nodeWith(5)
    const { url } = await publicListener({ operations })
    const page = async (search: string): Promise<unknown> => await (await fetch(`${url}/v1/events?${search}`)).json()
    expect(await page('limit=2')).toEqual({ events: operations.log.slice(0, 2), next: 2 })
    expect(await page('limit=3&after=2')).toEqual({ events: operations.log.slice(2), next: null })
    expect(await page('after=5')).toEqual({ events: [], next: null })
    expect(await page(`namespace=${NAMESPACE}&after=5&scope=all`)).toEqual({ events: [], next: null })
  })

  it.each(['/v1/events', '/v1/projections/batches'])(
    '%s: 404 for a namespace that is neither carried nor logged',
    async (path) => {
      const operations = memoryNode()
      operations.append(Buffer.from('once carried'), 'dao:other')
      const { url } = await publicListener({ operations })
      const asked = async (namespace: string): Promise<Response> => await fetch(`${url}${path}?namespace=${namespace}`)
      for (const namespace of [NAMESPACE, 'dao:other']) expect((await asked(namespace)).status).toBe(200)
      expect(await problemOf(await asked('dao:nope'))).toMatchObject({
        status: 404,
        code: 'NOT_FOUND',
        data: { namespace: 'dao:nope', carried: ['_trust', NAMESPACE] }
      })
    }
  )

  it('ends a page early that grows large', async () => {
    const operations = memoryNode()
    for (let number = 0; number < 70; number += 1) operations.append(new Uint8Array(49_152).fill(number))
    const { url } = await publicListener({ operations })
    const body = schemas.eventsPage.parse(await (await fetch(`${url}/v1/events?limit=70`)).json())
    expect(body.events.length).toBeGreaterThan(60)
    expect(body.events.length).toBeLessThan(70)
    expect(body.next).toBe(body.events.length)
  })

  it('looks at a bounded part of the log for one page, and goes on from there', async () => {
    const operations = memoryNode()
    const count = 2 * EVENTS_LOOKED_AT_MAX + 10
    for (let number = 1; number <= count; number += 1) {
      operations.append(Buffer.from(String(number)), number === count ? 'dao:other' : NAMESPACE)
    }
    let looked = 0
    const events: Operations['events'] = async function* (query, signal) {
      for await (const event of operations.events(query, signal)) {
        looked += 1
        yield event
      }
    }
    const { url } = await publicListener({ operations: { ...operations, events } })
    const pages = []
    for (let after: number | null = 0; after !== null; after = pages.at(-1)?.next ?? null) {
      looked = 0
      const response = await fetch(`${url}/v1/events?namespace=dao:other&after=${after}`)
      pages.push(schemas.eventsPage.parse(await response.json()))
      // One more shows that there is more, and one that the namespace is known.
      expect(looked).toBeLessThanOrEqual(EVENTS_LOOKED_AT_MAX + 2)
    }
    expect(pages).toEqual([
      { events: [], next: EVENTS_LOOKED_AT_MAX },
      { events: [], next: 2 * EVENTS_LOOKED_AT_MAX },
      { events: operations.log.slice(-1), next: null }
    ])
  })

  it('filters by scope, namespace, signer and type', async () => {
    const shared = (logSeq: number, event: JsonObject): LoggedEvent => ({
      logSeq,
      scope: 'shared',
      id: 'a'.repeat(64),
      bytes: '',
      event
    })
    const log: readonly LoggedEvent[] = [
      { logSeq: 1, scope: 'local', id: null, bytes: '', event: { type: 'policy' } },
      shared(2, { namespace: 'dao:a', signer: 'did:key:z6MkA', type: 'announce' }),
      shared(3, { namespace: 'dao:b', signer: 'did:key:z6MkA', type: 'policy' })
    ]
    const events: Operations['events'] = async function* () {
      yield* log
    }
    const { url } = await publicListener({ operations: memoryNode({ events }) })
    const found = async (search: string): Promise<number[]> => {
      const body = schemas.eventsPage.parse(await (await fetch(`${url}/v1/events?${search}`)).json())
      return body.events.map(({ logSeq }) => logSeq)
    }
    expect(await found('')).toEqual([2, 3])
    expect(await found('scope=all')).toEqual([1, 2, 3])
    expect(await found('scope=local')).toEqual([1])
    expect(await found('scope=all&type=policy')).toEqual([1, 3])
    expect(await found('scope=all&namespace=dao:b')).toEqual([3])
    expect(await found('scope=all&signer=did:key:z6MkA&type=announce')).toEqual([2])
  })

  it.each(['limit=501', 'scope=mine', 'follow=true', 'after=-1', 'type=A', 'x=1'])('refuses %s', async (search) => {
    expect(await problemOf(await get(`/v1/events?${search}`))).toMatchObject({ status: 400, code: 'QUERY_INVALID' })
  })
})

describe('GET /v1/events/{id}', () => {
  it('gives one event', async () => {
    const operations = nodeWith(3)
    const response = await get(`/v1/events/${operations.log[1]?.id ?? ''}`, operations)
    expect(await response.json()).toEqual(operations.log[1])
  })

  it.each(['0'.repeat(64), 'nothing', 'a'.repeat(200)])('has none with the id %s', async (id) => {
    expect(await problemOf(await get(`/v1/events/${id}`))).toMatchObject({ status: 404, code: 'NOT_FOUND' })
  })
})

describe('GET /v1/digest', () => {
  it('gives what two nodes compare', async () => {
    const body: unknown = await (await get(`/v1/digest?namespace=${NAMESPACE}`)).json()
    expect(schemas.digest.parse(body)).toEqual(body)
    expect(body).toMatchObject({ namespace: NAMESPACE, count: 3 })
  })

  it('knows no namespace that is not carried', async () => {
    expect(await problemOf(await get('/v1/digest?namespace=dao:other'))).toMatchObject({
      status: 404,
      code: 'NOT_FOUND'
    })
  })

  it('wants a namespace', async () => {
    expect(await problemOf(await get('/v1/digest'))).toMatchObject({ status: 400, code: 'QUERY_INVALID' })
  })
})

describe('everything else', () => {
  it.each([
    ['GET', '/'],
    ['GET', '/v1'],
    ['POST', '/v1/events'],
    ['GET', '/v1/admin/status'],
    ['GET', '/v1/projections'],
    ['GET', `/v1/projections/${'a'.repeat(500)}`]
  ])('%s %s is not found', async (method, path) => {
    expect(await problemOf(await get(path, memoryNode(), { method }))).toMatchObject({ status: 404, code: 'NOT_FOUND' })
  })

  it('refuses a path that can not be decoded', async () => {
    const { url } = await publicListener()
    const { status, body } = await rawGet(`${url}/v1/projections/%zz`)
    expect([status, JSON.parse(body)]).toEqual([400, expect.objectContaining({ code: 'QUERY_INVALID' })])
  })

  it('answers HEAD without a body', async () => {
    const response = await get('/v1/projections/batches', memoryNode(), { method: 'HEAD' })
    expect([response.status, await response.text()]).toEqual([200, ''])
  })

  it('answers what is no HTTP request with a problem', async () => {
    const { url } = await publicListener()
    expect(await rawExchange(url, 'hello\r\n\r\n')).toMatch(
      /^HTTP\/1\.1 400 Bad Request\r\ncontent-type: application\/problem\+json\r\n.*"code":"BODY_MALFORMED"/s
    )
    const long = `GET /health HTTP/1.1\r\nhost: localhost\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`
    expect(await rawExchange(url, long)).toMatch(/^HTTP\/1\.1 431 .*"code":"HEADERS_TOO_LARGE"/s)
  })
})

describe('failures of the node', () => {
  it('are logged with their stack and told by the request id alone', async () => {
    const lines: LogLine[] = []
    const logger = recordingLogger(lines)
    const status: Operations['status'] = () => Promise.reject(new TypeError('secret of line 12'))
    const { url } = await publicListener({ operations: memoryNode({ status }), logger })
    const response = await fetch(`${url}/health`)
    const told = await problemOf(response)
    expect(told).toMatchObject({ status: 500, code: 'INTERNAL', requestId: response.headers.get('x-request-id') })
    expect(JSON.stringify(told)).not.toContain('secret')
    const logged = lines.find(({ level }) => level === 'error')
    expect(logged?.fields).toMatchObject({ requestId: told.requestId, method: 'GET', path: '/health' })
    expect(logged?.fields['stack']).toContain('TypeError: secret of line 12')
  })

  it('name no file of the store to readers', async () => {
    const status: Operations['status'] = () =>
      Promise.reject(new AnchormeshError('STORE_CORRUPT', '/srv/node/store is damaged'))
    const response = await get('/health', memoryNode({ status }))
    expect(await response.text()).not.toContain('/srv/node')
    expect(response.status).toBe(503)
  })
})

describe('who may ask', () => {
  it.each(['localhost', 'LOCALHOST:1', '127.0.0.1', '127.0.0.1:8088', '[::1]', '[::1]:8088'])(
    'the host %s is this machine',
    async (host) => {
      const { url } = await publicListener()
      expect((await rawGet(`${url}/health`, { host })).status).toBe(200)
    }
  )

  it.each([
    'evil.example',
    'evil.example:8088',
    '127.0.0.1.evil.example',
    'localhost.evil.example',
    '10.0.0.1',
    '[::2]',
    '127.0.0.1:x',
    'localhost:1:2'
  ])('the host %s is not (DNS rebinding)', async (host) => {
    const { url } = await publicListener()
    for (const path of ['/health', '/nowhere']) {
      const { status, body } = await rawGet(`${url}${path}`, { host })
      expect([status, JSON.parse(body)]).toEqual([403, expect.objectContaining({ code: 'HOST_NOT_ALLOWED' })])
    }
  })

  it('a request without a host is refused', async () => {
    const { url } = await publicListener()
    expect(await rawExchange(url, 'GET /health HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 403 /)
  })

  it('pages of configured origins may read, others may not', async () => {
    const { url } = await publicListener({ corsOrigins: ['https://app.example'] })
    const ask = async (origin: string, init: RequestInit = {}): Promise<Response> =>
      await fetch(`${url}/health`, { ...init, headers: { origin, ...(init.headers as Record<string, string>) } })
    const asPreflight = { method: 'OPTIONS', headers: { 'access-control-request-method': 'GET' } }
    const allowed = await ask('https://app.example')
    expect([allowed.headers.get('access-control-allow-origin'), allowed.headers.get('vary')]).toEqual([
      'https://app.example',
      'origin'
    ])
    const preflight = await ask('https://app.example', asPreflight)
    expect([preflight.status, preflight.headers.get('access-control-allow-headers')]).toEqual([
      204,
      'authorization, content-type, if-none-match, last-event-id'
    ])
    expect((await ask('https://evil.example')).headers.get('access-control-allow-origin')).toBeNull()
    const foreign = await ask('https://evil.example', asPreflight)
    expect([...foreign.headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([])
    const closed = await fetch(`${(await publicListener()).url}/health`, { headers: { origin: 'https://app.example' } })
    expect(closed.headers.get('access-control-allow-origin')).toBeNull()
  })
})

describe('where it listens', () => {
  it.each(['127.0.0.1:0', 'localhost:0', '[::1]:0'])('on %s', async (listen) => {
    const { url } = await publicListener({ listen })
    expect((await fetch(`${url}/health`)).status).toBe(200)
  })

  it.each(['0.0.0.0:0', '[::]:0', '192.0.2.1:0', 'node.example:0', '127.0.0.1', '127.0.0.1:65536', ''])(
    'not on %j',
    async (listen) => {
      const failed = publicListener({ listen })
      await expect(failed).rejects.toMatchObject({ code: 'CONFIG_INVALID', detail: { key: 'http.listen' } })
      await expect(failed).rejects.toHaveProperty('hint')
    }
  )

  it('says when the port is taken, and leaves nothing behind', async () => {
    const other = createServer()
    other.listen(0, '127.0.0.1')
    await once(other, 'listening')
    onTestFinished(() => void other.close())
    const { port } = other.address() as AddressInfo
    await expect(publicListener({ listen: `127.0.0.1:${port}` })).rejects.toMatchObject({
      code: 'PORT_IN_USE',
      detail: { port }
    })
  })
})
