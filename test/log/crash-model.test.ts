import fc from 'fast-check'
import { expect, test } from 'vitest'
import { verifyLog } from '../../src/log/verify-log.ts'
import { announceBody, next } from '../support/events.ts'
import type { SignedEvent } from '../support/events.ts'
import { member } from '../support/identities.ts'
import { openIngest } from '../support/ingest.ts'
import { CrashStore } from '../support/crash-store.ts'

const self = member('self')
const authors = [member('ada'), member('bob')]
const everybody = [self, ...authors]

/** Two chains with a fork each; made once, because signing them is what takes time. */
const events = await twoChains(40)

async function twoChains(count: number): Promise<SignedEvent[]> {
  const chains = authors.map((): SignedEvent[] => [])
  const all: SignedEvent[] = []
  for (let index = 0; index < count; index += 1) {
    const turn = index % authors.length
    const chain = chains[turn] ?? []
    const event = await next(
      authors[turn] ?? self,
      chain.at(index % 14 > 11 ? -2 : -1) ?? null,
      announceBody(`batch-${index}`)
    )
    chain.push(event)
    all.push(event)
  }
  return all
}

/** How many events come at the same moment, one after the other. */
const groups = fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 3, maxLength: 12 })

interface Acknowledged {
  readonly id: string
  /** So many writes were sure to be left when it was acknowledged. */
  readonly durable: number
}

async function takeIn(sizes: readonly number[], disk: CrashStore): Promise<Acknowledged[]> {
  const ingest = await openIngest(self, everybody, { store: disk, checkpoint: disk.checkpoint })
  const acknowledged: Acknowledged[] = []
  let from = 0
  for (const [index, size] of sizes.entries()) {
    await Promise.all(
      events.slice(from, from + size).map(async ({ id, wire }) => {
        const { outcome } = await ingest.door.submit(wire, { via: 'import' })
        if (outcome === 'accepted') acknowledged.push({ id, durable: disk.durable })
      })
    )
    from += size
    // Now and then the checkpoint is written, and the projections come to rest.
    if (index % 3 === 2) await ingest.clock.advance(1_000)
    if (index % 4 === 3) await ingest.engine.reached(ingest.log.head.logSeq, null)
  }
  await ingest.engine.reached(ingest.log.head.logSeq, null)
  await ingest.close()
  return acknowledged
}

test('after a crash at any write the log is whole, holds what was acknowledged, goes on, and comes to the same state', async () => {
  await fc.assert(
    fc.asyncProperty(groups, fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })), async (sizes, choices) => {
      const disk = await CrashStore.open()
      const acknowledged = await takeIn(sizes, disk)
      const taken = sizes.reduce((sum, size) => sum + size, 0)
      const whole = await openIngest(self, everybody)
      for (const { wire } of events.slice(0, taken)) await whole.door.submit(wire, { via: 'import' })
      const expected = await sharedState(whole)

      for (let crash = 0; crash < 6; crash += 1) {
        const left = Math.round((choices.next().value ?? 0) * (disk.writes - 1)) + 1
        const ingest = await openIngest(self, everybody, await disk.afterCrash(left))
        expect(await verifyLog(ingest.store, ingest.checkpoint), `${left} writes left`).toMatchObject({
          ok: true,
          problems: []
        })
        for (const { id, durable } of acknowledged) {
          if (durable <= left) expect(await ingest.log.find(id), `${id} after ${left} writes`).toBeDefined()
        }
        for (const { wire } of events.slice(0, taken)) await ingest.door.submit(wire, { via: 'import' })
        expect(await sharedState(ingest)).toEqual(expected)
        expect((await ingest.engine.rebuild()).filter(({ identical }) => !identical)).toEqual([])
        await ingest.close()
      }
    }),
    { numRuns: 8 }
  )
})

async function sharedState(ingest: Awaited<ReturnType<typeof openIngest>>): Promise<unknown> {
  const { digests } = (await ingest.fingerprint()) as {
    digests: { namespace: string; count: number; events: string; state: string }[]
  }
  return digests.map(({ namespace, count, events: tips, state }) => ({ namespace, count, tips, state }))
}
