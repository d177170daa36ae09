import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { expect, test } from 'vitest'
import { readAddresses } from '../../src/network/libp2p/addresses.ts'
import { componentLogger } from '../../src/network/libp2p/component-logger.ts'
import { createFoundAddresses } from '../../src/network/libp2p/found-addresses.ts'
import { peerIdOfSeed } from '../../src/network/libp2p/peer-key.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { seedOf } from './mesh.ts'
import { recordingLogger } from '../support/recording-logger.ts'
import type { LogLine } from '../support/recording-logger.ts'

const [self, b, c, stranger] = await Promise.all(
  ['self', 'b', 'c', 'stranger'].map((name) => peerIdOfSeed(seedOf(name)))
)
if (self === undefined || b === undefined || c === undefined || stranger === undefined) throw new Error('no PeerIds')

test('a peer is dialled at its own addresses and those of the bootstrap list, each once and under its PeerId', () => {
  const { admitted, dialable, bootstrap } = readAddresses(
    {
      namespaces: ['_trust'],
      knownPeers: [
        { did: 'did:web:b', peerId: b, addresses: ['/ip4/192.0.2.1/tcp/1', `/dns4/b.example/tcp/443/tls/ws/p2p/${b}`] },
        { did: 'did:web:c', peerId: c, addresses: [] },
        { did: 'did:web:self', peerId: self, addresses: ['/ip4/192.0.2.9/tcp/1'] }
      ],
      listen: [],
      announce: [],
      bootstrap: [
        `/ip4/192.0.2.1/tcp/1/p2p/${b}`,
        `/ip4/192.0.2.2/tcp/2/p2p/${b}`,
        `/ip4/192.0.2.3/tcp/3/p2p/${stranger}`,
        `/ip4/192.0.2.9/tcp/1/p2p/${self}`
      ],
      mdns: false,
      peerKeySeed: seedOf('self')
    },
    self,
    silentLogger
  )
  expect([...admitted]).toEqual([
    [b, 'did:web:b'],
    [c, 'did:web:c']
  ])
  expect([...dialable].map(([peerId, addresses]) => [peerId, addresses.map(String)])).toEqual([
    [b, [`/ip4/192.0.2.1/tcp/1/p2p/${b}`, `/dns4/b.example/tcp/443/tls/ws/p2p/${b}`, `/ip4/192.0.2.2/tcp/2/p2p/${b}`]]
  ])
  expect(bootstrap).toEqual([`/ip4/192.0.2.1/tcp/1/p2p/${b}`, `/ip4/192.0.2.2/tcp/2/p2p/${b}`])
})

test('what mDNS finds is kept for admitted peers only, the newest first and eight at most', () => {
  const found = createFoundAddresses(new Map([[b, 'did:web:b']]))
  const announce = (peerId: string, ...addresses: string[]): boolean =>
    found.add({ id: peerIdFromString(peerId), multiaddrs: addresses.map((address) => multiaddr(address)) })

  expect(announce(stranger, '/ip4/192.0.2.1/tcp/1')).toBe(false)
  expect(found.of(stranger)).toEqual([])
  expect(announce(b)).toBe(false)
  expect(announce(b, '/ip4/192.0.2.1/tcp/1', `/ip4/192.0.2.1/tcp/2/p2p/${c}`)).toBe(true)
  expect(announce(b, '/ip4/192.0.2.1/tcp/2')).toBe(true)
  expect(found.of(b).map(String)).toEqual([`/ip4/192.0.2.1/tcp/2/p2p/${b}`, `/ip4/192.0.2.1/tcp/1/p2p/${b}`])
  for (let port = 10; port < 30; port += 1) announce(b, `/ip4/192.0.2.1/tcp/${port}`)
  expect(found.of(b).map((address) => address.toString().split('/')[4])).toEqual([
    '29',
    '28',
    '27',
    '26',
    '25',
    '24',
    '23',
    '22'
  ])
})

test('of what libp2p says, errors become debug lines', () => {
  const lines: LogLine[] = []
  const log = componentLogger(recordingLogger(lines)).forComponent('libp2p:tcp')
  log('connected to %a', 'somebody')
  log.trace('a frame')
  log.error('dial to %a failed - %e', multiaddr('/ip4/192.0.2.1/tcp/1'), new Error('refused'))
  log.newScope('listener').error(new Error('broken'))
  expect(lines).toEqual([
    { level: 'debug', fields: { component: 'libp2p:tcp' }, message: 'dial to /ip4/192.0.2.1/tcp/1 failed - refused' },
    { level: 'debug', fields: { component: 'libp2p:tcp:listener' }, message: 'broken' }
  ])
})
