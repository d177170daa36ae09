import { describe, expect, it } from 'vitest'
import { bearer, tokenFor } from '../access/world.ts'
import { startWholeGateway } from './support/whole-gateway.ts'

const HASH = 'a'.repeat(64)
const GETS = [
  '/health',
  '/livez',
  '/readyz',
  '/metrics',
  '/openapi.json',
  '/docs',
  '/docs/',
  '/docs/static/index.css',
  '/v1/events',
  `/v1/events/${HASH}`,
  '/v1/projections/batches',
  '/v1/projections/audit',
  '/v1/projections/peers',
  '/v1/projections/receipts',
  '/v1/projections/findings',
  '/v1/projections/deliveries',
  '/v1/digest?namespace=a:one',
  `/v1/receipts/${HASH}/proof?namespace=a:one&batchId=b`,
  '/v1/log/checkpoint',
  '/v1/log/inclusion?logSeq=1&size=1',
  '/v1/log/consistency?from=1&to=1',
  '/v1/subscribe?projection=batches',
  '/v1/federation/node',
  '/v1/packs/org-self',
  '/v1/tenants/alpha/findings',
  '/v1/tenants/alpha/findings/f1',
  '/v1/tenants/alpha/feedback'
]
const JSON_TYPE = 'application/json'
const WIRE_TYPE = 'application/octet-stream'
const GOOD_RECEIPTS = '{"namespace":"a:one","receipts":[1]}'
const POSTS: Readonly<Record<string, string>> = {
  '/v1/receipts': JSON_TYPE,
  '/v1/packs': WIRE_TYPE,
  '/federation/announce': WIRE_TYPE,
  '/federation/request': WIRE_TYPE,
  '/v1/federation/challenge': JSON_TYPE,
  '/v1/federation/deliver': JSON_TYPE,
  '/v1/tenants/alpha/telemetry': JSON_TYPE,
  '/v1/tenants/alpha/feedback': JSON_TYPE
}
const ODD_PARAMETERS = ['nobody=1', '__proto__=1', 'constructor=1', 'toString=1', '__proto__[a]=1', '=1', 'Namespace=x']

describe('every route', () => {
  it('refuses a parameter that it does not know, by whatever name', async () => {
    const { url, node } = await startWholeGateway()
    const headers = bearer(await tokenFor(node, ['a:one'], { rights: ['read', 'hand-in'] }))
    const taken: string[] = []
    for (const odd of ODD_PARAMETERS) {
      for (const path of GETS) {
        const answer = await fetch(`${url}${path}${path.includes('?') ? '&' : '?'}${odd}`, { redirect: 'manual' })
        if (!(await isRefusedQuery(answer))) taken.push(`GET ${path} ${odd}: ${answer.status}`)
      }
      for (const [path, type] of Object.entries({ ...POSTS, '/v1/tickets': '' })) {
        const sent = type === '' ? {} : { body: GOOD_RECEIPTS }
        const kind: Record<string, string> = type === '' ? {} : { 'content-type': type }
        const init = { method: 'POST', redirect: 'manual', headers: { ...headers, ...kind }, ...sent } as const
        const answer = await fetch(`${url}${path}?${odd}`, init)
        if (!(await isRefusedQuery(answer))) taken.push(`POST ${path} ${odd}: ${answer.status}`)
      }
    }
    expect(taken).toEqual([])
  })

  it('refuses names that are no names, without a defect', async () => {
    const { url } = await startWholeGateway()
    const names = [
      '__proto__',
      'constructor',
      'toString',
      '..%2f..%2fx',
      '%00',
      'a%0d%0aset-cookie:x',
      '%e2%80%ae',
      '%f0%9f%98%80'.repeat(100)
    ]
    const paths = [
      '/NAME',
      '//NAME/x',
      '/docs/NAME',
      '/docs/static/NAME',
      '/v1/projections/NAME',
      '/v1/projections/batches?namespace=NAME',
      '/v1/projections/batches?cursor=NAME',
      '/v1/tenants/NAME/findings',
      '/v1/tenants/NAME/feedback',
      '/v1/tenants/alpha/findings/NAME',
      '/v1/events/NAME',
      '/v1/packs/NAME',
      '/v1/digest?namespace=NAME',
      '/v1/receipts/NAME/proof?namespace=a:one&batchId=b',
      '/v1/subscribe?projection=NAME',
      '/v1/subscribe?projection=batches&cursor=NAME',
      '/v1/subscribe?projection=batches&namespace=NAME'
    ]
    const odd: string[] = []
    for (const path of paths) {
      for (const name of names) {
        const answer = await fetch(url + path.replace('NAME', name), { redirect: 'manual' })
        const isProblem = answer.headers.get('content-type') === 'application/problem+json'
        await answer.body?.cancel()
        if (!isProblem || answer.status < 400 || answer.status >= 500) odd.push(`${path} ${name}: ${answer.status}`)
        if (answer.headers.has('set-cookie')) odd.push(`${path} ${name}: a header was made`)
      }
    }
    expect(odd).toEqual([])
  })

  it('reads no more of a body than it can use, and nothing of it gets into other objects', async () => {
    const { url, node } = await startWholeGateway()
    const headers = bearer(await tokenFor(node, ['a:one'], { rights: ['read', 'hand-in'] }))
    const nested = (depth: number): string => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`
    const bodies: Readonly<Record<string, string | Buffer>> = {
      huge: Buffer.alloc(10 * 1024 * 1024, 0x5b),
      'deep lists': '['.repeat(100_000) + ']'.repeat(100_000),
      'deep objects': `{"namespace":"a:one","receipts":[${nested(5_000)}]}`,
      prototype: '{"__proto__":{"polluted":1},"namespace":"a:one","receipts":[{"__proto__":{"polluted":1}}]}',
      constructor: '{"constructor":{"prototype":{"polluted":1}},"signed":{"__proto__":{"polluted":1}},"signatures":[]}',
      'inherited names': '{"namespace":"constructor","receipts":[1]}',
      empty: '',
      null: 'null',
      mark: '\ufeff{}'
    }
    const odd: string[] = []
    for (const [path, type] of Object.entries(POSTS)) {
      for (const [name, body] of Object.entries(bodies)) {
        const answer = await fetch(url + path, {
          method: 'POST',
          headers: { ...headers, 'content-type': type },
          body: new Uint8Array(Buffer.from(body))
        })
        await answer.body?.cancel()
        const wanted = name === 'huge' ? [413] : [400, 403, 413, 422]
        if (!wanted.includes(answer.status)) odd.push(`${path} ${name}: ${answer.status}`)
      }
    }
    expect(odd).toEqual([])
    expect(({} as { readonly polluted?: number }).polluted).toBeUndefined()
    expect(await (await fetch(`${url}/health`)).json()).toMatchObject({ status: 'ok' })
  })
})

async function isRefusedQuery(answer: Response): Promise<boolean> {
  const text = await answer.text()
  return answer.status === 400 && text.includes('"QUERY_INVALID"')
}
