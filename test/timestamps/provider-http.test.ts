import type { IncomingMessage, ServerResponse } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { ProviderHttp } from '../../src/timestamps/clients/provider-http.ts'
import type { HttpReply } from '../../src/timestamps/clients/provider-http.ts'
import type { ProviderAnswer } from '../../src/timestamps/provider.ts'
import { createHandClock, HAND_CLOCK_START_MS } from '../support/hand-clock.ts'
import type { HandClock } from '../support/hand-clock.ts'
import { startLocalServer } from '../support/local-server.ts'
import { until } from '../support/until.ts'

const NEVER = new AbortController().signal
// The limits of the class.
const AT_ONCE = 4
const WAITING = 256
const ANSWER_BYTES = 4 * 1024 * 1024
const COOL_DOWN_MS = 2_000

/** A provider over a local server that answers as the test pleases, or keeps requests until the test answers them. */
interface Setting extends AsyncDisposable {
  readonly clock: HandClock
  readonly http: ProviderHttp
  /** Of those that have come. */
  readonly paths: readonly string[]
  /** Those that wait for an answer. */
  readonly held: ServerResponse[]
  readonly get: (path?: string, signal?: AbortSignal) => Promise<ProviderAnswer<HttpReply>>
}

type Answer = (response: ServerResponse, request: IncomingMessage) => void

const clocks: HandClock[] = []
// Every exchange takes its time limit back.
afterEach(() => {
  for (const clock of clocks.splice(0)) expect(clock.pendingTimers()).toBe(0)
})

async function setting(answer?: Answer): Promise<Setting> {
  const held: ServerResponse[] = []
  const server = await startLocalServer((request, _body, response) => {
    if (answer === undefined) held.push(response)
    else answer(response, request)
  })
  const clock = createHandClock()
  clocks.push(clock)
  const http = new ProviderHttp('provider.example', clock)
  return {
    clock,
    http,
    paths: server.paths,
    held,
    get: (path = '/', signal = NEVER) => http.exchange({ url: `${server.url}${path}`, method: 'GET' }, signal),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]()
  }
}

const status =
  (code: number, headers: Record<string, string> = {}, body = ''): Answer =>
  (response) =>
    response.writeHead(code, headers).end(body)

describe('an answer', () => {
  it('is given with its status, media type and bytes, whatever the status below 500', async () => {
    await using all = await setting((response, { url = '' }) => {
      response.writeHead(Number(url.slice(1)), { 'content-type': 'Text/HTML; charset=utf-8' }).end('<p>')
    })
    for (const code of [200, 204, 400, 401, 404, 418]) {
      const body = new TextEncoder().encode(code === 204 ? '' : '<p>')
      expect(await all.get(`/${code}`)).toEqual({ ok: true, value: { status: code, mediaType: 'text/html', body } })
    }
    expect(all.http.health).toEqual({ name: 'provider.example', asked: 6, failed: 0, failure: null })
  })

  it('carries what is posted', async () => {
    const bodies: string[] = []
    await using server = await startLocalServer(({ method, headers }, body, response) => {
      bodies.push(`${method} ${headers['x-test'] as string} ${new TextDecoder().decode(body)}`)
      response.end()
    })
    const http = new ProviderHttp('provider.example', createHandClock())
    const { url } = server
    await http.exchange({ url, method: 'POST', headers: { 'x-test': 'one' }, body: 'text' }, NEVER)
    await http.exchange({ url, method: 'POST', headers: { 'x-test': 'two' }, body: Uint8Array.of(0x62) }, NEVER)
    expect(bodies).toEqual(['POST one text', 'POST two b'])
  })

  it('that redirects is not followed', async () => {
    await using all = await setting(status(302, { location: '/elsewhere' }))
    expect(await all.get('/first')).toMatchObject({ ok: true, value: { status: 302 } })
    expect(all.paths).toEqual(['/first'])
  })

  it('may have 4 MiB and no byte more', async () => {
    await using all = await setting((response, { url }) => {
      response.end(Buffer.alloc(url === '/most' ? ANSWER_BYTES : ANSWER_BYTES + 1))
    })
    const most = await all.get('/most')
    expect(most.ok && most.value.body.length).toBe(ANSWER_BYTES)
    expect(await all.get('/more')).toEqual({
      ok: false,
      code: 'PROVIDER_MALFORMED',
      detail: `provider.example answered with more than ${ANSWER_BYTES} bytes`,
      retryAfterMs: 0
    })
    expect(all.http.health).toMatchObject({ asked: 2, failed: 1, failure: { code: 'PROVIDER_MALFORMED' } })
  })

  it('must be whole within the time limit, however it drips', async () => {
    await using all = await setting((response) => {
      response.write('a')
    })
    const answer = all.get()
    await until('the request has come', () => all.paths.length === 1)
    await all.clock.advance(9_999)
    expect(all.clock.pendingTimers()).toBe(1)
    await all.clock.advance(1)
    expect(await answer).toMatchObject({ ok: false, code: 'PROVIDER_TIMEOUT' })
    expect(all.http.health.failure).toMatchObject({ code: 'PROVIDER_TIMEOUT', at: HAND_CLOCK_START_MS + 10_000 })
  })

  it('that does not come at all is named without the address, which may hold a key', async () => {
    await using all = await setting()
    const http = new ProviderHttp('provider.example', all.clock)
    const refused = await http.exchange({ url: 'http://user:secret@127.0.0.1:1/key', method: 'GET' }, NEVER)
    expect(refused).toMatchObject({ ok: false, code: 'PROVIDER_UNREACHABLE' })
    expect(JSON.stringify(refused)).not.toMatch(/secret|key/)
    const other = new ProviderHttp('provider.example', all.clock)
    const nobody = await other.exchange({ url: 'http://127.0.0.1:1/key', method: 'GET' }, NEVER)
    expect(nobody).toMatchObject({ ok: false, code: 'PROVIDER_UNREACHABLE' })
    expect(JSON.stringify(nobody)).not.toMatch(/key/)
  })
})

describe('after a failure', () => {
  it('nobody is asked for a moment, and then again', async () => {
    let code = 500
    await using all = await setting((response) => response.writeHead(code).end())
    const failed = await all.get()
    expect(failed).toEqual({
      ok: false,
      code: 'PROVIDER_UNREACHABLE',
      detail: 'provider.example answered with HTTP status 500',
      retryAfterMs: 0
    })
    code = 200
    await all.clock.advance(COOL_DOWN_MS - 1)
    expect(await all.get()).toEqual({ ...failed, retryAfterMs: 1 })
    expect(all.paths).toHaveLength(1)
    await all.clock.advance(1)
    expect(await all.get()).toMatchObject({ ok: true })
    expect(all.http.health).toEqual({ name: 'provider.example', asked: 2, failed: 1, failure: null })
  })

  it.each([
    ['seconds', '30', 30_000],
    ['a date', new Date(HAND_CLOCK_START_MS + 45_000).toUTCString(), 45_000],
    ['no more than an hour', '86400', 3_600_000],
    ['at least a moment', '1', COOL_DOWN_MS]
  ])('the provider is left alone for %s', async (_what, retryAfter, waitMs) => {
    await using all = await setting(status(429, { 'retry-after': retryAfter }))
    expect(await all.get()).toEqual({
      ok: false,
      code: 'PROVIDER_LIMITED',
      detail: 'provider.example asks for fewer requests (HTTP status 429)',
      retryAfterMs: waitMs
    })
    await all.clock.advance(waitMs - 1)
    expect(await all.get()).toMatchObject({ ok: false, code: 'PROVIDER_LIMITED', retryAfterMs: 1 })
    expect(all.paths).toHaveLength(1)
    await all.clock.advance(1)
    await all.get()
    expect(all.paths).toHaveLength(2)
  })

  it.each([['soon'], ['-5'], [new Date(HAND_CLOCK_START_MS - 60_000).toUTCString()]])(
    'Retry-After: %s tells nothing',
    async (retryAfter) => {
      await using all = await setting(status(429, { 'retry-after': retryAfter }))
      expect(await all.get()).toMatchObject({ code: 'PROVIDER_LIMITED', retryAfterMs: 0 })
    }
  )

  it('a server that is being mended can say how long, too', async () => {
    await using all = await setting(status(503, { 'retry-after': '120' }))
    expect(await all.get()).toMatchObject({ code: 'PROVIDER_UNREACHABLE', retryAfterMs: 120_000 })
  })

  it('an answer that was under way does not end the rest that the provider asked for', async () => {
    await using all = await setting()
    const answers = [all.get('/a'), all.get('/b')]
    await until('both have come', () => all.held.length === 2)
    all.held[0]?.writeHead(429, { 'retry-after': '30' }).end()
    await until('the limit is known', () => all.http.health.failed === 1)
    all.held[1]?.end()
    expect((await Promise.all(answers)).filter(({ ok }) => ok)).toHaveLength(1)
    expect(await all.get()).toMatchObject({ ok: false, code: 'PROVIDER_LIMITED', retryAfterMs: 30_000 })
  })

  it('what was waiting for its turn fails in the same way, and is not sent', async () => {
    await using all = await setting()
    const answers = Array.from({ length: AT_ONCE + 3 }, () => all.get())
    await until('the first have come', () => all.held.length === AT_ONCE)
    for (const response of all.held) response.writeHead(500).end()
    for (const answer of await Promise.all(answers)) expect(answer).toMatchObject({ code: 'PROVIDER_UNREACHABLE' })
    expect(all.paths).toHaveLength(AT_ONCE)
  })
})

describe('many requests', () => {
  it('are sent four at once, in their order', async () => {
    await using all = await setting()
    const answers = Array.from({ length: AT_ONCE + 2 }, (_, index) => all.get(`/${index}`))
    for (let done = 0; done < answers.length; done += 1) {
      const come = Math.min(answers.length, done + AT_ONCE)
      await until(`${come} have come`, () => all.paths.length === come)
      all.held[done]?.end()
    }
    await Promise.all(answers)
    expect(all.paths.slice(AT_ONCE)).toEqual([`/${AT_ONCE}`, `/${AT_ONCE + 1}`])
  })

  it('wait in a queue that has an end', async () => {
    await using all = await setting()
    const stop = new AbortController()
    const answers = Array.from({ length: AT_ONCE + WAITING }, () => all.get('/', stop.signal))
    expect(await all.get()).toMatchObject({ ok: false, code: 'PROVIDER_LIMITED', retryAfterMs: 0 })
    stop.abort(new Error('stopped'))
    for (const answer of await Promise.allSettled(answers)) expect(answer.status).toBe('rejected')
  })
})

describe('an abort', () => {
  it('ends a request that is under way, without a failure of the provider', async () => {
    await using all = await setting()
    const stop = new AbortController()
    const answer = all.get('/', stop.signal)
    await until('it has come', () => all.held.length === 1)
    stop.abort(new Error('stopped'))
    await expect(answer).rejects.toThrow('stopped')
    expect(all.http.health).toMatchObject({ failed: 0, failure: null })
  })

  it('before the request sends nothing', async () => {
    await using all = await setting()
    await expect(all.get('/', AbortSignal.abort(new Error('stopped')))).rejects.toThrow('stopped')
    const stop = new AbortController()
    const answer = all.get('/', stop.signal)
    stop.abort(new Error('stopped'))
    await expect(answer).rejects.toThrow('stopped')
    expect(all.paths).toHaveLength(0)
  })

  it('takes a request out of the queue and leaves the others their turns', async () => {
    await using all = await setting()
    const first = Array.from({ length: AT_ONCE }, (_, index) => all.get(`/${index}`))
    await until('the first have come', () => all.held.length === AT_ONCE)
    const stop = new AbortController()
    const gone = all.get('/gone', stop.signal)
    const last = Array.from({ length: AT_ONCE }, () => all.get('/last'))
    stop.abort(new Error('stopped'))
    await expect(gone).rejects.toThrow('stopped')
    for (const response of all.held.splice(0)) response.end()
    await Promise.all(first)
    await until('the last have come', () => all.held.length === AT_ONCE)
    for (const response of all.held) response.end()
    await Promise.all(last)
    expect(all.paths).not.toContain('/gone')
  })
})
