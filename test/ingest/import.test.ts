import { expect, test } from 'vitest'
import { importEvents } from '../../src/ingest/import.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import type { WriteOperation } from '../../src/log/store.ts'
import { announceBody, next } from '../support/events.ts'
import type { SignedEvent } from '../support/events.ts'
import { member } from '../support/identities.ts'
import { openIngest } from '../support/ingest.ts'
import { FailingStore } from '../support/stores.ts'
import { until } from '../support/until.ts'

const self = member('self')
const ada = member('ada')

/** Holds back what projections write. */
class SlowProjections extends FailingStore {
  held: PromiseWithResolvers<void> | null = null

  override async write(operations: readonly WriteOperation[], options: { readonly sync: boolean }): Promise<void> {
    if (operations.some(({ key }) => key.startsWith('v!'))) await this.held?.promise
    await super.write(operations, options)
  }
}

async function chain(length: number): Promise<SignedEvent[]> {
  const events: SignedEvent[] = []
  for (let index = 0; index < length; index += 1) {
    events.push(await next(ada, events.at(-1) ?? null, announceBody(`batch-${index}`)))
  }
  return events
}

async function* wires(events: readonly SignedEvent[], onRead: () => void): AsyncGenerator<Uint8Array> {
  for (const { wire } of events) {
    onRead()
    yield wire
  }
}

test('an import waits for the projections, and ends all the same when the disk is full', async () => {
  const disk = new SlowProjections(await openMemoryStore())
  const ingest = await openIngest(self, [self, ada], { store: disk })
  const events = await chain(1_200)
  disk.held = Promise.withResolvers()
  let read = 0
  const imported = importEvents(
    ingest.door,
    wires(events, () => {
      read += 1
    }),
    ingest.engine
  )
  await until('the log is as far ahead as it may be', () => ingest.log.head.logSeq > 512)
  expect(read).toBeLessThan(events.length)
  disk.full = () => true
  disk.canReopen = false
  disk.held.resolve()
  const result = await imported
  expect(result.read).toBe(1_200)
  expect(result.refused['STORE_FULL']).toBeGreaterThan(0)
})
