import { afterEach, expect, test } from 'vitest'
import { systemClock } from '../../src/platform/clock.ts'
import { SILENCE_MS } from '../../src/sync/channel.ts'
import { RANGE_SYNC_PROTOCOL } from '../../src/sync/sync-service.ts'
import { SESSION_LIMITS } from '../../src/sync/limits.ts'
import type { SessionPorts } from '../../src/sync/session.ts'
import { answerSession, initiateSession } from '../../src/sync/session.ts'
import { forest, holding } from '../sync/model-node.ts'
import { until } from '../support/until.ts'
import { createMesh } from './mesh.ts'

const mesh = createMesh()
afterEach(() => mesh.stop())

const ports: SessionPorts = {
  door: { submit: () => Promise.reject(new Error('nothing comes')) },
  clock: systemClock,
  limits: SESSION_LIMITS
}
const SALT = new Uint8Array(16)

test('what a session ends with reaches the other side before the stream breaks', async () => {
  const a = await mesh.node('a', {
    knows: ['b'],
    handlers: {
      protocols: {
        async [RANGE_SYNC_PROTOCOL](stream) {
          await answerSession(stream, () => Promise.resolve({ ok: false, code: 'busy', detail: 'later' }), SALT, ports)
        }
      }
    }
  })
  const b = await mesh.node('b', { knows: [a] })
  await until('they are connected', () => b.network.connected().length === 1)
  const view = holding(forest({ seed: 1, chains: 1, events: 5, forks: 0, roots: 0 }), 1, 1).view()
  const ends = new Set<string>()
  for (let sessions = 0; sessions < 20; sessions += 1) {
    const opened = await b.network.open(a.peerId, RANGE_SYNC_PROTOCOL, new AbortController().signal)
    if (!opened.ok) throw new Error(opened.detail)
    const began = performance.now()
    const { end } = await initiateSession(opened.stream, { view, logSeq: 0 }, new Set(), ports)
    ends.add(end)
    expect(performance.now() - began).toBeLessThan(SILENCE_MS / 2)
  }
  expect([...ends]).toEqual(['busy'])
})
