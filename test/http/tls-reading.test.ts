import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { expect, onTestFinished, test } from 'vitest'
import type { Listener } from '../../src/http/listener.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { CLEO, ADA, DAN, bearer, listen, openWorld, tokenFor } from '../access/world.ts'
import type { World } from '../access/world.ts'
import { announceBody, next } from '../support/events.ts'
import type { SignedEvent } from '../support/events.ts'
import type { TestMember } from '../support/identities.ts'
import { until } from '../support/until.ts'
import { makeIdentity } from './support/certificates.ts'
import type { TestIdentity } from './support/certificates.ts'
import { FORMS, subscribe } from './support/subscribers.ts'
import type { Reader } from './support/subscribers.ts'
import { askTls, openTls, trusting } from './support/tls-client.ts'

const [server, renewed] = [makeIdentity('server'), makeIdentity('renewed')]
const [cleo, stranger] = [makeIdentity('cleo'), makeIdentity('stranger')]

/** Namespaces of Cleo: `a:two` and `b:one`. */
interface Served extends World {
  readonly listener: Listener
  readonly url: string
  readonly pins: Map<string, string>
  /** Sets the time by which certificates are judged. */
  readonly setNow: (now: number) => void
  readonly announce: (namespace: string, batchId: string) => Promise<void>
}

const AUTHORS: Readonly<Record<string, TestMember>> = { 'a:one': ADA, 'a:two': CLEO, 'b:one': DAN }

/** A node with a batch in each of three namespaces, which serves by TLS. */
async function serve(mtls: 'off' | 'required'): Promise<Served> {
  const world = await openWorld()
  const last = new Map<string, SignedEvent>()
  const announce = async (namespace: string, batchId: string): Promise<void> => {
    const author = AUTHORS[namespace]
    if (author === undefined) throw new Error(`nobody announces in ${namespace}`)
    const event = await next(author, last.get(namespace) ?? null, announceBody(batchId), { namespace })
    await world.node.submit(event.wire)
    last.set(namespace, event)
  }
  for (const namespace of Object.keys(AUTHORS)) await announce(namespace, `${namespace}-1`)
  const pins = new Map([[cleo.pin, CLEO.signer.did]])
  let now: number | null = null
  const listener = await listen(world.node, {
    subscriptions: world.node.gateway.subscriptions,
    clock: { ...systemClock, now: () => now ?? systemClock.now() },
    tls: { identity: server, mtls, didOfPin: (pin) => pins.get(pin) ?? null }
  })
  return { ...world, listener, url: listener.url, pins, setNow: (to) => (now = to), announce }
}

interface Seen {
  readonly status: number
  readonly code: string | undefined
  /** The namespaces of what was shown. */
  readonly namespaces: readonly string[]
}

interface Shown {
  readonly client?: TestIdentity
  readonly token?: string
  readonly headers?: Readonly<Record<string, string>>
}

async function read(url: string, { client, token, headers = {} }: Shown): Promise<Seen> {
  const sent = { ...headers, ...(token === undefined ? {} : bearer(token)) }
  const answer = await askTls(url, { ...trusting(server, client), headers: sent })
  const body = answer.json() as { code?: string; rows?: Named[]; events?: { event: Named }[] }
  const named = body.rows ?? body.events?.map(({ event }) => event) ?? []
  return { status: answer.status, code: body.code, namespaces: named.map(({ namespace }) => namespace).toSorted() }
}

interface Named {
  readonly namespace: string
}

const ELSEWHERE = { 'x-forwarded-for': '203.0.113.9' }
const PATHS = ['/v1/projections/batches', '/v1/events'] as const

/** The namespaces of what a subscriber was shown. */
function namespacesOf({ rows }: Reader): readonly string[] {
  return [...rows.values()].map((row) => (row as Named).namespace).toSorted()
}

async function follow(url: string, form: (typeof FORMS)[number], { client, token }: Shown): Promise<Reader> {
  const headers = token === undefined ? {} : bearer(token)
  const reader = await subscribe(`${url}/v1/subscribe?projection=batches`, form, {
    tls: trusting(server, client),
    headers
  })
  await reader.until('caught-up', ({ frame }) => frame === 'caught-up')
  return reader
}

test('a pinned certificate opens the namespaces of its DID, and nothing else does by itself', async () => {
  const { url, setNow, pins } = await serve('required')
  const own = ['a:two', 'b:one']
  for (const path of PATHS) {
    expect(await read(url + path, { client: cleo })).toEqual({ status: 200, code: undefined, namespaces: own })
    expect(await read(url + path, {})).toMatchObject({ status: 401, code: 'CERTIFICATE_REQUIRED' })
    expect(await read(url + path, { client: stranger })).toMatchObject({ status: 403, code: 'CERTIFICATE_NOT_PINNED' })
  }
  for (const namespace of ['a:one', 'unknown'])
    expect(await read(`${url}/v1/digest?namespace=${namespace}`, { client: cleo })).toMatchObject({
      status: 403,
      code: 'ACCESS_DENIED'
    })
  for (const form of FORMS) expect(namespacesOf(await follow(url, form, { client: cleo }))).toEqual(own)
  for (const [form, client] of FORMS.flatMap((each) => [[each, undefined] as const, [each, stranger] as const]))
    await expect(follow(url, form, client === undefined ? {} : { client })).rejects.toThrow(/40[13]/)
  for (const now of [cleo.notBefore - 1, cleo.notAfter + 1]) {
    setNow(now)
    expect(await read(`${url}/v1/events`, { client: cleo })).toMatchObject({ code: 'CERTIFICATE_REQUIRED' })
  }
  setNow(cleo.notAfter)
  expect(await read(`${url}/v1/events`, { client: cleo })).toMatchObject({ status: 200 })
  pins.clear()
  expect(await read(`${url}/v1/events`, { client: cleo })).toMatchObject({ code: 'CERTIFICATE_NOT_PINNED' })
})

test('a token over TLS opens what it is for, with a certificate or where none is asked for', async () => {
  const required = await serve('required')
  const token = await tokenFor(required.node, ['a:one'])
  expect(await read(`${required.url}/v1/events`, { token })).toMatchObject({ code: 'CERTIFICATE_REQUIRED' })
  const both = { client: cleo, token }
  expect(await read(`${required.url}/v1/events`, both)).toMatchObject({ status: 200, namespaces: ['a:one'] })
  expect(namespacesOf(await follow(required.url, 'events', both))).toEqual(['a:one'])

  const { url, node } = await serve('off')
  const other = await tokenFor(node, ['b:one'])
  for (const path of PATHS) {
    expect(await read(url + path, { token: other, headers: ELSEWHERE })).toMatchObject({ namespaces: ['b:one'] })
    expect(await read(url + path, { client: cleo, headers: ELSEWHERE })).toMatchObject({
      namespaces: ['a:two', 'b:one']
    })
    for (const shown of [{}, { client: stranger }])
      expect(await read(url + path, { ...shown, headers: ELSEWHERE })).toMatchObject({ code: 'TOKEN_REQUIRED' })
  }
  for (const form of FORMS) expect(namespacesOf(await follow(url, form, { token: other }))).toEqual(['b:one'])
})

test('frames come whole over TLS, and go on under a certificate that replaces another', async () => {
  const { url, announce, listener } = await serve('required')
  const readers = [await follow(url, 'events', { client: cleo }), await follow(url, 'messages', { client: cleo })]
  const resumable = await openTls(url, trusting(server, cleo))
  // Together more than a record of TLS holds, which is 16 KiB.
  for (let batch = 2; batch < 40; batch += 1) await announce('a:two', `${'x'.repeat(100)}-${batch}`)
  for (const reader of readers) await until('all of them', () => reader.rows.size === 40)
  listener.renew(renewed)
  const shown = await openTls(url, trusting(renewed, cleo))
  expect(shown.getPeerX509Certificate()?.raw).toEqual(new X509Certificate(renewed.cert).raw)
  shown.destroy()
  await expect(openTls(url, trusting(server, cleo))).rejects.toThrow()
  for (let batch = 40; batch < 50; batch += 1) await announce('b:one', `batch-${batch}`)
  for (const reader of readers) {
    await until('those after the change', () => reader.rows.size === 50)
    expect(reader.state.ended).toBe(false)
  }
  // A connection that was idle meanwhile is still served.
  resumable.write('GET /v1/events?limit=1 HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n')
  const [first] = (await once(resumable, 'data')) as [Buffer]
  expect(first.toString('utf8')).toContain('HTTP/1.1 200')
  onTestFinished(() => void resumable.destroy())
})

test('a stream ends with the pin, or the time, of the certificate that opened it', async () => {
  const { url, pins, clock, setNow, announce } = await serve('required')
  const begin = async (): Promise<Reader[]> => [
    await follow(url, 'events', { client: cleo }),
    await follow(url, 'messages', { client: cleo })
  ]
  const ended = async (readers: readonly Reader[]): Promise<void> => {
    for (const reader of readers) {
      await until('its end', () => reader.state.ended)
      expect(reader.frames.at(-1)).toMatchObject({ frame: 'error', code: 'CERTIFICATE_NOT_PINNED', retryable: false })
    }
  }
  const unpinned = await begin()
  await clock.advance(2_000)
  expect(unpinned.map(({ state }) => state.ended)).toEqual([false, false])
  pins.clear()
  await clock.advance(2_000)
  await ended(unpinned)
  pins.set(cleo.pin, CLEO.signer.did)
  const expired = await begin()
  setNow(cleo.notAfter + 1)
  await clock.advance(2_000)
  for (const reader of expired) {
    await until('its end', () => reader.state.ended)
    expect(reader.frames.at(-1)).toMatchObject({ frame: 'error', code: 'CERTIFICATE_REQUIRED' })
  }
  await announce('a:two', 'later')
  expect([...unpinned, ...expired].every(({ rows }) => rows.size === 2)).toBe(true)
})
