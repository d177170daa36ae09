import { expect, test } from 'vitest'
import {
  createJudgeGate,
  IN_FLIGHT_MAX,
  IN_FLIGHT_PER_PEER_MAX,
  JUDGE_DEADLINE_MS
} from '../../src/network/libp2p/judge-gate.ts'
import type { JudgeGate } from '../../src/network/libp2p/judge-gate.ts'
import type { GossipVerdict } from '../../src/network/network.ts'
import { createHandClock } from '../support/hand-clock.ts'
import type { HandClock } from '../support/hand-clock.ts'
import { recordingLogger } from '../support/recording-logger.ts'
import type { LogLine } from '../support/recording-logger.ts'

interface Rig {
  readonly clock: HandClock
  readonly gate: JudgeGate
  /** The judgements under way, to be answered by the test. */
  readonly open: PromiseWithResolvers<GossipVerdict>[]
  readonly lateRejects: string[]
  readonly lines: LogLine[]
  /** Asks for a verdict on a message of `peerId`. */
  readonly ask: (peerId: string) => Promise<GossipVerdict>
}

function createRig(): Rig {
  const clock = createHandClock()
  const open: PromiseWithResolvers<GossipVerdict>[] = []
  const lateRejects: string[] = []
  const lines: LogLine[] = []
  const gate = createJudgeGate({
    clock,
    logger: recordingLogger(lines),
    handlers: {
      judge() {
        const answer = Promise.withResolvers<GossipVerdict>()
        open.push(answer)
        return answer.promise
      }
    },
    onLateReject: (peerId) => lateRejects.push(peerId)
  })
  return { clock, gate, open, lateRejects, lines, ask: (peerId) => gate.judge('dao:test', new Uint8Array(), peerId) }
}

test.each(['accept', 'ignore', 'reject'] as const)('%s is passed on', async (verdict) => {
  const { clock, gate, open, ask, lateRejects } = createRig()
  const asked = ask('b')
  await clock.advance(JUDGE_DEADLINE_MS - 1)
  open[0]?.resolve(verdict)
  expect(await asked).toBe(verdict)
  expect(gate.counters()).toEqual({ judged: 1, dropped: 0, late: 0 })
  expect(lateRejects).toEqual([])
  expect(clock.pendingTimers()).toBe(0)
})

test('after 100 ms the answer is ignore, and a late reject is still told', async () => {
  const { clock, gate, open, ask, lateRejects } = createRig()
  const asked = [ask('b'), ask('c')]
  await clock.advance(JUDGE_DEADLINE_MS)
  expect(await Promise.all(asked)).toEqual(['ignore', 'ignore'])
  expect(gate.counters()).toEqual({ judged: 2, dropped: 0, late: 2 })
  open[0]?.resolve('reject')
  open[1]?.resolve('accept')
  await clock.advance(0)
  expect(lateRejects).toEqual(['b'])
})

test('one peer fills its share and no more; a place is free again only when judge has answered', async () => {
  const { clock, gate, open, ask } = createRig()
  const first = Array.from({ length: IN_FLIGHT_PER_PEER_MAX }, () => ask('b'))
  expect(await ask('b')).toBe('ignore')
  expect(gate.counters()).toEqual({ judged: IN_FLIGHT_PER_PEER_MAX, dropped: 1, late: 0 })
  const other = ask('c')
  expect(open).toHaveLength(IN_FLIGHT_PER_PEER_MAX + 1)

  await clock.advance(JUDGE_DEADLINE_MS)
  await Promise.all([...first, other])
  expect(await ask('b')).toBe('ignore')
  open[0]?.resolve('accept')
  await clock.advance(0)
  void ask('b')
  expect(open).toHaveLength(IN_FLIGHT_PER_PEER_MAX + 2)
})

test('all peers together fill the gate and no more', async () => {
  const { gate, open, ask } = createRig()
  const peers = IN_FLIGHT_MAX / IN_FLIGHT_PER_PEER_MAX
  for (let index = 0; index < IN_FLIGHT_MAX; index += 1) void ask(`peer ${index % peers}`)
  expect(await ask('another')).toBe('ignore')
  expect(open).toHaveLength(IN_FLIGHT_MAX)
  expect(gate.counters()).toMatchObject({ judged: IN_FLIGHT_MAX, dropped: 1 })
})

test('a judge that throws is a defect that is logged, and the answer is ignore', async () => {
  const { clock, open, ask, lines } = createRig()
  const asked = ask('b')
  open[0]?.reject(new Error('broken'))
  expect(await asked).toBe('ignore')
  expect(lines).toMatchObject([{ level: 'error', fields: { peerId: 'b', error: 'broken' } }])
  expect(clock.pendingTimers()).toBe(0)
})

test('closing answers what is open and leaves no timer', async () => {
  const { clock, gate, open, ask, lateRejects } = createRig()
  const asked = ask('b')
  gate.close()
  expect(await asked).toBe('ignore')
  expect(await ask('b')).toBe('ignore')
  expect(clock.pendingTimers()).toBe(0)
  open[0]?.resolve('reject')
  await clock.advance(0)
  expect(lateRejects).toEqual([])
  expect(open).toHaveLength(1)
})
