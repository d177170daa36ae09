import { expect, test } from 'vitest'
import { seededRandom } from '../../simulations/ports/seeded-random.ts'
import type { VirtualClock } from '../../simulations/ports/virtual-clock.ts'
import { createVirtualClock } from '../../simulations/ports/virtual-clock.ts'
import { RefusedChains } from '../../src/sync/refused-chains.ts'
import { NEW_COURSE } from '../../src/sync/schedule.ts'
import type { Job } from '../../src/sync/job.ts'
import { Scheduler } from '../../src/sync/scheduler.ts'
import { settled } from '../support/settled.ts'

const NAMESPACE = 'dao:test'

/** A scheduler whose sessions take as long as `takesMs` says, and fail where that is a peer that is silent. */
function scheduler(
  takesMs: (job: Job) => number,
  isAnswering: (namespace: string) => boolean = () => false
): { clock: VirtualClock; runs: string[]; scheduler: Scheduler } {
  const clock = createVirtualClock({ settle: settled })
  const runs: string[] = []
  const made = new Scheduler('_trust', {
    clock,
    random: seededRandom('scheduler'),
    isAnswering,
    async run(job, course) {
      runs.push(job.peerId)
      const ms = takesMs(job)
      if (ms > 0) await clock.sleep(ms)
      return ms < 30_000
        ? { course: NEW_COURSE, delayMs: 60_000 }
        : { course: { ...NEW_COURSE, failures: course.failures + 1 }, delayMs: 60_000 }
    }
  })
  return { clock, runs, scheduler: made }
}

test('a silent peer does not keep the others waiting whenever something changes', async () => {
  const { clock, runs, scheduler: made } = scheduler(({ peerId }) => (peerId === 'silent' ? 30_000 : 0))
  for (const peerId of ['silent', 'ben', 'cleo']) made.add(peerId, [NAMESPACE])
  await clock.advance(31_000)
  runs.length = 0
  for (let changes = 0; changes < 20; changes += 1) {
    made.changed(NAMESPACE, 'ben')
    await clock.advance(1_000)
  }
  expect(runs.filter((peerId) => peerId === 'cleo').length).toBeGreaterThanOrEqual(20)
  expect(runs).not.toContain('silent')
  await made.stop()
})

test('a peer that fell silent while something changed is not asked again at once', async () => {
  const { clock, runs, scheduler: made } = scheduler(() => 30_000)
  made.add('silent', [NAMESPACE])
  await clock.advance(1_000)
  made.changed(NAMESPACE, 'ben')
  await clock.advance(35_000)
  expect(runs).toEqual(['silent'])
  await made.stop()
})

test('what changed while a session ran is told after it', async () => {
  const { clock, runs, scheduler: made } = scheduler(() => 1_000)
  made.add('ben', [NAMESPACE])
  await clock.advance(500)
  made.changed(NAMESPACE, 'cleo')
  await clock.advance(2_000)
  expect(runs).toEqual(['ben', 'ben'])
  await clock.advance(1_000)
  await made.stop()
})

test('a peer that comes back while its session still ends is asked again', async () => {
  const { clock, runs, scheduler: made } = scheduler(() => 1_000)
  made.add('ben', [NAMESPACE])
  await clock.advance(500)
  made.remove('ben')
  made.add('ben', [NAMESPACE])
  await clock.advance(500)
  expect(runs).toEqual(['ben', 'ben'])
  await clock.advance(5_000)
  expect(clock.timersSet).toBe(1)
  await made.stop()
  expect(clock.timersSet).toBe(0)
})

test('chains that waited for a key are wanted once one was bound, also while the session was under way', () => {
  let generation = 1
  const refused = new RefusedChains(() => generation)
  const job = { peerId: 'ben', namespace: NAMESPACE }
  refused.add(job, new Set(['aa']), 1)
  expect([...refused.of(job)]).toEqual(['aa'])
  generation = 2
  expect([...refused.of(job)]).toEqual([])
  refused.add(job, new Set(['aa']), 1)
  expect([...refused.of(job)]).toEqual([])
})

test('the reserved namespace of a peer goes before its others, one session with a peer at a time', async () => {
  const clock = createVirtualClock({ settle: settled })
  const underWay = new Set<string>()
  const order: string[] = []
  const made = new Scheduler('_trust', {
    clock,
    random: seededRandom('order'),
    isAnswering: () => false,
    async run({ peerId, namespace }) {
      expect(underWay.has(peerId)).toBe(false)
      underWay.add(peerId)
      order.push(`${peerId} ${namespace}`)
      await clock.sleep(10)
      underWay.delete(peerId)
      return { course: NEW_COURSE, delayMs: 60_000 }
    }
  })
  const peers = ['anna', 'ben', 'cleo']
  for (const peerId of peers) made.add(peerId, ['_trust', 'one', 'two'])
  await clock.advance(2_000)
  expect(order.length).toBe(9)
  for (const peerId of peers) expect(order.find((run) => run.startsWith(peerId))).toBe(`${peerId} _trust`)
  await made.stop()
})

test('a session waits while a peer has one over the namespace, but not for ever', async () => {
  let answering = true
  const {
    clock,
    runs,
    scheduler: made
  } = scheduler(
    () => 0,
    () => answering
  )
  made.add('ben', [NAMESPACE])
  await clock.advance(20_000)
  expect(runs).toEqual([])
  await clock.advance(20_000)
  expect(runs).toEqual(['ben'])
  made.changed(NAMESPACE, 'cleo')
  await clock.advance(1_000)
  expect(runs).toEqual(['ben'])
  answering = false
  made.answered({ peerId: 'dora', namespace: NAMESPACE }, clock.monotonicMs(), () => ({
    course: NEW_COURSE,
    delayMs: 1
  }))
  await clock.advance(1)
  expect(runs).toEqual(['ben', 'ben'])
  await made.stop()
})

test('a session that the peer opened counts as one of this node, unless something changed since', async () => {
  const { clock, runs, scheduler: made } = scheduler(() => 0)
  const job = { peerId: 'ben', namespace: NAMESPACE }
  const later = () => ({ course: NEW_COURSE, delayMs: 60_000 })
  made.add('ben', [NAMESPACE])
  made.answered(job, clock.monotonicMs(), later)
  await clock.advance(20_000)
  expect(runs).toEqual([])
  const sinceMs = clock.monotonicMs()
  await clock.advance(10)
  made.changed(NAMESPACE, 'cleo')
  made.answered(job, sinceMs, later)
  await clock.advance(200)
  expect(runs).toEqual(['ben'])
  await made.stop()
})

test('at most four sessions are under way, and those that take long make room', async () => {
  const { clock, runs, scheduler: made } = scheduler(() => 300_000)
  const peers = Array.from({ length: 8 }, (_, index) => `peer-${index}`)
  for (const [index, peerId] of peers.entries()) made.add(peerId, [`namespace:${index}`])
  await clock.advance(50_000)
  expect(runs.length).toBe(4)
  await clock.advance(30_000)
  expect(runs.toSorted()).toEqual(peers)
  const stopping = made.stop()
  await clock.advance(600_000)
  await stopping
})
