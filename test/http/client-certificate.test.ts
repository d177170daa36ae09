import { once } from 'node:events'
import { Agent } from 'node:https'
import { describe, expect, it, onTestFinished } from 'vitest'
import { certificateDidOf, checkCertificates } from '../../src/http/client-certificate.ts'
import { PUBLIC_LIMITS } from '../../src/http/limits.ts'
import { startListener } from '../../src/http/listener.ts'
import type { App } from '../../src/http/listener.ts'
import type { AuditEntry } from '../../src/platform/audit.ts'
import { NO_AUDIT } from '../../src/platform/audit.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import type { HandClock } from '../support/hand-clock.ts'
import { createHandClock } from '../support/hand-clock.ts'
import { makeIdentity } from './support/certificates.ts'
import { TOKEN, publicListener } from './support/listeners.ts'
import { memoryNode } from './support/memory-operations.ts'
import { askTls, openTls, trusting } from './support/tls-client.ts'
import type { TlsAnswer } from './support/tls-client.ts'

const server = makeIdentity('server')
const partner = makeIdentity('partner')
const other = makeIdentity('other')
const stranger = makeIdentity('stranger')
const PARTNER = 'did:web:partner.example'
const OTHER = 'did:web:other.example'

type Headers = Readonly<Record<string, string>>
type Ask = (method: string, path: string, headers: Headers, body?: string) => Promise<TlsAnswer>

interface Gate {
  readonly app: App
  readonly url: string
  readonly pins: Map<string, string>
  readonly clock: HandClock
  readonly counted: AuditEntry[]
}

/** A listener with one route, which says who asks: at once, and again when it is asked to. */
async function gate(mtls: 'off' | 'required'): Promise<Gate> {
  const pins = new Map([
    [partner.pin, PARTNER],
    [other.pin, OTHER]
  ])
  const clock = createHandClock(Date.now())
  const counted: AuditEntry[] = []
  const apps: App[] = []
  const listener = await startListener({
    listen: '127.0.0.1:0',
    key: 'http.listen',
    limits: PUBLIC_LIMITS,
    logger: silentLogger,
    clock,
    tls: { identity: server, asksCertificates: true },
    routes: (app) => {
      apps.push(app)
      const audit = { ...NO_AUDIT, count: (entry: AuditEntry) => void counted.push(entry) }
      checkCertificates(app, { mtls, didOfPin: (pin) => pins.get(pin) ?? null }, clock, audit)
      app.get('/who', (request) => ({ did: certificateDidOf(request) }))
      app.get('/livez', (request) => ({ did: certificateDidOf(request) }))
    }
  })
  onTestFinished(() => listener.close())
  const [app] = apps
  if (app === undefined) throw new Error('a listener without routes')
  return { app, url: listener.url, pins, clock, counted }
}

describe('mtls: required', () => {
  it('gives each pinned certificate its own DID', async () => {
    const { url } = await gate('required')
    expect((await askTls(`${url}/who`, trusting(server, partner))).json()).toEqual({ did: PARTNER })
    expect((await askTls(`${url}/who`, trusting(server, other))).json()).toEqual({ did: OTHER })
  })

  it('refuses who shows none, before its body is read, and counts it', async () => {
    const { url, counted } = await gate('required')
    const answer = await askTls(`${url}/who`, trusting(server))
    expect(answer).toMatchObject({ status: 401, headers: { 'content-type': 'application/problem+json' } })
    expect(answer.json()).toMatchObject({ code: 'CERTIFICATE_REQUIRED' })
    expect((await askTls(`${url}/none`, trusting(server))).status).toBe(401)
    const socket = await openTls(url, trusting(server))
    socket.write('POST /who HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100000000\r\n\r\n')
    let text = ''
    for await (const chunk of socket) text += (chunk as Buffer).toString('utf8')
    expect(text).toMatch(/^HTTP\/1\.1 401 .*connection: close/is)
    expect(counted).toHaveLength(3)
    expect(counted[0]).toMatchObject({ action: 'ACCESS_REFUSED', subject: 'GET /who', code: 'CERTIFICATE_REQUIRED' })
  })

  it('counts all of a network together, where another address costs nothing', async () => {
    const { app, counted } = await gate('required')
    for (const remoteAddress of ['2001:db8:1:2::3', '2001:db8:1:2::4']) await app.inject({ url: '/who', remoteAddress })
    expect(counted.map(({ actor }) => actor)).toEqual(['2001:db8:1:2::/64', '2001:db8:1:2::/64'])
  })

  it('refuses a certificate that is valid, and that nobody has pinned', async () => {
    const { url } = await gate('required')
    const answer = await askTls(`${url}/who`, trusting(server, stranger))
    expect([answer.status, answer.json().code]).toEqual([403, 'CERTIFICATE_NOT_PINNED'])
  })

  it.each([
    ['after its end', partner.notAfter + 1, 'has ended'],
    ['before its time', partner.notBefore - 1, 'not valid yet']
  ])('refuses a pinned certificate %s', async (_name, now, detail) => {
    const { url, clock } = await gate('required')
    clock.setNow(now)
    const answer = await askTls(`${url}/who`, trusting(server, partner))
    expect(answer.json()).toMatchObject({
      code: 'CERTIFICATE_REQUIRED',
      detail: expect.stringContaining(detail) as string
    })
    for (const good of [partner.notBefore, partner.notAfter]) {
      clock.setNow(good)
      expect((await askTls(`${url}/who`, trusting(server, partner))).status).toBe(200)
    }
  })

  it('goes by the pins and the time of each request, on a connection and a session from before, too', async () => {
    const { url, pins, clock } = await gate('required')
    const agent = new Agent({ keepAlive: true, maxSockets: 1, ...trusting(server, partner) })
    onTestFinished(() => agent.destroy())
    const who = async (): Promise<string | undefined> => (await askTls(`${url}/who`, { agent })).json().code
    expect(await who()).toBeUndefined()
    pins.delete(partner.pin)
    expect(await who()).toBe('CERTIFICATE_NOT_PINNED')
    pins.set(partner.pin, PARTNER)
    expect(await who()).toBeUndefined()
    clock.setNow(partner.notAfter + 1)
    expect(await who()).toBe('CERTIFICATE_REQUIRED')
  })

  it('knows the certificate of a session that is taken up again, and judges it anew', async () => {
    const { url, pins } = await gate('required')
    const first = await openTls(url, trusting(server, partner))
    const told = once(first, 'session') as Promise<[Buffer]>
    first.write('GET /who HTTP/1.1\r\nhost: localhost\r\n\r\n')
    const [session] = await told
    first.destroy()
    const again = async (): Promise<string> => {
      // Without the certificate, which the session stands for.
      const socket = await openTls(url, { ...trusting(server), session })
      expect(socket.isSessionReused()).toBe(true)
      socket.write('GET /who HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n')
      let text = ''
      for await (const chunk of socket) text += (chunk as Buffer).toString('utf8')
      return text
    }
    expect(await again()).toContain(PARTNER)
    pins.delete(partner.pin)
    expect(await again()).toContain('CERTIFICATE_NOT_PINNED')
  })

  it('leaves the way open to those who only ask whether it lives', async () => {
    const { url } = await gate('required')
    expect((await askTls(`${url}/livez`, trusting(server))).json()).toEqual({ did: null })
  })

  it('asks the operator for the token instead, where the listener serves both', async () => {
    const tls = { identity: server, mtls: 'required', didOfPin: () => null } as const
    const admin = { operations: memoryNode(), token: TOKEN, shutdown: () => undefined }
    const { url } = await publicListener({ tls, admin })
    const ask = async (path: string, headers: Readonly<Record<string, string>> = {}): Promise<number> =>
      (await askTls(`${url}${path}`, { ...trusting(server), headers })).status
    expect(await ask('/v1/admin/status', { authorization: `Bearer ${TOKEN}` })).toBe(200)
    expect(await ask('/v1/admin/status')).toBe(401)
    expect(await ask('/v1/events', { authorization: `Bearer ${TOKEN}` })).toBe(401)
    expect(await ask('/v1/admin/../events', { authorization: `Bearer ${TOKEN}` })).toBe(401)
    expect(await ask('/v1/admin/nothing', { authorization: `Bearer ${TOKEN}` })).toBe(401)
  })
})

describe('a page of another origin, where mtls is required', () => {
  const PAGE = 'https://app.example'
  const PREFLIGHT = { origin: PAGE, 'access-control-request-method': 'POST' }

  async function served(): Promise<Ask> {
    const tls = { identity: server, mtls: 'required', didOfPin: () => PARTNER } as const
    const admin = { operations: memoryNode(), token: TOKEN, shutdown: () => undefined }
    const { url } = await publicListener({ tls, admin, corsOrigins: [PAGE] })
    return async (method, path, headers, body = '') =>
      await askTls(`${url}${path}`, { ...trusting(server), method, body, headers: { host: 'localhost', ...headers } })
  }

  it.each(['/v1/events', '/v1/receipts', '/v1/admin/status', '/none'])(
    'gets its preflight for %s answered without a certificate, which browsers never show with one',
    async (path) => {
      const ask = await served()
      const answer = await ask('OPTIONS', path, PREFLIGHT)
      expect([answer.status, answer.body, answer.headers]).toMatchObject([
        204,
        '',
        {
          vary: 'origin',
          'access-control-allow-origin': PAGE,
          'access-control-allow-methods': 'GET, HEAD, POST',
          'access-control-allow-headers': 'authorization, content-type, if-none-match, last-event-id'
        }
      ])
      expect(answer.headers).not.toHaveProperty('access-control-allow-credentials')
    }
  )

  it.each([
    ['the preflight of a page of an origin that is not configured', 'OPTIONS', { origin: 'https://evil.example' }],
    ['the preflight of a sandboxed page', 'OPTIONS', { origin: 'null' }],
    ['a preflight that names no origin', 'OPTIONS', { origin: '' }],
    ['what follows a preflight', 'GET', {}],
    ['what only looks like a preflight', 'POST', {}]
  ])('needs one for all else: %s', async (_name, method, headers) => {
    const ask = await served()
    const answer = await ask(method, '/v1/events', { ...PREFLIGHT, ...headers })
    expect([answer.status, answer.json().code]).toEqual([401, 'CERTIFICATE_REQUIRED'])
    expect(answer.headers).not.toHaveProperty('access-control-allow-methods')
  })

  it('needs one for a preflight that brings a body', async () => {
    const ask = await served()
    expect((await ask('OPTIONS', '/v1/events', { ...PREFLIGHT, 'content-length': '2' }, '{}')).status).toBe(401)
  })

  it('needs one for what asks for no method, and is no preflight', async () => {
    const ask = await served()
    expect((await ask('OPTIONS', '/v1/events', { origin: PAGE })).status).toBe(401)
  })

  it('learns why it was refused', async () => {
    const ask = await served()
    const refused = await ask('GET', '/v1/events', { origin: PAGE })
    expect([refused.status, refused.headers['access-control-allow-origin']]).toEqual([401, PAGE])
  })
})

describe('mtls: off', () => {
  it('knows who shows a pinned certificate, and serves everybody', async () => {
    const { url, clock } = await gate('off')
    const who = async (client?: typeof partner): Promise<unknown> =>
      (await askTls(`${url}/who`, trusting(server, client))).json()
    expect(await who(partner)).toEqual({ did: PARTNER })
    expect(await who()).toEqual({ did: null })
    expect(await who(stranger)).toEqual({ did: null })
    clock.setNow(partner.notAfter + 1)
    expect(await who(partner)).toEqual({ did: null })
  })

  it('takes nobody’s word for the certificate of another', async () => {
    const { url } = await gate('off')
    // The certificate of the partner with a key that is not its own: no handshake.
    await expect(askTls(`${url}/who`, { ...trusting(server), cert: partner.cert, key: stranger.key })).rejects.toThrow()
    const forwarded = {
      'x-forwarded-client-cert': `Hash=${partner.pin}`,
      'x-ssl-cert': partner.cert.replaceAll('\n', '')
    }
    expect((await askTls(`${url}/who`, { ...trusting(server), headers: forwarded })).json()).toEqual({ did: null })
  })
})
