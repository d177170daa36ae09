import { Socket } from 'node:net'
import type { Connection, Stream } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, expect, test } from 'vitest'
import type { NetworkHandlers } from '../../src/network/network.ts'
import type { PeerStream } from '../../src/streams/peer-stream.ts'
import { recordingLogger } from '../support/recording-logger.ts'
import type { LogLine } from '../support/recording-logger.ts'
import { until } from '../support/until.ts'
import { createMesh } from './mesh.ts'
import type { MeshNode } from './mesh.ts'
import { createRawPeer } from './raw-peer.ts'
import type { RawPeer } from './raw-peer.ts'

const mesh = createMesh()
const raws: RawPeer[] = []
afterEach(async () => {
  await Promise.all([mesh.stop(), ...raws.splice(0).map(({ libp2p }) => libp2p.stop())])
})

const PROTOCOL = '/test/1'
const never = new AbortController().signal

async function withRaw(handlers: Omit<NetworkHandlers, 'judge'>): Promise<{
  a: MeshNode
  raw: RawPeer
  open: () => Promise<Stream>
}> {
  const a = await mesh.node('a', { knows: ['raw'], handlers })
  const raw = await createRawPeer('raw')
  raws.push(raw)
  const connection = await raw.libp2p.dial(multiaddr(a.address()))
  await until('a knows of the connection', () => a.network.connected().length === 1)
  return { a, raw, open: () => connection.newStream([PROTOCOL], { signal: never, maxOutboundStreams: 1_000 }) }
}

/** The socket below a TCP connection of libp2p, which has no name for it outside. */
function socketOf(connection: Connection): Socket {
  const inner: unknown = Reflect.get(connection, 'maConn')
  const socket: unknown = typeof inner === 'object' && inner !== null ? Reflect.get(inner, 'socket') : undefined
  if (socket instanceof Socket) return socket
  throw new TypeError('this version of libp2p has another inside')
}

async function bytesOf(source: AsyncIterable<Uint8Array>): Promise<number> {
  let bytes = 0
  for await (const chunk of source) bytes += chunk.length
  return bytes
}

test.each<[how: string, end: (connection: Connection) => unknown, reading: readonly string[]]>([
  // libp2p closes all streams of a connection that it closes: if that comes before the rest, it looks like the end.
  ['in good order', (connection) => connection.close(), ['fulfilled', 'rejected']],
  ['at once', (connection) => connection.abort(new Error('gone')), ['rejected']],
  ['without a word', (connection) => socketOf(connection).destroy(), ['rejected']]
])('a connection that its peer ends %s breaks what is still written', async (_how, end, reading) => {
  const outcomes: Promise<PromiseSettledResult<unknown>[]>[] = []
  const { raw, open } = await withRaw({
    protocols: {
      [PROTOCOL]: async (stream) => {
        const endless = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => undefined) }) }
        outcomes.push(Promise.allSettled([bytesOf(stream.source), stream.sink(endless)]))
        await outcomes[0]
      }
    }
  })
  const stream = await open()
  stream.send(new Uint8Array(10))
  await until('it is served', () => outcomes.length === 1)
  for (const connection of raw.libp2p.getConnections()) void end(connection)
  const [read, written] = (await outcomes[0]) ?? []
  expect(written?.status).toBe('rejected')
  expect(reading).toContain(read?.status)
})

test('what came before the handler looked is all there, also when the peer has closed its side by then', async () => {
  const counted = Promise.withResolvers<number>()
  const { open } = await withRaw({
    protocols: {
      [PROTOCOL]: async (stream) => {
        await until('the rest has come too', () => closed)
        counted.resolve(await bytesOf(stream.source))
      }
    }
  })
  let closed = false
  const stream = await open()
  stream.send(new Uint8Array(100_000))
  await stream.close()
  closed = true
  expect(await counted.promise).toBe(100_000)
})

test('a peer that writes on without waiting fills its own buffers and not those of the reader', async () => {
  const served = Promise.withResolvers<PeerStream>()
  const done = Promise.withResolvers<void>()
  const { open } = await withRaw({
    protocols: {
      [PROTOCOL]: (stream) => {
        served.resolve(stream)
        return done.promise
      }
    }
  })
  const stream = await open()
  for (let sent = 0; sent < 160; sent += 1) stream.send(new Uint8Array(65_536))
  const { source } = await served.promise
  const waiting = await until('it waits for the window', () => stream.writableNeedsDrain && stream.writeBufferLength)
  expect(waiting).toBeGreaterThan(8_000_000)
  const closing = stream.close()
  expect(await bytesOf(source)).toBe(160 * 65_536)
  await closing
  done.resolve()
})

test('more streams than a peer may have are reset, and those that are over make room', async () => {
  let serving = 0
  const { open } = await withRaw({
    protocols: {
      [PROTOCOL]: async (stream) => {
        serving += 1
        await bytesOf(stream.source).catch(() => 0)
        serving -= 1
      }
    }
  })
  const streams: Stream[] = []
  for (let index = 0; index < 32; index += 1) streams.push(await open())
  await until('all are served', () => serving === 32)
  const tooMany = await open()
  await until('one more is reset', () => tooMany.status === 'reset')
  for (const stream of streams) stream.abort(new Error('enough'))
  await until('all are over', () => serving === 0)
  await open()
  await until('there is room again', () => serving === 1)
})

test('a stop does not wait for a handler that never ends', async () => {
  const lines: LogLine[] = []
  const forever = new Promise<void>(() => undefined)
  let serving = false
  const b = await mesh.node('b', {
    knows: ['a'],
    logger: recordingLogger(lines),
    handlers: {
      protocols: {
        [PROTOCOL]: () => {
          serving = true
          return forever
        }
      }
    }
  })
  const a = await mesh.node('a', { knows: [b] })
  await until('they are connected', () => a.network.connected().length === 1)
  expect(await a.network.open(b.peerId, PROTOCOL, never)).toMatchObject({ ok: true })
  await until('it is served', () => serving)
  await b.network.stop()
  expect(lines.filter(({ level }) => level === 'warn')).toMatchObject([{ fields: { handlers: 1 } }])
})

test('a handler that throws when it is told of a peer is named in the log, and nothing else happens', async () => {
  const lines: LogLine[] = []
  const fails = (): void => {
    throw new Error('told')
  }
  const b = await mesh.node('b', { knows: ['a'], logger: recordingLogger(lines), handlers: { connected: fails } })
  const a = await mesh.node('a', { knows: [b] })
  await until('they are connected', () => a.network.connected().length + b.network.connected().length === 2)
  expect(lines.filter(({ level }) => level === 'error')).toMatchObject([{ fields: { error: 'told' } }])
  expect(b.network.status().peers).toMatchObject([{ peerId: peerIdFromString(a.peerId).toString(), connected: true }])
})
