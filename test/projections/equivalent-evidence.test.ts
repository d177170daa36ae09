import { afterEach, expect, test } from 'vitest'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { viewPolicy } from '../../src/policy/policy-view.ts'
import type { EvidenceIdentity, Finding } from '../../src/timestamps/verdict.ts'
import { verdictEvent } from '../../src/timestamps/verdict.ts'
import type { SignedEvent } from '../support/events.ts'
import { announceBody, next } from '../support/events.ts'
import type { TestMember } from '../support/identities.ts'
import { policyOf } from '../support/identities.ts'
import { evidenceIn } from './support/evidence.ts'
import type { Ledger } from './support/ledger.ts'
import { allRows, openLedger } from './support/ledger.ts'
import { otherwise, verdictOn, verified } from './support/winner-model.ts'
import { ADAM, ALICE, BERTA, CARL, EVERYBODY, attestationBody } from './support/world.ts'

/**
 * A copy of the winner's evidence in other bytes, as a proof with one attestation more, proves the same and can be the
 * stronger by its hash: who announces one must not take back what a quorum settled (winner/v1 WIN-8).
 */

/** Two of Adam, Berta and Carl settle; Alice, whose node this is, seals. */
const POLICY = policyOf(ALICE, EVERYBODY, { quorum: { k: 2, of: [ADAM, BERTA, CARL] } })
const HERE = { position: 7, provenTime: 9_000 }

const opened: Ledger[] = []

afterEach(async () => {
  for (const ledger of opened.splice(0)) await ledger.close()
})

type Announced = { readonly event: SignedEvent; readonly evidence: EvidenceIdentity }

async function announced(before: SignedEvent | null, blob: string, body: JsonObject = {}): Promise<Announced> {
  const transaction = { chainId: 'btc:mainnet', txid: 'b'.repeat(64), blockHash: 'a'.repeat(64), blockHeight: 7 }
  const timestampAnchors = [{ ...transaction, otsProof: { blob } }]
  const event = await next(ALICE, before, { ...announceBody('batch-1'), ...body, timestampAnchors })
  const [evidence] = evidenceIn(event, (did) => viewPolicy(POLICY).orgOf(did))
  if (evidence === undefined) throw new Error('evidence is announced')
  return { event, evidence }
}

/** The same in other bytes, by an event whose id makes it the stronger. */
async function strongerCopy({ event }: Announced, body: JsonObject = {}): Promise<Announced> {
  for (let index = 0; index < 64; index += 1) {
    const copy = await announced(event, index.toString(16).padStart(64, '0'), body)
    if (copy.event.id < event.id) return copy
  }
  throw new Error('none of 64 events has a smaller id')
}

const attested = (
  by: TestMember,
  before: SignedEvent | null,
  evidence: EvidenceIdentity,
  found: typeof HERE | null = HERE
): Promise<SignedEvent> => next(by, before, attestationBody(evidence, found), { type: 'attestation' })

const judge = (ledger: Ledger, evidence: EvidenceIdentity, finding: Finding): Promise<void> =>
  ledger.appendLocal(verdictEvent(1, verdictOn(evidence, finding, POLICY)))

async function winner(ledger: Ledger): Promise<JsonObject | undefined> {
  await ledger.caughtUp()
  return (await allRows(ledger, 'winners'))[0]
}

/** Settled by Adam and Berta, whose attestations are given back. */
async function settled(): Promise<{ ledger: Ledger; first: Announced; adams: SignedEvent; bertas: SignedEvent }> {
  const first = await announced(null, 'c'.repeat(64))
  const [adams, bertas] = [await attested(ADAM, null, first.evidence), await attested(BERTA, null, first.evidence)]
  const ledger = await openLedger({ policy: POLICY })
  opened.push(ledger)
  await ledger.append(first.event, adams, bertas)
  await judge(ledger, first.evidence, verified(7, 9_000))
  expect(await winner(ledger)).toMatchObject({ status: 'settled', winner: { eventId: first.event.id } })
  return { ledger, first, adams, bertas }
}

const didsOf = (...members: readonly TestMember[]): string[] => members.map(({ signer }) => signer.did).sort()

test('a copy that proves the same, and is stronger by its bytes alone, stays settled by what was said of the other', async () => {
  const { ledger, first, adams } = await settled()
  const copy = await strongerCopy(first)
  await ledger.append(copy.event)
  await judge(ledger, copy.evidence, verified(7, 9_000))
  expect(await winner(ledger)).toMatchObject({
    status: 'settled',
    winner: { eventId: copy.event.id },
    losers: [{ eventId: first.event.id, rule: 'event-id' }],
    quorum: { attested: didsOf(ADAM, BERTA), contradicting: [], missing: didsOf(CARL) }
  })
  // What a member says of the winner's own evidence comes before what it says of another.
  const refuted = await attested(ADAM, adams, copy.evidence, null)
  await ledger.append(refuted)
  expect(await winner(ledger)).toMatchObject({
    status: 'verified',
    quorum: { attested: didsOf(BERTA), contradicting: didsOf(ADAM), missing: didsOf(CARL) }
  })
  // And what comes on the other one later counts, too.
  await ledger.append(await attested(CARL, null, first.evidence))
  expect(await winner(ledger)).toMatchObject({ status: 'settled', quorum: { attested: didsOf(BERTA, CARL) } })
  const rebuilt = await ledger.engine.rebuild()
  expect(rebuilt.filter(({ identical }) => !identical)).toEqual([])
})

test('what is taken back of the other one counts no more', async () => {
  const { ledger, first, adams } = await settled()
  const copy = await strongerCopy(first)
  await ledger.append(copy.event)
  await judge(ledger, copy.evidence, verified(7, 9_000))
  await ledger.append(await attested(ADAM, adams, first.evidence, null))
  expect(await winner(ledger)).toMatchObject({
    status: 'verified',
    quorum: { attested: didsOf(BERTA), contradicting: [], missing: didsOf(ADAM, CARL) }
  })
  await judge(ledger, copy.evidence, otherwise('pending'))
  expect(await winner(ledger)).toMatchObject({
    winner: { eventId: first.event.id },
    quorum: { contradicting: didsOf(ADAM) }
  })
})

test.each([
  ['another block', verified(8, 9_000), {}],
  ['another time', verified(7, 9_001), {}],
  ['another root', verified(7, 9_000), { batchRoot: '1'.repeat(64) }]
] as const)('stronger evidence for %s is verified alone', async (_what, finding, body) => {
  const { ledger, first } = await settled()
  // By its root, or by an event id that no rule before it forestalls.
  const other = await strongerCopy(first, body)
  await ledger.append(other.event)
  await judge(ledger, other.evidence, finding)
  expect(await winner(ledger)).toMatchObject({
    status: 'verified',
    winner: { eventId: other.event.id },
    quorum: { attested: [], contradicting: [], missing: didsOf(ADAM, BERTA, CARL) }
  })
})
