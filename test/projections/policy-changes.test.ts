import { expect, test } from 'vitest'
import { RECORD_PREFIX } from '../../src/log/keys.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import type { SignedEvent } from '../support/events.ts'
import { announceBody, next } from '../support/events.ts'
import { policyOf } from '../support/identities.ts'
import { allRows, openLedger } from './support/ledger.ts'
import { policiesAgree } from './support/properties.ts'
import { watchedStore } from './support/stores.ts'
import { ADAM, ALICE, BERTA, CARL, activeKey, packBodyOf, signedBy } from './support/world.ts'

test('after any changes of policy the rows are those of a node that had the last policy all along, and a rebuild changes nothing', async () => {
  await policiesAgree(20)
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
  const store = watchedStore(await openMemoryStore(), {
    onRead: (key) => void (key.startsWith(RECORD_PREFIX) && (reads += 1))
  })
  const ledger = await openLedger({ store, policy: policyOf(ALICE, [ALICE, BERTA]) })
  let before: SignedEvent | null = null
  for (let batch = 0; batch < 200; batch += 1)
    await ledger.append((before = await next(BERTA, before, announceBody(`batch-${batch}`))))
  await ledger.caughtUp()
  reads = 0
  await ledger.appendPolicy(policyOf(ALICE, [ALICE, BERTA, CARL], { rate: { perPeer: 7 } }))
  await ledger.caughtUp()
  expect(reads).toBeLessThan(10)
})
