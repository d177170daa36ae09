import { afterEach, expect, test } from 'vitest'
import type { GossipVerdict } from '../../src/network/network.ts'
import { until } from '../support/until.ts'
import { createMesh, meshed } from './mesh.ts'

const mesh = createMesh()
afterEach(() => mesh.stop())

/** The verdict that a text asks for: `reject this` is rejected. */
const verdictInText = (text: string): GossipVerdict =>
  text.startsWith('reject') ? 'reject' : text.startsWith('ignore') ? 'ignore' : 'accept'

test('two nodes deliver each message exactly once', async () => {
  const a = await mesh.node('a', { knows: ['b'] })
  const b = await mesh.node('b', { knows: [a] })
  await until("both are in each other's mesh", () => meshed(a, b))

  expect(await a.publish('from a')).toBe(1)
  expect(await b.publish('from b')).toBe(1)
  await until('both have judged', () => a.judged.length > 0 && b.judged.length > 0)

  expect(b.judged).toEqual([{ namespace: 'dao:test', text: 'from a', from: a.peerId }])
  expect(a.judged).toEqual([{ namespace: 'dao:test', text: 'from b', from: b.peerId }])
  expect(a.status().gossip).toEqual({ judged: 1, dropped: 0, late: 0, published: 1 })
  expect(a.status().topics).toEqual({ 'dao:test': { mesh: 1, subscribers: 1 } })
})

test('three nodes that all know each other deliver each message exactly once, however many copies come', async () => {
  const a = await mesh.node('a', { knows: ['b', 'c'] })
  const b = await mesh.node('b', { knows: [a, 'c'] })
  const c = await mesh.node('c', { knows: [a, b] })
  const all = [a, b, c]
  const meshSizes = (): unknown[] => all.map((node) => node.status().topics['dao:test']?.mesh)
  await until('all have two mesh peers', () => meshSizes().every((size) => size === 2))

  const texts = Array.from({ length: 60 }, (_, index) => `message ${index}`)
  for (const [index, text] of texts.entries()) await all[index % 3]?.publish(text)
  await until('each has the forty of the others', () => all.every((node) => node.judged.length >= 40))
  await Promise.all(all.map((node) => node.publish(`last of ${node.name}`)))
  await until('each has the last two', () => all.every((node) => node.judged.length >= 42))

  for (const [index, node] of all.entries()) {
    const expected = texts.filter((_, of) => of % 3 !== index)
    expect(
      node
        .texts()
        .filter((text) => !text.startsWith('last'))
        .sort()
    ).toEqual(expected.sort())
    expect(node.status().gossip).toEqual({ judged: 42, dropped: 0, late: 0, published: 21 })
  }
})

test('on a line of three, what the middle accepts goes on, what it ignores or rejects does not', async () => {
  const a = await mesh.node('a', { knows: ['b'] })
  const b = await mesh.node('b', { knows: [a, 'c'], verdict: verdictInText })
  const c = await mesh.node('c', { knows: [b] })
  await until('the line stands', () => meshed(a, b, c) && b.status().topics['dao:test']?.mesh === 2)

  for (const text of ['ignore this', 'reject this', 'pass this', 'ignore that', 'pass that']) await a.publish(text)
  await until('the last has arrived', () => c.texts().includes('pass that'))

  expect(b.texts()).toEqual(['ignore this', 'reject this', 'pass this', 'ignore that', 'pass that'])
  expect(c.judged).toEqual([
    { namespace: 'dao:test', text: 'pass this', from: b.peerId },
    { namespace: 'dao:test', text: 'pass that', from: b.peerId }
  ])
})

test('only carried namespaces are subscribed, and nothing of others arrives', async () => {
  const a = await mesh.node('a', { knows: ['b'], options: { namespaces: ['dao:test', 'dao:other'] } })
  const b = await mesh.node('b', { knows: [a] })
  await until("both are in each other's mesh", () => meshed(a, b))

  expect(await a.network.publish('dao:other', Buffer.from('not for b'))).toBe(0)
  expect(await a.publish('for b')).toBe(1)
  await until('b has judged', () => b.judged.length > 0)
  expect(b.texts()).toEqual(['for b'])
  expect(a.status().topics['dao:other']).toEqual({ mesh: 0, subscribers: 0 })
  await expect(b.network.publish('dao:other', Buffer.from('x'))).rejects.toThrow('not carried')
})

test('the same bytes reach nobody a second time and are no error', async () => {
  const a = await mesh.node('a', { knows: ['b'] })
  const b = await mesh.node('b', { knows: [a] })
  await until("both are in each other's mesh", () => meshed(a, b))
  expect(await a.publish('once')).toBe(1)
  expect(await a.publish('once')).toBe(0)
  await until('b has judged', () => b.judged.length > 0)
  expect(await b.publish('once')).toBe(0)
  await b.publish('and another')
  await until('a has the other', () => a.judged.length > 0)
  expect(a.texts()).toEqual(['and another'])
})

test('alone, publishing reaches nobody and is no error; an event that is too large is a defect', async () => {
  const a = await mesh.node('a')
  expect(await a.publish('to nobody')).toBe(0)
  expect(await a.network.publish('dao:test', new Uint8Array(49_152))).toBe(0)
  await expect(a.network.publish('dao:test', new Uint8Array(49_153))).rejects.toThrow('would be refused')
})

test('each message is handed over in a buffer of its own', async () => {
  const sizes: [bytes: number, buffer: number][] = []
  const a = await mesh.node('a', { knows: ['b'] })
  const b = await mesh.node('b', {
    knows: [a],
    onWire: (wire) => sizes.push([wire.byteLength, wire.buffer.byteLength])
  })
  await until("both are in each other's mesh", () => meshed(a, b))
  await a.publish('x'.repeat(700))
  await a.network.publish('dao:test', new Uint8Array(49_152))
  await until('both have arrived', () => sizes.length === 2)
  expect(sizes).toEqual([
    [700, 700],
    [49_152, 49_152]
  ])
})

test('WebSockets carry the same, and announced addresses stand for those listened on', async () => {
  const announce = ['/dns4/node.example/tcp/443/tls/ws']
  const a = await mesh.node('a', {
    knows: ['b'],
    options: { listen: ['/ip4/127.0.0.1/tcp/0/ws', '/ip4/127.0.0.1/tcp/0'] }
  })
  const bootstrap = a.status().multiaddrs.filter((address) => address.includes('/ws/'))
  const b = await mesh.node('b', { knows: ['a'], options: { bootstrap, announce } })
  await until("both are in each other's mesh", () => meshed(a, b))
  expect(b.peer(a).connections).toEqual([expect.stringContaining('/ws/')])
  await b.publish('over WebSockets')
  await until('a has judged', () => a.judged.length > 0)
  const own = a.status().multiaddrs.map((address) => address.replace(/tcp\/\d+/, 'tcp/PORT'))
  expect(own).toEqual([`/ip4/127.0.0.1/tcp/PORT/p2p/${a.peerId}`, `/ip4/127.0.0.1/tcp/PORT/ws/p2p/${a.peerId}`])
  expect(b.status().multiaddrs).toEqual([`/dns4/node.example/tcp/443/tls/ws/p2p/${b.peerId}`])
})
