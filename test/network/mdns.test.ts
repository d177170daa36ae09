import { afterEach, expect, test } from 'vitest'
import { until } from '../support/until.ts'
import { createMesh, meshed } from './mesh.ts'

const mesh = createMesh()
afterEach(() => mesh.stop())

test('mDNS finds known peers without an address, and nobody else', async ({ skip }) => {
  // Multicast leaves this machine, which no other test does.
  if (process.env['ANCHORMESH_TEST_MDNS'] === undefined) {
    console.log('skipped: mDNS speaks to the local network; ANCHORMESH_TEST_MDNS=1 lets it')
    skip()
  }
  const options = { mdns: true }
  const a = await mesh.node('a', { knows: ['b'], options })
  const stranger = await mesh.node('stranger', { knows: ['a', 'b'], options })
  const b = await mesh.node('b', { knows: ['a'], options })
  await until('a and b found each other', () => meshed(a, b))
  await until('the stranger was refused', () => a.status().refusedConnections + b.status().refusedConnections > 0)
  expect(stranger.status().peers.every(({ score }) => (score ?? 0) === 0)).toBe(true)
  expect(a.status().peers.map(({ did, connected }) => [did, connected])).toEqual([['did:web:b', true]])
})
