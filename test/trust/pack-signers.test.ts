import { expect, test } from 'vitest'
import { outcomeName } from '../../src/events/outcome.ts'
import type { Signer } from '../../src/trust/signer.ts'
import { member, policyOf } from '../support/identities.ts'
import type { Ingest } from '../support/ingest.ts'
import { openIngest } from '../support/ingest.ts'
import { allRows, openLedger } from '../projections/support/ledger.ts'
import type { SignedEvent } from '../support/events.ts'
import { makePack, packEvent, packKey } from '../support/packs.ts'

const self = member('self')
const ada = member('ada')
// Policy binds one key to the kid `ops`, of a member whom nobody meant to let sign packs; the packs give it another.
const eve = { orgId: ada.orgId, signer: { ...member('eve', ada.orgId).signer, did: 'did:web:eve.example', kid: 'ops' } }
const hsm: Signer = { ...member('hsm').signer, did: eve.signer.did, kid: 'ops' }
const policy = policyOf(self, [self, ada, eve], { organisations: [{ orgId: ada.orgId, threshold: 1 }] })

const one = makePack({ orgId: ada.orgId, keys: [packKey(ada.signer), packKey(hsm)], signers: [ada.signer] })
const takeOver = makePack({
  orgId: ada.orgId,
  before: one,
  keys: [packKey(ada.signer, { status: 'REVOKED', revokedAt: 1 }), packKey(hsm)],
  signers: [hsm]
})

async function submitted(ingest: Ingest, ...events: readonly SignedEvent[]): Promise<void> {
  for (const { wire } of events) {
    const outcome = await ingest.door.submit(wire, { via: 'import' })
    expect(outcomeName(outcome)).toBe('accepted')
    await ingest.engine.reached(ingest.log.head.logSeq, null)
    await ingest.door.keysBound()
  }
}

test('an old configured key under the kid of a key that counts signs no pack in its name', async () => {
  const ingest = await openIngest(self, [self, ada, eve], { policy })
  const stolen = await packEvent(eve.signer, [eve.signer], takeOver)
  await submitted(ingest, await packEvent(ada.signer, [ada.signer], one), stolen)
  const statuses = (await ingest.rows('trust-anchors')).map(({ kid, status, packSeq }) => [kid, status, packSeq])
  expect(statuses).toEqual([
    ['ops', 'ACTIVE', 1],
    [ada.signer.kid, 'ACTIVE', 1]
  ])
  const found = (await ingest.rows('effects')).map(({ eventId, effect }) => [eventId, effect])
  expect(found).toEqual([[stolen.id, 'PACK_SIGNER_FOREIGN']])
  await ingest.close()
})

/** Each event begins its chain anew, as the log takes none before its predecessor; so it is another event. */
const LATER = 1_700_000_000_100

const ORDERS = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0]
]

test.each(ORDERS)('a pack counts through whom it is rightly signed by, in the order %i %i %i', async (...order) => {
  const handOver = makePack({
    orgId: ada.orgId,
    before: one,
    keys: [packKey(ada.signer, { status: 'REVOKED', revokedAt: 1 }), packKey(hsm)],
    signers: [ada.signer, hsm]
  })
  const first = await packEvent(ada.signer, [ada.signer], one)
  const forged = await packEvent(eve.signer, [ada.signer, eve.signer], handOver)
  const right = await packEvent(ada.signer, [ada.signer, hsm], handOver, null, LATER)
  const ledger = await openLedger({ policy })
  for (const index of order) {
    await ledger.append(...[first, forged, right].slice(index, index + 1))
    await ledger.caughtUp()
  }
  const shown = (await allRows(ledger, 'trust-anchors')).map(({ kid, status, updatedAt }) => [kid, status, updatedAt])
  expect(shown).toEqual([
    ['ops', 'ACTIVE', first.envelope.ts],
    [ada.signer.kid, 'REVOKED', right.envelope.ts]
  ])
  const found = (await allRows(ledger, 'effects')).map(({ eventId, effect }) => [eventId, effect])
  expect(found).toEqual([[forged.id, 'PACK_SIGNER_FOREIGN']])
  expect((await ledger.engine.rebuild()).filter(({ identical }) => !identical)).toEqual([])
  await ledger.close()
})

test('what follows a pack that no event carries rightly is above a gap, until one does', async () => {
  const first = await packEvent(ada.signer, [ada.signer], one)
  const two = makePack({ orgId: ada.orgId, before: one, keys: one.keys, signers: [hsm] })
  const three = makePack({ orgId: ada.orgId, before: two, keys: two.keys, signers: [ada.signer] })
  const forged = await packEvent(eve.signer, [eve.signer], two)
  const third = await packEvent(ada.signer, [ada.signer], three, first)
  const right = await packEvent(eve.signer, [hsm], two, null, LATER)
  const ledger = await openLedger({ policy })
  await ledger.append(first, third, forged)
  await ledger.caughtUp()
  const effectsNow = async (): Promise<Map<unknown, unknown>> =>
    new Map((await allRows(ledger, 'effects')).map(({ eventId, effect }) => [eventId, effect]))
  expect(await effectsNow()).toEqual(
    new Map([
      [third.id, 'PACK_GAP'],
      [forged.id, 'PACK_SIGNER_FOREIGN']
    ])
  )
  await ledger.append(right)
  await ledger.caughtUp()
  expect(await effectsNow()).toEqual(new Map([[forged.id, 'PACK_SIGNER_FOREIGN']]))
  await ledger.close()
})

test('a forged copy of a pack with a weak key is told from one that carries it', async () => {
  const weak = { kid: 'weak', publicKey: new Uint8Array(32) }
  const two = makePack({ orgId: ada.orgId, before: one, keys: [...one.keys, packKey(weak)], signers: [hsm] })
  const first = await packEvent(ada.signer, [ada.signer], one)
  const forged = await packEvent(eve.signer, [eve.signer], two)
  const right = await packEvent(eve.signer, [hsm], two, null, LATER)
  for (const events of [
    [first, forged, right],
    [right, forged, first],
    [first, right, forged]
  ]) {
    const ledger = await openLedger({ policy })
    for (const event of events) {
      await ledger.append(event)
      await ledger.caughtUp()
    }
    const found = new Map((await allRows(ledger, 'effects')).map(({ eventId, effect }) => [eventId, effect]))
    expect(found.size).toBe(2)
    expect([found.get(forged.id), found.get(right.id)]).toEqual(['PACK_SIGNER_FOREIGN', 'BODY_INVALID'])
    await ledger.close()
  }
})
