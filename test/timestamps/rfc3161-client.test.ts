import * as asn1js from 'asn1js'
import fc from 'fast-check'
import { PKIStatus, PKIStatusInfo, TimeStampResp } from 'pkijs'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { toHex } from '../../protocols/primitives/bytes.ts'
import { systemRandom } from '../../src/platform/random.ts'
import { createDevelopmentAuthority } from '../../src/timestamps/clients/development-authority.ts'
import type { DevelopmentAuthority } from '../../src/timestamps/clients/development-authority.ts'
import { startDevelopmentTsa } from '../../src/timestamps/clients/development-tsa.ts'
import { requestTimestamp } from '../../src/timestamps/clients/rfc3161-client.ts'
import type { TimestampResult } from '../../src/timestamps/clients/rfc3161-client.ts'
import { readTimestampResponse } from '../../src/timestamps/rfc3161/timestamp-response.ts'
import { createHandClock } from '../support/hand-clock.ts'
import { imprint, parseQuery, queryDer, ROOT, SHA_512 } from './support/query.ts'
import { sendReply, startWrongAuthority } from './support/wrong-authority.ts'

const TIMEOUT_MS = 5_000
const clock = createHandClock(Date.UTC(2026, 10, 21))
let authority: DevelopmentAuthority

beforeAll(async () => {
  authority = await createDevelopmentAuthority({ clock, random: systemRandom })
})
afterEach(() => expect(clock.pendingTimers()).toBe(0))

const stamp = (url: string, root = ROOT): Promise<TimestampResult> =>
  requestTimestamp({ url, root, tsa: 'test', random: systemRandom, clock, timeoutMs: TIMEOUT_MS })

/** The client's verdict on an authority that answers each query with the bytes that `forge` makes of it. */
async function verdictOn(forge: (query: Uint8Array) => Uint8Array | Promise<Uint8Array>): Promise<TimestampResult> {
  await using server = await startWrongAuthority(async (query, response) => sendReply(response, await forge(query)))
  return await stamp(server.url)
}

/** An honest reply in which a run of ASCII characters is replaced; the client looks at no signature. */
async function edited(query: Uint8Array, pattern: RegExp, replacement: string): Promise<Uint8Array> {
  const reply = Buffer.from((await authority.answer(query)).reply).toString('latin1')
  expect(reply).toMatch(pattern)
  return new Uint8Array(Buffer.from(reply.replace(pattern, replacement), 'latin1'))
}

function withStatus(reply: Uint8Array, status: PKIStatusInfo): Uint8Array {
  const response = new TimeStampResp({ schema: asn1js.fromBER(reply).result })
  response.status = status
  return new Uint8Array(response.toSchema().toBER())
}

describe('requestTimestamp', () => {
  it('returns the token as it was sent, with its time and serial number, for any root', async () => {
    const tsa = await startDevelopmentTsa({ clock, random: systemRandom })
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 32, maxLength: 32 }), async (bytes) => {
        const root = new Uint8Array(bytes)
        const stamped = await stamp(tsa.url, root)
        if (!stamped.ok) throw new Error(stamped.detail)
        const granted = Uint8Array.of(0x30, 0x03, 0x02, 0x01, 0x00)
        const sequence = new asn1js.Sequence({
          value: [asn1js.fromBER(granted).result, asn1js.fromBER(stamped.token).result]
        })
        const read = readTimestampResponse(new Uint8Array(sequence.toBER()))
        if (!read.ok || !read.granted) throw new Error(read.detail)
        // SHA-256 imprint: the root itself.
        expect(toHex(read.token.info.hashedMessage)).toBe(toHex(root))
        expect(stamped.genTime).toBe(clock.now())
        expect(stamped.serialNumber).toBe(read.token.info.serialNumber)
      }),
      { numRuns: 25 }
    )
    await tsa.close()
  })

  it('asks for version 1, the certificates, and another nonce every time', async () => {
    const nonces = new Set<bigint>()
    for (let count = 0; count < 10; count += 1) {
      await verdictOn(async (bytes) => {
        const query = parseQuery(bytes)
        expect(query.version).toBe(1)
        expect(query.certReq).toBe(true)
        expect(query.reqPolicy).toBeUndefined()
        nonces.add(query.nonce?.toBigInt() ?? 0n)
        return (await authority.answer(bytes)).reply
      })
    }
    expect(nonces.size).toBe(10)
    for (const nonce of nonces) expect(nonce).toBeGreaterThan(0n)
  })

  it('takes grantedWithMods, because all that matters is compared', async () => {
    const modified = new PKIStatusInfo({ status: PKIStatus.grantedWithMods })
    const verdict = await verdictOn(async (query) => withStatus((await authority.answer(query)).reply, modified))
    expect(verdict).toMatchObject({ ok: true })
  })

  it('throws for a root that is none', async () => {
    await expect(stamp('http://127.0.0.1/', ROOT.slice(1))).rejects.toThrow('a batch root has 32 bytes, not 31')
  })
})

describe('a token that does not belong to the query', () => {
  it('has another nonce', async () => {
    const stale = await verdictOn(async () => {
      const query = queryDer({ nonce: asn1js.Integer.fromBigInt(12345n) })
      return (await authority.answer(query)).reply
    })
    expect(stale).toEqual({ ok: false, code: 'TSA_NONCE', detail: 'TSA test answered with another nonce' })
  })

  it('has no nonce', async () => {
    const without = await verdictOn(async () => (await authority.answer(queryDer())).reply)
    expect(without).toEqual({ ok: false, code: 'TSA_NONCE', detail: 'TSA test left the nonce out' })
  })

  it.each([
    ['another root', imprint('2.16.840.1.101.3.4.2.1', ROOT.with(31, 8))],
    ['another hash algorithm', imprint(SHA_512, new Uint8Array(64).fill(7))]
  ])('is over %s', async (_name, messageImprint) => {
    const other = await verdictOn(async (bytes) => {
      const nonce = parseQuery(bytes).nonce
      return (await authority.answer(queryDer({ messageImprint, ...(nonce === undefined ? {} : { nonce }) }))).reply
    })
    expect(other).toEqual({ ok: false, code: 'TSA_IMPRINT', detail: 'TSA test stamped something else than the root' })
  })

  it('carries no certificate', async () => {
    const bare = await verdictOn(async (bytes) => {
      const query = parseQuery(bytes)
      query.certReq = false
      return (await authority.answer(new Uint8Array(query.toSchema().toBER()))).reply
    })
    expect(bare).toMatchObject({ ok: false, code: 'PROVIDER_MALFORMED' })
  })
})

describe('an authority that refuses', () => {
  it('is quoted', async () => {
    const refused = await verdictOn(async () => (await authority.answer(queryDer({ reqPolicy: '1.2.3.4' }))).reply)
    expect(refused).toMatchObject({ ok: false, code: 'TSA_REQUEST_FAILED' })
    expect(refused).toHaveProperty(
      'detail',
      'TSA test refused the query: rejection: unacceptedPolicy: the only policy is 1.3.6.1.4.1.32473.3161.1'
    )
  })

  it('is quoted without control characters and not at length', async () => {
    const words = new asn1js.Utf8String({ value: `\u001b[2Jaway${'!'.repeat(5_000)}` })
    const status = new PKIStatusInfo({ status: PKIStatus.waiting, statusStrings: [words] })
    const refused = await verdictOn(() => new Uint8Array(new TimeStampResp({ status }).toSchema().toBER()))
    if (refused.ok) throw new Error('not refused')
    expect(refused.code).toBe('TSA_REQUEST_FAILED')
    expect(refused.detail).toMatch(/^TSA test refused the query: waiting: \?\[2Jaway!{100,200}$/)
  })
})

describe('an answer that is no RFC 3161 response', () => {
  const malformed = async (
    forge: (query: Uint8Array) => Uint8Array | Promise<Uint8Array>,
    detail: RegExp
  ): Promise<void> => {
    const verdict = await verdictOn(forge)
    expect(verdict).toMatchObject({ ok: false, code: 'PROVIDER_MALFORMED' })
    expect(verdict).toHaveProperty('detail', expect.stringMatching(detail))
  }

  it('is HTML, whatever its content type', async () => {
    const html = '<!doctype html><title>Sign in</title>'
    await malformed(() => new TextEncoder().encode(html), /no RFC 3161 response/)
    await using server = await startWrongAuthority((_query, response) => {
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' })
      response.end(html)
    })
    expect(await stamp(server.url)).toEqual({
      ok: false,
      code: 'PROVIDER_MALFORMED',
      detail: 'TSA test answered with text/html, not application/timestamp-reply'
    })
  })

  it('is empty, truncated, followed by more, or nested without end', async () => {
    await malformed(() => new Uint8Array(0), /TimeStampResp: missing/)
    await malformed(async (query) => (await authority.answer(query)).reply.slice(0, -1), /no RFC 3161 response/)
    await malformed(async (query) => Uint8Array.of(...(await authority.answer(query)).reply, 0), /something follows/)
    await malformed(
      () => new Uint8Array(60_000).map((_, index) => (index % 2 === 0 ? 0x30 : 0x80)),
      /no RFC 3161 response/
    )
  })

  it('is granted without a token', async () => {
    const status = new PKIStatusInfo({ status: PKIStatus.granted })
    await malformed(() => new Uint8Array(new TimeStampResp({ status }).toSchema().toBER()), /granted without a token/)
  })

  it('has a genTime without Z, or of no calendar', async () => {
    await malformed((query) => edited(query, /20261121000000Z/, '202611210000+01'), /genTime/)
    await malformed((query) => edited(query, /20261121000000Z/, '20261321000000Z'), /genTime/)
  })

  it('has more than 64 KiB, announced or streamed without end', async () => {
    await malformed(() => new Uint8Array(64 * 1024 + 1), /more than 65536 bytes/)
    await using server = await startWrongAuthority((_query, response) => {
      response.writeHead(200, { 'content-type': 'application/timestamp-reply' })
      const pump = (): void => {
        while (!response.destroyed && response.write(new Uint8Array(8 * 1024)));
      }
      response.on('drain', pump)
      pump()
    })
    expect(await stamp(server.url)).toMatchObject({ ok: false, code: 'PROVIDER_MALFORMED' })
  })

  it('never makes the client throw, however an honest answer is mutated', async () => {
    let mutate = (reply: Uint8Array): Uint8Array => reply
    await using server = await startWrongAuthority(async (query, response) =>
      sendReply(response, mutate((await authority.answer(query)).reply))
    )
    const edit = fc.oneof(
      fc.tuple(fc.nat(1_100), fc.nat(255)).map(
        ([at, value]) =>
          (reply: Uint8Array) =>
            reply.with(at % reply.length, value)
      ),
      fc.nat(1_100).map((length) => (reply: Uint8Array) => reply.slice(0, length))
    )
    await fc.assert(
      fc.asyncProperty(edit, async (chosen) => {
        mutate = chosen
        const verdict = await stamp(server.url)
        if (verdict.ok) expect(Number.isSafeInteger(verdict.genTime)).toBe(true)
        else expect(verdict.detail).toMatch(/^TSA test /)
      }),
      { numRuns: 300 }
    )
  })
})

describe('an authority that is not there, or not where it should be', () => {
  it.each([307, 308, 302])('is not followed to another place (%i)', async (status) => {
    await using elsewhere = await startWrongAuthority(async (query, response) =>
      sendReply(response, (await authority.answer(query)).reply)
    )
    await using server = await startWrongAuthority((_query, response) => {
      response.writeHead(status, { location: elsewhere.url })
      response.end()
    })
    expect(await stamp(server.url)).toEqual({
      ok: false,
      code: 'TSA_REQUEST_FAILED',
      detail: `TSA test answered with HTTP status ${status} (redirects are not followed)`
    })
    expect(elsewhere.requests).toBe(0)
  })

  it('answers with another status', async () => {
    await using server = await startWrongAuthority((_query, response) => {
      response.writeHead(503)
      response.end('busy')
    })
    expect(await stamp(server.url)).toEqual({
      ok: false,
      code: 'TSA_REQUEST_FAILED',
      detail: 'TSA test answered with HTTP status 503'
    })
  })

  it('does not listen', async () => {
    const server = await startWrongAuthority(() => {})
    await server[Symbol.asyncDispose]()
    const verdict = await stamp(server.url)
    expect(verdict).toMatchObject({ ok: false, code: 'TSA_REQUEST_FAILED' })
    expect(verdict).toHaveProperty('detail', expect.stringContaining('ECONNREFUSED'))
  })

  it('hangs up', async () => {
    await using server = await startWrongAuthority((_query, response) => void response.destroy())
    expect(await stamp(server.url)).toMatchObject({ ok: false, code: 'TSA_REQUEST_FAILED' })
  })

  it.each([
    'ftp://127.0.0.1/',
    'data:application/timestamp-reply;base64,MAA=',
    'http://me:secret@127.0.0.1/',
    'nowhere'
  ])('has the address %s', async (url) => {
    const verdict = await stamp(url)
    expect(verdict).toMatchObject({ ok: false, code: 'TSA_REQUEST_FAILED' })
    expect(verdict).toHaveProperty('detail', expect.not.stringContaining('secret'))
  })

  it('does not answer in time', async () => {
    await using server = await startWrongAuthority(() => clock.advance(TIMEOUT_MS))
    expect(await stamp(server.url)).toEqual({
      ok: false,
      code: 'PROVIDER_TIMEOUT',
      detail: 'TSA test gave no whole answer within 5000 ms'
    })
  })

  it('stops in the middle of its answer', async () => {
    await using server = await startWrongAuthority((_query, response) => {
      response.writeHead(200, { 'content-type': 'application/timestamp-reply' })
      response.write(Uint8Array.of(0x30, 0x82), () => void clock.advance(TIMEOUT_MS))
    })
    expect(await stamp(server.url)).toMatchObject({ ok: false, code: 'PROVIDER_TIMEOUT' })
  })
})
