import fc from 'fast-check'
import { expect, test } from 'vitest'
import { chainIdOf } from '../../src/events/chain.ts'
import type { VerifiedEvent } from '../../src/events/verified.ts'
import { REOPEN_EVERY_MS } from '../../src/log/limits.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import { LogReader } from '../../src/log/log-reader.ts'
import { verifyLog } from '../../src/log/verify-log.ts'
import { collect } from '../support/collect.ts'
import { FailingStore } from '../support/stores.ts'
import { NaiveLog } from './naive-log.ts'
import type { TestLog } from './support.ts'
import { appendAll, local, openTestLog, unsignedEvent } from './support.ts'

/** What becomes of the events since the last end, which come at the same moment. */
type End = 'none' | 'written' | 'restarted' | 'lost' | 'kept'

interface Step {
  readonly author: number
  readonly namespace: number
  /** Which of the chain's events this one follows, from the newest; beyond the first it is another first one. */
  readonly back: number
  /** How a group ends here. */
  readonly end: End
  /** A local event in between. */
  readonly local: boolean
}

const end: fc.Arbitrary<End> = fc.oneof(
  { weight: 8, arbitrary: fc.constant<End>('none') },
  { weight: 5, arbitrary: fc.constant<End>('written') },
  { weight: 1, arbitrary: fc.constantFrom<End>('restarted', 'lost', 'kept') }
)

const step: fc.Arbitrary<Step> = fc.record({
  author: fc.nat(2),
  namespace: fc.nat(1),
  back: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, { weight: 2, arbitrary: fc.nat(6) }),
  end,
  local: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) })
})

/** One chain that forks again and again. */
const forkingStep: fc.Arbitrary<Step> = fc.record({
  author: fc.constant(0),
  namespace: fc.constant(0),
  back: fc.nat(8),
  end,
  local: fc.constant(false)
})

const NAMESPACES = ['dao:one', 'dao:two']

interface World extends TestLog {
  readonly disk: FailingStore
}

async function openWorld(): Promise<World> {
  const disk = new FailingStore(await openMemoryStore())
  return { disk, ...(await openTestLog({ store: disk })) }
}

async function reopened({ log, disk, checkpoint }: World): Promise<World> {
  await log.close()
  return { disk, ...(await openTestLog({ store: disk, checkpoint })) }
}

/** Gives the log the events at the same moment; returns whether they are in it. */
async function write({ log, disk, clock }: World, events: readonly VerifiedEvent[], how: End): Promise<boolean> {
  if (how !== 'lost' && how !== 'kept') {
    await appendAll(log, events)
    return true
  }
  disk.mode = how
  disk.full = (key) => key.startsWith('r!')
  await expect(appendAll(log, events)).rejects.toMatchObject({ code: 'STORE_FULL' })
  disk.full = () => false
  await clock.advance(REOPEN_EVERY_MS)
  await log.recover()
  return how === 'kept'
}

async function play(steps: readonly Step[], begun: World): Promise<{ world: World; naive: NaiveLog }> {
  const naive = new NaiveLog()
  let world = begun
  let written = 0
  const flush = async (how: End): Promise<void> => {
    const events = naive.events.slice(written) as VerifiedEvent[]
    if (events.length > 0 && !(await write(world, events, how))) naive.events.length = written
    if (how === 'restarted') world = await reopened(world)
    written = naive.events.length
  }
  for (const [index, { author, namespace, back, end: how, local: hasLocal }] of steps.entries()) {
    const name = NAMESPACES[namespace] ?? ''
    const before = naive.chain(`author-${author}`, name).at(-1 - back) ?? null
    naive.events.push(unsignedEvent({ author: `author-${author}`, namespace: name, before, body: { index } }))
    if (how !== 'none') await flush(how)
    if (!hasLocal) continue
    await flush('written')
    await world.log.append([local({ index })])
    naive.events.push(null)
    written = naive.events.length
  }
  await flush('written')
  return { world, naive }
}

async function compare({ log, store, checkpoint }: TestLog, naive: NaiveLog): Promise<void> {
  expect(log.head.logSeq).toBe(naive.events.length)
  for (const namespace of NAMESPACES) {
    expect((await collect(log.tips(namespace))).map(({ id }) => id).sort()).toEqual(naive.tips(namespace))
    expect(await log.count(namespace)).toBe(naive.of(namespace).length)
    for await (const tip of log.tips(namespace)) {
      expect(tip.logSeq).toBe(naive.logSeqOf(tip.id))
      expect(tip.branch).toBe(naive.branchOf(naive.byId(tip.id)))
    }
  }
  for (const event of naive.shared()) {
    const chain = chainIdOf(event.envelope)
    const { authorSeq, ts } = event.envelope
    const position = { logSeq: naive.logSeqOf(event.id), authorSeq, ts, chain, branch: naive.branchOf(event) }
    expect(await log.find(event.id)).toEqual(position)
    expect(await log.positionsAt(chain, authorSeq, 1_000)).toEqual(naive.positionsAt(chain, authorSeq))
    if (log.isOpenTip(event.id)) expect(naive.tips(event.envelope.namespace)).toContain(event.id)
  }
  await log.writeCheckpoint()
  expect(await verifyLog(store, checkpoint)).toMatchObject({ ok: true, records: naive.events.length, problems: [] })
}

/** Each path, read in every way, against the walk from parent to parent. */
async function comparePaths(log: LogReader, naive: NaiveLog, cut: (below: number) => number): Promise<void> {
  const known = []
  for (const event of naive.shared()) {
    const found = await log.find(event.id)
    if (found === undefined) throw new Error('not in the log')
    known.push({ events: naive.path(event), path: await log.pathOf(found) })
  }
  for (const { events, path } of known) {
    const ids = events.map(({ id }) => id)
    expect(path.segments.at(-1)?.to).toBe(ids.length)
    expect(
      await log.idsOnPath(
        path,
        [...ids.keys()].map((index) => index + 1)
      )
    ).toEqual(ids)
    const some = [...ids.keys()].filter(() => cut(2) === 0)
    expect(
      await log.idsOnPath(
        path,
        some.map((index) => index + 1)
      )
    ).toEqual(some.map((index) => ids[index]))
    const from = 1 + cut(ids.length)
    const to = from + cut(ids.length - from + 2) - 1
    const read = (await collect(log.eventsOnPath(path, from, to))).flat()
    expect(read.map(({ logSeq }) => logSeq)).toEqual(ids.slice(from - 1, to).map((id) => naive.logSeqOf(id)))
    expect(read.map(({ wire }) => Buffer.from(wire))).toEqual(
      events.slice(from - 1, to).map(({ wire }) => Buffer.from(wire))
    )
  }
}

test('whatever the chains, forks, groups, restarts and failures: the indexes say what a walk over all events says, also after reopening', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 60 }), async (steps) => {
      const { world, naive } = await play(steps, await openWorld())
      await compare(world, naive)
      await compare(await reopened(world), naive)
    }),
    { numRuns: 120 }
  )
})

test('whatever the forks of a chain: each path reads as the walk from parent to parent, also in a snapshot', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof({ weight: 4, arbitrary: forkingStep }, step), { minLength: 1, maxLength: 40 }),
      fc.infiniteStream(fc.nat()),
      async (steps, choices) => {
        const { world, naive } = await play(steps, await openWorld())
        const cut = (below: number): number => (choices.next().value ?? 0) % below
        await compare(world, naive)
        await comparePaths(world.log, naive, cut)
        const snapshot = await world.store.snapshot()
        await appendAll(
          world.log,
          naive.shared().map((before) => unsignedEvent({ ...authorOf(before), before, body: { later: true } }))
        )
        await comparePaths(new LogReader(snapshot), naive, cut)
        await snapshot.close()
      }
    ),
    { numRuns: 80 }
  )
})

function authorOf({ envelope }: VerifiedEvent): { author: string; namespace: string } {
  const author = [0, 1, 2]
    .map((index) => `author-${index}`)
    .find((name) => unsignedEvent({ author: name }).envelope.signer === envelope.signer)
  return { author: author ?? '', namespace: envelope.namespace }
}
