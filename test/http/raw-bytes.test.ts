import { once } from 'node:events'
import { connect } from 'node:net'
import { connect as connectTls } from 'node:tls'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ADMIN_LIMITS, BODY_BYTES_MAX, PUBLIC_LIMITS } from '../../src/http/limits.ts'
import { createHandClock } from '../support/hand-clock.ts'
import { until } from '../support/until.ts'
import { untilAnswer } from '../support/until-answer.ts'
import { makeIdentity } from './support/certificates.ts'
import { AUTHORIZED, TOKEN, adminListener, publicListener, rawExchange } from './support/listeners.ts'
import { memoryNode } from './support/memory-operations.ts'
import { askTls, trusting } from './support/tls-client.ts'

const QUICK = {
  ...PUBLIC_LIMITS,
  headersTimeoutMs: 40,
  requestTimeoutMs: 40,
  keepAliveTimeoutMs: 1,
  timeoutCheckMs: 10
}
const GET = 'GET /livez HTTP/1.1\r\nhost: localhost\r\n'
const POST = 'POST /v1/packs HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/octet-stream\r\n'

/** The statuses of all that was answered to these bytes. */
async function statusesOf(url: string, sent: string, exchange = rawExchange): Promise<number[]> {
  const text = await exchange(url, sent).catch((error: unknown) => {
    // Closed while there was more to read: no answer.
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ECONNRESET' || code === 'EPIPE') return ''
    throw error
  })
  return [...text.matchAll(/HTTP\/1\.1 ([0-9]{3}) /g)].map(([, status]) => Number(status))
}

/** As `rawExchange`, and says at once that nothing more comes. */
async function endedExchange(url: string, sent: string): Promise<string> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.end(sent)
  let received = ''
  for await (const chunk of socket) received += (chunk as Buffer).toString('utf8')
  return received
}

describe('one request is one request, or none', () => {
  it.each([
    ['two lengths', `${POST}content-length: 5\r\ncontent-length: 6\r\n\r\nhello!`],
    ['two equal lengths', `${POST}content-length: 5\r\ncontent-length: 5\r\n\r\nhello`],
    ['a length that is none', `${POST}content-length: +5\r\n\r\nhello`],
    ['a list of lengths', `${POST}content-length: 5, 5\r\n\r\nhello`],
    ['length and chunks', `${POST}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${GET}\r\n`],
    ['chunks that are not the last coding', `${POST}transfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n`],
    ['a coding that is almost chunked', `${POST}transfer-encoding: xchunked\r\n\r\n0\r\n\r\n`],
    ['a chunk size with more behind it', `${POST}transfer-encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n`],
    ['a folded header', `${GET}x-a: 1\r\n folded: 2\r\n\r\n`],
    ['a space before the colon', `${GET}content-length : 5\r\n\r\nhello`],
    ['a bare line feed', 'GET /livez HTTP/1.1\nhost: localhost\n\n'],
    ['a NUL in a header', `${GET}x-a: a\0b\r\n\r\n`],
    ['no host', 'GET /livez HTTP/1.1\r\n\r\n'],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['a version of its own', 'GET /livez HTTP/9.9\r\nhost: localhost\r\n\r\n'],
    ['HTTP/0.9', 'GET /livez\r\n']
  ])('%s', async (_name, sent) => {
    const { url } = await publicListener({ limits: QUICK })
    const statuses = await statusesOf(url, sent)
    expect(statuses.length).toBeLessThanOrEqual(1)
    // 404: what is asked for was not there, and nobody looked at the body.
    for (const status of statuses) expect([400, 404, 408]).toContain(status)
  })

  it('who was answered before its body came hears no second answer to what is wrong with that', async () => {
    const { url } = await publicListener()
    const { hostname, port } = new URL(url)
    const socket = connect(Number(port), hostname)
    socket.write('POST /nowhere HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n')
    let received = ''
    for await (const chunk of socket) {
      received += (chunk as Buffer).toString('utf8')
      socket.write('no size\r\n')
    }
    expect([...received.matchAll(/HTTP\/1\.1 ([0-9]{3}) /g)].map(([, status]) => status)).toEqual(['404'])
  })

  it.each([
    ['CONNECT', 'CONNECT evil.example:443 HTTP/1.1\r\nhost: localhost\r\n\r\n', []],
    [
      'a host in the request line',
      'GET http://evil.example/livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n',
      [404]
    ],
    ['another host', 'GET /livez HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n', [403]],
    [
      'an upgrade to h2c',
      `${GET}upgrade: h2c\r\nconnection: upgrade, http2-settings, close\r\nhttp2-settings: AAAA\r\n\r\n`,
      [200]
    ],
    ['an asterisk', 'OPTIONS * HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n', [404]],
    ['TRACE', 'TRACE /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n', [404]],
    ['a path that is no text', 'GET /%ff%fe HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n', [400]],
    ['a path above the root', 'GET /../../livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n', [404]],
    ['an expectation of its own', `${GET}expect: 200-maybe\r\nconnection: close\r\n\r\n`, [417]],
    ['a thousand headers', `${GET}${'a: b\r\n'.repeat(1_000)}connection: close\r\n\r\n`, [431]],
    ['a header without end', `${GET}a: ${'b'.repeat(20_000)}\r\n\r\n`, [431]]
  ])('%s', async (_name, sent, expected) => {
    const { url } = await publicListener()
    expect(await statusesOf(url, sent)).toEqual(expected)
  })
})

it('whatever bytes come, in whatever pieces, nothing is a defect and the next one is served', async () => {
  const { url } = await publicListener({ limits: QUICK })
  const line = fc.constantFrom(
    'GET ',
    'POST ',
    '/livez',
    '/v1/events?',
    '%',
    ' HTTP/1.1',
    '\r\n',
    '\r\n\r\n',
    '\n',
    '\0',
    'host: localhost\r\n',
    'host: [\r\n',
    'content-length: 9\r\n',
    'content-length: -1\r\n',
    'transfer-encoding: chunked\r\n',
    'connection: close\r\n',
    'expect: 100-continue\r\n',
    'upgrade: websocket\r\n',
    'range: bytes=0-\r\n',
    'if-none-match: W/"\r\n',
    'f\r\n',
    '0\r\n\r\n'
  )
  const piece = fc.oneof(
    { weight: 5, arbitrary: line },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) }
  )
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 24 }), async (pieces) => {
      for (const status of await statusesOf(url, pieces.join(''), endedExchange)) expect(status).toBeLessThan(500)
    }),
    { numRuns: 40, examples: [[[]], [['GET ', '/livez', ' HTTP/1.1']]] }
  )
  // On a busy machine one request may take longer than these limits allow.
  await untilAnswer('the next one is served', async () =>
    fetch(`${url}/livez`).then(
      ({ ok }) => ok,
      () => false
    )
  )
})

it('the same over TLS, in the handshake and behind it', async () => {
  const identity = makeIdentity('server')
  const { url } = await publicListener({ limits: QUICK, tls: { identity, mtls: 'off', didOfPin: () => null } })
  const { port } = new URL(url)
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.boolean(), async (bytes, isBehind) => {
      const socket = isBehind
        ? connectTls({ port: Number(port), host: '127.0.0.1', ca: identity.cert })
        : connect(Number(port), '127.0.0.1')
      socket.on('error', () => undefined)
      // A record of a handshake that says more than comes.
      socket.write(isBehind ? bytes : Buffer.concat([Buffer.from([0x16, 0x03, 0x01, 0x01, 0x2c]), bytes]))
      let text = ''
      socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
      // Not `once`: a connection that is reset has closed as well.
      await new Promise((resolve) => socket.on('close', resolve))
      expect(text).not.toMatch(/HTTP\/1\.1 5/)
    }),
    { numRuns: 30 }
  )
  const isServed = async (): Promise<boolean> => (await askTls(`${url}/livez`, trusting(identity))).status === 200
  await untilAnswer('the next one is served', () => isServed().catch(() => false))
})

describe('bodies', () => {
  it('of which too much comes are not read to their end', async () => {
    const { listener } = await adminListener({ limits: ADMIN_LIMITS })
    const { hostname, port } = new URL(listener.url)
    for (const length of ['content-length: 104857600', 'transfer-encoding: chunked']) {
      const socket = connect(Number(port), hostname)
      const chunk = Buffer.alloc(65_536)
      let [text, written] = ['', 0]
      socket.on('data', (received: Buffer) => (text += received.toString('utf8')))
      // The other side closes while we write.
      socket.on('error', () => undefined)
      socket.write(
        `POST /v1/admin/batches/announcements HTTP/1.1\r\nhost: localhost\r\nauthorization: ${AUTHORIZED.authorization}\r\ncontent-type: application/json\r\n${length}\r\n\r\n`
      )
      const isChunked = length.startsWith('transfer')
      while (!socket.destroyed && written < 100 * BODY_BYTES_MAX) {
        if (isChunked) socket.write('10000\r\n')
        const took = socket.write(chunk)
        if (isChunked) socket.write('\r\n')
        written += chunk.length
        if (!took) await Promise.race([once(socket, 'drain'), once(socket, 'close')]).catch(() => undefined)
      }
      expect(text).toMatch(/^HTTP\/1\.1 413 .*"code":"BODY_TOO_LARGE"/s)
      // What is taken, what is thrown away, and what both systems hold on the way.
      expect(written).toBeLessThan(50 * BODY_BYTES_MAX)
    }
  })

  it('may not come slowly either where uploads of the operator may', async () => {
    const clock = createHandClock()
    const admin = { operations: memoryNode(), token: TOKEN, shutdown: () => undefined }
    const { url } = await publicListener({ clock, admin })
    const { hostname, port } = new URL(url)
    const socket = connect(Number(port), hostname)
    socket.write('POST /v1/none HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\n1')
    await once(socket, 'data')
    await clock.advance(PUBLIC_LIMITS.requestTimeoutMs)
    await once(socket, 'close')
    expect(clock.pendingTimers()).toBe(0)
  })

  it.each(['[', '{"a":'])('that are nested without end are refused: %s', async (opening) => {
    const { url } = await adminListener()
    const ask = async (body: string): Promise<number> =>
      (
        await fetch(url('batches/announcements'), {
          method: 'POST',
          body,
          headers: { ...AUTHORIZED, 'content-type': 'application/json' }
        })
      ).status
    const closing = opening === '[' ? ']' : '}'
    expect(await ask(opening.repeat(100_000))).toBe(400)
    expect(await ask(`${opening.repeat(100_000)}1${closing.repeat(100_000)}`)).toBe(422)
    expect(
      await ask(
        `{"namespace":"dao:test","batchId":"b","timestampAnchors":[${'['.repeat(100_000)}1${']'.repeat(100_000)}]}`
      )
    ).toBe(422)
  })
})

describe('slow readers', () => {
  it('of a large answer are cut off', async () => {
    const clock = createHandClock()
    const rows = Array.from({ length: 500 }, (_, index) => ({ index, text: 'x'.repeat(40_000) }))
    const query = async (): ReturnType<ReturnType<typeof memoryNode>['query']> => ({
      projection: 'batches',
      version: 1,
      epoch: 'e',
      logSeq: 1,
      rows,
      nextCursor: null
    })
    const { url } = await publicListener({ operations: memoryNode({ query }), clock })
    const { hostname, port } = new URL(url)
    const socket = connect(Number(port), hostname)
    socket.write('GET /v1/projections/batches HTTP/1.1\r\nhost: localhost\r\n\r\n')
    await once(socket, 'readable')
    socket.read(10)
    await until('the answer is on its way', () => clock.pendingTimers() > 0)
    await clock.advance(60_000)
    let length = 0
    socket.on('data', (chunk: Buffer) => (length += chunk.length))
    await once(socket, 'close').catch(() => undefined)
    expect(length).toBeLessThan(20_000_000)
    expect(clock.pendingTimers()).toBe(0)
  })
})
