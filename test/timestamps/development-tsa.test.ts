import { createPublicKey, verify } from 'node:crypto'
import * as asn1js from 'asn1js'
import fc from 'fast-check'
import { Certificate, Extension, SignedData, TimeStampResp } from 'pkijs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { toHex } from '../../protocols/primitives/bytes.ts'
import { AnchormeshError } from '../../src/platform/errors.ts'
import { systemRandom } from '../../src/platform/random.ts'
import { systemFailureReply } from '../../src/timestamps/clients/development-authority.ts'
import { startDevelopmentTsa } from '../../src/timestamps/clients/development-tsa.ts'
import type { DevelopmentTsa } from '../../src/timestamps/clients/development-tsa.ts'
import { readTimestampResponse } from '../../src/timestamps/rfc3161/timestamp-response.ts'
import type { Token } from '../../src/timestamps/rfc3161/signed-data.ts'
import { createHandClock } from '../support/hand-clock.ts'
import { imprint, postQuery, queryDer, ROOT, SHA_1, SHA_256, SHA_512 } from './support/query.ts'

const NOW_MS = Date.UTC(2026, 10, 21, 1, 2, 3, 40)
const clock = createHandClock(NOW_MS)
let tsa: DevelopmentTsa

beforeAll(async () => {
  tsa = await startDevelopmentTsa({ clock, random: systemRandom })
})
afterAll(() => tsa.close())

async function tokenFor(query: Uint8Array<ArrayBuffer>): Promise<Token> {
  const reply = await postQuery(tsa.url, query)
  expect(reply).toMatchObject({ status: 200, mediaType: 'application/timestamp-reply' })
  const response = readTimestampResponse(reply.body)
  if (!response.ok || !response.granted) throw new Error(response.detail)
  return response.token
}

async function refusalOf(query: Uint8Array<ArrayBuffer>): Promise<string> {
  const reply = await postQuery(tsa.url, query)
  expect(reply).toMatchObject({ status: 200, mediaType: 'application/timestamp-reply' })
  const response = readTimestampResponse(reply.body)
  if (!response.ok || response.granted) throw new Error('not refused')
  return response.detail
}

describe('what the development TSA grants', () => {
  it('stamps the imprint as it came, with the time of its clock and the nonce of the query', async () => {
    const token = await tokenFor(queryDer({ nonce: asn1js.Integer.fromBigInt(0x1122334455667788n) }))
    expect(token.info.hashAlgorithm).toBe(SHA_256)
    expect(toHex(token.info.hashedMessage)).toBe(toHex(ROOT))
    expect(token.info.genTime).toBe(NOW_MS)
    expect(token.info.nonce).toBe(0x1122334455667788n)
    expect(token.certificates).toHaveLength(1)
  })

  it('leaves out the certificate and the nonce when they are not asked for', async () => {
    const token = await tokenFor(queryDer({ certReq: false }))
    expect(token.certificates).toHaveLength(0)
    expect(token.info.nonce).toBeUndefined()
  })

  it('never gives a serial number twice', async () => {
    const tokens = await Promise.all(Array.from({ length: 50 }, () => tokenFor(queryDer())))
    expect(new Set(tokens.map((token) => token.info.serialNumber)).size).toBe(50)
  })

  it('signs every token so that a strict DER verifier takes it', async () => {
    for (let count = 0; count < 100; count += 1) {
      const { body } = await postQuery(tsa.url, queryDer())
      const { timeStampToken } = new TimeStampResp({ schema: asn1js.fromBER(body).result })
      const signedData = new SignedData({ schema: timeStampToken?.content })
      const signer = signedData.signerInfos[0]
      const certificate = signedData.certificates?.[0]
      if (signer?.signedAttrs === undefined || !(certificate instanceof Certificate))
        throw new Error('incomplete token')
      const publicKey = createPublicKey({
        key: Buffer.from(certificate.subjectPublicKeyInfo.toSchema().toBER()),
        format: 'der',
        type: 'spki'
      })
      const signed = Buffer.from(signer.signedAttrs.encodedValue)
      expect(verify('sha256', signed, publicKey, Buffer.from(signer.signature.getValue()))).toBe(true)
    }
  })
})

describe('what the development TSA refuses', () => {
  const refusals: readonly (readonly [string, Uint8Array<ArrayBuffer>, string])[] = [
    ['bytes that are no ASN.1', new TextEncoder().encode('hello'), 'rejection: badDataFormat'],
    ['an empty body', new Uint8Array(0), 'rejection: badDataFormat'],
    ['another structure', Uint8Array.of(0x30, 0x03, 0x02, 0x01, 0x01), 'rejection: badDataFormat'],
    ['a truncated query', queryDer().slice(0, -1), 'rejection: badDataFormat'],
    ['a byte after the query', Uint8Array.of(...queryDer(), 0), 'rejection: badDataFormat'],
    ['another version', queryDer({ version: 2 }), 'rejection: badRequest'],
    ['a SHA-1 imprint', queryDer({ messageImprint: imprint(SHA_1, ROOT.slice(0, 20)) }), 'rejection: badAlg'],
    ['an imprint too short', queryDer({ messageImprint: imprint(SHA_512, ROOT) }), 'rejection: badDataFormat'],
    ['another policy', queryDer({ reqPolicy: '1.2.3.4' }), 'rejection: unacceptedPolicy'],
    [
      'an extension, critical or not',
      queryDer({
        extensions: [new Extension({ extnID: '1.2.3.4', critical: false, extnValue: Uint8Array.of(5, 0).buffer })]
      }),
      'rejection: unacceptedExtension'
    ]
  ]
  it.each(refusals)('%s', async (_name, query, expected) => {
    expect(await refusalOf(query)).toMatch(new RegExp(`^${expected}: `))
  })

  it('with the failure bits of RFC 3161, as DER', async () => {
    const failInfoOf = (body: Uint8Array): string => {
      const { failInfo } = new TimeStampResp({ schema: asn1js.fromBER(body).result }).status
      return failInfo === undefined ? '' : toHex(new Uint8Array(failInfo.toBER()))
    }
    const refused = await Promise.all(
      refusals.map(async ([, query]) => failInfoOf((await postQuery(tsa.url, query)).body))
    )
    const badDataFormat = '03020204'
    expect(refused).toEqual([
      ...Array.from({ length: 5 }, () => badDataFormat),
      '03020520',
      '03020780',
      badDataFormat,
      '0303000001',
      '030407000080'
    ])
    expect(failInfoOf(systemFailureReply())).toBe('03050600000040')
  })

  it('answers any bytes with a response, and stays up', async () => {
    const good = queryDer()
    const mutation = fc.tuple(fc.nat(good.length - 1), fc.nat(255)).map(([at, value]) => good.with(at, value))
    await fc.assert(
      fc.asyncProperty(fc.oneof(mutation, fc.uint8Array({ maxLength: 300 })), async (query) => {
        const reply = await postQuery(tsa.url, new Uint8Array(query))
        expect(reply.status).toBe(200)
        expect(readTimestampResponse(reply.body)).toMatchObject({ ok: true })
      }),
      { numRuns: 200 }
    )
  })
})

describe('the development TSA over HTTP', () => {
  it('answers systemFailure when a part of its own fails', async () => {
    let broken = false
    const bytes = (length: number): Uint8Array => {
      if (broken) throw new Error('no randomness')
      return systemRandom.bytes(length)
    }
    const failing = await startDevelopmentTsa({ clock, random: { ...systemRandom, bytes } })
    broken = true
    const { status, body } = await postQuery(failing.url, queryDer())
    expect(status).toBe(200)
    const detail = 'rejection: systemFailure: the authority failed'
    expect(readTimestampResponse(body)).toEqual({ ok: true, granted: false, detail })
    await failing.close()
  })

  const post = (path: string, init: RequestInit): Promise<Response> =>
    fetch(new URL(path, tsa.url), {
      method: 'POST',
      headers: { 'content-type': 'application/timestamp-query' },
      ...init
    })

  it('refuses what is no query with a status', async () => {
    expect((await post('/other', { body: queryDer() })).status).toBe(404)
    expect((await post('/', { body: queryDer(), headers: { 'content-type': 'text/plain' } })).status).toBe(415)
    const get = await fetch(tsa.url)
    expect(get.status).toBe(405)
    expect(get.headers.get('allow')).toBe('POST')
  })

  it('refuses a body above 16 KiB, announced or streamed, and takes one of just that size', async () => {
    const streamed = new Blob([new Uint8Array(16 * 1024 + 1)]).stream()
    expect((await post('/', { body: new Uint8Array(16 * 1024 + 1) })).status).toBe(413)
    expect((await post('/', { body: streamed, duplex: 'half' })).status).toBe(413)
    expect((await post('/', { body: new Uint8Array(16 * 1024) })).status).toBe(200)
  })

  it('frees its port when it is closed, and says so when a port is taken', async () => {
    const port = Number(new URL(tsa.url).port)
    const listen = { host: '127.0.0.1', port }
    const taken = await startDevelopmentTsa({ clock, random: systemRandom, listen }).catch((error: unknown) => error)
    expect(taken).toBeInstanceOf(AnchormeshError)
    expect(taken).toMatchObject({ code: 'PORT_IN_USE' })

    const first = await startDevelopmentTsa({ clock, random: systemRandom })
    await first.close()
    await expect(fetch(first.url)).rejects.toThrow('fetch failed')
  })
})
