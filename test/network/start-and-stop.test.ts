import { execFile } from 'node:child_process'
import { createServer } from 'node:net'
import { promisify } from 'node:util'
import { afterEach, expect, test } from 'vitest'
import { topicOf } from '../../src/network/topic.ts'
import { createLibp2pNetwork } from '../../src/network/libp2p/libp2p-network.ts'
import { peerIdOfSeed } from '../../src/network/libp2p/peer-key.ts'
import type { Network, NetworkOptions } from '../../src/network/network.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { AnchormeshError } from '../../src/platform/errors.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { systemRandom } from '../../src/platform/random.ts'
import { until } from '../support/until.ts'
import { createFastClock } from './fast-clock.ts'
import { ANY_PORT, createMesh, meshed, seedOf } from './mesh.ts'
import { createRawPeer } from './raw-peer.ts'
import { recordingLogger } from '../support/recording-logger.ts'
import type { LogLine } from '../support/recording-logger.ts'

const TOPIC = topicOf('dao:test')
const mesh = createMesh()
afterEach(() => mesh.stop())

const listenAddress = (address: string): string => address.replace(/\/p2p\/.*/, '')

test('a node that comes back at the same port is dialled again, and its messages arrive', async () => {
  const a = await mesh.node('a', { knows: ['b'] })
  const b = await mesh.node('b', { knows: [a] })
  await until("both are in each other's mesh", () => meshed(a, b))
  const listen = [listenAddress(a.address())]

  await a.network.stop()
  await until('b has noticed and plans to dial', () => b.peer(a).nextDialAt)
  expect(b.peer(a)).toMatchObject({ connected: false, connections: [] })
  expect(b.peer(a).nextDialAt).toBeGreaterThan(Date.now() - 60_000)

  const again = await mesh.node('a', { knows: ['b'], options: { listen } })
  expect(again.peerId).toBe(a.peerId)
  await until("both are in each other's mesh again", () => meshed(again, b))
  expect(b.peer(again).nextDialAt).toBeUndefined()
  await again.publish('I am back')
  await until('b has judged', () => b.texts().includes('I am back'))
})

test('a bootstrap address leads to a known peer of which peers.yaml has no address', async () => {
  const a = await mesh.node('a', { knows: ['b'] })
  const b = await mesh.node('b', { knows: ['a'], options: { bootstrap: [a.address()] } })
  await until("both are in each other's mesh", () => meshed(a, b))
})

test('a peer that gossip has lost while the connection stands is connected anew', async () => {
  const raw = await createRawPeer('raw')
  raw.gossip.subscribe(TOPIC)
  const addresses = raw.libp2p.getMultiaddrs().map(String)
  const rawPeer = { did: 'did:web:raw', peerId: raw.libp2p.peerId.toString(), addresses }
  const a = await mesh.node('a', { clock: createFastClock(20), options: { knownPeers: [rawPeer] } })
  const subscribers = (): number | undefined => a.status().topics['dao:test']?.subscribers
  await until(
    'both know what the other carries',
    () => subscribers() === 1 && raw.gossip.getSubscribers(TOPIC).length === 1
  )
  const [before] = a.status().peers[0]?.connections ?? []

  // An RPC over the limit: its stream is given up, the connection is not.
  await raw.gossip.publish(TOPIC, new Uint8Array(1_100_000))
  await until('gossip has lost the peer', () => subscribers() === 0)
  expect(a.status().peers[0]).toMatchObject({ connected: true, connections: [before] })

  await until('gossip has it again', () => subscribers() === 1)
  await raw.gossip.publish(TOPIC, Buffer.from('after the repair'))
  await until('a has judged', () => a.texts().includes('after the repair'))
  await raw.libp2p.stop()
})

test('a port that is taken is PORT_IN_USE, with the address, and nothing is left open', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : undefined
  const free = mesh.keep(network({ listen: ['/ip4/127.0.0.1/tcp/0', `/ip4/127.0.0.1/tcp/${port}`] }))
  const failure = await failureOf(free.start({ judge: async () => 'accept' }))
  expect(failure.code).toBe('PORT_IN_USE')
  expect(failure.message).toContain(`127.0.0.1:${port}`)
  const webSocket = mesh.keep(network({ listen: [`/ip4/127.0.0.1/tcp/${port}/ws`] }))
  await expect(webSocket.start({ judge: async () => 'accept' })).rejects.toMatchObject({ code: 'PORT_IN_USE' })
  await free.stop()
  await new Promise((resolve) => {
    server.close(resolve)
  })
})

test('an IPv6 address that fails beside an IPv4 one that works is a warning', async () => {
  const lines: LogLine[] = []
  const listen = [ANY_PORT, '/ip6/2001:db8::1/tcp/0']
  const a = await mesh.node('a', { options: { listen }, logger: recordingLogger(lines) })
  expect(a.status().multiaddrs).toHaveLength(1)
  expect(lines.filter(({ level }) => level === 'warn')).toMatchObject([{ fields: { configured: listen } }])
})

test.each<[what: string, options: Partial<NetworkOptions>, message: string]>([
  ['a listen address that does not parse', { listen: ['127.0.0.1:4088'] }, 'node.listen: 127.0.0.1:4088'],
  ['a listen address of another transport', { listen: ['/ip4/127.0.0.1/udp/0/quic-v1'] }, 'neither TCP nor WebSocket'],
  ['a listen address of another machine', { listen: ['/ip4/192.0.2.1/tcp/0'] }, 'no such address on this machine'],
  ['a listen address with TLS', { listen: ['/ip4/127.0.0.1/tcp/0/tls/ws'] }, 'a proxy in front'],
  [
    'an announced address that does not parse',
    { announce: ['/ip4/256.0.0.1/tcp/1'] },
    'node.announce: /ip4/256.0.0.1/tcp/1'
  ],
  [
    'a bootstrap address without a PeerId',
    { bootstrap: ['/ip4/127.0.0.1/tcp/1'] },
    'node.bootstrap: /ip4/127.0.0.1/tcp/1'
  ],
  [
    'a PeerId that does not parse',
    { knownPeers: [{ did: 'did:web:b', peerId: 'b', addresses: [] }] },
    'peers.yaml, did:web:b, peerId'
  ],
  [
    'an address of a peer that does not parse',
    { knownPeers: [{ did: 'did:web:b', peerId: await peerIdOfSeed(seedOf('b')), addresses: ['nowhere'] }] },
    'peers.yaml, did:web:b, addresses'
  ],
  [
    'an address of a peer that names another',
    {
      knownPeers: [
        {
          did: 'did:web:b',
          peerId: await peerIdOfSeed(seedOf('b')),
          addresses: [`/ip4/127.0.0.1/tcp/1/p2p/${await peerIdOfSeed(seedOf('c'))}`]
        }
      ]
    },
    'names another peer'
  ]
])('%s is CONFIG_INVALID', async (_what, options, message) => {
  const refused = mesh.keep(network(options))
  const failure = await failureOf(refused.start({ judge: async () => 'accept' }))
  expect(failure.code).toBe('CONFIG_INVALID')
  expect(failure.message).toContain(message)
})

test('starts once, stops at any time, and stops twice', async () => {
  const never = network({})
  expect(() => never.status()).toThrow('has not been started')
  await never.stop()
  await expect(never.start({ judge: async () => 'accept' })).rejects.toThrow('was started before')

  const early = network({})
  const started = early.start({ judge: async () => 'accept' })
  await expect(early.start({ judge: async () => 'accept' })).rejects.toThrow('was started before')
  await early.stop()
  await started
  await early.stop()
  expect(early.status()).toMatchObject({ multiaddrs: [], peers: [] })
  expect(await early.publish('dao:test', Buffer.from('too late'))).toBe(0)
})

test('an entry for this node itself in peers.yaml is left out', async () => {
  const a = await mesh.node('a', { knows: ['a', 'b'] })
  expect(a.status().peers.map(({ did }) => did)).toEqual(['did:web:b'])
})

test('after the stop nothing keeps the process alive', async () => {
  const child = `${import.meta.dirname}/start-and-stop.child.ts`
  const { stdout } = await promisify(execFile)(process.execPath, [child], { timeout: 120_000 })
  expect(JSON.parse(stdout)).toEqual({ judged: ['hello'], left: [] })
})

async function failureOf(work: Promise<void>): Promise<AnchormeshError> {
  const failure: unknown = await work.then(
    () => new Error('it did not fail'),
    (error: unknown) => error
  )
  if (failure instanceof AnchormeshError) return failure
  throw failure
}

function network(options: Partial<NetworkOptions>): Network {
  return createLibp2pNetwork(
    {
      namespaces: ['dao:test'],
      listen: [ANY_PORT],
      announce: [],
      bootstrap: [],
      mdns: false,
      knownPeers: [],
      peerKeySeed: seedOf('a'),
      ...options
    },
    { clock: systemClock, random: systemRandom, logger: silentLogger }
  )
}
