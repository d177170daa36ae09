import { expect, test } from 'vitest'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { announceBody, next } from '../support/events.ts'
import { member, policyOf } from '../support/identities.ts'
import { allRows, openLedger } from './support/ledger.ts'

const ALICE = member('alice')

test('who follows what folds write hears each row once it is stored, and of a new fold that any may differ', async () => {
  const ledger = await openLedger({ policy: policyOf(ALICE, [ALICE]) })
  const heard: (readonly JsonObject[] | null)[] = []
  const first = await next(ALICE, null, announceBody('batch-1'))
  await ledger.append(first)
  await ledger.caughtUp()
  const stop = ledger.engine.instance('timestamp-anchors').onRowsPut((rows) => heard.push(rows))
  const second = await next(ALICE, first, announceBody('batch-2'))
  await ledger.append(second)
  await ledger.caughtUp()
  const stored = await allRows(ledger, 'timestamp-anchors')
  expect(heard).toEqual([stored.filter(({ batchId }) => batchId === 'batch-2')])
  // Of a record that changes no row there is nothing to tell.
  await ledger.append(await next(ALICE, second, {}, { type: 'other' }))
  await ledger.caughtUp()
  expect(heard).toHaveLength(1)
  await ledger.engine.rebuild()
  expect(heard.slice(1)).toEqual([null])
  stop()
  await ledger.engine.rebuild()
  expect(heard).toHaveLength(2)
})
