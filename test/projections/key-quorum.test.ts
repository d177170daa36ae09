import { afterEach, expect, test } from 'vitest'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { AnchorPack } from '../../protocols/event/v1/anchor-pack.ts'
import { viewPolicy } from '../../src/policy/policy-view.ts'
import type { EvidenceIdentity } from '../../src/timestamps/verdict.ts'
import { verdictEvent } from '../../src/timestamps/verdict.ts'
import type { SignedEvent } from '../support/events.ts'
import { announceBody, next } from '../support/events.ts'
import type { TestMember } from '../support/identities.ts'
import { policyOf } from '../support/identities.ts'
import { makePack, packEvent, packKey } from '../support/packs.ts'
import { evidenceIn } from './support/evidence.ts'
import type { Ledger } from './support/ledger.ts'
import { allRows, openLedger } from './support/ledger.ts'
import { NEW, OLD, Packs, chainOf, retired } from './support/rotation.ts'
import { verdictOn, verified } from './support/winner-model.ts'
import { ALICE, BERTA, CARL, attestationBody } from './support/world.ts'

const POLICY = policyOf(ALICE, [ALICE, BERTA, CARL], { quorum: { k: 1, of: [BERTA, CARL] } })
const HERE = { position: 7, provenTime: 9_000 }
const BTC = { chainId: 'btc:mainnet', txid: 'b'.repeat(64), blockHash: 'a'.repeat(64), blockHeight: 7 }
const proof = (name: string): JsonObject => ({ otsProof: Buffer.from(name).toString('base64url') })

const opened: Ledger[] = []

afterEach(async () => {
  for (const ledger of opened.splice(0)) await ledger.close()
})

async function open(): Promise<Ledger> {
  const ledger = await openLedger({ policy: POLICY })
  opened.push(ledger)
  return ledger
}

function evidenceOf(event: SignedEvent): EvidenceIdentity {
  const [identity] = evidenceIn(event, (did) => viewPolicy(POLICY).orgOf(did))
  if (identity === undefined) throw new Error('there is evidence')
  return identity
}

const verify = (ledger: Ledger, identity: EvidenceIdentity): Promise<void> =>
  ledger.appendLocal(verdictEvent(1, verdictOn(identity, verified(HERE.position, HERE.provenTime), POLICY)))

const attested = (by: TestMember, identity: EvidenceIdentity, ts: number, before: SignedEvent | null = null) =>
  next(by, before, attestationBody(identity, HERE), { type: 'attestation', ts })

async function winners(ledger: Ledger): Promise<JsonObject[]> {
  await ledger.caughtUp()
  const rows = await allRows(ledger, 'winners')
  expect((await ledger.engine.rebuild()).filter(({ identical }) => !identical)).toEqual([])
  return rows
}

test('a claim that is cut off neither wins nor has another lose, and its evidence stays to be seen', async () => {
  const packs = new Packs()
  // The greater block would win.
  const [good] = await chainOf(NEW, [{ ...announceBody('batch'), timestampAnchors: [{ ...BTC, ...proof('good') }] }])
  const stronger = { ...BTC, ...proof('stolen'), txid: '1'.repeat(64) }
  const [stolen] = await chainOf(OLD, [
    { ...announceBody('batch', { rootOf: 'another' }), timestampAnchors: [stronger] }
  ])
  if (good === undefined || stolen === undefined) throw new Error('two were made')
  const ledger = await open()
  await ledger.append(await packs.next(), stolen, good)
  await verify(ledger, evidenceOf(good))
  const late = verdictOn(evidenceOf(stolen), verified(HERE.position + 1, 1), POLICY)
  await ledger.appendLocal(verdictEvent(1, late))
  expect(await winners(ledger)).toMatchObject([{ winner: { eventId: stolen.id }, loserCount: 1 }])
  await ledger.append(await packs.next(retired()))
  expect(await winners(ledger)).toMatchObject([
    { winner: { eventId: good.id }, losers: [], loserCount: 0, earliestProvenTime: HERE.provenTime }
  ])
  const kept = (await allRows(ledger, 'timestamp-anchors')).map(({ evidenceHash }) => evidenceHash)
  expect(new Set(kept)).toEqual(new Set([good, stolen].map((event) => evidenceOf(event).evidenceHash)))
})

test('a root that only a cut-off key named, and evidence that only it brought, count for nothing', async () => {
  const packs = new Packs()
  const [root] = await chainOf(NEW, [{ ...announceBody('batch'), timestampAnchors: [] }])
  const [brought] = await chainOf(OLD, [{ ...announceBody('batch'), timestampAnchors: [{ ...BTC, ...proof('a') }] }])
  const [alone] = await chainOf(OLD, [{ ...announceBody('alone'), timestampAnchors: [{ ...BTC, ...proof('b') }] }])
  if (root === undefined || brought === undefined || alone === undefined) throw new Error('three were made')
  const ledger = await open()
  await ledger.append(root, brought, alone)
  for (const event of [brought, alone]) await verify(ledger, evidenceOf(event))
  expect((await winners(ledger)).map(({ status }) => status)).toEqual(['verified', 'verified'])
  await ledger.append(await packs.next(), await packs.next(retired()))
  expect(await winners(ledger)).toMatchObject([
    { batchId: 'alone', status: 'proposed', winner: null, firstSeenLogSeq: null },
    { batchId: 'batch', status: 'proposed', winner: null, firstSeenLogSeq: 2 }
  ])
})

test('an attestation under a key that is cut off does not count, and an older one under another key does again', async () => {
  const packs = new Packs()
  const batch = await next(ALICE, null, { ...announceBody('batch'), timestampAnchors: [{ ...BTC, ...proof('a') }] })
  const identity = evidenceOf(batch)
  const before = await attested(NEW, identity, 1_700_000_000_010)
  const refutation = await next(OLD, null, attestationBody(identity, null), {
    type: 'attestation',
    ts: 1_700_000_000_020
  })
  const ledger = await open()
  await ledger.append(batch, before, refutation)
  await verify(ledger, identity)
  const { did } = BERTA.signer
  expect(await winners(ledger)).toMatchObject([{ status: 'verified', quorum: { contradicting: [did] } }])
  await ledger.append(await packs.next(), await packs.next(retired()))
  expect(await winners(ledger)).toMatchObject([{ status: 'settled', quorum: { attested: [did], contradicting: [] } }])
  expect(await allRows(ledger, 'attestations')).toMatchObject([{ eventId: before.id, statements: 1 }])
  expect(await allRows(ledger, 'effects')).toMatchObject([
    { eventId: refutation.id, type: 'attestation', effect: 'KEY_CUT_OFF' }
  ])
})

/** The packs of Alice's organisation, whose batches these are, each valid until then. */
async function packsOfAlice(...validUntil: readonly number[]): Promise<SignedEvent[]> {
  const events: SignedEvent[] = []
  let before: AnchorPack | null = null
  for (const until of validUntil) {
    before = makePack({
      orgId: ALICE.orgId,
      before,
      keys: [packKey(ALICE.signer)],
      signers: [ALICE.signer],
      changes: { validUntil: until }
    })
    events.push(await packEvent(ALICE.signer, [ALICE.signer], before, events.at(-1) ?? null))
  }
  return events
}

test('nothing of an organisation whose packs ran out gets settled, until its next one; what was settled stays so', async () => {
  const LAPSE = 1_700_000_000_100
  const announced = await chainOf(
    ALICE,
    ['early', 'late'].map((name) => ({ ...announceBody(name), timestampAnchors: [{ ...BTC, ...proof(name) }] }))
  )
  const [early, late] = announced.map(evidenceOf)
  if (early === undefined || late === undefined) throw new Error('two were announced')
  const inTime = await attested(CARL, early, LAPSE)
  const tooLate = await attested(CARL, late, LAPSE + 1, inTime)
  const [first, same, renewed] = await packsOfAlice(LAPSE, LAPSE, LAPSE + 1)
  if (first === undefined || same === undefined || renewed === undefined) throw new Error('three were made')
  const ledger = await open()
  await ledger.append(...announced, inTime, tooLate)
  for (const identity of [early, late]) await verify(ledger, identity)
  const states = async () => (await winners(ledger)).map(({ batchId, status }) => [batchId, status])
  const settled = [
    ['early', 'settled'],
    ['late', 'settled']
  ]
  const lapsed = [
    ['early', 'settled'],
    ['late', 'verified']
  ]
  expect(await states()).toEqual(settled)
  const { generation } = ledger.engine.instance('winners').state
  await ledger.append(first)
  await ledger.caughtUp()
  expect(ledger.engine.instance('winners').state.generation).toBe(generation)
  expect(await states()).toEqual(lapsed)
  await ledger.append(same)
  expect(await states()).toEqual(lapsed)
  await ledger.append(renewed)
  expect(await states()).toEqual(settled)
  const at = await allRows(ledger, 'winners', { at: ledger.log.head.logSeq - 1 })
  expect(at.map(({ batchId, status }) => [batchId, status])).toEqual(lapsed)
})

test('a bound that more attestations are affected by than are counted at once has winners folded anew', async () => {
  const bodies = Array.from({ length: 4_097 }, (_, index) => {
    const name = `batch-${index}`
    return { ...announceBody(name), timestampAnchors: [{ ...BTC, ...proof(name) }] }
  })
  const announced = await chainOf(ALICE, bodies)
  const said: SignedEvent[] = []
  for (const event of announced) said.push(await attested(CARL, evidenceOf(event), 1_800_000_000_001, said.at(-1)))
  const [some] = announced
  const [first, renewed] = await packsOfAlice(1_800_000_000_000, 1_900_000_000_000)
  if (some === undefined || first === undefined || renewed === undefined) throw new Error('they were made')
  const ledger = await open()
  await ledger.append(first)
  await ledger.append(...announced, ...said)
  await verify(ledger, evidenceOf(some))
  await ledger.caughtUp()
  const { generation } = ledger.engine.instance('winners').state
  const statusOf = async (status: string) => (await allRows(ledger, 'winners', { status })).length
  expect([await statusOf('settled'), await statusOf('verified')]).toEqual([0, 1])
  await ledger.append(renewed)
  await ledger.caughtUp()
  expect([await statusOf('settled'), await statusOf('verified')]).toEqual([1, 0])
  expect(ledger.engine.instance('winners').state.generation).toBe(generation + 1)
  await winners(ledger)
})
