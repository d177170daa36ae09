import { afterEach, expect, test } from 'vitest'
import { IN_FLIGHT_PER_PEER_MAX } from '../../src/network/libp2p/judge-gate.ts'
import type { GossipVerdict } from '../../src/network/network.ts'
import { until } from '../support/until.ts'
import { createMesh, meshed } from './mesh.ts'

const mesh = createMesh()
afterEach(() => mesh.stop())

test('a verdict that comes late is an ignore: the message ends here, and what comes after it does not', async () => {
  const slow = Promise.withResolvers<GossipVerdict>()
  const a = await mesh.node('a', { knows: ['b'] })
  const b = await mesh.node('b', { knows: [a, 'c'], verdict: (text) => (text === 'slow' ? slow.promise : 'accept') })
  const c = await mesh.node('c', { knows: [b] })
  await until('the line stands', () => meshed(a, b, c) && b.status().topics['dao:test']?.mesh === 2)

  await a.publish('slow')
  await until('the verdict is late', () => b.status().gossip.late === 1)
  slow.resolve('accept')
  await a.publish('quick')
  await until('the quick one has arrived', () => c.judged.length > 0)
  expect(c.texts()).toEqual(['quick'])
  expect(b.status().gossip).toMatchObject({ judged: 2, dropped: 0, late: 1 })
  expect(b.peer(a).score).toBeGreaterThanOrEqual(0)
})

test('what a peer sends over its share is dropped without a verdict, costs it nothing, and others are heard', async () => {
  const held = Promise.withResolvers<GossipVerdict>()
  const a = await mesh.node('a', {
    knows: ['b', 'c'],
    verdict: (text) => (text.startsWith('from b') ? held.promise : 'accept')
  })
  const b = await mesh.node('b', { knows: [a] })
  const c = await mesh.node('c', { knows: [a] })
  await until('the star stands', () => meshed(a, b, c) && a.status().topics['dao:test']?.mesh === 2)

  const sent = IN_FLIGHT_PER_PEER_MAX + 44
  for (let index = 0; index < sent; index += 1) await b.publish(`from b ${index}`)
  await until(
    'all have an answer',
    () => a.status().gossip.dropped === 44 && a.status().gossip.late === IN_FLIGHT_PER_PEER_MAX
  )
  await c.publish('from c')
  await until('c is heard', () => a.texts().includes('from c'))
  expect(a.status().gossip).toMatchObject({ judged: IN_FLIGHT_PER_PEER_MAX + 1, dropped: 44 })
  expect(a.peer(b).score).toBeGreaterThanOrEqual(0)

  held.resolve('accept')
  await b.publish('from b again')
  await until('b is heard again', () => a.texts().includes('from b again'))
})
