import { expect, test } from 'vitest'
import { eventIdOfWire } from '../../protocols/event/v1/codec.ts'
import { LogSyncView } from '../../src/sync/log-view.ts'
import { TipTables } from '../../src/sync/tip-tables.ts'
import { announceBody, next } from '../support/events.ts'
import type { SignedEvent } from '../support/events.ts'
import { collect } from '../support/collect.ts'
import { member, NAMESPACE } from '../support/identities.ts'
import { openIngest } from '../support/ingest.ts'
import type { Ingest } from '../support/ingest.ts'

const ANNA = member('anna')

async function line(length: number, before: SignedEvent | null, name: string): Promise<SignedEvent[]> {
  const events: SignedEvent[] = []
  for (let index = 0, last = before; index < length; index += 1) {
    last = await next(ANNA, last, announceBody(`${name}-${index}`))
    events.push(last)
  }
  return events
}

async function viewOf(ingest: Ingest): Promise<LogSyncView> {
  const tables = new TipTables(ingest.log, ingest.store)
  const { tips } = await tables.view(NAMESPACE)
  tables.stop()
  return new LogSyncView({ namespace: NAMESPACE, membership: new Uint8Array(16), tips }, ingest.log, ingest.store)
}

test('a forked chain is read by its branches, and not changed by what is appended later', async () => {
  const ingest = await openIngest(ANNA, [ANNA])
  const trunk = await line(10, null, 'trunk')
  const left = await line(5, trunk[6] ?? null, 'left')
  for (const { wire } of [...trunk, ...left]) await ingest.door.submit(wire, { via: 'import' })
  const view = await viewOf(ingest)
  for (const { wire } of await line(3, left[4] ?? null, 'later')) await ingest.door.submit(wire, { via: 'import' })

  const [chain] = [...view.tips]
  expect(chain?.tips.map(({ authorSeq }) => authorSeq).sort()).toEqual([10, 12])
  const name = chain?.chain ?? ''
  for (const tip of chain?.tips ?? []) {
    const branch = await view.branchOf(name, tip)
    const origin = await view.originOf(name, branch)
    const isTrunk = tip.authorSeq === 10
    expect(origin).toEqual(isTrunk ? { from: 1, parent: null } : { from: 8, parent: expect.any(Number) as number })
    const expected = (isTrunk ? trunk : left).map(({ id }) => id)
    const places = expected.map((_, index) => ({ branch, position: origin.from + index }))
    expect(await view.idsAt(name, places.toReversed())).toEqual(expected.toReversed())
    const run = { branch, from: origin.from + 1, to: tip.authorSeq }
    const sent = (await collect(view.events(name, run))).flat()
    expect(sent.map((wire) => eventIdOfWire(wire))).toEqual(expected.slice(1))
  }
  await expect(view.branchOf(name, { id: '00'.repeat(32), authorSeq: 1 })).rejects.toThrow('does not hold')
})
