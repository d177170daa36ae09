import { describe, expect, it } from 'vitest'
import type { Grant, ReaderAccess } from '../../src/access/reader-access.ts'
import type { ProjectionPage } from '../../src/operations.ts'
import { PLAIN_SIGHT } from '../../src/http/require-visible.ts'
import { publicListener } from './support/listeners.ts'
import { memoryNode } from './support/memory-operations.ts'

const NAMESPACE = 'dao:test'

/** A listener whose every answer of a projection says how many were read before it, and who asked. */
async function counting() {
  const at = { revision: 0, read: 0 }
  const gate: { held: Promise<void> | null } = { held: null }
  const query = async (
    projection: string,
    _query: unknown,
    scope?: { readonly actor: string }
  ): Promise<ProjectionPage> => {
    at.read += 1
    const rows = [{ read: at.read, actor: scope?.actor ?? '' }]
    await gate.held
    return { projection, version: 1, epoch: 'e', logSeq: at.revision, rows, nextCursor: null }
  }
  const grants = new Map(['one', 'two'].map((actor) => [actor, grantOf(actor)]))
  const access = {
    visibility: { ...PLAIN_SIGHT, carried: () => [NAMESPACE] },
    ofToken: async (token: string) => {
      const grant = grants.get(token)
      return await Promise.resolve(grant === undefined ? { ok: false, code: 'TOKEN_INVALID' } : { ok: true, grant })
    },
    ofTicket: () => ({ ok: false, code: 'TOKEN_INVALID' })
  } as unknown as ReaderAccess
  const { url } = await publicListener({
    operations: { ...memoryNode(), query },
    access,
    revision: () => at.revision
  })
  const ask = async (path: string, headers: Readonly<Record<string, string>> = {}) => {
    const answer = await fetch(`${url}/v1/projections/${path}`, { headers })
    const text = await answer.text()
    const [row] = text === '' ? [] : ((JSON.parse(text) as Partial<ProjectionPage>).rows ?? [])
    return { status: answer.status, row, text, headers: Object.fromEntries(answer.headers) }
  }
  return { at, gate, ask, grants }
}

function grantOf(actor: string): Grant {
  const scope = { actor, namespaces: new Set([NAMESPACE]), tenant: null, isOperator: false }
  return { scope, rights: ['read'], tokenId: actor }
}

describe('an answer is kept', () => {
  it('for who asks the same again, byte by byte, with its headers', async () => {
    const { ask, at } = await counting()
    const first = await ask('winners?batchId=b')
    const again = await ask('winners?batchId=b')
    const { 'x-request-id': one, date: _date, ...headers } = first.headers
    const { 'x-request-id': other, date: _other, ...headersAgain } = again.headers
    expect([again.status, again.text, headersAgain]).toEqual([200, first.text, headers])
    expect(other).not.toBe(one)
    const etag = first.headers['etag'] ?? ''
    expect(await ask('winners?batchId=b', { 'if-none-match': etag })).toMatchObject({ status: 304, text: '' })
    expect((await ask('winners?batchId=c')).row).toMatchObject({ read: 2 })
    at.revision = 1
    for (let time = 0; time < 2; time += 1)
      expect(await ask('winners?batchId=d', { 'if-none-match': '*' })).toMatchObject({ status: 304, text: '' })
    expect(at.read).toBe(3)
  })

  it('until anything moves', async () => {
    const { ask, at } = await counting()
    for (const revision of [1, 1, 2, 5]) {
      at.revision = revision
      const answer = await ask('winners')
      expect(JSON.parse(answer.text)).toMatchObject({ logSeq: revision })
    }
    expect(at.read).toBe(3)
  })

  it('not where something moved while it was read', async () => {
    const { ask, at, gate } = await counting()
    const held = Promise.withResolvers<void>()
    gate.held = held.promise
    const slow = ask('winners')
    while (at.read === 0) await new Promise((resolve) => setImmediate(resolve))
    at.revision = 1
    gate.held = null
    const between = await ask('winners')
    held.resolve()
    expect((await slow).row).toMatchObject({ read: 1 })
    expect((await ask('winners')).text).toBe(between.text)
    expect(between.row).toMatchObject({ read: 2 })
  })

  it('for its reader alone, and for no other policy', async () => {
    const { ask, grants } = await counting()
    const actors = async (token?: string) =>
      (await ask('winners', token === undefined ? {} : { authorization: `Bearer ${token}` })).row
    const seen = [await actors(), await actors('one'), await actors('two'), await actors('one'), await actors()]
    expect(seen).toMatchObject([
      { read: 1 },
      { read: 2, actor: 'one' },
      { read: 3, actor: 'two' },
      { read: 2 },
      { read: 1 }
    ])
    grants.set('one', grantOf('one'))
    expect(await actors('one')).toMatchObject({ read: 4, actor: 'one' })
    grants.delete('one')
    expect(await ask('winners', { authorization: 'Bearer one' })).toMatchObject({ status: 401 })
  })

  it.each(['audit', 'peers', 'receipts?include=record', 'receipts?include=proof,evidence'])(
    'not of %s, which changes by itself or goes when it is forgotten',
    async (path) => {
      const { ask } = await counting()
      expect([(await ask(path)).row, (await ask(path)).row]).toMatchObject([{ read: 1 }, { read: 2 }])
    }
  )

  it('in a bounded number', async () => {
    const { ask, at } = await counting()
    // More than are kept: the first one had to go.
    for (let from = 0; from < 2_100; from += 50)
      await Promise.all(Array.from({ length: 50 }, (_, index) => ask(`winners?batchId=b${from + index}`)))
    const before = at.read
    await ask('winners?batchId=b0')
    expect(at.read).toBe(before + 1)
    await ask('winners?batchId=b2099')
    expect(at.read).toBe(before + 1)
  })
})
