import { describe, expect, test } from 'vitest'
import type { Problem } from '../../src/http/errors.ts'
import type { World } from '../access/world.ts'
import { bearer, listen, openWorld, tokenFor } from '../access/world.ts'
import { rawExchange } from './support/listeners.ts'

const ELSEWHERE = { 'x-forwarded-for': '203.0.113.9' }

async function serving(): Promise<World & { readonly url: string }> {
  const world = await openWorld()
  return { ...world, url: (await listen(world.node)).url }
}

describe('POST /v1/receipts', () => {
  const json = { 'content-type': 'application/json' }
  const post = async (
    url: string,
    body: string,
    headers: Readonly<Record<string, string>>
  ): Promise<{ readonly status: number; readonly body: Partial<Problem> & { readonly receiptHashes?: string[] } }> => {
    const answer = await fetch(`${url}/v1/receipts`, { method: 'POST', body, headers: { ...json, ...headers } })
    return { status: answer.status, body: (await answer.json()) as Partial<Problem> }
  }
  const receipts = JSON.stringify({ namespace: 'a:one', receipts: [{ invoice: 1 }, 'two', { z: 1, a: 2 }] })

  test('queues them for the next batch', async () => {
    const { url, node } = await serving()
    const token = bearer(await tokenFor(node, ['a:one'], { rights: ['hand-in'] }))
    const first = await post(url, receipts, token)
    expect(first).toMatchObject({ status: 202, body: { receiptHashes: { length: 3 }, queued: 3 } })
    expect(await post(url, receipts, { ...token, ...ELSEWHERE })).toMatchObject({ status: 202, body: { queued: 6 } })
  })

  const REFUSED: readonly (readonly [string, string, number, string])[] = [
    ['nothing', '', 400, 'BODY_MALFORMED'],
    ['what is not JSON', '{', 400, 'BODY_MALFORMED'],
    ['a member name twice', '{"namespace":"a:one","receipts":[{"a":1,"a":2}]}', 400, 'BODY_MALFORMED'],
    ['a number that would be rounded', '{"namespace":"a:one","receipts":[9007199254740993]}', 400, 'BODY_MALFORMED'],
    ['deep JSON', `{"namespace":"a:one","receipts":${'['.repeat(50_000)}${']'.repeat(50_000)}}`, 400, 'BODY_MALFORMED'],
    ['no receipts', '{"namespace":"a:one","receipts":[]}', 422, 'BODY_INVALID'],
    ['an unknown member', '{"namespace":"a:one","receipts":[1],"batch":"b"}', 422, 'BODY_INVALID'],
    [
      'too many',
      JSON.stringify({ namespace: 'a:one', receipts: Array.from({ length: 1_001 }, () => 1) }),
      422,
      'BODY_INVALID'
    ],
    ['another namespace', '{"namespace":"a:two","receipts":[1]}', 403, 'ACCESS_DENIED'],
    ['an unknown namespace', '{"namespace":"x:y","receipts":[1]}', 403, 'ACCESS_DENIED'],
    [
      'more than 1 MiB',
      JSON.stringify({ namespace: 'a:one', receipts: ['x'.repeat(1_100_000)] }),
      413,
      'BODY_TOO_LARGE'
    ]
  ]
  test('refuses what can’t be sealed as it was meant, or where it was not meant', async () => {
    const { url, node } = await serving()
    const token = bearer(await tokenFor(node, ['a:one'], { rights: ['read', 'hand-in'] }))
    for (const [what, body, status, code] of REFUSED)
      expect([what, await post(url, body, token)]).toMatchObject([what, { status, body: { code } }])
  })

  test('takes a member by whatever name: it is sealed, and nothing is made of it', async () => {
    const { url, node } = await serving()
    const token = bearer(await tokenFor(node, ['a:one'], { rights: ['hand-in'] }))
    const body = '{"namespace":"a:one","receipts":[{"__proto__":{"a":1}},{"constructor":{"prototype":1}}]}'
    expect(await post(url, body, token)).toMatchObject({ status: 202, body: { queued: 2 } })
    const another = { ...token, 'content-type': 'text/plain' }
    expect(await post(url, body, another)).toMatchObject({ status: 415, body: { code: 'MEDIA_TYPE_UNSUPPORTED' } })
  })

  test('asks for a token with that right, on loopback, too, and before it reads the body', async () => {
    const { url, node } = await serving()
    expect(await post(url, receipts, {})).toMatchObject({ status: 401, body: { code: 'TOKEN_REQUIRED' } })
    const reads = bearer(await tokenFor(node, ['a:one']))
    expect(await post(url, receipts, reads)).toMatchObject({ status: 403, body: { code: 'ACCESS_DENIED' } })
    const { host } = new URL(url)
    const head = `POST /v1/receipts HTTP/1.1\r\nhost: ${host}\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n\r\n{`
    expect(await rawExchange(url, head)).toMatch(/^HTTP\/1\.1 401 .*connection: close/is)
  })

  test('says where nothing is sealed by schedule', async () => {
    const { url, node } = await serving()
    const token = bearer(await tokenFor(node, ['a:two'], { rights: ['hand-in'] }))
    const body = '{"namespace":"a:two","receipts":[1]}'
    expect(await post(url, body, token)).toMatchObject({ status: 422, body: { code: 'SEALING_NOT_CONFIGURED' } })
  })
})
