import { request } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http'
import { connect } from 'node:net'
import { onTestFinished } from 'vitest'
import { createAdminClient } from '../../../src/http/admin-client.ts'
import type { AdminClient } from '../../../src/http/admin-client.ts'
import { startAdminListener } from '../../../src/http/admin-listener.ts'
import type { AdminListener, AdminListenerOptions } from '../../../src/http/admin-listener.ts'
import type { Listener } from '../../../src/http/listener.ts'
import type { Problem } from '../../../src/http/errors.ts'
import { startPublicListener } from '../../../src/http/public-listener.ts'
import type { PublicListenerOptions } from '../../../src/http/public-listener.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { silentLogger } from '../../../src/platform/logger.ts'
import type { MemoryNode } from './memory-operations.ts'
import { memoryNode } from './memory-operations.ts'

export const TOKEN = 'test-token'

/** A public listener over a node in memory, closed when the test ends. */
export async function publicListener(options: Partial<PublicListenerOptions> = {}): Promise<Listener> {
  const listener = await startPublicListener({
    listen: '127.0.0.1:0',
    operations: memoryNode(),
    logger: silentLogger,
    clock: systemClock,
    ...options
  })
  onTestFinished(() => listener.close())
  return listener
}

/** An admin listener over a node in memory, closed when the test ends. */
export async function adminListener(
  options: Partial<AdminListenerOptions> = {}
): Promise<{ readonly listener: AdminListener; readonly client: AdminClient; readonly url: (path: string) => string }> {
  const listener = await startAdminListener({
    listen: '127.0.0.1:0',
    operations: memoryNode(),
    logger: silentLogger,
    clock: systemClock,
    token: TOKEN,
    shutdown: () => undefined,
    ...options
  })
  onTestFinished(() => listener.close())
  return { listener, client: createAdminClient(listener), url: (path) => `${listener.url}/v1/admin/${path}` }
}

export const AUTHORIZED = { authorization: `Bearer ${TOKEN}` }

/** A request to an admin route with the token. */
export async function ask(url: string, init: RequestInit & { readonly duplex?: 'half' } = {}): Promise<Response> {
  return await fetch(url, { ...init, headers: { ...AUTHORIZED, ...(init.headers as Record<string, string>) } })
}

/** The problem that a response carries. */
export async function problemOf(response: Response): Promise<Problem> {
  if (response.headers.get('content-type') !== 'application/problem+json')
    throw new Error(`no problem: ${response.headers.get('content-type')}`)
  return (await response.json()) as Problem
}

/** A GET by `node:http`, which sends the `Host` that it is told to. */
export async function rawGet(
  url: string,
  headers: Readonly<Record<string, string>> = {},
  method: string = 'GET'
): Promise<{ readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: string }> {
  return await new Promise((resolve, reject) => {
    const sent = request(url, { method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString('utf8')
        })
      )
    })
    sent.on('error', reject)
    sent.end()
  })
}

/** Sends bytes over a bare connection and gives all that comes back until the other side closes it. */
export async function rawExchange(url: string, sent: string): Promise<string> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.write(sent)
  let received = ''
  for await (const chunk of socket) received += (chunk as Buffer).toString('utf8')
  return received
}

/** A node in memory that holds `count` events. */
export function nodeWith(count: number, overrides: Parameters<typeof memoryNode>[0] = {}): MemoryNode {
  const node = memoryNode(overrides)
  for (let number = 1; number <= count; number += 1) node.append(Buffer.from(`event ${number}`))
  return node
}

/** All that an asynchronous iteration gives. */
export async function all<Value>(values: AsyncIterable<Value>): Promise<Value[]> {
  const list: Value[] = []
  for await (const value of values) list.push(value)
  return list
}
