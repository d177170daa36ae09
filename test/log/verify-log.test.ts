import { describe, expect, test } from 'vitest'
import { utf8 } from '../../protocols/primitives/bytes.ts'
import { chainIdOf } from '../../src/events/chain.ts'
import type { VerifiedEvent } from '../../src/events/verified.ts'
import { chainPrefix, idKey, namespaceCountKey, policyKey, recordKey, tipKey } from '../../src/log/keys.ts'
import type { WriteOperation } from '../../src/log/store.ts'
import { prefixRange } from '../../src/log/store.ts'
import { verifyLog } from '../../src/log/verify-log.ts'
import { collect } from '../support/collect.ts'
import { NAMESPACE } from '../support/identities.ts'
import type { TestLog } from './support.ts'
import { appendAll, local, openTestLog, unsignedChain, unsignedEvent } from './support.ts'

interface Filled extends TestLog {
  /** Positions 2 to 11 of the log; a policy stands at 1 and another local event at 12. */
  readonly events: readonly VerifiedEvent[]
}

async function filled(): Promise<Filled> {
  const opened = await openTestLog()
  await opened.log.append([local({ v: 1 }, 'policy')])
  const events = unsignedChain(10)
  await appendAll(opened.log, events)
  await opened.log.append([local({ some: 'thing' })])
  await opened.log.writeCheckpoint()
  return { ...opened, events }
}

const put = (key: string, value: Uint8Array): WriteOperation => ({ type: 'put', key, value })

async function stored({ store }: TestLog, key: string): Promise<Uint8Array> {
  const bytes = await store.get(key)
  if (bytes === undefined) throw new Error(`nothing under ${key}`)
  return Uint8Array.from(bytes)
}

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const changed = Uint8Array.from(bytes)
  const index = at < 0 ? bytes.length + at : at
  changed[index] = (changed[index] ?? 0) ^ 1
  return changed
}

function eventAt({ events }: Filled, index: number): VerifiedEvent {
  return events.at(index) ?? unsignedEvent({})
}

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

interface Damage {
  readonly what: string
  readonly damage: (log: Filled) => Promise<WriteOperation[]>
  /** What the first finding says, at which position. */
  readonly logSeq: number | null
  readonly problem: RegExp
}

const DAMAGES: readonly Damage[] = [
  {
    what: "a flipped byte in a record's hash",
    damage: async (log) => [put(recordKey(5), flipped(await stored(log, recordKey(5)), 3))],
    logSeq: 5,
    problem: /hash/
  },
  {
    what: 'a flipped byte in the time',
    damage: async (log) => [put(recordKey(5), flipped(await stored(log, recordKey(5)), 40))],
    logSeq: 5,
    problem: /hash/
  },
  {
    what: 'another scope',
    damage: async (log) => [put(recordKey(5), flipped(flipped(await stored(log, recordKey(5)), 32), 32))].map(rescoped),
    logSeq: 5,
    problem: /hash/
  },
  {
    what: 'a flipped byte in the event',
    damage: async (log) => [put(recordKey(5), flipped(await stored(log, recordKey(5)), 60))],
    logSeq: 5,
    problem: /hash/
  },
  {
    what: 'a flipped byte at the end',
    damage: async (log) => [put(recordKey(5), flipped(await stored(log, recordKey(5)), -1))],
    logSeq: 5,
    problem: /hash/
  },
  {
    what: 'a flipped byte in a local record',
    damage: async (log) => [put(recordKey(12), flipped(await stored(log, recordKey(12)), -3))],
    logSeq: 12,
    problem: /hash/
  },
  {
    what: 'a record cut short',
    damage: async (log) => [put(recordKey(5), (await stored(log, recordKey(5))).slice(0, -10))],
    logSeq: 5,
    problem: /hash/
  },
  {
    what: 'a record of no bytes',
    damage: async () => [put(recordKey(5), new Uint8Array())],
    logSeq: 5,
    problem: /damaged/
  },
  {
    what: 'the last record damaged',
    damage: async () => [put(recordKey(12), Uint8Array.of(1, 2, 3))],
    logSeq: 12,
    problem: /damaged/
  },
  {
    what: 'a removed record',
    damage: async () => [{ type: 'del', key: recordKey(5) }],
    logSeq: 6,
    problem: /follows record 4/
  },
  {
    what: 'the first record removed',
    damage: async () => [{ type: 'del', key: recordKey(1) }],
    logSeq: 2,
    problem: /follows record 0/
  },
  {
    what: 'the last records removed',
    damage: async () => [11, 12].map((logSeq) => ({ type: 'del', key: recordKey(logSeq) })),
    logSeq: null,
    problem: /tip index/
  },
  {
    what: 'two records swapped',
    damage: async (log) => [
      put(recordKey(5), await stored(log, recordKey(6))),
      put(recordKey(6), await stored(log, recordKey(5)))
    ],
    logSeq: 5,
    problem: /hash/
  },
  {
    what: 'a record twice',
    damage: async (log) => [put(recordKey(13), await stored(log, recordKey(11)))],
    logSeq: 13,
    problem: /hash/
  },
  {
    what: 'a missing id',
    damage: async (log) => [{ type: 'del', key: idKey(eventAt(log, 3).id) }],
    logSeq: 5,
    problem: /not in the id index/
  },
  {
    what: 'an id that leads elsewhere',
    damage: async (log) => [put(idKey(eventAt(log, 3).id), await stored(log, idKey(eventAt(log, 4).id)))],
    logSeq: 5,
    problem: /elsewhere/
  },
  {
    what: 'an id entry of no bytes',
    damage: async (log) => [put(idKey(eventAt(log, 3).id), new Uint8Array())],
    logSeq: 5,
    problem: /id index/
  },
  {
    what: 'an id entry with another ts',
    damage: async (log) => [put(idKey(eventAt(log, 3).id), flipped(await stored(log, idKey(eventAt(log, 3).id)), 23))],
    logSeq: 5,
    problem: /id index/
  },
  {
    what: 'an id of an event that is not here',
    damage: async (log) => [put(idKey('f'.repeat(64)), await stored(log, idKey(eventAt(log, 3).id)))],
    logSeq: null,
    problem: /id index/
  },
  {
    what: 'an extra tip',
    damage: async (log) => [
      put(
        tipKey(NAMESPACE, chainIdOf(eventAt(log, 3).envelope), eventAt(log, 3).id),
        await stored(log, tipKeyOf(log, -1))
      )
    ],
    logSeq: null,
    problem: /is no tip/
  },
  {
    what: 'an extra tip in a namespace without events',
    damage: async (log) => [
      put(
        tipKey('dao:nothing', chainIdOf(eventAt(log, 3).envelope), eventAt(log, 3).id),
        await stored(log, tipKeyOf(log, -1))
      )
    ],
    logSeq: null,
    problem: /is no tip/
  },
  {
    what: 'a missing tip',
    damage: async (log) => [{ type: 'del', key: tipKeyOf(log, -1) }],
    logSeq: null,
    problem: /lacks/
  },
  {
    what: 'a tip at another place',
    damage: async (log) => [put(tipKeyOf(log, -1), flipped(await stored(log, tipKeyOf(log, -1)), 15))],
    logSeq: null,
    problem: /tip/
  },
  {
    what: 'a tip of no bytes',
    damage: async (log) => [put(tipKeyOf(log, -1), new Uint8Array())],
    logSeq: null,
    problem: /tip/
  },
  {
    what: 'a wrong count',
    damage: async () => [put(namespaceCountKey(NAMESPACE), utf8('9'))],
    logSeq: null,
    problem: /has 10 events, its count says 9/
  },
  {
    what: 'a missing count',
    damage: async () => [{ type: 'del', key: namespaceCountKey(NAMESPACE) }],
    logSeq: null,
    problem: /count says 0/
  },
  {
    what: 'a count of nothing',
    damage: async () => [put(namespaceCountKey('dao:nothing'), utf8('3'))],
    logSeq: null,
    problem: /has 0 events, its count says 3/
  },
  {
    what: 'a missing entry of the chain index',
    damage: async (log) => [{ type: 'del', key: (await chainEntry(log))[0] }],
    logSeq: null,
    problem: /chain index/
  },
  {
    what: 'a wrong entry of the chain index',
    damage: async (log) => {
      const [key, bytes] = await chainEntry(log)
      return [put(key, flipped(bytes, 15))]
    },
    logSeq: null,
    problem: /chain index/
  },
  {
    what: 'a missing entry of the policy index',
    damage: async () => [{ type: 'del', key: policyKey(1) }],
    logSeq: 1,
    problem: /policy index/
  },
  {
    what: 'an extra entry of the policy index',
    damage: async () => [put(policyKey(12), new Uint8Array())],
    logSeq: 12,
    problem: /policy index/
  }
]

function rescoped(operation: WriteOperation): WriteOperation {
  if (operation.type === 'del' || typeof operation.value === 'string') return operation
  const value = Uint8Array.from(operation.value)
  value[32] = 2
  return { ...operation, value }
}

function tipKeyOf(log: Filled, index: number): string {
  const event = eventAt(log, index)
  return tipKey(NAMESPACE, chainIdOf(event.envelope), event.id)
}

async function chainEntry(log: Filled): Promise<[string, Uint8Array]> {
  const [entry] = await collect(log.store.range(prefixRange(chainPrefix(chainIdOf(eventAt(log, 0).envelope)))))
  if (entry === undefined) throw new Error('no entry')
  return entry
}

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
