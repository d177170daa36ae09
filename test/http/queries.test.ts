import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { page } from '../../src/api/pages.ts'
import { rawGet } from './support/listeners.ts'
import { richNode, rowsOf } from './support/rich-node.ts'
import type { RichNode } from './support/rich-node.ts'
import { ALICE } from '../proofs/support.ts'
import { NAMESPACE } from '../support/identities.ts'

const PROJECTION = '/v1/projections'

async function names({ get }: RichNode, path: string, column = 'batchId'): Promise<readonly unknown[]> {
  const answer = await get(`${PROJECTION}/${path}`)
  expect([answer.status, answer.body['detail']]).toEqual([200, undefined])
  return rowsOf(answer).map((row) => row[column])
}

describe('filters', () => {
  it('are there for batch, signer, status and time wherever rows have them', async () => {
    const rich = await richNode()
    await rich.batch('plain', 2)
    await rich.batch('stamped', 3, true)
    const { node } = rich
    await node.seal({ namespace: NAMESPACE, batchId: 'silent', receipts: [{ n: 1 }] })
    const did = encodeURIComponent(ALICE.signer.did)
    const asked = async (path: string): Promise<readonly unknown[]> => await names(rich, path)

    expect(await asked('batches?status=announced')).toEqual(['plain', 'stamped'])
    expect(await asked('batches?status=unannounced')).toEqual(['silent'])
    expect(await asked(`batches?signer=${did}&batchId=plain`)).toEqual(['plain'])
    expect(await asked('batches?fromTs=1')).toEqual(['plain', 'stamped'])
    expect(await asked('batches?toTs=0')).toEqual([])

    expect(await asked('winners?status=verified')).toEqual(['stamped'])
    expect(await asked('winners?fromTs=9000&toTs=9000')).toEqual(['stamped'])
    expect(await asked('winners?fromTs=9001')).toEqual([])
    expect(await asked('winners?toTs=8999')).toEqual([])

    expect(await asked('timestamp-anchors?fromTs=9000&toTs=9000')).toEqual(['stamped'])
    expect(await asked('timestamp-anchors?toTs=8999')).toEqual([])

    expect(await asked(`receipts?signer=${did}`)).toEqual(['plain', 'plain', 'stamped', 'stamped', 'stamped'])
    expect(await asked(`receipts?signer=${did}&batchId=plain&limit=1`)).toEqual(['plain'])
    expect(await asked('receipts?signer=did%3Akey%3Aznobody')).toEqual([])
    expect(await asked('receipts?fromTs=9000&toTs=9000')).toEqual(['stamped', 'stamped', 'stamped'])
    expect(await asked('receipts?fromTs=0')).toHaveLength(6)
    expect(await asked('receipts?fromTs=9001')).toEqual([])
    expect(await asked('receipts?status=held&batchId=silent')).toEqual(['silent'])

    expect(await names(rich, `sequences?status=linear&namespace=${NAMESPACE}`, 'forked')).toEqual([false])
    expect(await asked('sequences?status=forked')).toEqual([])
  })

  it('that rows can’t answer are refused, with those that they can', async () => {
    const { get } = await richNode()
    for (const path of [
      'equivocations?fromTs=1',
      'sequences?batchId=b',
      'trust-anchors?signer=did%3Akey%3Az6',
      'batches?include=proof'
    ]) {
      const { status, body } = await get(`${PROJECTION}/${path}`)
      expect([status, body['code']], path).toEqual([400, 'QUERY_INVALID'])
    }
    const { body } = await get(`${PROJECTION}/equivocations?fromTs=1`)
    expect(body['hint']).toBe('it knows: namespace, signer')
  })

  it('says no to a list of parts that is none', async () => {
    const { get } = await richNode()
    for (const list of ['', 'proof,proof', 'proofs', 'proof,', 'proof&include=record']) {
      const { status, body } = await get(`${PROJECTION}/receipts?include=${list}`)
      expect([status, body['code']], list).toEqual([400, 'QUERY_INVALID'])
    }
  })
})

describe('pages over HTTP', () => {
  /** All pages, with something done between them. */
  async function walk(
    { get }: RichNode,
    search: string,
    between: (index: number) => Promise<void> = () => Promise.resolve()
  ): Promise<{ readonly rows: readonly JsonObject[]; readonly positions: readonly number[] }> {
    const rows: JsonObject[] = []
    const positions: number[] = []
    let cursor: string | null = ''
    for (let index = 0; cursor !== null; index += 1) {
      const after: string = cursor === '' ? '' : `&cursor=${cursor}`
      const answer = await get(`${PROJECTION}/receipts?${search}${after}`)
      expect(answer.status, JSON.stringify(answer.body)).toBe(200)
      const { logSeq, nextCursor } = page('receipts').parse(answer.body)
      rows.push(...rowsOf(answer))
      positions.push(logSeq)
      cursor = nextCursor
      if (cursor !== null) await between(index)
    }
    return { rows, positions }
  }

  it('hold each row exactly once that was there throughout, and with `at` are all of one state', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 12 })), {
          minLength: 1,
          maxLength: 3
        }),
        fc.array(fc.tuple(fc.constantFrom('seal', 'forget'), fc.nat(1_000)), { maxLength: 6 }),
        fc.integer({ min: 2, max: 9 }),
        async (batches, writes, limit) => {
          const rich = await richNode({ here: true })
          const { node } = rich
          const leaves: string[] = []
          for (const [index, [, count]] of batches.entries())
            leaves.push(...(await rich.batch(`m-${index}`, count)).leaves)
          const { logSeq: at } = (await node.status()).log
          const before = await walk(rich, `limit=500&at=${at}`)
          const gone = new Set<unknown>()
          let done = 0
          const write = async (): Promise<void> => {
            const [what, number] = writes[done % Math.max(writes.length, 1)] ?? []
            done += 1
            // Names before, between and after those that are there.
            if (what === 'seal') await rich.batch(`${'amz'[(number ?? 0) % 3] ?? 'z'}-w${done}`, 3)
            const leaf = leaves[(number ?? 0) % leaves.length]
            if (what !== 'forget' || leaf === undefined || gone.has(leaf)) return
            gone.add(leaf)
            await node.forget({ receipt: leaf, reason: 'test' })
          }
          const now = await walk(rich, `limit=${limit}`, write)
          const seen = now.rows.map(({ leafHash }) => leafHash)
          expect(new Set(seen).size).toBe(seen.length)
          expect(leaves.filter((leaf) => !seen.includes(leaf))).toEqual([])
          expect(now.positions).toEqual(now.positions.toSorted((one, other) => one - other))
          const then = await walk(rich, `limit=${limit}&at=${at}`, write)
          expect(then.rows).toEqual(before.rows)
          expect(new Set(then.positions)).toEqual(new Set([at]))
          await rich.close()
        }
      ),
      { numRuns: 4 }
    )
  })

  it('read an earlier position, and wait for one’s own writes', async () => {
    const rich = await richNode()
    const { node, get } = rich
    await rich.batch('b-1', 1)
    const { logSeq: first } = (await node.status()).log
    await rich.batch('b-2', 1)
    expect(await names(rich, `batches?at=${first}`)).toEqual(['b-1'])
    const { body } = await get(`${PROJECTION}/batches?at=${first}`)
    expect(body['logSeq']).toBe(first)
    const { logSeq } = (await node.status()).log
    const answer = await get(`${PROJECTION}/batches?waitFor=${logSeq}`)
    expect(answer.body['logSeq']).toBeGreaterThanOrEqual(logSeq)
  })
})

describe('ETag', () => {
  it.each(['/v1/projections/batches', '/v1/events', `/v1/digest?namespace=${NAMESPACE}`])(
    'of %s says what has not changed',
    async (path) => {
      const rich = await richNode()
      await rich.batch('b-1', 1)
      const first = await fetch(rich.url + path)
      const etag = first.headers.get('etag') ?? ''
      const text = await first.text()
      expect(etag).toMatch(/^"[\w-]{43}"$/)
      for (const [tags, status] of [
        [etag, 304],
        [`W/${etag}`, 304],
        [`"a, b", W/"c" , ${etag}`, 304],
        ['*', 304],
        ['W/*', 200],
        [etag.slice(1, -1), 200],
        ['"other"', 200],
        [`"${etag}"`, 200],
        ['', 200]
      ] as const) {
        const again = await rawGet(rich.url + path, { 'if-none-match': tags })
        expect([tags, again.status, again.body]).toEqual([tags, status, status === 304 ? '' : text])
        expect(again.headers.etag).toBe(etag)
      }
      await rich.batch('b-2', 1)
      expect((await rawGet(rich.url + path, { 'if-none-match': etag })).status).toBe(200)
    }
  )

  it('is the same for HEAD, which has no body', async () => {
    const rich = await richNode()
    await rich.batch('b-1', 2)
    const path = `${rich.url}/v1/projections/receipts`
    const got = await fetch(path)
    const head = await rawGet(path, {}, 'HEAD')
    expect([head.status, head.body]).toEqual([200, ''])
    expect(head.headers.etag).toBe(got.headers.get('etag'))
    expect(head.headers['content-length']).toBe(String((await got.arrayBuffer()).byteLength))
    const known = await rawGet(path, { 'if-none-match': head.headers.etag ?? '' }, 'HEAD')
    expect([known.status, known.body]).toEqual([304, ''])
    expect((await rawGet(`${path}?bad=1`, {}, 'HEAD')).status).toBe(400)
  })
})
