import type { PeerId } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, describe, expect, test } from 'vitest'
import { CONNECTIONS_PER_PEER_MAX, createGater } from '../../src/network/libp2p/gater.ts'
import { peerIdOfSeed } from '../../src/network/libp2p/peer-key.ts'
import { until } from '../support/until.ts'
import { createFastClock } from './fast-clock.ts'
import { createHandClock } from '../support/hand-clock.ts'
import { createMesh, meshed, seedOf } from './mesh.ts'
import { createRawPeer } from './raw-peer.ts'
import type { RawPeer } from './raw-peer.ts'
import { recordingLogger } from '../support/recording-logger.ts'
import type { LogLine } from '../support/recording-logger.ts'

const mesh = createMesh()
const raws: RawPeer[] = []
afterEach(async () => {
  await Promise.all([mesh.stop(), ...raws.splice(0).map(({ libp2p }) => libp2p.stop())])
})

test('a stranger that dials is cut off after the handshake, counted, and named in the log', async () => {
  const lines: LogLine[] = []
  const a = await mesh.node('a', { knows: ['b'], logger: recordingLogger(lines) })
  const stranger = await mesh.node('stranger', { knows: [a] })
  const b = await mesh.node('b', { knows: [a] })
  await until('the stranger was refused more than once', () => a.status().refusedConnections > 1)
  await until('b is in', () => meshed(a, b))

  await stranger.publish('let me in')
  await b.publish('from b')
  await until('a has judged', () => a.judged.length > 0)
  expect(a.texts()).toEqual(['from b'])
  expect(a.status().peers.map(({ did }) => did)).toEqual(['did:web:b'])
  expect(stranger.peer(a).score ?? 0).toBe(0)

  const refusals = lines.filter(({ level }) => level === 'warn')
  expect(refusals).toMatchObject([
    {
      message: 'refused a peer that peers.yaml does not bind',
      fields: { peerId: stranger.peerId, direction: 'inbound', refusedConnections: 1 }
    }
  ])
  expect(refusals[0]?.fields['address']).toMatch(/^\/ip4\/127\.0\.0\.1\/tcp\//)
})

test('a refusal slows the other side down: its keeper waits longer each time, though every handshake succeeds', async () => {
  const a = await mesh.node('a')
  const stranger = await mesh.node('stranger', { knows: [a], clock: createFastClock(10) })
  const planned = new Set<number>()
  await until('five attempts were planned', () => {
    const { nextDialAt } = stranger.peer(a)
    if (nextDialAt !== undefined) planned.add(nextDialAt)
    return planned.size === 5
  })
  const waits = [...planned].slice(1).map((at, index) => at - ([...planned][index] ?? 0))
  // 1 to 2 s, 2 to 4 s and 4 to 8 s, at least.
  expect(waits[1]).toBeGreaterThanOrEqual(1_000)
  expect(waits[2]).toBeGreaterThanOrEqual(2_000)
  expect(waits[3]).toBeGreaterThanOrEqual(4_000)
})

test('whoever is not admitted is not dialled either', async () => {
  const stranger = await createRawPeer('stranger')
  raws.push(stranger)
  const gater = createGater({
    clock: createHandClock(),
    logger: recordingLogger([]),
    self: 'a',
    admitted: new Set(),
    isShutOut: () => false,
    connectionsOf: () => 0
  })
  const a = await createRawPeer('a', { connectionGater: gater.connectionGater })
  raws.push(a)
  const [address] = stranger.libp2p.getMultiaddrs()
  if (address === undefined) throw new Error('the stranger does not listen')

  await expect(a.libp2p.dial(address)).rejects.toMatchObject({ name: 'DialDeniedError' })
  await expect(a.libp2p.dial(address.decapsulate('/p2p'))).rejects.toMatchObject({ name: 'DialDeniedError' })
  expect(a.libp2p.getConnections()).toEqual([])
  expect(stranger.libp2p.getConnections()).toEqual([])
  expect(gater.refusedConnections()).toBe(1)
})

test('a bootstrap address of a peer that is not admitted is not dialled, and said so', async () => {
  const lines: LogLine[] = []
  const stranger = await mesh.node('stranger')
  const a = await mesh.node('a', { options: { bootstrap: [stranger.address()] }, logger: recordingLogger(lines) })
  expect(a.status()).toMatchObject({ peers: [], refusedConnections: 0 })
  expect(lines.filter(({ level }) => level === 'warn')).toMatchObject([{ fields: { peerId: stranger.peerId } }])
})

test('a peer that answers under another PeerId than the address says is no peer', async () => {
  const impostor = await mesh.node('impostor', { knows: ['a'] })
  const b = await peerIdOfSeed(seedOf('b'))
  const a = await mesh.node('a', {
    options: { knownPeers: [{ did: 'did:web:b', peerId: b, addresses: [impostor.address().replace(/\/p2p\/.*/, '')] }] }
  })
  await until('the dial has failed', () => a.status().peers[0]?.nextDialAt)
  expect(a.status().peers[0]).toMatchObject({ peerId: b, connected: false, connections: [] })
})

describe('the gater', () => {
  const peer = async (name: string): Promise<PeerId> => peerIdFromString(await peerIdOfSeed(seedOf(name)))
  const connection = { remoteAddr: multiaddr('/ip4/192.0.2.1/tcp/1') } as never

  test('names a refused peer once a minute, and no more than 64 of them', async () => {
    const lines: LogLine[] = []
    const clock = createHandClock()
    const gater = createGater({
      clock,
      logger: recordingLogger(lines),
      self: 'self',
      admitted: new Set(),
      isShutOut: () => false,
      connectionsOf: () => 0
    })
    const refuse = async (name: string): Promise<void> => {
      expect(gater.connectionGater.denyInboundEncryptedConnection(await peer(name), connection)).toBe(true)
    }
    await refuse('x')
    await refuse('x')
    expect(lines).toHaveLength(1)
    await clock.advance(59_999)
    await refuse('x')
    expect(lines).toHaveLength(1)
    await clock.advance(1)
    await refuse('x')
    expect(lines).toHaveLength(2)
    expect(lines[1]?.fields).toMatchObject({ refusedConnections: 4 })
    for (let index = 0; index < 100; index += 1) await refuse(`stranger ${index}`)
    expect(lines).toHaveLength(65)
    expect(gater.refusedConnections()).toBe(104)
  })

  test('an admitted peer gets four connections and no fifth, which is no refusal of the peer', async () => {
    const b = await peer('b')
    let connections = 0
    const gater = createGater({
      clock: createHandClock(),
      logger: recordingLogger([]),
      self: 'self',
      admitted: new Set([b.toString()]),
      isShutOut: () => false,
      connectionsOf: () => connections
    })
    const { connectionGater } = gater
    expect(connectionGater.denyInboundEncryptedConnection(b, connection)).toBe(false)
    connections = CONNECTIONS_PER_PEER_MAX
    expect(connectionGater.denyInboundEncryptedConnection(b, connection)).toBe(true)
    expect(connectionGater.denyOutboundEncryptedConnection(b, connection)).toBe(false)
    expect(gater.refusedConnections()).toBe(0)
  })

  test('keeps addresses of admitted peers and of itself only', async () => {
    const [self, b, stranger] = await Promise.all([peer('self'), peer('b'), peer('stranger')])
    const { connectionGater } = createGater({
      clock: createHandClock(),
      logger: recordingLogger([]),
      self: self.toString(),
      admitted: new Set([b.toString()]),
      isShutOut: () => false,
      connectionsOf: () => 0
    })
    const kept: unknown[] = []
    for (const id of [self, b, stranger]) kept.push(connectionGater.filterMultiaddrForPeer(id))
    expect(kept).toEqual([true, true, false])
  })
})
