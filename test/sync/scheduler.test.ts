import { expect, test } from 'vitest'
import { seededRandom } from '../../simulations/ports/seeded-random.ts'
import type { VirtualClock } from '../../simulations/ports/virtual-clock.ts'
import { createVirtualClock } from '../../simulations/ports/virtual-clock.ts'
import { RefusedChains } from '../../src/sync/refused-chains.ts'
import { NEW_COURSE } from '../../src/sync/schedule.ts'
import type { Job } from '../../src/sync/scheduler.ts'
import { Scheduler } from '../../src/sync/scheduler.ts'
import { settled } from '../support/settled.ts'

const NAMESPACE = 'dao:test'

/** A scheduler whose sessions take as long as `takesMs` says, and fail where that is a peer that is silent. */
function scheduler(takesMs: (job: Job) => number): { clock: VirtualClock; runs: string[]; scheduler: Scheduler } {
  const clock = createVirtualClock({ settle: settled })
  const runs: string[] = []
  const made = new Scheduler('_trust', {
    clock,
    random: seededRandom('scheduler'),
    async run(job, course) {
      runs.push(job.peerId)
      const ms = takesMs(job)
      if (ms > 0) await clock.sleep(ms)
      return ms < 30_000
        ? { course: NEW_COURSE, delayMs: 60_000 }
        : { course: { failures: course.failures + 1, quiet: 0 }, delayMs: 60_000 }
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
