import { expect, test } from 'vitest'
import { PUBLIC_LIMITS } from '../../src/http/limits.ts'
import { KEEP_ALIVE_MS } from '../../src/subscriptions/limits.ts'
import { listen, openWorld } from '../access/world.ts'
import { until } from '../support/until.ts'
import { makeIdentity } from './support/certificates.ts'
import { FORMS, subscribe } from './support/subscribers.ts'
import { trusting } from './support/tls-client.ts'

// A keep-alive comes twice in the time that a connection may be silent, as 15 s stand to 30 s.
const IDLE_MS = 10_000
const SILENCE_MS = IDLE_MS / 2

test('keep-alives hold a silent stream over TLS far beyond the idle limit, and nothing else does', async () => {
  const { node, clock } = await openWorld()
  const server = makeIdentity('server')
  const { url } = await listen(node, {
    subscriptions: node.gateway.subscriptions,
    limits: { ...PUBLIC_LIMITS, idleTimeoutMs: IDLE_MS },
    tls: { identity: server, mtls: 'off', didOfPin: () => null }
  })
  const readers = []
  for (const form of FORMS) {
    const reader = await subscribe(`${url}/v1/subscribe?projection=batches`, form, { tls: trusting(server) })
    await reader.until('caught-up', ({ frame }) => frame === 'caught-up')
    readers.push(reader)
  }
  const [events] = readers
  for (let beat = 1; beat <= 4; beat += 1) {
    const nextMs = performance.now() + SILENCE_MS
    await until('the half of the idle limit', () => performance.now() > nextMs)
    await clock.advance(KEEP_ALIVE_MS)
    for (const { frames } of readers)
      await until('the keep-alive', () => frames.filter(({ frame }) => frame === 'keep-alive').length === beat)
  }
  expect(readers.map(({ state }) => state.ended)).toEqual([false, false])
  await until('the idle limit, once nothing comes', () => events?.state.ended === true)
})
