import { afterEach, describe, expect, test } from 'vitest'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { viewPolicy } from '../../src/policy/policy-view.ts'
import { verdictEvent } from '../../src/timestamps/verdict.ts'
import type { SignedEvent } from '../support/events.ts'
import { announceBody, next } from '../support/events.ts'
import type { PolicyOptions } from '../support/identities.ts'
import { NAMESPACE, policyOf } from '../support/identities.ts'
import { evidenceIn } from './support/evidence.ts'
import type { Ledger } from './support/ledger.ts'
import { allRows, everyRow, openLedger, sharedLines } from './support/ledger.ts'
import { verdictOn, verified } from './support/winner-model.ts'
import { ALICE, BERTA, CARL, attestationBody } from './support/world.ts'

const MEMBERS = [ALICE, BERTA, CARL]
const [ONE, TWO] = ['1'.repeat(64), '2'.repeat(64)] as const
const HERE = { position: 7, provenTime: 9_000 }

const opened: Ledger[] = []
afterEach(async () => {
  for (const ledger of opened.splice(0)) await ledger.close()
})

const policyWith = (options: PolicyOptions) => policyOf(ALICE, MEMBERS, { crossOrg: [], ...options })

async function open(options: PolicyOptions, ...events: readonly SignedEvent[]): Promise<Ledger> {
  const ledger = await openLedger({ policy: policyWith(options) })
  opened.push(ledger)
  await ledger.append(...events)
  await ledger.caughtUp()
  return ledger
}

/** This node's verdict on everything that the event brings: it proves the root. */
async function proven(ledger: Ledger, event: SignedEvent, owner: string): Promise<void> {
  for (const identity of evidenceIn(event, () => owner))
    await ledger.appendLocal(
      verdictEvent(1, verdictOn(identity, verified(HERE.position, HERE.provenTime), policyWith({})))
    )
  await ledger.caughtUp()
}

const column = (rows: readonly JsonObject[], name: string): unknown[] => rows.map((row) => row[name])

async function effects(ledger: Ledger): Promise<unknown[]> {
  await ledger.caughtUp()
  return column(await allRows(ledger, 'effects'), 'effect')
}

/** Policy alone takes the effect away, and gives it back: the rows are those of a node that had it all along. */
async function changesBothWays(
  ledger: Ledger,
  event: SignedEvent,
  without: PolicyOptions,
  code: string
): Promise<void> {
  const before = await everyRow(ledger)
  expect(await effects(ledger)).toEqual([])
  await ledger.appendPolicy(policyWith(without))
  expect(await effects(ledger)).toEqual([code])
  expect((await allRows(ledger, 'effects'))[0]).toMatchObject({ eventId: event.id, namespace: NAMESPACE })
  await ledger.appendPolicy(policyWith({}))
  await ledger.caughtUp()
  expect(await everyRow(ledger)).toEqual(before)
}

describe('an announce of another tenant’s key', () => {
  test('counts for nothing: no root, no evidence, and it is listed with what was expected', async () => {
    const event = await next(BERTA, null, announceBody('batch-1'))
    const ledger = await open({ tenants: { [BERTA.orgId]: 'other' } }, event)
    await proven(ledger, event, BERTA.orgId)
    expect(await allRows(ledger, 'effects')).toMatchObject([
      {
        eventId: event.id,
        effect: 'MAPPING_VIOLATION',
        detail: `the key ${BERTA.signer.kid} of ${BERTA.orgId} signs for the tenant other, and ${NAMESPACE} belongs to test`
      }
    ])
    expect(column(await allRows(ledger, 'batches'), 'effect')).toEqual(['MAPPING_VIOLATION'])
    const nothing = { status: 'proposed', batchRoot: null, winner: null, firstSeenLogSeq: null, verifiedHere: 1 }
    expect(await allRows(ledger, 'winners')).toMatchObject([nothing])
    expect((await sharedLines(ledger))['winners']).toEqual([])
  })

  test('has its effect again once policy moves the key, or the namespace', async () => {
    const event = await next(BERTA, null, announceBody('batch-1'))
    await changesBothWays(await open({}, event), event, { tenants: { [BERTA.orgId]: 'other' } }, 'MAPPING_VIOLATION')
  })
})

describe('the measurement of an announce', () => {
  const measured = (hash: string): JsonObject => ({ ...announceBody('batch-1'), attestationMeasurementHash: hash })

  test('goes for each event by itself: of two by one signer the one that is allowed speaks', async () => {
    const allowed = measured(ONE)
    const refused = { ...measured(TWO), receiptCount: 9 }
    for (const [before, after] of [
      [allowed, refused],
      [refused, allowed]
    ] as const) {
      const first = await next(BERTA, null, before)
      const events = [first, await next(BERTA, first, after)]
      const ledger = await open({ attestations: { required: true, measurements: [ONE] } }, ...events)
      expect(await effects(ledger)).toEqual(['ATTESTATION_DENIED'])
      expect(await allRows(ledger, 'batches')).toMatchObject([{ effect: null, receiptCount: 3 }])
    }
  })

  test('has its effect again once policy allows it', async () => {
    const event = await next(BERTA, null, measured(TWO))
    const without = { attestations: { signers: { [BERTA.signer.did]: [ONE] } } }
    await changesBothWays(await open({}, event), event, without, 'ATTESTATION_DENIED')
  })
})

describe('evidence for the root of another organisation', () => {
  async function world(options: PolicyOptions) {
    const owned = await next(ALICE, null, { ...announceBody('batch-1'), timestampAnchors: [] })
    const added = await next(CARL, null, announceBody('batch-1', { owner: ALICE.orgId }))
    const ledger = await open(options, owned, added)
    await proven(ledger, added, ALICE.orgId)
    return { ledger, owned, added }
  }

  test('needs a rule: without one it can not win', async () => {
    const { ledger, added } = await world({})
    expect(await allRows(ledger, 'effects')).toMatchObject([
      {
        eventId: added.id,
        effect: 'CROSS_ORG_DENIED',
        detail: `crossOrg.allow has no rule {from: ${CARL.orgId}, to: ${ALICE.orgId}, operations: [timestamp]}`
      }
    ])
    expect(await allRows(ledger, 'winners')).toMatchObject([{ status: 'proposed', winner: null }])
    // A policy that comes later lets it win after all.
    const crossOrg = [{ from: CARL.orgId, to: ALICE.orgId, operations: ['timestamp'] }]
    await ledger.appendPolicy(policyWith({ crossOrg }))
    expect(await effects(ledger)).toEqual([])
    expect(await allRows(ledger, 'winners')).toMatchObject([{ status: 'verified', loserCount: 0 }])
  })

  test('wins once its owner announces it, too, without another verdict', async () => {
    const { ledger, owned, added } = await world({})
    await ledger.append(await next(ALICE, owned, added.envelope.body))
    await ledger.caughtUp()
    expect(await allRows(ledger, 'winners')).toMatchObject([{ status: 'verified', loserCount: 0 }])
  })

  test('needs it whatever role its signer lacks beside', async () => {
    const { ledger } = await world({ announcers: [ALICE] })
    expect(await effects(ledger)).toEqual(['CROSS_ORG_DENIED'])
    expect(await allRows(ledger, 'winners')).toMatchObject([{ status: 'proposed' }])
  })

  test('wins with one, and a rule for something else changes nothing', async () => {
    const { ledger } = await world({ crossOrg: [{ from: '*', to: ALICE.orgId, operations: ['timestamp'] }] })
    expect(await effects(ledger)).toEqual([])
    expect(await allRows(ledger, 'winners')).toMatchObject([{ status: 'verified' }])
    await ledger.appendPolicy(policyWith({ crossOrg: [{ from: '*', to: '*', operations: ['bundle'] }] }))
    expect(await effects(ledger)).toEqual(['CROSS_ORG_DENIED'])
    expect(await allRows(ledger, 'winners')).toMatchObject([{ status: 'proposed' }])
  })
})

test('an attestation under a key of another tenant settles nothing, is listed, and stays comparable', async () => {
  const quorum = { k: 1, of: [BERTA] }
  const event = await next(ALICE, null, announceBody('batch-1'))
  const [identity] = evidenceIn(event, (did) => viewPolicy(policyWith({})).orgOf(did))
  if (identity === undefined) throw new Error('no evidence')
  const said = await next(BERTA, null, attestationBody(identity, HERE), { type: 'attestation' })
  const ledger = await open({ quorum, tenants: { [BERTA.orgId]: 'other' } }, event, said)
  await proven(ledger, event, ALICE.orgId)
  expect(await effects(ledger)).toEqual(['MAPPING_VIOLATION'])
  expect(await allRows(ledger, 'winners')).toMatchObject([{ status: 'verified', quorum: { attested: [] } }])
  const { state } = await ledger.digest(NAMESPACE)
  await ledger.appendPolicy(policyWith({ quorum }))
  expect(await effects(ledger)).toEqual([])
  expect(await allRows(ledger, 'winners')).toMatchObject([{ status: 'settled' }])
  // What only events and membership decide is the same under both.
  expect((await ledger.digest(NAMESPACE)).state).toBe(state)
})
