import { afterEach, expect, test } from 'vitest'
import {
  createShortConnections,
  SHORT_CONNECTION_MS,
  SHORT_CONNECTIONS_MIN
} from '../../src/network/libp2p/short-connections.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { createHandClock } from '../support/hand-clock.ts'
import { recordingLogger } from '../support/recording-logger.ts'
import type { LogLine } from '../support/recording-logger.ts'
import { until } from '../support/until.ts'
import { createFastClock } from './fast-clock.ts'
import { createMesh } from './mesh.ts'

const mesh = createMesh()
afterEach(() => mesh.stop())

test('a peer that hangs up at once, several times in a row, is named once, and no more once it stays', async () => {
  const clock = createHandClock()
  const lines: LogLine[] = []
  const short = createShortConnections({ clock, logger: recordingLogger(lines) })
  const connection = async (forMs: number): Promise<void> => {
    short.connected('p')
    await clock.advance(forMs)
    short.disconnected('p', 'did:web:p')
  }
  short.disconnected('p', 'did:web:p')
  for (let count = 1; count < SHORT_CONNECTIONS_MIN; count += 1) await connection(SHORT_CONNECTION_MS - 1)
  await connection(SHORT_CONNECTION_MS)
  for (let count = 1; count < SHORT_CONNECTIONS_MIN; count += 1) await connection(10)
  expect([short.note('p'), lines]).toEqual([undefined, []])
  for (let count = 0; count < 5; count += 1) await connection(10)
  expect(short.note('p')).toContain('does its peers.yaml bind this node?')
  expect(short.note('q')).toBeUndefined()
  expect(lines).toMatchObject([{ level: 'warn', fields: { peerId: 'p', did: 'did:web:p' } }])
  expect(lines[0]?.message).toMatch(/^did:web:p closes the connection at once: .*`anchormesh peers add`/)

  short.connected('p')
  expect(short.note('p')).toBeDefined()
  await clock.advance(SHORT_CONNECTION_MS)
  expect(short.note('p')).toBeUndefined()
})

test('the side that is refused hears of it, in its log and its status', async () => {
  const lines: LogLine[] = []
  const a = await mesh.node('a')
  // It dials five times as often; how long a connection lasts is measured as it is, or a busy machine makes it a long one.
  const clock = { ...createFastClock(5), monotonicMs: () => systemClock.monotonicMs() }
  const refused = await mesh.node('refused', { knows: [a], clock, logger: recordingLogger(lines) })
  expect(refused.peer(a).note).toBeUndefined()
  await until('the status has a note', () => refused.peer(a).note !== undefined)
  await until('the peer came and went again', () => a.status().refusedConnections > SHORT_CONNECTIONS_MIN + 1)
  expect(refused.peer(a).note).toContain('peers.yaml')
  const warnings = lines.filter(({ level }) => level === 'warn')
  expect(warnings).toMatchObject([{ fields: { peerId: a.peerId, did: 'did:web:a' } }])
  const told = lines.filter(({ level, message }) => level === 'info' && message.startsWith('a peer '))
  expect(told.length).toBeLessThanOrEqual(2 * SHORT_CONNECTIONS_MIN)
})
