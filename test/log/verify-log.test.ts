import { describe, expect, test } from 'vitest'
import { chainIdOf } from '../../src/events/chain.ts'
import { TREE_PREFIX, branchPrefix, idKey, recordKey, treeKey } from '../../src/log/keys.ts'
import { prefixRange } from '../../src/log/store.ts'
import { verifyLog } from '../../src/log/verify-log.ts'
import { collect } from '../support/collect.ts'
import type { Filled } from './damages.ts'
import { DAMAGES, branchKeyOf, eventAt, filled, put, stored } from './damages.ts'
import { appendAll, openTestLog, unsignedChain } from './support.ts'

test('a log that is whole', async () => {
  const progress: [number, number][] = []
  const { store, checkpoint, log } = await filled()
  const findings = await verifyLog(store, checkpoint, (done, total) => progress.push([done, total]))
  expect(findings).toEqual({
    ok: true,
    records: 12,
    headHash: Buffer.from(log.head.hash).toString('hex'),
    problems: [],
    problemCount: 0
  })
  expect(progress.at(-1)).toEqual([12, 12])
})

test('an empty log is whole', async () => {
  const { store, checkpoint } = await openTestLog()
  expect(await verifyLog(store, checkpoint)).toMatchObject({ ok: true, records: 0 })
})

test.each(DAMAGES)('$what is found', async ({ damage, logSeq, problem }) => {
  const log = await filled()
  await log.store.write(await damage(log), { sync: true })
  const findings = await verifyLog(log.store, log.checkpoint)
  expect(findings.ok).toBe(false)
  expect(findings.problemCount).toBeGreaterThan(0)
  const first = findings.problems.find((found) => problem.test(found.problem))
  expect(first, JSON.stringify(findings.problems)).toBeDefined()
  if (logSeq !== null) expect(first?.logSeq).toBe(logSeq)
})

describe('a forked chain', () => {
  /** Positions 13 and 14: another follower of the fourth event, and one that follows that. */
  async function forked(): Promise<Filled> {
    const log = await filled()
    await appendAll(log.log, unsignedChain(2, { before: eventAt(log, 3), body: { side: true } }))
    await log.log.writeCheckpoint()
    return log
  }

  test('is whole', async () => {
    const log = await forked()
    expect(await verifyLog(log.store, log.checkpoint)).toMatchObject({ ok: true, records: 14, problems: [] })
    const branches = await collect(log.store.range(prefixRange(branchPrefix(chainIdOf(eventAt(log, 0).envelope)))))
    expect(branches.map(([key]) => key)).toEqual([branchKeyOf(log, 2), branchKeyOf(log, 13)])
  })

  test('of which a fork says that it begins the chain is not', async () => {
    const log = await forked()
    await log.store.write([put(branchKeyOf(log, 13), await stored(log, branchKeyOf(log, 2)))], { sync: true })
    expect(await verifyLog(log.store, log.checkpoint)).toMatchObject({
      ok: false,
      problems: [{ problem: expect.stringContaining('branch index') as string }]
    })
  })
})

test.each([
  ['damaged', put(recordKey(5), Uint8Array.of(1, 2, 3))],
  ['removed', { type: 'del', key: recordKey(5) } as const]
])('what follows a %s record is not said to be in another branch', async (_, damage) => {
  const { store, checkpoint } = await filled()
  await store.write([damage], { sync: true })
  const { problems } = await verifyLog(store, checkpoint)
  expect(problems.filter(({ problem }) => /elsewhere|branch index/.test(problem))).toEqual([])
})

describe('against store.json', () => {
  test('a log that is shorter than it says', async () => {
    const { store, checkpoint } = await filled()
    const known = await checkpoint.read()
    if (known === null) throw new Error('no checkpoint')
    await checkpoint.write({ ...known, head: { logSeq: 20, hash: '0'.repeat(64) } })
    const findings = await verifyLog(store, checkpoint)
    expect(findings).toMatchObject({
      ok: false,
      problems: [{ logSeq: null, problem: 'store.json says 20 records, the log ends at 12' }]
    })
  })

  test('a log of the same length with another history', async () => {
    const { store, checkpoint } = await filled()
    const known = await checkpoint.read()
    if (known === null) throw new Error('no checkpoint')
    await checkpoint.write({ ...known, head: { logSeq: 7, hash: '0'.repeat(64) } })
    expect(await verifyLog(store, checkpoint)).toMatchObject({ ok: false, problems: [{ logSeq: 7 }] })
  })

  test('none at all', async () => {
    const { store } = await filled()
    const none = { read: () => Promise.resolve(null), write: () => Promise.resolve() }
    expect(await verifyLog(store, none)).toMatchObject({ ok: false, problems: [{ problem: /store\.json is missing/ }] })
  })

  test('a node that goes on while its log is verified is no finding', async () => {
    const { store, checkpoint, log, events } = await filled()
    const more = unsignedChain(300, { before: events.at(-1) ?? null })
    let grown: Promise<unknown> | null = null
    const findings = await verifyLog(
      {
        ...store,
        snapshot: async () => {
          const snapshot = await store.snapshot()
          grown ??= appendAll(log, more).then(() => log.writeCheckpoint())
          return snapshot
        }
      },
      { ...checkpoint, read: async () => (await grown, await checkpoint.read()) }
    )
    expect(await checkpoint.read()).toMatchObject({ head: { logSeq: 312 } })
    expect(findings).toMatchObject({ ok: true, records: 12, problems: [] })
  })
})

test('many problems are counted, a hundred are listed', async () => {
  const { store, checkpoint, log } = await openTestLog()
  const events = unsignedChain(300)
  await appendAll(log, events)
  await log.writeCheckpoint()
  await store.write(
    events.map(({ id }) => ({ type: 'del', key: idKey(id) })),
    { sync: true }
  )
  const findings = await verifyLog(store, checkpoint)
  expect(findings.problems).toHaveLength(100)
  // Each of them, and that the index has no entries.
  expect(findings.problemCount).toBe(301)
})

describe('the tree over a log', () => {
  /** 12 records and 600 more, whose tree has two tiles. */
  async function grown(): Promise<Filled> {
    const log = await filled()
    await log.log.tree.ready()
    await appendAll(log.log, unsignedChain(600, { author: 'bob' }))
    await log.log.writeCheckpoint()
    return log
  }

  test('is whole with it, without it, and with the beginning of it', async () => {
    const log = await grown()
    const whole = { ok: true, records: 612, problems: [] }
    expect(await collect(log.store.range(prefixRange(TREE_PREFIX)))).toHaveLength(4)
    expect(await verifyLog(log.store, log.checkpoint)).toMatchObject(whole)
    for (const tile of [1, 0]) {
      await log.store.write(
        [0, 1].map((level) => ({ type: 'del' as const, key: treeKey(level, tile) })),
        { sync: true }
      )
      expect(await verifyLog(log.store, log.checkpoint)).toMatchObject(whole)
    }
  })

  test.each([
    ['a leaf that is another', 0, 1, /another one at x!0!/],
    ['a root over 256 that is another', 1, 0, /another one at x!1!/]
  ])('%s is found', async (_what, level, index, problem) => {
    const log = await grown()
    const bytes = await stored(log, treeKey(level, index))
    bytes[5] = (bytes[5] ?? 0) ^ 1
    await log.store.write([put(treeKey(level, index), bytes)], { sync: true })
    const findings = await verifyLog(log.store, log.checkpoint)
    expect(findings).toMatchObject({ ok: false, problemCount: 1 })
    expect(findings.problems[0]?.problem).toMatch(problem)
    expect(findings.problems[0]?.logSeq).toBe(256 * (index + 1))
  })

  test('a hole is found, and what stands beside it', async () => {
    const log = await grown()
    await log.store.write([{ type: 'del', key: treeKey(0, 0) }], { sync: true })
    expect((await verifyLog(log.store, log.checkpoint)).problems[0]?.problem).toMatch(/goes on at x!1!.*, without x!0!/)
    const other = await grown()
    await other.store.write([put(treeKey(1, 2), new Uint8Array(32))], { sync: true })
    const { problems } = await verifyLog(other.store, other.checkpoint)
    expect(problems).toEqual([
      { logSeq: null, problem: 'the tree over the log has 5 entries, 4 of them of its records' }
    ])
  })
})
