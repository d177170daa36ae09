import { expect, test } from 'vitest'
import { REPAIR_AFTER_MS, REPAIR_CHECK_MS, startGossipRepair } from '../../src/network/libp2p/gossip-repair.ts'
import { createHandClock } from '../support/hand-clock.ts'
import type { HandClock } from '../support/hand-clock.ts'
import { recordingLogger } from '../support/recording-logger.ts'

interface Rig {
  readonly clock: HandClock
  readonly lost: Set<string>
  readonly strangeToGossip: Set<string>
  readonly hungUp: string[]
  readonly stop: () => void
}

function createRig(): Rig {
  const clock = createHandClock()
  const lost = new Set<string>()
  const strangeToGossip = new Set<string>()
  const hungUp: string[] = []
  const stop = startGossipRepair({
    clock,
    logger: recordingLogger([]),
    connectedPeers: () => ['b', 'c'],
    hasGossip: (peerId) => !lost.has(peerId),
    speaksGossip: async (peerId) => !strangeToGossip.has(peerId),
    async hangUp(peerId) {
      hungUp.push(peerId)
      if (hungUp.length === 1) throw new Error('not closed')
    }
  })
  return { clock, lost, strangeToGossip, hungUp, stop }
}

test('a peer that stays silent is hung up, and again when that failed; one that comes back in time is not', async () => {
  const { clock, lost, hungUp, stop } = createRig()
  lost.add('b').add('c')
  await clock.advance(REPAIR_CHECK_MS + REPAIR_AFTER_MS - 1)
  lost.delete('c')
  await clock.advance(1)
  expect(hungUp).toEqual(['b'])
  await clock.advance(REPAIR_CHECK_MS + REPAIR_AFTER_MS)
  expect(hungUp).toEqual(['b', 'b'])
  stop()
  expect(clock.pendingTimers()).toBe(0)
})

test('a peer that does not speak gossipsub is left alone', async () => {
  const { clock, lost, strangeToGossip, hungUp, stop } = createRig()
  lost.add('b')
  strangeToGossip.add('b')
  await clock.advance(120_000)
  expect(hungUp).toEqual([])
  stop()
})
