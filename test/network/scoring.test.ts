import { StrictSign } from '@libp2p/gossipsub'
import type { GossipsubOpts } from '@libp2p/gossipsub'
import { validatePeerScoreParams, validatePeerScoreThresholds } from '@libp2p/gossipsub/score'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, expect, test } from 'vitest'
import { topicOf } from '../../src/network/topic.ts'
import { createRejectMemory, FORGET_ONE_REJECT_MS } from '../../src/network/libp2p/reject-memory.ts'
import { EXCESSES_MAX, FORGET_ONE_EXCESS_MS, SHUT_OUT_MS, createShutOut } from '../../src/network/libp2p/shut-out.ts'
import { SCORE_THRESHOLDS, scoreParams } from '../../src/network/libp2p/scoring.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import type { GossipVerdict } from '../../src/network/network.ts'
import { until } from '../support/until.ts'
import { createHandClock } from '../support/hand-clock.ts'
import { createFastClock } from './fast-clock.ts'
import { createMesh, meshed } from './mesh.ts'
import type { MeshNode } from './mesh.ts'
import { createRawPeer } from './raw-peer.ts'
import type { RawPeer } from './raw-peer.ts'

const mesh = createMesh()
const raws: RawPeer[] = []
afterEach(async () => {
  await Promise.all([mesh.stop(), ...raws.splice(0).map(({ libp2p }) => libp2p.stop())])
})

const TOPIC = topicOf('dao:test')
const rejectBad = (text: string): GossipVerdict => (text.startsWith('bad') ? 'reject' : 'accept')
const scoreOf = (node: MeshNode): number => node.status().peers[0]?.score ?? 0

test('a reject costs its sender the score, four rejects the hearing, and a new connection does not wash it off', async () => {
  const a = await mesh.node('a', { knows: ['b', 'c'], verdict: rejectBad })
  const b = await mesh.node('b', { knows: [a] })
  const c = await mesh.node('c', { knows: [a] })
  await until('the star stands', () => meshed(a, b, c) && a.status().topics['dao:test']?.mesh === 2)

  await b.publish('bad 1')
  await until('the first reject costs 10', () => scoreOf(a) < -9 && scoreOf(a) > -11)
  for (const text of ['bad 2', 'bad 3', 'bad 4']) await b.publish(text)
  await until('four rejects cost 160 and the hearing', () => scoreOf(a) < SCORE_THRESHOLDS.graylistThreshold)
  expect(a.peer(c).score).toBeGreaterThanOrEqual(0)

  await b.publish('unheard')
  for (const text of ['one', 'two', 'three']) {
    await c.publish(text)
    await until(`a hears ${text}`, () => a.texts().includes(text))
  }
  expect(a.texts()).toEqual(['bad 1', 'bad 2', 'bad 3', 'bad 4', 'one', 'two', 'three'])

  const before = scoreOf(a)
  await b.network.stop()
  await until('b is gone', () => !a.peer(b).connected)
  const again = await mesh.node('b', { knows: [a] })
  await until(
    'b is back and says what it carries',
    () => a.peer(b).connected && again.status().topics['dao:test']?.subscribers === 1
  )
  // gossipsub shows a score for a second before it reckons again; what is a little better then is the new one.
  await until('its score was reckoned anew', () => scoreOf(a) > before + 0.01)
  expect(scoreOf(a)).toBeLessThan(SCORE_THRESHOLDS.graylistThreshold)
  await again.publish('still unheard')
  await c.publish('four')
  await until('a hears four', () => a.texts().includes('four'))
  expect(a.texts()).not.toContain('still unheard')
})

test('a message over 48 KiB is refused before it is judged, and costs a reject', async () => {
  const { a, raw } = await withRawPeer()
  await raw.gossip.publish(TOPIC, new Uint8Array(49_153))
  await until('it costs 10', () => scoreOf(a) < -9)
  await raw.gossip.publish(TOPIC, new Uint8Array(49_152))
  await until('the largest that may be is judged', () => a.judged.length > 0)
  expect(a.judged.map(({ text }) => text.length)).toEqual([49_152])
})

test('an RPC over 1 MiB is not read, and the gossip with its sender ends', async () => {
  const { a, raw } = await withRawPeer()
  await raw.gossip.publish(TOPIC, new Uint8Array(1_048_577))
  await until('the sender has left the topic', () => a.status().topics['dao:test']?.subscribers === 0)
  expect(a.judged).toEqual([])
})

test('a message that libp2p has signed is refused: the event has its own signature', async () => {
  const { a, raw } = await withRawPeer({ globalSignaturePolicy: StrictSign })
  await raw.gossip.publish(TOPIC, Buffer.from('signed'))
  await until('it costs 10', () => scoreOf(a) < -9)
  expect(a.judged).toEqual([])
})

test('the parameters are what gossipsub accepts', () => {
  const params = scoreParams([TOPIC], createRejectMemory(createHandClock()), { excessSquare: () => 0 })
  expect(() => validatePeerScoreParams(params)).not.toThrow()
  expect(() => validatePeerScoreThresholds(SCORE_THRESHOLDS)).not.toThrow()
  expect(SCORE_THRESHOLDS.acceptPXThreshold).toBeGreaterThan(params.topicScoreCap)
})

test('the memory adds what gossipsub does not know, each reject once', async () => {
  const clock = createHandClock()
  const memory = createRejectMemory(clock)
  expect(memory.missingSquare('b')).toBe(0)
  for (let rejects = 0; rejects < 3; rejects += 1) memory.rejected('b')
  // gossipsub counts these three itself.
  expect(memory.missingSquare('b')).toBe(0)
  memory.connected('b')
  expect(memory.missingSquare('b')).toBe(9)
  memory.rejected('b')
  // Four in all; gossipsub counts one.
  expect(memory.missingSquare('b')).toBe(15)
  memory.rejectedLate('b')
  expect(memory.missingSquare('b')).toBe(24)
  expect(memory.missingSquare('c')).toBe(0)

  await clock.advance(2 * FORGET_ONE_REJECT_MS)
  expect(memory.missingSquare('b')).toBe(8)
  await clock.advance(3 * FORGET_ONE_REJECT_MS)
  expect(memory.missingSquare('b')).toBe(0)
})

test('penalties for too much cost the score, and no number of them the hearing; the third shuts out for a while', async () => {
  const clock = createHandClock()
  const shutOut = createShutOut({ clock, logger: silentLogger })
  const params = scoreParams([TOPIC], createRejectMemory(clock), shutOut)
  const score = (): number => params.appSpecificScore('b') * params.appSpecificWeight
  expect([shutOut.exceeded('b'), score(), shutOut.isShutOut('b')]).toEqual([false, -10, false])
  expect([shutOut.exceeded('b'), score(), shutOut.note('b')]).toEqual([false, -40, undefined])
  await clock.advance(60_000)
  expect([shutOut.exceeded('b'), shutOut.isShutOut('b'), shutOut.isShutOut('c')]).toEqual([true, true, false])
  expect(shutOut.note('b')).toMatch(/^is shut out until 20.*Z: it sent far more than rate\.perPeer allows$/)
  for (let more = 0; more < 100; more += 1) expect(shutOut.exceeded('b')).toBe(false)
  expect(score()).toBeGreaterThan(SCORE_THRESHOLDS.graylistThreshold)
  await clock.advance(SHUT_OUT_MS)
  expect([shutOut.isShutOut('b'), shutOut.note('b')]).toEqual([false, undefined])
  await clock.advance(EXCESSES_MAX * FORGET_ONE_EXCESS_MS)
  expect(score()).toBe(-0)
  for (let quarter = 0; quarter < 10; quarter += 1) {
    expect(shutOut.exceeded('b')).toBe(false)
    await clock.advance(FORGET_ONE_EXCESS_MS)
  }
})

test('a peer that sends far too much again and again is disconnected, kept out, and let in again later', async () => {
  // An hour of the nodes is a minute here.
  const clock = createFastClock(60)
  const a = await mesh.node('a', { knows: ['b', 'c'], clock })
  const b = await mesh.node('b', { knows: [a], clock })
  const c = await mesh.node('c', { knows: [a] })
  await until('all are connected', () => a.peer(b).connected && a.peer(c).connected)
  a.network.penalise(b.peerId, 'rate')
  a.network.penalise(b.peerId, 'rate')
  a.network.penalise('nobody', 'rate')
  expect([a.peer(b).connected, a.peer(b).note]).toEqual([true, undefined])
  a.network.penalise(b.peerId, 'rate')
  await until('b is gone', () => !a.peer(b).connected)
  expect(a.peer(b).note).toMatch(/^is shut out until/)
  expect(a.peer(c)).toMatchObject({ connected: true })
  await until('b was dialled or dialled in vain', () => (b.peer(a).nextDialAt ?? 0) > 0)
  expect(a.peer(b).connected).toBe(false)
  expect(a.status().refusedConnections).toBe(0)
  await until('b is back', () => a.peer(b).connected && a.peer(b).note === undefined)
})

async function withRawPeer(gossip: Partial<GossipsubOpts> = {}): Promise<{ a: MeshNode; raw: RawPeer }> {
  const a = await mesh.node('a', { knows: ['raw'] })
  const raw = await createRawPeer('raw', { gossip })
  raws.push(raw)
  raw.gossip.subscribe(TOPIC)
  await raw.libp2p.dial(multiaddr(a.address()))
  await until('both know what the other carries', () => {
    return raw.gossip.getSubscribers(TOPIC).length === 1 && a.status().topics['dao:test']?.mesh === 1
  })
  return { a, raw }
}
