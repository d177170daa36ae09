import { expect, test } from 'vitest'
import { createMemoryHub } from '../../simulations/ports/memory-network.ts'
import type { MemoryHub } from '../../simulations/ports/memory-network.ts'
import type { Network } from '../../src/network/network.ts'
import type { PeerStream } from '../../src/streams/peer-stream.ts'
import { collect } from '../support/collect.ts'

const never = new AbortController().signal

/** A node that echoes, and writes down who comes and goes. */
async function echo(hub: MemoryHub, peerId: string, told: string[]): Promise<Network> {
  const network = hub.join({ did: `did:test:${peerId}`, peerId, namespaces: [] })
  await network.start({
    judge: () => Promise.resolve('accept'),
    protocols: { '/echo/1': (stream) => stream.sink(stream.source) },
    connected: (other) => void told.push(`${peerId} +${other}`),
    disconnected: (other) => void told.push(`${peerId} -${other}`)
  })
  return network
}

async function open(from: Network, to: string): Promise<PeerStream> {
  const opening = await from.open(to, '/echo/1', never)
  if (opening.ok) return opening.stream
  throw new Error(opening.detail)
}

test('a start connects with all that run, a stop takes leave of them, and a node may come back', async () => {
  const hub = createMemoryHub()
  const told: string[] = []
  const a = await echo(hub, 'a', told)
  hub.join({ did: 'did:test:idle', peerId: 'idle', namespaces: [] })
  const b = await echo(hub, 'b', told)
  await echo(hub, 'c', told)
  expect(told.splice(0)).toEqual(['a +b', 'b +a', 'a +c', 'c +a', 'b +c', 'c +b'])
  expect(a.connected()).toEqual(['b', 'c'])
  await b.stop()
  expect(told.splice(0)).toEqual(['a -b', 'c -b'])
  await b.stop()
  await echo(hub, 'b', told)
  expect(told.splice(0)).toEqual(['a +b', 'b +a', 'c +b', 'b +c'])
  expect([a.connected(), b.connected()]).toEqual([['b', 'c'], []])
})

test.each([
  ['a', 'b'],
  ['b', 'a']
])('a cut from %s to %s breaks the streams between them and no other, until both ways are healed', async (from, to) => {
  const hub = createMemoryHub()
  const told: string[] = []
  const a = await echo(hub, 'a', told)
  const b = await echo(hub, 'b', told)
  await echo(hub, 'c', told)
  told.length = 0
  const [broken, whole] = [await open(a, 'b'), await open(a, 'c')]
  hub.cut(from, to)
  await expect(collect(broken.source)).rejects.toThrow('the connection has closed')
  expect(told.splice(0).toSorted()).toEqual(['a -b', 'b -a'])
  expect([a.connected(), b.connected()]).toEqual([['c'], ['c']])
  expect(a.status().peers[0]).toMatchObject({ peerId: 'b', connected: false, connections: [] })
  expect(await a.open('b', '/echo/1', never)).toMatchObject({ ok: false, reason: 'offline' })
  await whole.sink(
    (async function* () {
      yield Uint8Array.of(1)
    })()
  )
  expect(await collect(whole.source)).toEqual([Uint8Array.of(1)])

  hub.cut(to, from)
  hub.heal(from, to)
  expect(told).toEqual([])
  hub.heal(to, from)
  expect(told.splice(0).toSorted()).toEqual(['a +b', 'b +a'])
  const again = await open(a, 'b')
  again.abort(new Error('enough'))
})

test('streams between two nodes are bounded, and those that are over make room', async () => {
  const hub = createMemoryHub()
  const a = await echo(hub, 'a', [])
  await echo(hub, 'b', [])
  const streams = await Promise.all(Array.from({ length: 128 }, () => open(a, 'b')))
  expect(await a.open('b', '/echo/1', never)).toMatchObject({ ok: false, reason: 'failed' })
  streams[0]?.abort(new Error('enough'))
  const last = await open(a, 'b')
  await last.sink((async function* (): AsyncGenerator<Uint8Array> {})())
  expect(await collect(last.source)).toEqual([])
  await open(a, 'b')
  await a.stop()
})
