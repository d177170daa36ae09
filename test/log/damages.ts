import { utf8 } from '../../protocols/primitives/bytes.ts'
import { chainIdOf } from '../../src/events/chain.ts'
import type { VerifiedEvent } from '../../src/events/verified.ts'
import { branchKey, chainPrefix, idKey, namespaceCountKey, policyKey, recordKey, tipKey } from '../../src/log/keys.ts'
import type { WriteOperation } from '../../src/log/store.ts'
import { prefixRange } from '../../src/log/store.ts'
import { collect } from '../support/collect.ts'
import { NAMESPACE } from '../support/identities.ts'
import type { TestLog } from './support.ts'
import { appendAll, local, openTestLog, unsignedChain, unsignedEvent } from './support.ts'

/** A log of one chain that is to be damaged. */
export interface Filled extends TestLog {
  /** Positions 2 to 11 of the log; a policy stands at 1 and another local event at 12. */
  readonly events: readonly VerifiedEvent[]
}

/** A log that is whole. */
export async function filled(): Promise<Filled> {
  const opened = await openTestLog()
  await opened.log.append([local({ v: 1 }, 'policy')])
  const events = unsignedChain(10)
  await appendAll(opened.log, events)
  await opened.log.append([local({ some: 'thing' })])
  await opened.log.writeCheckpoint()
  return { ...opened, events }
}

export const put = (key: string, value: Uint8Array): WriteOperation => ({ type: 'put', key, value })

/** What stands under the key. */
export async function stored({ store }: TestLog, key: string): Promise<Uint8Array> {
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

export function eventAt({ events }: Filled, index: number): VerifiedEvent {
  return events.at(index) ?? unsignedEvent({})
}

export interface Damage {
  readonly what: string
  readonly damage: (log: Filled) => Promise<WriteOperation[]>
  /** What the first finding says, at which position. */
  readonly logSeq: number | null
  readonly problem: RegExp
}

/** One thing of a filled log damaged. */
export const DAMAGES: readonly Damage[] = [
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
    what: 'an entry of the chain index with another branch',
    damage: async (log) => {
      const [key, bytes] = await chainEntry(log)
      return [put(key, flipped(bytes, 7))]
    },
    logSeq: null,
    problem: /chain index/
  },
  {
    what: 'an entry of the chain index under another key',
    damage: async (log) => {
      const [key, bytes] = await chainEntry(log)
      return [{ type: 'del', key }, put(`${key.slice(0, -1)}9`, bytes)]
    },
    logSeq: null,
    problem: /chain index has an entry of record 2 under/
  },
  {
    what: 'an entry of the chain index of no bytes',
    damage: async (log) => [put((await chainEntry(log))[0], new Uint8Array())],
    logSeq: null,
    problem: /chain index has 0 bytes/
  },
  {
    what: 'an entry of the chain index with a byte too many',
    damage: async (log) => {
      const [key, bytes] = await chainEntry(log)
      return [put(key, Uint8Array.of(...bytes, 0))]
    },
    logSeq: null,
    problem: /chain index has 89 bytes/
  },
  {
    what: 'an id entry with another branch',
    damage: async (log) => [put(idKey(eventAt(log, 3).id), flipped(await stored(log, idKey(eventAt(log, 3).id)), -1))],
    logSeq: 5,
    problem: /elsewhere/
  },
  {
    what: 'a tip in another branch',
    damage: async (log) => [put(tipKeyOf(log, -1), flipped(await stored(log, tipKeyOf(log, -1)), -1))],
    logSeq: 11,
    problem: /tip/
  },
  {
    what: 'a missing entry of the branch index',
    damage: async (log) => [{ type: 'del', key: branchKeyOf(log, 2) }],
    logSeq: null,
    problem: /branch index/
  },
  {
    what: 'a branch with another parent',
    damage: async (log) => [put(branchKeyOf(log, 2), flipped(await stored(log, branchKeyOf(log, 2)), 7))],
    logSeq: null,
    problem: /branch index/
  },
  {
    what: 'a branch that begins elsewhere',
    damage: async (log) => [put(branchKeyOf(log, 2), flipped(await stored(log, branchKeyOf(log, 2)), 15))],
    logSeq: null,
    problem: /branch index/
  },
  {
    what: 'a branch of no bytes',
    damage: async (log) => [put(branchKeyOf(log, 2), new Uint8Array())],
    logSeq: null,
    problem: /branch index has 0 bytes/
  },
  {
    what: 'an extra branch',
    damage: async (log) => [put(branchKeyOf(log, 3), await stored(log, branchKeyOf(log, 2)))],
    logSeq: null,
    problem: /branch index/
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

export function branchKeyOf(log: Filled, branch: number): string {
  return branchKey(chainIdOf(eventAt(log, 0).envelope), branch)
}

async function chainEntry(log: Filled): Promise<[string, Uint8Array]> {
  const [entry] = await collect(log.store.range(prefixRange(chainPrefix(chainIdOf(eventAt(log, 0).envelope)))))
  if (entry === undefined) throw new Error('no entry')
  return entry
}
