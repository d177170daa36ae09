import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { RECORD_PREFIX } from '../../src/log/keys.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import type { EffectivePolicy } from '../../src/policy/policy.ts'
import type { SignedEvent } from '../support/events.ts'
import { announceBody, next } from '../support/events.ts'
import { policyOf } from '../support/identities.ts'
import type { Ledger } from './support/ledger.ts'
import { allRows, everyRow, openLedger } from './support/ledger.ts'
import { admissible, someArrival } from './support/order.ts'
import { watchedStore } from './support/stores.ts'
import { chosenPolicy, somePolicy } from './support/policies.ts'
import { ADAM, ALICE, BERTA, CARL, activeKey, eventsOf, packBodyOf, signedBy, someActs } from './support/world.ts'

/** All rows, without the one local column that depends on the positions in this log. */
async function comparableRows(ledger: Ledger): Promise<Record<string, JsonObject[]>> {
  const rows = await everyRow(ledger)
  return { ...rows, winners: (rows['winners'] ?? []).map(({ firstSeenLogSeq: _local, ...row }) => row) }
}

/** The rows of a node that had the policy from the beginning. */
async function freshRows(policy: EffectivePolicy, events: readonly SignedEvent[]): Promise<Record<string, JsonObject[]>> {
  const ledger = await openLedger({ policy })
  await ledger.append(...events)
  await ledger.caughtUp()
  const rows = await comparableRows(ledger)
  await ledger.close()
  return rows
}

test('after any changes of policy the rows are those of a node that had the last policy all along, and a rebuild changes nothing', async () => {
  const steps = fc.array(fc.record({ policy: somePolicy, restart: fc.boolean() }), { minLength: 1, maxLength: 4 })
  await fc.assert(
    fc.asyncProperty(someActs(30), someArrival, steps, somePolicy, async (acts, arrival, changes, first) => {
      const events = await eventsOf(acts)
      const groups = admissible(events, arrival)
      let policy = chosenPolicy(first, events)
      let ledger = await openLedger({ policy })
      const perStep = Math.ceil(groups.length / (changes.length + 1))
      for (const [step, change] of [null, ...changes].entries()) {
        if (change !== null) {
          policy = chosenPolicy(change.policy, events)
          if (change.restart) {
            await ledger.close()
            ledger = await openLedger({ store: ledger.store })
          }
          await ledger.appendPolicy(policy)
        }
        for (const group of groups.slice(step * perStep, (step + 1) * perStep)) await ledger.append(...group)
      }
      await ledger.caughtUp()
      const rows = await comparableRows(ledger)
      const rebuilt = await ledger.engine.rebuild()
      await ledger.close()
      expect(rows).toEqual(await freshRows(policy, groups.flat()))
      expect(rebuilt.filter(({ identical }) => !identical)).toEqual([])
    }),
    { numRuns: 60 }
  )
})

test('an organisation that changes after its namespace was dropped changes what its events in it mean', async () => {
  const event = await next(BERTA, null, announceBody('batch-1'))
  const moved = { ...BERTA, orgId: 'org-moved' }
  const ledger = await openLedger({ policy: policyOf(ALICE, [ALICE, BERTA]) })
  await ledger.append(event)
  await ledger.appendPolicy(policyOf(ALICE, [ALICE, BERTA], { namespaces: [] }))
  await ledger.appendPolicy(policyOf(ALICE, [ALICE, moved], { namespaces: [] }))
  await ledger.caughtUp()
  expect((await allRows(ledger, 'batches')).map(({ owner }) => owner)).toEqual(['org-moved'])
})

test('a member that is added brings its key to the root of its organisation, and a pack that it signed counts from then on', async () => {
  const signers = [ALICE.signer, ADAM.signer].toSorted((left, right) => (left.kid < right.kid ? -1 : 1))
  const body = packBodyOf({ orgId: 'org-a', keys: signers.map(activeKey), threshold: 2, signers })
  const first = await next(ALICE, null, body, { type: 'anchor-pack', namespace: '_trust' })
  const pack = await signedBy(signers, first.envelope)
  const organisations = [{ orgId: 'org-a', threshold: 2 }]
  const ledger = await openLedger({ policy: policyOf(ALICE, [ALICE], { organisations }) })
  await ledger.append(pack)
  await ledger.caughtUp()
  expect((await allRows(ledger, 'effects')).map(({ effect }) => effect)).toEqual(['PACK_THRESHOLD'])
  await ledger.appendPolicy(policyOf(ALICE, [ALICE, ADAM], { organisations }))
  await ledger.caughtUp()
  expect(await allRows(ledger, 'effects')).toEqual([])
  expect((await allRows(ledger, 'trust-anchors')).map(({ kid }) => kid)).toEqual(signers.map(({ kid }) => kid))
})

test('a policy that gives no logged event another meaning folds nothing anew', async () => {
  let reads = 0
  const store = watchedStore(await openMemoryStore(), { onRead: (key) => void (key.startsWith(RECORD_PREFIX) && (reads += 1)) })
  const ledger = await openLedger({ store, policy: policyOf(ALICE, [ALICE, BERTA]) })
  let before: SignedEvent | null = null
  for (let batch = 0; batch < 200; batch += 1) await ledger.append((before = await next(BERTA, before, announceBody(`batch-${batch}`))))
  await ledger.caughtUp()
  reads = 0
  await ledger.appendPolicy(policyOf(ALICE, [ALICE, BERTA, CARL], { rate: { perPeer: 7 } }))
  await ledger.caughtUp()
  expect(reads).toBeLessThan(10)
})
