import { describe, expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../src/platform/clock.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { startPublicListener } from '../../src/http/public-listener.ts'
import type { Listener } from '../../src/http/listener.ts'
import type { MemoryNode } from '../node/nodes.ts'
import { openNode, quiet, reopen } from '../node/nodes.ts'
import { allRows } from '../projections/support/ledger.ts'
import { ALICE, BERTA } from '../projections/support/world.ts'
import { announceBody, next } from '../support/events.ts'
import type { SignedEvent } from '../support/events.ts'
import { NAMESPACE } from '../support/identities.ts'
import { until } from '../support/until.ts'
import { problemOf, rawExchange } from './support/listeners.ts'
import { FORMS, subscribe } from './support/subscribers.ts'

interface Served {
  readonly opened: MemoryNode
  readonly listener: Listener
  readonly url: string
  readonly announce: (count: number) => Promise<void>
}

async function serve(opened?: MemoryNode): Promise<Served> {
  const memory = opened ?? (await openNode(ALICE, [ALICE, BERTA]))
  const { node } = memory
  const listener = await startPublicListener({
    listen: '127.0.0.1:0',
    operations: node,
    subscriptions: node.gateway.subscriptions,
    logger: silentLogger,
    clock: systemClock
  })
  onTestFinished(async () => {
    await listener.close()
    await node.close()
  })
  let last: SignedEvent | null = null
  return {
    opened: memory,
    listener,
    url: `${listener.url}/v1/subscribe?projection=batches`,
    announce: async (count) => {
      for (let index = 0; index < count; index += 1) {
        const number: number = last?.envelope.authorSeq ?? 0
        last = await next(BERTA, last, announceBody(`batch-${String(number).padStart(5, '0')}`))
        const outcome = await node.submit(last.wire)
        if (outcome.outcome !== 'accepted') throw new Error(JSON.stringify(outcome))
      }
    }
  }
}

const isChange =
  (batchId: string) =>
  (frame: { readonly frame: string; readonly row?: unknown }): boolean =>
    frame.frame === 'change' && (frame.row as { batchId?: string } | null)?.batchId === batchId

describe.each(FORMS)('as %s', (form) => {
  test('first all rows, then caught-up, then each change as it comes', async () => {
    const { url, announce, opened } = await serve()
    await announce(3)
    await quiet(opened)
    const reader = await subscribe(url, form)
    await reader.until('caught-up', ({ frame }) => frame === 'caught-up')
    expect(reader.frames.map(({ frame }) => frame)).toEqual(['snapshot', 'snapshot', 'snapshot', 'caught-up'])
    await announce(2)
    await reader.until('the last batch', isChange('batch-00004'))
    expect([...reader.rows.values()]).toEqual(await allRows(opened.node, 'batches'))
  })

  test('a cursor goes on where it was, also after a restart of the node; Last-Event-ID wins over the parameter', async () => {
    const { url, announce, opened, listener } = await serve()
    await announce(2)
    const first = await subscribe(url, form)
    await first.until('caught-up', ({ frame }) => frame === 'caught-up')
    const old = first.cursor() ?? ''
    await announce(1)
    await first.until('the third batch', isChange('batch-00002'))
    const cursor = first.cursor() ?? ''
    first.close()
    await announce(2)
    await quiet(opened)
    await listener.close()
    const again = await serve(await reopen(opened))
    const second = await subscribe(`${again.url}&cursor=${old}`, form, {
      headers: { 'last-event-id': cursor },
      hasCursor: true
    })
    await second.until('caught-up', ({ frame }) => frame === 'caught-up')
    expect(second.frames.map((frame) => [frame.frame, 'row' in frame ? frame.row?.['batchId'] : null])).toEqual([
      ['change', 'batch-00003'],
      ['change', 'batch-00004'],
      ['caught-up', null]
    ])
  })

  test('a node that stops says so, and the same cursor may be used again', async () => {
    const { url, listener } = await serve()
    const reader = await subscribe(url, form)
    await reader.until('caught-up', ({ frame }) => frame === 'caught-up')
    await listener.close()
    await until('the end', () => reader.state.ended)
    expect(reader.frames.at(-1)).toMatchObject({ frame: 'error', code: 'NODE_NOT_RUNNING', retryable: true })
    expect(reader.frames.at(-1)?.cursor).toBe(reader.frames.at(-2)?.cursor)
    expect(reader.state.closeCode).toBe(form === 'events' ? null : 1013)
  })

  test('a keep-alive comes after 15 s of silence, a checkpoint of what is not for this reader after 30 s', async () => {
    const { url, announce, opened } = await serve()
    const reader = await subscribe(`${url}&namespace=_trust`, form)
    await reader.until('caught-up', ({ frame }) => frame === 'caught-up')
    const { logSeq } = reader.frames.at(-1) ?? { logSeq: -1 }
    await opened.ports.clock.advance(14_000)
    expect(reader.frames).toHaveLength(1)
    await opened.ports.clock.advance(3_000)
    await reader.until('a keep-alive', ({ frame }) => frame === 'keep-alive')
    await announce(3)
    await quiet(opened)
    await opened.ports.clock.advance(31_000)
    const checkpoint = await reader.until('a checkpoint', ({ frame }) => frame === 'checkpoint')
    expect(checkpoint.logSeq).toBe(logSeq + 3)
    expect(checkpoint.cursor).not.toBe(reader.frames[0]?.cursor)
  })
})

describe('what is refused', () => {
  test('before an event stream begins it has a status', async () => {
    const { url, listener } = await serve()
    const at = (query: string): string => `${listener.url}/v1/subscribe?${query}`
    const cases: readonly (readonly [string, number, string])[] = [
      [at('projection=unknown'), 404, 'UNKNOWN_PROJECTION'],
      [at(''), 400, 'QUERY_INVALID'],
      [`${url}&namspace=x`, 400, 'QUERY_INVALID'],
      [`${url}&namespace=dao:elsewhere`, 404, 'NOT_FOUND'],
      [at(`projection=trust-anchors&namespace=${NAMESPACE}`), 400, 'QUERY_INVALID'],
      [`${url}&cursor=garbage`, 400, 'QUERY_INVALID']
    ]
    for (const [address, status, code] of cases) {
      const response = await fetch(address)
      expect([address, response.status, (await problemOf(response)).code]).toEqual([address, status, code])
    }
  })

  test('over WebSocket a bad query has its status, a cursor its terminal frame', async () => {
    const { url } = await serve()
    await expect(subscribe(`${url}&namspace=x`, 'messages')).rejects.toThrow('400')
    const reader = await subscribe(`${url}&cursor=garbage`, 'messages')
    await until('the end', () => reader.state.ended)
    expect(reader.frames).toMatchObject([{ frame: 'error', code: 'QUERY_INVALID', retryable: false }])
    expect(reader.state.closeCode).toBe(1008)
  })

  test('over WebSocket a broken handshake is a problem, and an upgrade to another protocol is not heeded', async () => {
    const { url, listener, opened } = await serve()
    const { host, pathname, search } = new URL(url)
    const ask = async (...headers: readonly string[]): Promise<string> =>
      await rawExchange(
        listener.url,
        `${[`GET ${pathname}${search} HTTP/1.1`, `host: ${host}`, 'connection: upgrade', ...headers].join('\r\n')}\r\n\r\n`
      )
    const [key, version] = ['sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==', 'sec-websocket-version: 13']
    for (const headers of [
      [version],
      [key],
      ['sec-websocket-key: short', version],
      [key, 'sec-websocket-version: 8'],
      [key, version, 'sec-websocket-protocol: a, a'],
      [key, version, 'sec-websocket-protocol: ,']
    ])
      expect(await ask('upgrade: websocket', ...headers)).toMatch(
        /^HTTP\/1\.1 400 .*\r\nsec-websocket-version: 13\r\n.*application\/problem\+json.*"code":"QUERY_INVALID"/s
      )
    const streamed = ask('upgrade: h2c')
    await until('the stream', () => opened.node.gateway.subscriptions.stats().subscribers === 1)
    await listener.close()
    expect(await streamed).toMatch(/^HTTP\/1\.1 200 .*text\/event-stream.*"caught-up".*"NODE_NOT_RUNNING"/s)
  })

  test('a page of a foreign origin may not read over WebSocket', async () => {
    const { url, listener } = await serve()
    await expect(subscribe(url, 'messages', { headers: { origin: 'https://evil.example' } })).rejects.toThrow('403')
    await expect(subscribe(url, 'messages', { headers: { origin: 'null' } })).rejects.toThrow('403')
    const own = await subscribe(url, 'messages', { headers: { origin: listener.url } })
    await own.until('caught-up', ({ frame }) => frame === 'caught-up')
  })

  test('an upgrade of any other route gets the plain answer, and the connection ends', async () => {
    const { listener } = await serve()
    const { host } = new URL(listener.url)
    for (const path of ['/health', '/nowhere', '/v1/projections/batches']) {
      const answer = await rawExchange(
        listener.url,
        `GET ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n`
      )
      expect(answer).toMatch(path === '/nowhere' ? /^HTTP\/1.1 404/ : /^HTTP\/1.1 200/)
    }
  })
})
