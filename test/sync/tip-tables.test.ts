import fc from 'fast-check'
import { expect, test } from 'vitest'
import { toHex } from '../../protocols/primitives/bytes.ts'
import type { EventLog } from '../../src/log/event-log.ts'
import { TipTable } from '../../src/sync/tip-table.ts'
import { TipTables } from '../../src/sync/tip-tables.ts'
import { WatchedStore } from '../support/stores.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import { announceBody, next } from '../support/events.ts'
import type { SignedEvent } from '../support/events.ts'
import { member, NAMESPACE } from '../support/identities.ts'
import { openIngest } from '../support/ingest.ts'

const [ANNA, BEN] = [member('anna'), member('ben')]

/** Some events of two chains, forks among them. */
async function someEvents(forkAt: number): Promise<SignedEvent[]> {
  const events: SignedEvent[] = []
  for (const author of [ANNA, BEN]) {
    let last: SignedEvent | null = null
    for (let index = 0; index < 8; index += 1) {
      const before: SignedEvent | null = index === forkAt ? (events.at(-3) ?? null) : last
      const isOwn = before === null || before.envelope.kid === author.signer.kid
      last = await next(author, isOwn ? before : last, announceBody(`batch-${author.orgId}-${index}-${forkAt}`))
      events.push(last)
    }
  }
  return events
}

async function rootByIndex(log: EventLog): Promise<string> {
  const table = new TipTable()
  for await (const { chain, id, authorSeq } of log.tips(NAMESPACE)) table.load(chain, { id, authorSeq })
  return toHex(table.view().root())
}

/** A store that lets a test do something between the reading of two tips. */
class SlowTips extends WatchedStore {
  onTip: () => Promise<void> = () => Promise.resolve()

  override async snapshot(): ReturnType<WatchedStore['snapshot']> {
    const snapshot = await super.snapshot()
    const { onTip } = this
    return {
      get: (key) => snapshot.get(key),
      getMany: (keys) => snapshot.getMany(keys),
      async *range(bounds) {
        for await (const entry of snapshot.range(bounds)) {
          if (entry[0].startsWith('t!')) await onTip()
          yield entry
        }
      },
      close: () => snapshot.close()
    }
  }
}

test('a table is that of the index, whenever events are appended while it is read', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(8),
      fc.integer({ min: 1, max: 15 }),
      fc.integer({ min: 1, max: 4 }),
      async (fork, first, step) => {
        const store = new SlowTips(await openMemoryStore())
        const ingest = await openIngest(ANNA, [ANNA, BEN], { store })
        const events = await someEvents(fork)
        let submitted = 0
        const submit = async (count: number): Promise<void> => {
          for (const { wire } of events.slice(submitted, submitted + count)) {
            submitted += 1
            await ingest.door.submit(wire, { via: 'import' })
          }
        }
        await submit(first)
        const tables = new TipTables(ingest.log, store)
        store.onTip = () => submit(step)
        const { tips, logSeq } = await tables.view(NAMESPACE)
        expect(logSeq).toBe(ingest.log.head.logSeq)
        expect(toHex(tips.root())).toBe(await rootByIndex(ingest.log))
        await submit(events.length)
        expect(toHex((await tables.view(NAMESPACE)).tips.root())).toBe(await rootByIndex(ingest.log))
        // What was given out stays as it was.
        expect(tips.chains).toBeLessThanOrEqual(2)
        tables.stop()
        await ingest.close()
      }
    ),
    { numRuns: 25 }
  )
})

test('those who ask at the same time get one table, and a namespace without events is empty', async () => {
  const ingest = await openIngest(ANNA, [ANNA, BEN])
  const tables = new TipTables(ingest.log, ingest.store)
  for (const { wire } of await someEvents(9)) await ingest.door.submit(wire, { via: 'import' })
  const [one, other, empty] = await Promise.all([
    tables.view(NAMESPACE),
    tables.view(NAMESPACE),
    tables.view('nothing:here')
  ])
  expect(toHex(one.tips.root())).toBe(toHex(other.tips.root()))
  expect(one.tips.chains).toBe(2)
  expect(empty.tips.chains).toBe(0)
  tables.stop()
})
