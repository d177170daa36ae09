import { expect, test } from 'vitest'
import { attachJudge, createRouter } from '../../src/network/libp2p/gossip.ts'
import { topicOf } from '../../src/network/topic.ts'
import type { GossipRouter } from '../../src/network/libp2p/gossip.ts'
import { createJudgeGate } from '../../src/network/libp2p/judge-gate.ts'
import { createRejectMemory } from '../../src/network/libp2p/reject-memory.ts'
import { createShutOut } from '../../src/network/libp2p/shut-out.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { createHandClock } from '../support/hand-clock.ts'
import { createRawPeer } from './raw-peer.ts'

const clock = createHandClock()
const options = {
  namespaces: ['dao:test', '_trust'],
  memory: createRejectMemory(clock),
  shutOut: createShutOut({ clock, logger: silentLogger }),
  logger: silentLogger
}

test('the topic of a namespace', () => {
  expect(topicOf('dao:vaultmesh')).toBe('/anchormesh/event/1/dao:vaultmesh')
})

test('exactly its own listeners and validators come off again', async () => {
  const { libp2p } = await createRawPeer('raw', { router: createRouter(options) })
  const router = libp2p.services['gossip'] as GossipRouter
  const others = (): void => {}
  router.addEventListener('gossipsub:message', others)
  const gate = createJudgeGate({
    clock,
    logger: silentLogger,
    handlers: { judge: async () => 'accept' },
    onLateReject: () => {}
  })

  const judge = attachJudge(router, options, gate)
  expect(router.listenerCount('gossipsub:message')).toBe(2)
  expect([...router.topicValidators.keys()]).toEqual(options.namespaces.map(topicOf))
  judge.detach()
  expect(router.listenerCount('gossipsub:message')).toBe(1)
  expect(router.topicValidators.size).toBe(0)
  await libp2p.stop()
})
