import { expect, test } from 'vitest'
import { createMemoryHub } from '../../simulations/ports/memory-network.ts'
import type { MemoryHub } from '../../simulations/ports/memory-network.ts'
import type { GossipVerdict, Network } from '../../src/network/network.ts'

interface Listener {
  readonly network: Network
  /** `<text> from <peer>` for each message that was judged. */
  readonly judged: string[]
}

async function join(
  hub: MemoryHub,
  name: string,
  options: { namespaces?: readonly string[]; verdict?: GossipVerdict } = {}
): Promise<Listener> {
  const network = hub.join({
    did: `did:test:${name}`,
    peerId: name,
    namespaces: options.namespaces ?? ['_trust', 'dao:test']
  })
  const judged: string[] = []
  await network.start({
    judge: (namespace, wire, peerId) => {
      judged.push(`${namespace} ${Buffer.from(wire).toString()} from ${peerId}`)
      return Promise.resolve(options.verdict ?? 'accept')
    }
  })
  return { network, judged }
}

const bytes = (text: string): Uint8Array => Buffer.from(text)

test('a message reaches every subscriber once, by whichever way it comes first', async () => {
  const hub = createMemoryHub()
  const a = await join(hub, 'a')
  const b = await join(hub, 'b')
  const c = await join(hub, 'c')
  const other = await join(hub, 'd', { namespaces: ['_trust'] })
  expect(await a.network.publish('dao:test', bytes('one'))).toBe(2)
  expect(b.judged).toEqual([])
  expect(hub.links()).toEqual([
    { from: 'a', to: 'b', waiting: 1, cut: false },
    { from: 'a', to: 'c', waiting: 1, cut: false }
  ])
  expect(await hub.deliver('a', 'b')).toBe(true)
  expect(await hub.deliver('b', 'c')).toBe(true)
  await hub.drain()
  expect(b.judged).toEqual(['dao:test one from a'])
  expect(c.judged).toEqual(['dao:test one from b'])
  expect([a.judged, other.judged]).toEqual([[], []])
  expect(hub.links()).toEqual([])
  expect(await hub.deliver('a', 'b')).toBe(false)
  expect(c.network.status().gossip).toEqual({ judged: 1, dropped: 0, late: 0, published: 0 })
})

test('what is not accepted goes no further and is not judged again', async () => {
  const hub = createMemoryHub()
  const a = await join(hub, 'a')
  const b = await join(hub, 'b', { verdict: 'ignore' })
  const c = await join(hub, 'c')
  hub.cut('a', 'c')
  await a.network.publish('dao:test', bytes('one'))
  await hub.drain()
  expect(b.judged).toHaveLength(1)
  expect(c.judged).toEqual([])
  expect(await a.network.publish('dao:test', bytes('one'))).toBe(0)
  hub.heal('a', 'c')
  await hub.drain()
  expect(c.judged).toEqual(['dao:test one from a'])
  expect(b.judged).toHaveLength(1)
})

test('a cut is one-way and holds what is sent; what is lost is gone', async () => {
  const hub = createMemoryHub()
  const a = await join(hub, 'a')
  const b = await join(hub, 'b')
  hub.cut('a', 'b')
  await a.network.publish('dao:test', bytes('held'))
  await b.network.publish('dao:test', bytes('free'))
  expect(await hub.drain()).toBe(1)
  expect(a.judged).toEqual(['dao:test free from b'])
  expect(hub.links()).toEqual([{ from: 'a', to: 'b', waiting: 1, cut: true }])
  hub.heal('a', 'b')
  await hub.drain()
  expect(b.judged).toEqual(['dao:test held from a'])
  await a.network.publish('dao:test', bytes('lost'))
  hub.lose('a', 'b')
  expect(await hub.drain()).toBe(0)
  expect(b.judged).toHaveLength(1)
})

test('a link keeps the order of what was sent, and later changes of the bytes do not show', async () => {
  const hub = createMemoryHub()
  const a = await join(hub, 'a')
  const b = await join(hub, 'b')
  const wire = bytes('1')
  await a.network.publish('dao:test', wire)
  wire.set(bytes('2'))
  await a.network.publish('dao:test', wire)
  await hub.drain()
  expect(b.judged).toEqual(['dao:test 1 from a', 'dao:test 2 from a'])
})

test('a node that stopped gets nothing more and may join again; status says who is there', async () => {
  const hub = createMemoryHub()
  const a = await join(hub, 'a')
  const b = await join(hub, 'b')
  expect(a.network.status()).toEqual({
    peerId: 'a',
    multiaddrs: ['/memory/a'],
    peers: [{ did: 'did:test:b', peerId: 'b', connected: true, connections: ['/memory/b'] }],
    topics: { _trust: { mesh: 1, subscribers: 1 }, 'dao:test': { mesh: 1, subscribers: 1 } },
    gossip: { judged: 0, dropped: 0, late: 0, published: 0 },
    refusedConnections: 0
  })
  expect(() => hub.join({ did: 'did:test:b', peerId: 'b', namespaces: [] })).toThrow(/in the mesh already/)
  await a.network.publish('dao:test', bytes('on its way'))
  await b.network.stop()
  await hub.drain()
  expect(b.judged).toEqual([])
  expect(await a.network.publish('dao:test', bytes('too late'))).toBe(0)
  expect(a.network.status().peers).toEqual([{ did: 'did:test:b', peerId: 'b', connected: false, connections: [] }])
  await expect(b.network.start({ judge: () => Promise.resolve('accept') })).rejects.toThrow(/started before/)
  const again = await join(hub, 'b')
  await a.network.publish('dao:test', bytes('here again'))
  await hub.drain()
  expect(again.judged).toEqual(['dao:test here again from a'])
  await expect(a.network.publish('dao:unknown', bytes('x'))).rejects.toThrow(RangeError)
})
