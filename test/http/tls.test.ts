import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { describe, expect, it } from 'vitest'
import { createAdminClient } from '../../src/http/admin-client.ts'
import { PUBLIC_LIMITS } from '../../src/http/limits.ts'
import type { PublicTls } from '../../src/http/public-listener.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { createHandClock } from '../support/hand-clock.ts'
import { until } from '../support/until.ts'
import { untilAnswer } from '../support/until-answer.ts'
import { makeIdentity } from './support/certificates.ts'
import { TOKEN, adminListener, all, nodeWith, publicListener, rawExchange } from './support/listeners.ts'
import { memoryNode } from './support/memory-operations.ts'
import { askTls, openTls, trusting } from './support/tls-client.ts'

const [server, renewed] = [makeIdentity('server'), makeIdentity('renewed')]
const tls: PublicTls = { identity: server, mtls: 'off', didOfPin: () => null }

describe('a listener with a certificate', () => {
  it('speaks TLS 1.3 and HTTP/1.1, and says that it always will', async () => {
    const { url } = await publicListener({ tls })
    expect(url).toMatch(/^https:\/\/127\.0\.0\.1:/)
    const answer = await askTls(`${url}/health`, trusting(server))
    expect(answer).toMatchObject({ status: 200, headers: { 'strict-transport-security': 'max-age=31536000' } })
    const socket = await openTls(url, { ...trusting(server), ALPNProtocols: ['h2', 'http/1.1'] })
    expect([socket.getProtocol(), socket.alpnProtocol]).toEqual(['TLSv1.3', 'http/1.1'])
    socket.destroy()
  })

  it.each([
    ['TLS 1.2', { maxVersion: 'TLSv1.2' as const }],
    ['HTTP/2 alone', { ALPNProtocols: ['h2'] }]
  ])('refuses who speaks %s', async (_name, options) => {
    const { url } = await publicListener({ tls })
    await expect(askTls(`${url}/health`, { ...trusting(server), ...options })).rejects.toThrow(/alert/)
  })

  it.each([
    ['plain HTTP', 'GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n'],
    ['nothing that it knows', '\0\0\0\0'.repeat(100)],
    ['half a handshake', '\x16\x03\x01\x02\x00\x01\x00']
  ])('closes a connection that speaks %s, and tells it nothing', async (_name, sent) => {
    const { url } = await publicListener({
      tls,
      limits: { ...PUBLIC_LIMITS, headersTimeoutMs: 300, timeoutCheckMs: 10 }
    })
    const answer = await rawExchange(url, sent)
    expect(answer).not.toContain('HTTP')
    const isServed = async (): Promise<boolean> => (await askTls(`${url}/health`, trusting(server))).status === 200
    await untilAnswer('the next one is served', () => isServed().catch(() => false))
  })

  it('answers a header that does not end, as without TLS', async () => {
    const { url } = await publicListener({
      tls,
      limits: { ...PUBLIC_LIMITS, headersTimeoutMs: 2_000, timeoutCheckMs: 10 }
    })
    const socket = await openTls(url, trusting(server))
    socket.write('GET /health HTTP/1.1\r\nhost: loc')
    let text = ''
    for await (const chunk of socket) text += (chunk as Buffer).toString('utf8')
    expect(text).toMatch(/^HTTP\/1\.1 408 .*"code":"REQUEST_TIMEOUT"/s)
  })

  it('closes at once, with a handshake under way', async () => {
    const clock = createHandClock()
    const listener = await publicListener({ tls, clock })
    const { hostname, port } = new URL(listener.url)
    const socket = connectTcp(Number(port), hostname)
    await once(socket, 'connect')
    // Accepted after it, so it was accepted, too.
    await askTls(`${listener.url}/livez`, trusting(server))
    const closed = listener.close()
    await clock.advance(PUBLIC_LIMITS.closeGraceMs)
    await closed
    socket.destroy()
  })
})

describe('another certificate', () => {
  it('is shown to who connects next; who is connected stays', async () => {
    const node = nodeWith(0)
    const listener = await publicListener({ tls, admin: { operations: node, token: TOKEN, shutdown: () => undefined } })
    const client = createAdminClient({ url: listener.url, token: TOKEN, pin: server.pin })
    const stopping = new AbortController()
    const followed = all(client.events({ follow: true }, stopping.signal)).catch((error: unknown) => error)
    await until('a follower', () => node.followers() === 1)
    const before = await openTls(listener.url, trusting(server))
    listener.renew(renewed)
    expect((await askTls(`${listener.url}/livez`, trusting(renewed))).status).toBe(200)
    await expect(askTls(`${listener.url}/livez`, trusting(server))).rejects.toThrow()
    await expect(openTls(listener.url, { ...trusting(renewed), maxVersion: 'TLSv1.2' })).rejects.toThrow()
    node.append(Buffer.from('one'))
    before.write('GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n')
    let text = ''
    for await (const chunk of before) text += (chunk as Buffer).toString('utf8')
    expect(text).toMatch(/^HTTP\/1\.1 200 /)
    await listener.close()
    expect(await followed).toHaveLength(1)
  })
})

describe('the admin client', () => {
  it('trusts the one certificate that it was told, also at another address', async () => {
    const { listener } = await adminListener({ tls: server, listen: '0.0.0.0:0' })
    expect(listener.url).toMatch(/^https:\/\/127\.0\.0\.1:/)
    const client = createAdminClient({ ...listener, pin: server.pin })
    expect(await client.status()).toMatchObject({ orgId: 'org' })
    const sealed = await client.seal({ namespace: 'dao:test', batchId: 'b1', receipts: [{ n: 1 }, { n: 2 }] })
    expect(sealed).toMatchObject({ receiptCount: 2 })
    expect(await all(client.proofs('dao:test', 'b1'))).toHaveLength(2)
    await expect(client.digest('')).rejects.toThrow()
  })

  it('sends nothing to who shows another', async () => {
    let calls = 0
    const status = async (): ReturnType<ReturnType<typeof memoryNode>['status']> => {
      calls += 1
      return await memoryNode().status()
    }
    const { listener } = await adminListener({ tls: server, operations: memoryNode({ status }) })
    const client = createAdminClient({ ...listener, pin: renewed.pin })
    await expect(client.status()).rejects.toMatchObject({
      code: 'NODE_NOT_RUNNING',
      message: expect.stringContaining('another certificate') as string
    })
    expect(calls).toBe(0)
  })

  it('does not fall back to TLS that Node would not trust', async () => {
    const { listener } = await adminListener({ tls: server })
    await expect(createAdminClient(listener).status()).rejects.toMatchObject({ code: 'NODE_NOT_RUNNING' })
  })

  it('ends when its caller does', async () => {
    const node = nodeWith(1)
    const { listener } = await adminListener({ tls: server, operations: node })
    const client = createAdminClient({ ...listener, pin: server.pin })
    const stop = new AbortController()
    const seen: number[] = []
    for await (const { logSeq } of client.events({ follow: true }, stop.signal)) {
      seen.push(logSeq)
      stop.abort()
    }
    await until('no follower', () => node.followers() === 0)
    expect(seen).toEqual([1])
  })
})

it('is a listener of this machine without a certificate', async () => {
  await expect(publicListener({ listen: '0.0.0.0:0', clock: systemClock })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringContaining('in clear') as string
  })
})
