import { afterEach, expect, test } from 'vitest'
import type { NetworkUpdate } from '../../src/network/network.ts'
import { AnchormeshError } from '../../src/platform/errors.ts'
import { until } from '../support/until.ts'
import type { MeshNode } from './mesh.ts'
import { createMesh, meshed } from './mesh.ts'

const mesh = createMesh()
afterEach(() => mesh.stop())

const known = (
  node: MeshNode,
  addresses: readonly string[] = [node.address()]
): NetworkUpdate['knownPeers'][number] => ({
  did: `did:web:${node.name}`,
  peerId: node.peerId,
  addresses
})

const knows = (node: MeshNode, ...peers: readonly MeshNode[]): Promise<void> =>
  node.network.prepare({ knownPeers: peers.map((peer) => known(peer)) })()

test('a peer that becomes known is dialled, and one that is known no more is cut off and gets in no more', async () => {
  const gone: string[] = []
  const a = await mesh.node('a', { handlers: { disconnected: (peerId) => void gone.push(peerId) } })
  const b = await mesh.node('b', { knows: [a] })
  await knows(a, b)
  await until('the two are in one mesh', () => meshed(a, b))
  await b.publish('hello')
  await until('it arrives', () => a.texts().includes('hello'))

  await a.network.prepare({ knownPeers: [] })()
  expect(gone).toEqual([b.peerId])
  expect(a.status().peers).toEqual([])
  expect(a.network.connected()).toEqual([])
  await until('b is refused when it comes again', () => a.status().refusedConnections > 0)

  await knows(a, b)
  await until('it is let in again', () => a.peer(b).connected)
})

test('a peer that moved is dialled at its new address', async () => {
  const a = await mesh.node('a')
  const b = await mesh.node('b', { knows: ['a'] })
  await a.network.prepare({ knownPeers: [known(b, ['/ip4/127.0.0.1/tcp/1'])] })()
  await until('nobody answers there', () => a.peer(b).nextDialAt)
  await knows(a, b)
  await until('it is found', () => a.peer(b).connected)
})

test('a namespace that both come to carry is gossiped, and one that is carried no more is not', async () => {
  const a = await mesh.node('a', { knows: ['b'] })
  const b = await mesh.node('b', { knows: [a] })
  await until('the two are in one mesh', () => meshed(a, b))
  for (const { network } of [a, b]) await network.prepare({ namespaces: ['dao:next'] })()
  await until('the two are in the mesh of the new one', () =>
    [a, b].every((node) => node.status().topics['dao:next']?.mesh === 1)
  )
  expect(await a.network.publish('dao:next', Buffer.from('of the new one'))).toBe(1)
  await until('it arrives', () => b.judged.some(({ namespace }) => namespace === 'dao:next'))
  await expect(a.publish('of the old one')).rejects.toThrow(RangeError)
})

test('an address that can not be used changes nothing', async () => {
  const a = await mesh.node('a')
  const b = await mesh.node('b', { knows: [a] })
  await knows(a, b)
  await until('the two are connected', () => a.peer(b).connected)
  const refused = (): unknown => a.network.prepare({ knownPeers: [known(b, ['nowhere'])], namespaces: [] })
  expect(refused).toThrow(AnchormeshError)
  expect(a.peer(b).connected).toBe(true)
  expect(Object.keys(a.status().topics)).toEqual(['dao:test'])
})
