import { expect, test } from 'vitest'
import { CountedTrail } from '../../src/audit/counted-trail.ts'
import { COUNTED_PER_MINUTE_MAX } from '../../src/audit/limits.ts'
import { changedKeys } from '../../src/audit/policy-changes.ts'
import type { AuditEntry } from '../../src/platform/audit.ts'
import { createHandClock } from '../support/hand-clock.ts'
import { entryOf } from './support.ts'

function counting(): { trail: CountedTrail; entries: AuditEntry[]; clock: ReturnType<typeof createHandClock> } {
  const entries: AuditEntry[] = []
  const clock = createHandClock()
  const inner = { record: (entry: AuditEntry) => void entries.push(entry), flushed: () => Promise.resolve() }
  return { trail: new CountedTrail(inner, clock), entries, clock }
}

test('what is alike in a minute is one record with its number', async () => {
  const { trail, entries, clock } = counting()
  const refused = { outcome: 'refused', code: 'X' } as const
  for (let index = 0; index < 3; index += 1) trail.count(entryOf('a', { ...refused, detail: { index } }))
  trail.count(entryOf('a', { ...refused, actor: 'other' }))
  trail.record(entryOf('at once'))
  expect(entries.map(({ subject }) => subject)).toEqual(['at once'])
  await clock.advance(60_000)
  expect(entries.slice(1).map(({ actor, detail }) => [actor, detail])).toEqual([
    ['operator', { count: 3, index: 0 }],
    ['other', { count: 1 }]
  ])
  expect(clock.pendingTimers()).toBe(0)
  trail.count(entryOf('a', refused))
  trail.writeCounts()
  expect(entries).toHaveLength(4)
  expect(clock.pendingTimers()).toBe(0)
})

test('too many that differ are counted together, by action and code', async () => {
  const { trail, entries, clock } = counting()
  for (let peer = 0; peer < COUNTED_PER_MINUTE_MAX + 50; peer += 1)
    trail.count(entryOf('gossip', { actor: `peer-${peer}`, outcome: 'refused', code: peer % 2 === 0 ? 'EVEN' : 'ODD' }))
  await clock.advance(60_000)
  expect(entries).toHaveLength(COUNTED_PER_MINUTE_MAX + 2)
  const others = entries.filter(({ actor }) => actor === 'others')
  expect(others.map(({ code, detail }) => [code, detail?.['count']])).toEqual([
    ['EVEN', 25],
    ['ODD', 25]
  ])
})

test('changed keys are named by their path, three levels down', () => {
  const before = { a: { b: { c: 1, d: [1] }, e: 2 }, f: null }
  expect(changedKeys(before, before)).toEqual([])
  expect(changedKeys(before, { ...before, f: 1 })).toEqual(['f'])
  expect(changedKeys(before, { a: { b: { c: 1, d: [2] }, g: 3 }, f: null })).toEqual(['a.b.d', 'a.e', 'a.g'])
  expect(changedKeys(null, { x: 1, y: {} })).toEqual(['x', 'y'])
})
