import { execFileSync } from 'node:child_process'
import { createHash, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { drillHttp } from '../../src/drill/http-client.ts'
import type { DrillReply, NoReply } from '../../src/drill/http-client.ts'
import type { DrillTls } from '../../src/drill/tls.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { newFolder } from '../support/cli.ts'

interface Pair {
  readonly cert: string
  readonly key: string
  readonly fingerprint: string
}

/** A self-signed certificate, which is its own authority. */
function selfSigned(name: string): Pair {
  const folder = newFolder()
  const at = (file: string): string => join(folder, file)
  const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1']
  execFileSync('openssl', [...args, ...subject, '-keyout', at('key'), '-out', at('cert')], { stdio: 'ignore' })
  const cert = readFileSync(at('cert'), 'utf8')
  const fingerprint = createHash('sha256').update(new X509Certificate(cert).raw).digest('hex')
  return { cert, key: readFileSync(at('key'), 'utf8'), fingerprint }
}

async function serve(options: ServerOptions): Promise<{ readonly base: URL; readonly tokens: (string | undefined)[] }> {
  const tokens: (string | undefined)[] = []
  const server = createServer(options, (request, response) => {
    tokens.push(request.headers.authorization)
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"fine":true}')
  })
  // What clients do wrong is theirs to be told of.
  server.on('tlsClientError', () => undefined)
  await new Promise<void>((listening) => {
    server.listen(0, '127.0.0.1', listening)
  })
  onTestFinished(
    () =>
      new Promise<void>((closed) => {
        server.close(() => closed())
        server.closeAllConnections()
      })
  )
  return { base: new URL(`https://127.0.0.1:${(server.address() as AddressInfo).port}`), tokens }
}

async function ask(base: URL, tls: DrillTls): Promise<string> {
  const reply = await replyOf(base, tls)
  return reply.ok ? JSON.stringify(reply.json) : reply.code
}

async function replyOf(base: URL, tls: DrillTls): Promise<DrillReply | NoReply> {
  const http = drillHttp({ tls, clock: systemClock, timeoutMs: 10_000 })
  const asked = { method: 'GET', base, path: '/v1/admin/status', token: 'the-admin-token' } as const
  return await http.ask(asked, new AbortController().signal)
}

test('who trusts nobody is told how to', async () => {
  const own = selfSigned('target')
  const { base } = await serve({ cert: own.cert, key: own.key })
  expect(await replyOf(base, {})).toMatchObject({
    detail: 'DEPTH_ZERO_SELF_SIGNED_CERT: self-signed certificate; --ca (tls.ca) names whom it must lead to'
  })
})

test('a token goes to nobody whose certificate is not the right one', async () => {
  const [own, other] = [selfSigned('target'), selfSigned('other')]
  const { base, tokens } = await serve({ cert: own.cert, key: own.key })
  expect(await ask(base, {})).toBe('CERTIFICATE_NOT_TRUSTED')
  expect(await ask(base, { ca: other.cert })).toBe('CERTIFICATE_NOT_TRUSTED')
  expect(await ask(base, { pinSha256: other.fingerprint })).toBe('CERTIFICATE_NOT_TRUSTED')
  expect(await ask(base, { ca: own.cert, pinSha256: other.fingerprint })).toBe('CERTIFICATE_NOT_TRUSTED')
  expect(await ask(base, { ca: other.cert, pinSha256: own.fingerprint })).toBe('CERTIFICATE_NOT_TRUSTED')
  const byName = new URL(`https://localhost:${base.port}`)
  expect(await ask(byName, { ca: own.cert })).toBe('CERTIFICATE_NOT_TRUSTED')
  expect(tokens).toEqual([])
  expect(await ask(base, { ca: own.cert })).toBe('{"fine":true}')
  expect(await ask(base, { pinSha256: own.fingerprint })).toBe('{"fine":true}')
  expect(await ask(base, { ca: own.cert, pinSha256: own.fingerprint })).toBe('{"fine":true}')
  expect(tokens).toEqual(Array.from({ length: 3 }, () => 'Bearer the-admin-token'))
})

test('a client certificate is shown where one is asked for, and TLS 1.2 is not spoken', async () => {
  const [own, client] = [selfSigned('target'), selfSigned('client')]
  const shown = { cert: own.cert, key: own.key }
  const mutual = await serve({ ...shown, ca: client.cert, requestCert: true, rejectUnauthorized: true })
  const trusting = { ca: own.cert }
  expect(await ask(mutual.base, { ...trusting, cert: client.cert, key: client.key })).toBe('{"fine":true}')
  expect(await ask(mutual.base, trusting)).toBe('CERTIFICATE_REFUSED')
  const old = await serve({ ...shown, maxVersion: 'TLSv1.2' })
  expect(await ask(old.base, trusting)).toBe('UNREACHABLE')
  expect([mutual.tokens.length, old.tokens.length]).toEqual([1, 0])
})
