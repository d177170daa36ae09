import { describe, expect, it } from 'vitest'
import { newAdminToken } from '../../src/http/admin-listener.ts'
import type { Problem } from '../../src/http/errors.ts'
import type { Operations } from '../../src/operations.ts'
import * as schemas from '../../src/http/schemas.ts'
import { AnchormeshError } from '../../src/platform/errors.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import type { LogLine } from '../support/recording-logger.ts'
import { recordingLogger } from '../support/recording-logger.ts'
import { AUTHORIZED, adminListener, ask, nodeWith, problemOf, rawGet } from './support/listeners.ts'
import { NAMESPACE, memoryNode } from './support/memory-operations.ts'

const LINES = { 'content-type': 'application/x-ndjson' }
const WIRE = { 'content-type': 'application/octet-stream' }
const JSON_BODY = { 'content-type': 'application/json' }
const BATCH = `batches?namespace=${NAMESPACE}&batchId=b1`

describe('the token', () => {
  it.each([
    ['none', {}],
    ['another', { authorization: 'Bearer other' }],
    ['the beginning of it', { authorization: 'Bearer test-toke' }],
    ['another scheme', { authorization: 'Basic test-token' }],
    ['nothing after the scheme', { authorization: 'Bearer ' }]
  ])('is asked for: %s', async (_name, headers: Record<string, string>) => {
    const { url } = await adminListener()
    for (const method of ['GET', 'POST']) {
      const response = await fetch(url('status'), { method, headers })
      expect(response.headers.get('www-authenticate')).toBe('Bearer')
      expect(await problemOf(response)).toMatchObject({ status: 401, code: 'ADMIN_TOKEN_INVALID' })
    }
    const upload = await fetch(url(BATCH), { method: 'POST', headers: { ...LINES, ...headers }, body: '1\n' })
    expect(upload.status).toBe(401)
  })

  it('may be shown in any case of the scheme', async () => {
    const { url } = await adminListener()
    expect((await fetch(url('status'), { headers: { authorization: 'bearer test-token' } })).status).toBe(200)
  })

  it('is made of 32 random bytes', () => {
    const random = { bytes: (length: number) => new Uint8Array(length).fill(7), fraction: () => 0 }
    expect(newAdminToken(random)).toBe(Buffer.alloc(32, 7).toString('base64url'))
  })

  it('does not help against another host', async () => {
    const { url } = await adminListener()
    expect((await rawGet(url('status'), { ...AUTHORIZED, host: 'evil.example' })).status).toBe(403)
  })
})

describe('small routes', () => {
  it('GET status', async () => {
    const { url } = await adminListener({ operations: nodeWith(2) })
    const body: unknown = await (await ask(url('status'))).json()
    expect(body).toEqual(await nodeWith(2).status())
    expect(schemas.nodeStatus.parse(body)).toEqual(body)
  })

  it('GET projections, events/{id} and digest, as the public listener has them', async () => {
    const operations = nodeWith(2)
    const { url } = await adminListener({ operations })
    expect(await (await ask(url('projections/batches?limit=3'))).json()).toMatchObject({
      rows: [{ asked: { limit: 3 } }]
    })
    expect(await (await ask(url(`events/${operations.log[0]?.id ?? ''}`))).json()).toEqual(operations.log[0])
    expect(await (await ask(url(`digest?namespace=${NAMESPACE}`))).json()).toMatchObject({ count: 2 })
  })

  it('POST packs', async () => {
    const { url } = await adminListener()
    const response = await ask(url('packs'), { method: 'POST' })
    expect([response.status, await response.json()]).toEqual([201, await memoryNode().publishPack()])
  })

  it.each([
    ['GET', 'status?x=1', 400, 'QUERY_INVALID'],
    ['POST', 'packs?x=1', 400, 'QUERY_INVALID'],
    ['POST', 'log/verify?x=1', 400, 'QUERY_INVALID'],
    ['POST', 'batches', 400, 'QUERY_INVALID'],
    ['GET', 'events?follow=yes', 400, 'QUERY_INVALID'],
    ['GET', 'log/export?namespace=A', 400, 'QUERY_INVALID'],
    ['GET', 'batches/proofs', 400, 'QUERY_INVALID'],
    ['GET', 'nothing', 404, 'NOT_FOUND'],
    ['GET', 'shutdown', 404, 'NOT_FOUND'],
    ['DELETE', 'events', 404, 'NOT_FOUND'],
    ['GET', `events/${'0'.repeat(64)}`, 404, 'NOT_FOUND'],
    ['GET', 'digest?namespace=dao:other', 404, 'NOT_FOUND'],
    ['GET', 'projections/none', 404, 'UNKNOWN_PROJECTION']
  ])('%s %s is refused with %d', async (method, path, status, code) => {
    const { url } = await adminListener()
    expect(await problemOf(await ask(url(path), { method }))).toMatchObject({ status, code })
  })
})

describe('POST batches/announcements', () => {
  const body = { namespace: NAMESPACE, batchId: 'b1', timestampAnchors: [{ chainId: 'rfc3161:test', token: 'AAAA' }] }

  it('announces', async () => {
    const asked: unknown[] = []
    const announce: Operations['announce'] = async (request) => {
      asked.push(request)
      return { id: sha256Hex('x'), logSeq: 9, recipients: 0 }
    }
    const { url } = await adminListener({ operations: memoryNode({ announce }) })
    const response = await ask(url('batches/announcements'), {
      method: 'POST',
      headers: JSON_BODY,
      body: JSON.stringify(body)
    })
    expect([response.status, await response.json()]).toEqual([201, { id: sha256Hex('x'), logSeq: 9, recipients: 0 }])
    expect(asked).toEqual([body])
  })

  it.each([
    ['another type', WIRE, JSON.stringify(body), 415, 'MEDIA_TYPE_UNSUPPORTED'],
    ['no JSON', JSON_BODY, '{', 400, 'BODY_MALFORMED'],
    ['nothing', JSON_BODY, '', 400, 'BODY_MALFORMED'],
    [
      'a member that changes the prototype',
      JSON_BODY,
      JSON.stringify(body).replace('"chainId"', '"__proto__"'),
      400,
      'BODY_MALFORMED'
    ],
    ['an unknown member', JSON_BODY, JSON.stringify({ ...body, x: 1 }), 422, 'BODY_INVALID'],
    ['a missing member', JSON_BODY, JSON.stringify({ ...body, batchId: undefined }), 422, 'BODY_INVALID'],
    [
      'seventeen anchors',
      JSON_BODY,
      JSON.stringify({ ...body, timestampAnchors: Array.from({ length: 17 }, () => ({})) }),
      422,
      'BODY_INVALID'
    ],
    ['more than 1 MiB', JSON_BODY, JSON.stringify({ ...body, x: 'x'.repeat(1_100_000) }), 413, 'BODY_TOO_LARGE']
  ])('refuses %s', async (_name, headers, text, status, code) => {
    const { url } = await adminListener()
    const response = await ask(url('batches/announcements'), { method: 'POST', headers, body: text })
    expect(await problemOf(response)).toMatchObject({ status, code })
  })

  it.each([
    ['ROLE_MISSING', 403],
    ['BODY_INVALID', 422],
    ['NAMESPACE_NOT_CARRIED', 403],
    ['PACK_FORK', 422],
    ['SOMETHING_NEW', 422]
  ])('says with which code the event would be refused everywhere: %s', async (code, status) => {
    const announce: Operations['announce'] = () =>
      Promise.reject(new AnchormeshError('PUBLISH_REFUSED', 'not published', { detail: { code } }))
    const { url } = await adminListener({ operations: memoryNode({ announce }) })
    const told = await problemOf(
      await ask(url('batches/announcements'), { method: 'POST', headers: JSON_BODY, body: JSON.stringify(body) })
    )
    expect(told).toMatchObject({ status, code: code === 'SOMETHING_NEW' ? 'PUBLISH_REFUSED' : code, data: { code } })
  })

  it('shows the operator what fails in the store, but no defects', async () => {
    const lines: LogLine[] = []
    const logger = recordingLogger(lines)
    const failWith = async (failure: Error): Promise<Problem> => {
      const { url } = await adminListener({
        operations: memoryNode({ publishPack: () => Promise.reject(failure) }),
        logger
      })
      return await problemOf(await ask(url('packs'), { method: 'POST' }))
    }
    const corrupt = new AnchormeshError('STORE_CORRUPT', '/srv/store is damaged')
    expect(await failWith(corrupt)).toMatchObject({
      status: 503,
      code: 'STORE_CORRUPT',
      detail: '/srv/store is damaged'
    })
    expect(JSON.stringify(await failWith(new Error('secret')))).not.toContain('secret')
    expect(lines.filter(({ level }) => level === 'error')).toHaveLength(2)
  })
})

describe('POST events', () => {
  const submit = async (operations: Operations, wire: Uint8Array<ArrayBuffer>): Promise<Response> => {
    const { url } = await adminListener({ operations })
    return await ask(url('events'), { method: 'POST', headers: WIRE, body: wire })
  }

  it('takes an event in, and says so again', async () => {
    const operations = memoryNode()
    const first = await submit(operations, Buffer.from('wire'))
    expect([first.status, await first.json()]).toEqual([201, { outcome: 'accepted', id: sha256Hex('wire'), logSeq: 1 }])
    const again = await submit(operations, Buffer.from('wire'))
    expect([again.status, await again.json()]).toEqual([
      200,
      { outcome: 'duplicate', id: sha256Hex('wire'), logSeq: 1 }
    ])
  })

  it('answers 202 to what has to wait', async () => {
    const pending = { outcome: 'pending', code: 'PREDECESSOR_MISSING', detail: 'not yet', id: 'x' } as const
    const response = await submit(memoryNode({ submit: async () => pending }), Buffer.from('wire'))
    expect([response.status, await response.json()]).toEqual([202, pending])
  })

  it.each([
    ['rejected', 'EVENT_TOO_LARGE', 413, null],
    ['rejected', 'MALFORMED', 400, null],
    ['rejected', 'NOT_CANONICAL', 400, null],
    ['rejected', 'DUPLICATE_KEY', 400, null],
    ['rejected', 'NUMBER_NOT_IJSON', 400, null],
    ['rejected', 'LONE_SURROGATE', 400, null],
    ['rejected', 'UNKNOWN_VERSION', 422, null],
    ['rejected', 'SCHEMA_INVALID', 422, null],
    ['rejected', 'SIGNATURE_INVALID', 401, null],
    ['rejected', 'SIGNER_MISMATCH', 401, null],
    ['rejected', 'KEY_WEAK', 401, null],
    ['rejected', 'CHAIN_BROKEN', 422, null],
    ['ignored', 'FUTURE_TIMESTAMP', 422, null],
    ['ignored', 'NAMESPACE_NOT_CARRIED', 403, null],
    ['ignored', 'SIGNER_NOT_MEMBER', 403, null],
    ['ignored', 'RATE_LIMITED', 429, '10'],
    ['ignored', 'OVERLOADED', 503, '1'],
    ['ignored', 'STORE_FULL', 503, '60'],
    ['ignored', 'SAME_ID_OTHER_BYTES', 409, null]
  ] as const)('answers %s(%s) with %d', async (outcome, code, status, retryAfter) => {
    const response = await submit(
      memoryNode({ submit: async () => ({ outcome, code, detail: 'why', id: 'x' }) }),
      Buffer.from('wire')
    )
    expect(await problemOf(response)).toMatchObject({ status, code, outcome, detail: 'why', id: 'x' })
    expect(response.headers.get('retry-after')).toBe(retryAfter)
  })

  it('lets the door judge what is larger than an event, and refuses by itself what is far larger', async () => {
    const asked: number[] = []
    const operations = memoryNode()
    const counting = memoryNode({
      submit: async (wire) => {
        asked.push(wire.length)
        return await operations.submit(wire)
      }
    })
    for (const length of [60_000, 2_000_000]) {
      const response = await submit(counting, new Uint8Array(length))
      expect(await problemOf(response)).toMatchObject({
        status: 413,
        code: 'EVENT_TOO_LARGE',
        outcome: 'rejected',
        id: null
      })
    }
    expect(asked).toEqual([60_000])
  })

  it('gives no bytes to the door as they are, and other types not at all', async () => {
    const { url } = await adminListener()
    expect(await problemOf(await ask(url('events'), { method: 'POST' }))).toMatchObject({
      code: 'MALFORMED',
      outcome: 'rejected'
    })
    expect(await problemOf(await ask(url('events'), { method: 'POST', headers: JSON_BODY, body: '{}' }))).toMatchObject(
      { status: 415 }
    )
  })
})

describe('POST shutdown', () => {
  it('answers first, then asks the node to stop, once', async () => {
    let asked = 0
    const stopped = Promise.withResolvers<void>()
    const { url } = await adminListener({
      shutdown: () => {
        asked += 1
        stopped.resolve()
      }
    })
    const [first, second] = await Promise.all([
      ask(url('shutdown'), { method: 'POST' }),
      ask(url('shutdown'), { method: 'POST' })
    ])
    expect(new Set([first.status, second.status])).toEqual(new Set([202, 503]))
    await stopped.promise
    expect(asked).toBe(1)
  })
})
