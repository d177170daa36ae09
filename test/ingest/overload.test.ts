import { expect, test } from 'vitest'
import { QUEUED_RECORDS_MAX } from '../../src/log/limits.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import type { WriteOperation } from '../../src/log/store.ts'
import { next } from '../support/events.ts'
import type { SignedEvent } from '../support/events.ts'
import { member } from '../support/identities.ts'
import { openIngest } from '../support/ingest.ts'
import { WrappedStore } from '../support/stores.ts'
import { until } from '../support/until.ts'

const self = member('self')
const ada = member('ada')

/** A disk whose synced writes wait until it is let go. */
class StuckStore extends WrappedStore {
  stuck: Promise<void> | null = null

  override async write(operations: readonly WriteOperation[], options: { readonly sync: boolean }): Promise<void> {
    if (options.sync) await this.stuck
    await super.write(operations, options)
  }
}

test('more events than may wait for the disk: those beyond are ignored with OVERLOADED, and are taken when they come again', async () => {
  const store = new StuckStore(await openMemoryStore())
  const ingest = await openIngest(self, [self, ada], { store })
  const beyond = 50
  const events: SignedEvent[] = []
  for (let index = 0; index < QUEUED_RECORDS_MAX + beyond; index += 1)
    events.push(await next(ada, events.at(-1) ?? null, { index }))
  const release = Promise.withResolvers<void>()
  store.stuck = release.promise
  const submitted = events.map(({ wire }) => ingest.door.submit(wire, { via: 'sync', peer: 'peer-1' }))
  await until('the queue is full', () => ingest.log.busy)
  await until('the one beyond was ignored', () => ingest.door.status().outcomes['ignored(OVERLOADED)'] !== undefined)
  expect(ingest.log.head.logSeq).toBe(1)
  store.stuck = null
  release.resolve()
  const names = (await Promise.all(submitted)).map((outcome) => ('code' in outcome ? outcome.code : outcome.outcome))
  expect(names.slice(0, QUEUED_RECORDS_MAX).filter((name) => name !== 'accepted')).toEqual([])
  expect(names[QUEUED_RECORDS_MAX]).toBe('OVERLOADED')
  expect(new Set(names.slice(QUEUED_RECORDS_MAX + 1))).toEqual(new Set(['PREDECESSOR_MISSING']))
  expect(
    await ingest.door.submit(events[QUEUED_RECORDS_MAX]?.wire ?? new Uint8Array(), { via: 'sync', peer: 'peer-1' })
  ).toMatchObject({ outcome: 'accepted' })
  await until('all are in', () => ingest.log.head.logSeq === events.length + 1)
  expect(ingest.door.status()).toMatchObject({ signaturesVerified: events.length, pending: { events: 0 } })
})
