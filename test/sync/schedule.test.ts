import { expect, test } from 'vitest'
import type { Course } from '../../src/sync/schedule.ts'
import { isPeersFault, NEW_COURSE, nextAfter } from '../../src/sync/schedule.ts'
import type { SessionReport } from '../../src/sync/session.ts'

const INTERVAL_MS = 60_000

type Ended = Parameters<typeof nextAfter>[0]

const NOTHING = { accepted: 0, duplicate: 0, pending: 0, ignored: {} }

function ended(end: SessionReport['end'], rest: Partial<Ended> = {}): Ended {
  return { end, hasLeft: false, sent: 0, received: NOTHING, ...rest }
}

/** The delays after the same end again and again. */
function delays(report: Ended, times: number): readonly number[] {
  let course: Course = NEW_COURSE
  return Array.from({ length: times }, () => {
    const next = nextAfter(report, course, INTERVAL_MS)
    ;({ course } = next)
    return next.delayMs
  })
}

test('sessions that find both sides equal come less often, up to four times', () => {
  expect(delays(ended('equal'), 5)).toEqual([60_000, 120_000, 240_000, 240_000, 240_000])
})

test('a difference brings the interval back', () => {
  const { course } = nextAfter(ended('equal'), { ...NEW_COURSE, quiet: 9 }, INTERVAL_MS)
  const after = nextAfter(ended('synced', { sent: 3 }), course, INTERVAL_MS)
  expect(after).toEqual({ course: NEW_COURSE, delayMs: 60_000 })
})

test('what was left is fetched at once, as long as sessions move something', () => {
  const moved = ended('synced', { hasLeft: true, received: { ...NOTHING, accepted: 1 } })
  expect(nextAfter(moved, NEW_COURSE, INTERVAL_MS).delayMs).toBeLessThan(100)
  expect(nextAfter(ended('synced', { hasLeft: true }), NEW_COURSE, INTERVAL_MS).delayMs).toBe(INTERVAL_MS)
  // To a peer that takes and takes it is sent less and less often.
  const sent = delays(ended('synced', { hasLeft: true, sent: 5 }), 12)
  expect(sent.slice(0, 4)).toEqual([50, 100, 200, 400])
  expect(sent.at(-1)).toBe(INTERVAL_MS)
})

test.each(['broken', 'timeout'] as const)('after %s it is tried again, each time twice as late', (end) => {
  expect(delays(ended(end, { by: 'peer' }), 8)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000])
})

test('a busy peer is asked again within seconds, and was no failure', () => {
  expect(delays(ended('busy', { by: 'peer' }), 5)).toEqual([500, 1_000, 2_000, 4_000, 4_000])
  expect(nextAfter(ended('busy', { by: 'peer' }), NEW_COURSE, INTERVAL_MS).course.failures).toBe(0)
  // That this node had no room for what came is its own trouble.
  expect(delays(ended('busy', { by: 'here' }), 2)).toEqual([1_000, 2_000])
})

test('a peer with another policy is asked seldom', () => {
  expect(delays(ended('wrong-namespace', { by: 'peer' }), 2)).toEqual([600_000, 600_000])
})

test.each(['lied', 'bad-frame', 'too-big'] as const)(
  'a peer to which this node said %s is asked less and less',
  (end) => {
    const report = ended(end, { by: 'here' })
    expect(isPeersFault(report)).toBe(true)
    expect(delays(report, 8).map((delayMs) => delayMs / INTERVAL_MS)).toEqual([1, 2, 4, 8, 16, 32, 60, 60])
    // What a peer says of this node is no fault of the peer's.
    expect(isPeersFault(ended(end, { by: 'peer' }))).toBe(false)
  }
)
