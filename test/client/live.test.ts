import { describe, expect, test } from 'vitest'
import { createClient, memoryCursorStore } from '../../src/client/index.ts'
import type { Client, UpdateOf } from '../../src/client/index.ts'
import { startPublicListener } from '../../src/http/public-listener.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { NAMESPACE } from '../support/identities.ts'
import { servingNode } from './serving.ts'
import { failureOf, take } from './support.ts'

type BatchUpdate = UpdateOf<'batches'>

const idsOf = (updates: readonly BatchUpdate[]): (string | undefined)[] =>
  updates.flatMap((update) =>
    update.frame === 'snapshot' || update.frame === 'change' ? [update.row?.announcements[0]?.eventId] : []
  )

describe.each(['sse', 'websocket'] as const)('a real node by %s', (transport) => {
  const subscribe = (client: Client, options: Parameters<Client['subscribe']>[1] = {}) =>
    client.subscribe('batches', { transport, retry: { baseMs: 5 }, ...options })

  test('shows what is there, then each change, and goes on where the app was', async () => {
    const { events, url, take: ingest } = await servingNode(30)
    await ingest(events.slice(0, 6))
    const client = createClient({ url })
    const cursorStore = memoryCursorStore()
    const first = subscribe(client, { cursorStore, namespace: NAMESPACE })
    const begin = await take(first, 7)
    expect(begin.map(({ frame }) => frame)).toEqual([...Array<string>(6).fill('snapshot'), 'caught-up'])
    // `caught-up` was left in the middle of: the app goes on at the last row before it, and misses nothing.
    await ingest(events.slice(6, 12))
    const second = await take(subscribe(client, { cursorStore, namespace: NAMESPACE }), 7)
    const known = [...idsOf(begin), ...idsOf(second)].filter((id) => id !== undefined)
    expect(new Set(known)).toEqual(new Set(events.slice(0, 12).map(({ id }) => id)))
  })

  test('comes back after the listener went away', async () => {
    const serving = await servingNode(30)
    const listen = async (port: string) =>
      await startPublicListener({
        listen: `127.0.0.1:${port}`,
        operations: serving.node,
        subscriptions: serving.node.gateway.subscriptions,
        logger: silentLogger,
        clock: systemClock
      })
    const before = await listen('0')
    const updates = subscribe(createClient({ url: before.url }))
    await updates.next()
    await serving.take(serving.events.slice(0, 3))
    const some = [await updates.next(), await updates.next(), await updates.next()].map(({ value }) => value)
    await before.close()
    await serving.take(serving.events.slice(3, 6))
    const after = await listen(new URL(before.url).port)
    const others = [await updates.next(), await updates.next(), await updates.next()].map(({ value }) => value)
    expect(idsOf([...some, ...others])).toEqual(serving.events.slice(0, 6).map(({ id }) => id))
    await updates.return(undefined as never)
    await after.close()
  })

  test('says why it refuses', async () => {
    const { url } = await servingNode(1)
    const client = createClient({ url })
    expect(await failureOf(subscribe(client, { cursor: 'bm9uZQ' }).next())).toMatchObject({ code: 'QUERY_INVALID' })
    const of = await take(client.subscribe('winners'), 1)
    const foreign = of[0]?.cursor ?? ''
    expect(await failureOf(subscribe(client, { cursor: foreign }).next())).toMatchObject({ code: 'CURSOR_FOREIGN' })
    const again = await take(subscribe(client, { cursor: foreign, onGap: 'snapshot' }), 2)
    expect(again.map(({ frame }) => frame)).toEqual(['reset', 'caught-up'])
  })

  test('does not reorder, whatever the speed of the app', async () => {
    const { events, url, take: ingest } = await servingNode(300)
    const updates = subscribe(createClient({ url }))
    await updates.next()
    const ingesting = ingest(events)
    const seen: (string | undefined)[] = []
    while (seen.length < events.length) {
      const { value } = await updates.next()
      seen.push(...idsOf([value]))
      if (seen.length % 50 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    await ingesting
    await updates.return(undefined as never)
    expect(seen).toEqual(events.map(({ id }) => id))
  })
})

test('every call on a real node is answered as its types say', async () => {
  const { events, node, url, take: ingest } = await servingNode(5)
  await ingest(events)
  await node.seal({ namespace: NAMESPACE, batchId: 'sealed', receipts: [1, 2, 3] })
  const client = createClient({ url, verify: { trust: {} } })
  expect(await client.health()).toMatchObject({ status: 'ok' })
  const { logSeq } = await client.digest(NAMESPACE)
  const rows = []
  for await (const row of client.rows('batches', { limit: 2, waitFor: logSeq })) rows.push(row)
  expect(rows).toHaveLength(6)
  const ids = []
  for await (const { id } of client.events({ limit: 2 })) ids.push(id)
  expect(ids).toEqual(events.map(({ id }) => id))
  expect(await client.event(events[0]?.id ?? '')).toMatchObject({ id: events[0]?.id })
  expect(await client.event('0'.repeat(64))).toBeNull()
  const all = { namespace: NAMESPACE, batchId: 'sealed', include: ['record', 'proof'] } as const
  const receipts = (await client.query('receipts', all)).rows
  expect(receipts.map(({ proof }) => proof?.index)).toEqual([0, 1, 2])
  const { leafHash = '' } = receipts[0] ?? {}
  const proof = await client.receiptProof({ leafHash, namespace: NAMESPACE, batchId: 'sealed' })
  // Nobody has announced it, and nothing shows when it existed: no lie, and no proof.
  expect(proof).toMatchObject({ standing: 'unproven', report: { overall: 'undecided', leafHash } })
  expect(await failureOf(client.query('batches', { cursor: 'x' }))).toMatchObject({ code: 'QUERY_INVALID' })
  expect(await failureOf(client.digest('dao:unknown'))).toMatchObject({ code: 'NOT_FOUND', status: 404 })
})
