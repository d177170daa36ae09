import { rmSync } from 'node:fs'
import { PackedItems } from '../../protocols/negentropy/v1/items.ts'
import { decodeEvent } from '../../protocols/event/v1/codec.ts'
import { fromHex } from '../../protocols/primitives/bytes.ts'
import { LogSyncView } from '../../src/sync/log-view.ts'
import { TipTable } from '../../src/sync/tip-table.ts'
import type { Figure } from './report.ts'
import { median, report } from './report.ts'
import { bootstrapFigures } from './sync-bootstrap.ts'
import { eventsOf, negentropyOf, talkOf } from './sync-exchange.ts'
import type { BenchLog } from './sync-log.ts'
import { buildLog, NAMESPACE } from './sync-log.ts'

/**
 * What range-sync says before it transfers, over logs of a million events that were written through the store port. The
 * side that lags is the same log with other tips: what stands behind a tip is not looked at. Beside it negentropy
 * over all event ids of the same data, by this project's own codec, which is byte for byte that of the reference
 * implementation.
 */

/** By how many events the first so many chains lag. */
interface Lag {
  readonly chains: number
  readonly by: number
}

const NONE: Lag = { chains: 0, by: 0 }

async function viewOf({ log, store }: BenchLog, { chains, by }: Lag): Promise<LogSyncView> {
  const table = new TipTable()
  let index = 0
  for await (const tip of log.tips(NAMESPACE)) {
    const position = tip.authorSeq - (index < chains ? by : 0)
    const [id = ''] = position === tip.authorSeq ? [tip.id] : await log.idsOnPath(await log.pathOf(tip), [position])
    table.load(tip.chain, { id, authorSeq: position })
    index += 1
  }
  return new LogSyncView({ namespace: NAMESPACE, membership: new Uint8Array(16), tips: table.view() }, log, store)
}

/** Every event id with its time in whole seconds, but for those that the lagging side lacks. */
async function itemsOf({ log }: BenchLog, { chains, by }: Lag): Promise<{ all: PackedItems; lagging: PackedItems }> {
  const lacked = new Set<string>()
  let index = 0
  for await (const tip of log.tips(NAMESPACE)) {
    if (index < chains) {
      const positions = Array.from({ length: by }, (_, back) => tip.authorSeq - by + 1 + back)
      for (const id of await log.idsOnPath(await log.pathOf(tip), positions)) lacked.add(id)
    }
    index += 1
  }
  const items: { timestamp: bigint; id: Uint8Array; name: string }[] = []
  for await (const { id, ts } of idsOf(log)) {
    items.push({ timestamp: BigInt(Math.floor(ts / 1_000)), id: fromHex(id) ?? new Uint8Array(), name: id })
  }
  return { all: PackedItems.of(items), lagging: PackedItems.of(items.filter(({ name }) => !lacked.has(name))) }
}

async function* idsOf(log: BenchLog['log']): AsyncGenerator<{ id: string; ts: number }> {
  for await (const record of log.records(0, log.head.logSeq)) {
    if (record.scope !== 'shared') continue
    const decoded = decodeEvent(record.payload)
    if (decoded.ok) yield { id: decoded.event.id, ts: decoded.event.envelope.ts }
  }
}

async function withLog(chains: number, length: number, work: (log: BenchLog) => Promise<Figure[]>): Promise<Figure[]> {
  const began = performance.now()
  const built = await buildLog(chains, length)
  console.log(`${chains} chains of ${length} events built in ${Math.round((performance.now() - began) / 1_000)} s`)
  try {
    return await work(built)
  } finally {
    await built.close()
    rmSync(built.folder, { recursive: true, force: true })
  }
}

const IN_SYNC_RUNS = 200

async function inSync(built: BenchLog): Promise<Figure[]> {
  const [left, right] = [await viewOf(built, NONE), await viewOf(built, NONE)]
  const costs: number[] = []
  let talk = await talkOf(left, right)
  for (let run = 0; run < IN_SYNC_RUNS; run += 1) {
    const before = process.cpuUsage()
    talk = await talkOf(left, right)
    const { user, system } = process.cpuUsage(before)
    costs.push((user + system) / 1_000)
  }
  return [
    { name: 'in sync: round trips', value: talk.roundTrips, unit: '', bound: 1, compare: '<=' },
    { name: 'in sync: bytes', value: talk.bytes, unit: 'B', bound: 128, compare: '<=' },
    { name: 'in sync: CPU of both sides', value: median(costs), unit: 'ms', bound: 1, compare: '<=' }
  ]
}

interface Bounds {
  readonly roundTrips: number
  readonly bytes: number
}

async function lagging(built: BenchLog, what: string, lag: Lag, bounds: Bounds): Promise<Figure[]> {
  const [behind, ahead] = [await viewOf(built, lag), await viewOf(built, NONE)]
  const figures: Figure[] = []
  for (const [role, from, to] of [
    ['the lagging side asks', behind, ahead],
    ['the other side asks', ahead, behind]
  ] as const) {
    const before = process.cpuUsage()
    const talk = await talkOf(from, to)
    const { user, system } = process.cpuUsage(before)
    const moved = (await eventsOf(talk.initiator)) + (await eventsOf(talk.responder))
    if (moved !== lag.chains * lag.by) throw new Error(`${moved} events would be sent`)
    figures.push(
      {
        name: `${what}, ${role}: round trips`,
        value: talk.roundTrips,
        unit: '',
        bound: bounds.roundTrips,
        compare: '<='
      },
      {
        name: `${what}, ${role}: bytes before transfer`,
        value: talk.bytes,
        unit: 'B',
        bound: bounds.bytes,
        compare: '<='
      },
      { name: `${what}, ${role}: CPU of both sides`, value: (user + system) / 1_000, unit: 'ms' }
    )
  }
  return figures
}

async function negentropy(built: BenchLog, what: string, lag: Lag): Promise<Figure[]> {
  const { all, lagging: behind } = await itemsOf(built, lag)
  const before = process.cpuUsage()
  const { roundTrips, bytes, found } = negentropyOf(behind, all)
  const { user, system } = process.cpuUsage(before)
  if (found !== lag.chains * lag.by) throw new Error(`negentropy found ${found} ids`)
  return [
    { name: `${what}, negentropy over all ids: round trips`, value: roundTrips, unit: '' },
    { name: `${what}, negentropy over all ids: bytes`, value: bytes, unit: 'B' },
    { name: `${what}, negentropy over all ids: CPU`, value: (user + system) / 1_000, unit: 'ms' }
  ]
}

const ONE_EACH: Lag = { chains: 100, by: 1 }
const TAILS: Lag = { chains: 50, by: 200 }

const figures = [
  ...(await withLog(1_000, 1_000, async (built) => [
    ...(await inSync(built)),
    ...(await lagging(built, '100 of 1,000 chains lag by one', ONE_EACH, { roundTrips: 2, bytes: 12_000 })),
    ...(await negentropy(built, '100 of 1,000 chains lag by one', ONE_EACH)),
    ...(await lagging(built, 'tails of 50 chains, 10,000 events', TAILS, { roundTrips: 2, bytes: 10_000 })),
    ...(await negentropy(built, 'tails of 50 chains, 10,000 events', TAILS))
  ])),
  ...(await withLog(100_000, 10, async (built) => [
    ...(await lagging(built, '100 of 100,000 chains lag by one', ONE_EACH, { roundTrips: 3, bytes: 120_000 })),
    ...(await negentropy(built, '100 of 100,000 chains lag by one', ONE_EACH))
  ])),
  ...(await bootstrapFigures())
]

report('sync', figures)
