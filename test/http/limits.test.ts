import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { ADMIN_LIMITS, HEARTBEAT_MS, PUBLIC_LIMITS } from '../../src/http/limits.ts'
import { newAdminToken, startAdminListener } from '../../src/http/admin-listener.ts'
import { createAdminClient } from '../../src/http/admin-client.ts'
import type { Operations } from '../../src/operations.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { systemRandom } from '../../src/platform/random.ts'
import { createHandClock } from '../support/hand-clock.ts'
import { until } from '../support/until.ts'
import { untilAnswer } from '../support/until-answer.ts'
import { AUTHORIZED, adminListener, all, ask, nodeWith, publicListener, rawExchange } from './support/listeners.ts'
import { memoryNode } from './support/memory-operations.ts'

const received = async (socket: Socket): Promise<string> => {
  let text = ''
  for await (const chunk of socket) text += (chunk as Buffer).toString('utf8')
  return text
}

const open = async (url: string): Promise<Socket> => {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  await once(socket, 'connect')
  return socket
}

describe('slow and many clients', () => {
  const SHORT = { ...PUBLIC_LIMITS, headersTimeoutMs: 30, requestTimeoutMs: 60, timeoutCheckMs: 10 }

  it('a header that does not end is answered with 408', async () => {
    const { url } = await publicListener({ limits: SHORT })
    expect(await rawExchange(url, 'GET /health HTTP/1.1\r\nhost: loc')).toMatch(
      /^HTTP\/1\.1 408 .*"code":"REQUEST_TIMEOUT"/s
    )
  })

  it('also on the admin listener, whose bodies may take as long as they like', async () => {
    const { listener } = await adminListener({ limits: { ...ADMIN_LIMITS, headersTimeoutMs: 30, timeoutCheckMs: 10 } })
    expect(await rawExchange(listener.url, 'GET /v1/admin/status HTTP/1.1\r\nhost: loc')).toMatch(/^HTTP\/1\.1 408 /)
  })

  it('a body of somebody without the token is not read', async () => {
    const { listener } = await adminListener()
    const head =
      'POST /v1/admin/batches?namespace=dao:test&batchId=b HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-ndjson\r\ncontent-length: 100000000\r\n\r\n'
    expect(await rawExchange(listener.url, head)).toMatch(/^HTTP\/1\.1 401 .*connection: close/s)
  })

  it('a connection on which nothing is sent is closed', async () => {
    const { url } = await publicListener({ limits: SHORT })
    expect(await rawExchange(url, '')).toMatch(/^(HTTP\/1\.1 408 .*)?$/s)
  })

  it('a connection that stands still in the middle of a request is closed', async () => {
    const { listener } = await adminListener({ limits: { ...ADMIN_LIMITS, idleTimeoutMs: 50 } })
    const head = `POST /v1/admin/batches?namespace=dao:test&batchId=b HTTP/1.1\r\nhost: localhost\r\nauthorization: ${AUTHORIZED.authorization}\r\n`
    const answer = await rawExchange(
      listener.url,
      `${head}content-type: application/x-ndjson\r\ncontent-length: 10\r\n\r\n1\n`
    )
    expect(answer).toBe('')
  })

  it('an idle connection is closed after a while', async () => {
    const { url } = await publicListener({ limits: { ...PUBLIC_LIMITS, keepAliveTimeoutMs: 30 } })
    expect(await rawExchange(url, 'GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 /)
  })

  it('connections beyond the limit are told so, and closed', async () => {
    const { url } = await publicListener({ limits: { ...PUBLIC_LIMITS, connectionsMax: 2 } })
    const first = await open(url)
    const second = await open(url)
    // A round trip on each, so that the listener has counted both.
    for (const socket of [first, second]) {
      socket.write('GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n')
      await once(socket, 'data')
    }
    expect(await rawExchange(url, 'GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n')).toMatch(
      /^HTTP\/1\.1 503 .*connection: close.*retry-after: 10.*"code":"TOO_MANY_CONNECTIONS"/is
    )
    first.destroy()
    await untilAnswer('a place', async () => (await fetch(`${url}/health`)).ok)
    second.destroy()
  })
})

describe('a stream that is silent', () => {
  it('sends a blank line now and then, which readers skip', async () => {
    const clock = createHandClock()
    const node = memoryNode()
    const { url, client } = await adminListener({ operations: node, clock })
    const response = ask(url('events?follow=true'))
    await until('a follower', () => node.followers() === 1)
    await clock.advance(HEARTBEAT_MS)
    const reader = (await response).body?.getReader()
    expect(Buffer.from((await reader?.read())?.value ?? []).toString('utf8')).toBe('\n')
    await until('the next timer', () => clock.pendingTimers() > 0)
    await clock.advance(HEARTBEAT_MS)
    expect(Buffer.from((await reader?.read())?.value ?? []).toString('utf8')).toBe('\n')
    await reader?.cancel()
    await until('no follower', () => node.followers() === 0)
    expect(clock.pendingTimers()).toBe(0)

    const seen = (async () => {
      for await (const { logSeq } of client.events({ follow: true })) return logSeq
      return null
    })()
    await until('a follower', () => node.followers() === 1)
    await clock.advance(HEARTBEAT_MS)
    node.append(Buffer.from('one'))
    expect(await seen).toBe(1)
  })

  it('tells of progress ten times a second at most', async () => {
    const clock = createHandClock()
    const done = Promise.withResolvers<void>()
    const report: { current: (done: number) => void } = { current: () => undefined }
    const verifyLog: Operations['verifyLog'] = async (onProgress) => {
      report.current = (count) => onProgress?.({ done: count, total: null, unit: 'records' })
      for (let count = 0; count < 1_000; count += 1) report.current(count)
      await done.promise
      return await memoryNode().verifyLog()
    }
    const { client } = await adminListener({ operations: memoryNode({ verifyLog }), clock })
    const told: number[] = []
    const verified = client.verifyLog((progress) => told.push(progress.done))
    await until('the first progress', () => told.length === 1)
    await clock.advance(100)
    for (let count = 1_000; count < 2_000; count += 1) report.current(count)
    await until('the second progress', () => told.length === 2)
    done.resolve()
    await verified
    expect(told).toEqual([0, 1_000])
  })
})

describe('closing', () => {
  it('ends followers, lets other requests finish, and takes no more', async () => {
    const gate = Promise.withResolvers<void>()
    const node = nodeWith(2)
    const slow: Operations['status'] = async () => {
      await gate.promise
      return await memoryNode().status()
    }
    const asked = Promise.withResolvers<void>()
    const status: Operations['status'] = () => {
      asked.resolve()
      return slow()
    }
    const { listener, client } = await adminListener({ operations: { ...node, status } })
    const followed = all(client.events({ follow: true }))
    await until('a follower', () => node.followers() === 1)
    const answered = client.status()
    await asked.promise
    const closed = listener.close()
    expect(await followed).toHaveLength(2)
    await expect(client.digest('dao:test')).rejects.toMatchObject({ code: 'NODE_NOT_RUNNING' })
    gate.resolve()
    expect(await answered).toMatchObject({ orgId: 'org' })
    await closed
  })

  it('refuses a request that comes on a connection from before', async () => {
    const listener = await publicListener()
    const socket = await open(listener.url)
    // Accepted after the other one, which therefore is accepted too.
    await (await fetch(`${listener.url}/health`)).text()
    const closed = listener.close()
    socket.write('GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n')
    expect(await received(socket)).toMatch(/^HTTP\/1\.1 503 .*connection: close.*"code":"NODE_NOT_RUNNING"/is)
    await closed
  })

  it('cuts off what does not finish within the grace', async () => {
    const clock = createHandClock()
    const asked = Promise.withResolvers<void>()
    const status: Operations['status'] = () => {
      asked.resolve()
      return new Promise(() => undefined)
    }
    const listener = await startAdminListener({
      listen: '127.0.0.1:0',
      operations: memoryNode({ status }),
      logger: silentLogger,
      clock,
      token: newAdminToken(systemRandom),
      shutdown: () => undefined
    })
    const answered = createAdminClient(listener).status()
    await asked.promise
    const closed = listener.close()
    await Promise.all([
      clock.advance(ADMIN_LIMITS.closeGraceMs),
      expect(answered).rejects.toMatchObject({ code: 'NODE_NOT_RUNNING' })
    ])
    await closed
    expect(clock.pendingTimers()).toBe(0)
  })

  it('may be asked for twice', async () => {
    const listener = await publicListener()
    await Promise.all([listener.close(), listener.close()])
  })
})
