import { describe, expect, test } from 'vitest'
import { createClient } from '../../src/client/index.ts'
import type { ProjectionName } from '../../src/client/index.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { clientOf, failureOf, json, problem, scriptedNode } from './support.ts'

const page = (rows: readonly object[], nextCursor: string | null = null, more: object = {}) => ({
  projection: 'sequences',
  version: 1,
  epoch: '00112233445566ff',
  logSeq: 4,
  rows,
  nextCursor,
  ...more
})
const row = (events: number, namespace = 'dao:test') => ({
  namespace,
  signer: 'did:key:z6MkTest',
  kid: 'k',
  tips: [],
  forked: false,
  events
})

const collect = async <Value>(values: AsyncIterable<Value>): Promise<Value[]> => {
  const list: Value[] = []
  for await (const value of values) list.push(value)
  return list
}

describe('calls', () => {
  test('send the filters, the token, and nothing to another place', async () => {
    const seen: { url: string; headers: Record<string, unknown> }[] = []
    const server = await scriptedNode((url, response, { headers }) => {
      seen.push({ url: `${url.pathname}${url.search}`, headers })
      response.writeHead(200).end(JSON.stringify(page([])))
    })
    const client = clientOf(server, { url: `${server.url}/below`, token: 'id.secret' })
    await client.query('sequences', { namespace: 'dao:test', limit: 5, at: undefined, include: ['proof', 'record'] })
    expect(seen[0]).toMatchObject({
      url: '/below/v1/projections/sequences?namespace=dao%3Atest&limit=5&include=proof%2Crecord',
      headers: { authorization: 'Bearer id.secret', accept: 'application/json' }
    })
  })

  test('walk pages to their end, also over empty ones', async () => {
    const server = await scriptedNode(
      json(page([row(1)], 'a')),
      json(page([], 'b')),
      json(page([row(2), row(3)], null))
    )
    const rows = await collect(clientOf(server).rows('sequences'))
    expect(rows.map((one) => 'events' in one && one.events)).toEqual([1, 2, 3])
    expect(server.paths.at(-1)).toBe('/v1/projections/sequences?cursor=b')
  })

  test('a failing node says so itself', async () => {
    const failing = { status: 'failing', did: 'did:key:z6MkTest', peerId: null, version: '1', uptimeMs: 1, logSeq: 0 }
    const server = await scriptedNode(json({ ...failing, reasons: ['the disk is full'] }, 503))
    expect(await clientOf(server).health()).toMatchObject({ status: 'failing', reasons: ['the disk is full'] })
  })

  test('an event that is not there is null, any other refusal an error', async () => {
    const missing = await scriptedNode(problem(404, 'NOT_FOUND'))
    expect(await clientOf(missing).event('0'.repeat(64))).toBeNull()
    const denied = await scriptedNode(problem(403, 'ACCESS_DENIED'))
    expect(await failureOf(clientOf(denied).event('x'))).toMatchObject({ code: 'ACCESS_DENIED', status: 403 })
  })

  test('hand receipts in, and get tickets', async () => {
    const server = await scriptedNode(
      json({ receiptHashes: ['a', 'b'], queued: 9 }, 202),
      json({ ticket: 't', expiresAt: 1 }, 201)
    )
    const client = clientOf(server)
    const handed = await client.handIn({ namespace: 'dao:test', receipts: [{ n: 1 }, { n: 2 }] })
    expect(handed).toEqual({ receiptHashes: ['a', 'b'], queued: 9 })
    expect(await client.ticket()).toEqual({ ticket: 't', expiresAt: 1 })
  })
})

describe('failures', () => {
  test('have the code, the status and the advice of the node', async () => {
    const more = { hint: 'go elsewhere', data: { epoch: 'e' }, oldest: 12 }
    const server = await scriptedNode(problem(410, 'STATE_OUTDATED', {}, more))
    expect(await failureOf(clientOf(server).query('winners', { at: 1 }))).toMatchObject({
      name: 'ClientError',
      code: 'STATE_OUTDATED',
      status: 410,
      message: 'no: STATE_OUTDATED',
      requestId: 'r-1',
      ...more
    })
  })

  test('wait as long as a date says', async () => {
    const now = Date.parse('2026-07-01T00:00:00Z')
    const server = await scriptedNode(problem(503, 'OVERLOADED', { 'retry-after': 'Wed, 01 Jul 2026 00:00:30 GMT' }))
    const client = clientOf(server, { clock: { ...systemClock, now: () => now } })
    expect(await failureOf(client.health())).toMatchObject({ code: 'ANSWER_MALFORMED' })
    expect(await failureOf(client.node())).toMatchObject({ code: 'OVERLOADED', retryAfterMs: 30_000 })
  })

  test.each([['nobody listens', 'http://127.0.0.1:1', 'UNREACHABLE']])('%s', async (_name, url, code) => {
    expect(await failureOf(createClient({ url }).health())).toMatchObject({ code, status: null, isRetryable: true })
  })

  test('redirects are not followed', async () => {
    const other = await scriptedNode(json(page([])))
    const server = await scriptedNode((_url, response) => response.writeHead(307, { location: other.url }).end())
    expect(await failureOf(clientOf(server).query('sequences'))).toMatchObject({ code: 'UNREACHABLE' })
    expect(other.paths).toEqual([])
  })

  test.each(['the head', 'the rest'])('a node that never sends %s is given up', async (missing) => {
    const server = await scriptedNode((_url, response) => {
      if (missing === 'the rest') response.writeHead(200).write('{')
    })
    const failure = await failureOf(clientOf(server).query('sequences', {}, { timeoutMs: 30 }))
    expect(failure).toMatchObject({ code: 'TIMED_OUT', isRetryable: true })
  })

  test('the signal of the caller ends a call with its own reason', async () => {
    const reason = new Error('enough')
    const ending = new AbortController()
    const server = await scriptedNode(() => ending.abort(reason))
    await expect(clientOf(server).health({ signal: ending.signal })).rejects.toBe(reason)
    await expect(clientOf(server).health({ signal: ending.signal })).rejects.toBe(reason)
    expect(server.paths).toHaveLength(1)
  })

  test.each([
    ['no JSON', '{'],
    ['another form', '[]'],
    ['another projection', JSON.stringify(page([], null, { projection: 'winners' }))],
    ['a column of another type', JSON.stringify(page([{ ...row(1), events: 'many' }]))],
    ['rows of another namespace', JSON.stringify(page([row(1, 'dao:other')]))],
    ['no UTF-8', Buffer.from([0x22, 0xff, 0x22])]
  ])('an answer of %s is none', async (_name, body) => {
    const server = await scriptedNode((_url, response) => response.writeHead(200).end(body))
    const failure = await failureOf(clientOf(server).query('sequences', { namespace: 'dao:test' }))
    expect(failure).toMatchObject({ code: 'ANSWER_MALFORMED' })
  })

  test('an answer without end is cut off', async () => {
    const server = await scriptedNode((_url, response) => {
      response.writeHead(200)
      const more = (): void =>
        void (response.write('x'.repeat(65_536)) ? setImmediate(more) : response.once('drain', more))
      more()
    })
    expect(await failureOf(clientOf(server).digest('dao:test'))).toMatchObject({ code: 'ANSWER_TOO_LARGE' })
  })

  test('pages that go in a circle, events that go back', async () => {
    const circle = await scriptedNode(json(page([], 'a')))
    expect(await failureOf(collect(clientOf(circle).rows('sequences')))).toMatchObject({ code: 'ANSWER_MALFORMED' })
    const event = { logSeq: 3, scope: 'shared', id: 'x', bytes: '', event: {} }
    for (const answer of [
      { events: [event, event], next: null },
      { events: [event], next: 2 },
      { events: [{ ...event, scope: 'local' }], next: null }
    ]) {
      const server = await scriptedNode(json(answer))
      expect(await failureOf(collect(clientOf(server).events()))).toMatchObject({ code: 'ANSWER_MALFORMED' })
    }
  })

  test('a projection that this client does not know', async () => {
    const client = createClient({ url: 'http://127.0.0.1:1' })
    const name = 'toString' as ProjectionName
    expect(await failureOf(client.query(name))).toMatchObject({ code: 'UNKNOWN_PROJECTION' })
    expect(await failureOf(client.subscribe(name).next())).toMatchObject({ code: 'UNKNOWN_PROJECTION' })
  })
})

describe('addresses', () => {
  test.each([
    '',
    'node.example',
    'ftp://node.example',
    'https://user:pass@node.example',
    'https://node.example/?a=1',
    'https://node.example/#a'
  ])('%s is none', (url) => {
    expect(() => createClient({ url })).toThrow(expect.objectContaining({ code: 'URL_INVALID' }))
  })

  test('a token does not travel unencrypted, but on this machine', () => {
    const token = 'id.secret'
    for (const url of ['http://node.example', 'http://127.evil.example', 'http://10.0.0.1', 'http://localhost.evil'])
      expect(() => createClient({ url, token })).toThrow(expect.objectContaining({ code: 'URL_INVALID' }))
    for (const url of ['https://node.example', 'http://127.0.0.1:8088', 'http://localhost:1', 'http://[::1]:8088/a'])
      expect(() => createClient({ url, token })).not.toThrow()
  })
})
