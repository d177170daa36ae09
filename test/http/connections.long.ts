import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { expect, onTestFinished, test } from 'vitest'
import { createAdminClient } from '../../src/http/admin-client.ts'
import type { AdminAddress } from '../../src/http/admin-transport.ts'
import { PUBLIC_LIMITS } from '../../src/http/limits.ts'
import { untilAnswer } from '../support/until-answer.ts'
import { makeIdentity } from './support/certificates.ts'

const CONNECTIONS = 5_000
const REFUSED_MAX = 256
// A handshake costs both sides a hundred times what a connection does.
const ROUNDS = { http: 5, https: 2 }
// Caches fill, and code is compiled; 2,048 connections that were kept would be 30 MiB and more in each round.
const LEFT_BYTES_MAX = 8 * 1024 * 1024
const GET = 'GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n'

type Outcome = 'served' | 'refused' | 'dropped'

interface Held {
  readonly heapBytes: number
  readonly files: number
}

/** Asks once on a connection, which stays open where it was served. */
async function ask(socket: Socket): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<Outcome>()
  let text = ''
  socket.on('error', () => resolve('dropped'))
  socket.once('close', () => resolve('dropped'))
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('utf8')
    if (text.includes('"code":"TOO_MANY_CONNECTIONS"')) resolve('refused')
    if (text.includes('"status":"ok"')) resolve('served')
  })
  socket.write(GET)
  return await promise
}

async function told<Answer>(child: ChildProcess, message: object | string): Promise<Answer> {
  const answer = once(child, 'message') as Promise<[Answer]>
  child.send(message)
  return (await answer)[0]
}

test.skipIf(!existsSync('/proc/self/fd')).each(['http', 'https'] as const)(
  '5,000 connections at once by %s: there is room for some, the operator is served, and nothing is left of them',
  async (scheme) => {
    const child = fork(join(import.meta.dirname, 'connections.child.ts'), { execArgv: ['--expose-gc'] })
    onTestFinished(() => void child.kill('SIGKILL'))
    const identity = scheme === 'http' ? null : makeIdentity('server')
    const { url, admin } = await told<{ url: string; admin: AdminAddress }>(child, { identity })
    const { hostname, port } = new URL(url)
    const open = (): Socket => {
      const at = { host: hostname, port: Number(port) }
      return identity === null ? connect(at) : connectTls({ ...at, ca: identity.cert })
    }
    const client = createAdminClient(admin)
    await client.status()
    const measure = (): Promise<Held> => told<Held>(child, 'measure')
    const before = await measure()
    const heaps: number[] = []
    for (let round = 0; round < ROUNDS[scheme]; round += 1) {
      const sockets = Array.from({ length: CONNECTIONS }, open)
      const outcomes = await Promise.all(sockets.map(ask))
      const count = (wanted: Outcome): number => outcomes.filter((outcome) => outcome === wanted).length
      // With TLS 5,000 handshakes may take longer than an idle connection is kept: then there is room for more.
      expect(count('served')).toBeGreaterThanOrEqual(identity === null ? PUBLIC_LIMITS.connectionsMax : 1)
      if (identity === null) expect(count('refused')).toBeGreaterThan(0)
      const { files } = await measure()
      expect(files - before.files).toBeLessThanOrEqual(PUBLIC_LIMITS.connectionsMax + REFUSED_MAX + 16)
      expect((await client.status()).health.ok).toBe(true)
      await Promise.all(
        sockets.map(async (socket) => {
          if (socket.closed) return
          socket.destroy()
          await once(socket, 'close')
        })
      )
      await untilAnswer('their sockets are closed', async () => (await measure()).files <= before.files + 16)
      const last = open()
      expect(await ask(last)).toBe('served')
      last.destroy()
      heaps.push((await measure()).heapBytes)
    }
    expect((heaps.at(-1) ?? 0) - (heaps[0] ?? 0)).toBeLessThan(LEFT_BYTES_MAX)
    expect(child.exitCode).toBeNull()
  }
)
