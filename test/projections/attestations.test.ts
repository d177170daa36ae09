import { afterEach, expect, test } from 'vitest'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { viewPolicy } from '../../src/policy/policy-view.ts'
import type { ProjectionChange } from '../../src/projections/changes.ts'
import type { EvidenceIdentity, Finding } from '../../src/timestamps/verdict.ts'
import { verdictEvent } from '../../src/timestamps/verdict.ts'
import type { SignedEvent } from '../support/events.ts'
import { announceBody, next } from '../support/events.ts'
import type { TestMember } from '../support/identities.ts'
import { NAMESPACE, policyOf } from '../support/identities.ts'
import { evidenceIn } from './support/evidence.ts'
import { Follower } from './support/follower.ts'
import type { Ledger } from './support/ledger.ts'
import { allRows, openLedger, sharedLines } from './support/ledger.ts'
import { otherwise, verdictOn, verified } from './support/winner-model.ts'
import { ADAM, ALICE, BERTA, CARL, EVERYBODY, attestationBody, packKeySigner, signedBy } from './support/world.ts'

/** Two of Adam, Berta and Carl settle; Alice, whose node this is, seals. */
const POLICY = policyOf(ALICE, EVERYBODY, { quorum: { k: 2, of: [ADAM, BERTA, CARL] } })

const BTC = {
  chainId: 'btc:mainnet',
  txid: 'b'.repeat(64),
  blockHash: 'a'.repeat(64),
  blockHeight: 7,
  otsProof: { blob: 'c'.repeat(64) }
}
const EVM = { chainId: 'eip155:1', txHash: 'e'.repeat(64), blockNumber: 9, carriedIn: 'calldata' }

const opened: Ledger[] = []

afterEach(async () => {
  for (const ledger of opened.splice(0)) await ledger.close()
})

async function open(policy = POLICY): Promise<Ledger> {
  const ledger = await openLedger({ policy })
  opened.push(ledger)
  return ledger
}

const evidenceOf = (event: SignedEvent): EvidenceIdentity[] => evidenceIn(event, (did) => viewPolicy(POLICY).orgOf(did))

/** An announce of both anchors, and what names them: the EVM one first. */
async function announced(): Promise<{ event: SignedEvent; evm: EvidenceIdentity; btc: EvidenceIdentity }> {
  const event = await next(ALICE, null, { ...announceBody('batch-1'), timestampAnchors: [EVM, BTC] })
  const [evm, btc] = evidenceOf(event)
  if (evm === undefined || btc === undefined) throw new Error('two are announced')
  return { event, evm, btc }
}

const judge = (ledger: Ledger, identity: EvidenceIdentity, finding: Finding): Promise<void> =>
  ledger.appendLocal(verdictEvent(1, verdictOn(identity, finding, POLICY)))

/** The member's next attestation: verified at that position and time, or refuted. */
const attested = (
  by: TestMember,
  before: SignedEvent | null,
  identity: EvidenceIdentity,
  found: { readonly position: number; readonly provenTime: number } | null,
  ts?: number
): Promise<SignedEvent> =>
  next(by, before, attestationBody(identity, found), { type: 'attestation', ...(ts === undefined ? {} : { ts }) })

const HERE = { position: 7, provenTime: 9_000 }

async function winner(ledger: Ledger): Promise<JsonObject> {
  await ledger.caughtUp()
  const [row] = await allRows(ledger, 'winners')
  if (row === undefined) throw new Error('there is no batch')
  return row
}

async function rowOf(ledger: Ledger, { signer }: TestMember): Promise<JsonObject | undefined> {
  await ledger.caughtUp()
  return (await allRows(ledger, 'attestations', { signer: signer.did }))[0]
}

const didsOf = (...members: readonly TestMember[]): string[] => members.map(({ signer }) => signer.did).sort()

test('a winner is verified here, then settled when the quorum attests the same', async () => {
  const { event, btc } = await announced()
  const ledger = await open()
  await ledger.append(event)
  expect(await winner(ledger)).toMatchObject({ status: 'proposed', quorum: null })
  await judge(ledger, btc, verified(7, 9_000))
  expect(await winner(ledger)).toMatchObject({
    status: 'verified',
    quorum: { k: 2, of: 3, attested: [], contradicting: [], missing: didsOf(ADAM, BERTA, CARL) }
  })
  await ledger.append(await attested(ADAM, null, btc, HERE))
  expect(await winner(ledger)).toMatchObject({ status: 'verified', quorum: { attested: didsOf(ADAM) } })
  await ledger.append(await attested(CARL, null, btc, HERE))
  expect(await winner(ledger)).toMatchObject({
    status: 'settled',
    quorum: { k: 2, of: 3, attested: didsOf(ADAM, CARL), contradicting: [], missing: didsOf(BERTA) }
  })
})

test('attestations count that came before the announce and the verdict', async () => {
  const { event, btc } = await announced()
  const ledger = await open()
  await ledger.append(await attested(ADAM, null, btc, HERE), await attested(BERTA, null, btc, HERE))
  expect(await rowOf(ledger, ADAM)).toMatchObject({ standing: 'unchecked', late: false, firstSeenLogSeq: 2 })
  await ledger.append(event)
  await judge(ledger, btc, verified(7, 9_000))
  expect(await winner(ledger)).toMatchObject({ status: 'settled' })
  expect(await rowOf(ledger, ADAM)).toMatchObject({ standing: 'agrees', late: false })
})

test('who lies is seen, and does not count', async () => {
  const { event, btc, evm } = await announced()
  const ledger = await open()
  await ledger.append(event)
  await judge(ledger, btc, verified(7, 9_000))
  await judge(ledger, evm, otherwise('invalid', 'EVM_ROOT_NOT_FOUND'))
  const other = await attested(ADAM, null, btc, { ...HERE, provenTime: 8_999 })
  const refuted = await attested(BERTA, null, btc, null)
  const invented = await attested(CARL, null, evm, HERE)
  await ledger.append(other, refuted, invented, await attested(CARL, invented, btc, HERE))
  expect(await winner(ledger)).toMatchObject({
    status: 'verified',
    quorum: { attested: didsOf(CARL), contradicting: didsOf(ADAM, BERTA), missing: [] }
  })
  const rows = await allRows(ledger, 'attestations', { status: 'contradicts' })
  expect(Object.fromEntries(rows.map(({ signer, chainId, outcome }) => [signer, [chainId, outcome]]))).toEqual({
    [ADAM.signer.did]: ['btc:mainnet', 'verified'],
    [BERTA.signer.did]: ['btc:mainnet', 'refuted'],
    [CARL.signer.did]: ['eip155:1', 'verified']
  })
})

test('who comes when the winner is settled already is late', async () => {
  const { event, btc } = await announced()
  const ledger = await open()
  await ledger.append(event, await attested(ADAM, null, btc, HERE), await attested(BERTA, null, btc, HERE))
  await judge(ledger, btc, verified(7, 9_000))
  await ledger.append(await attested(CARL, null, btc, HERE))
  for (const [member, late] of [
    [ADAM, false],
    [BERTA, false],
    [CARL, true]
  ] as const)
    expect(await rowOf(ledger, member)).toMatchObject({ standing: 'agrees', late })
  expect((await sharedLines(ledger))['attestations']?.join()).not.toMatch(/late|standing|LogSeq/)
})

test('who is not of the quorum is shown and does not count', async () => {
  const { event, btc } = await announced()
  const ledger = await open()
  await ledger.append(event, await attested(ALICE, event, btc, HERE), await attested(ADAM, null, btc, HERE))
  await judge(ledger, btc, verified(7, 9_000))
  expect(await winner(ledger)).toMatchObject({ status: 'verified', quorum: { attested: didsOf(ADAM) } })
  expect(await rowOf(ledger, ALICE)).toMatchObject({ standing: 'agrees' })
})

test('of what a signer says in two ways one counts, whatever came first: the later, else the further in its chain, else the smaller id', async () => {
  const { event, btc } = await announced()
  const yes = await attested(ADAM, null, btc, HERE)
  const no = await attested(ADAM, null, btc, null, yes.envelope.ts)
  const later = await attested(ADAM, yes, btc, null, yes.envelope.ts)
  const other = packKeySigner(ADAM, 0, 0)
  const underOther = await signedBy([other], {
    ...yes.envelope,
    kid: other.kid,
    ts: yes.envelope.ts + 5,
    body: attestationBody(btc, HERE)
  })
  const fork = yes.id < no.id ? yes : no
  for (const [said, counts] of [
    [[yes, no], fork],
    [[no, yes], fork],
    [[yes, later], later],
    [[no, yes, later], later],
    [[underOther, yes, later], underOther],
    [[yes, later, underOther], underOther]
  ] as const) {
    const ledger = await open()
    await ledger.append(event)
    await judge(ledger, btc, verified(7, 9_000))
    for (const one of said) await ledger.append(one)
    expect(await rowOf(ledger, ADAM)).toMatchObject({ eventId: counts.id, statements: said.length })
    const isYes = counts.envelope.body['outcome'] === 'verified'
    expect(await winner(ledger)).toMatchObject({
      quorum: { attested: isYes ? didsOf(ADAM) : [], contradicting: isYes ? [] : didsOf(ADAM) }
    })
  }
})

test('a winner is settled no more when the verdict is taken back, an attestation is replaced, or policy asks for more', async () => {
  const { event, btc } = await announced()
  const ledger = await open()
  const adams = await attested(ADAM, null, btc, HERE)
  await ledger.append(event, adams, await attested(BERTA, null, btc, HERE))
  await judge(ledger, btc, verified(7, 9_000))
  expect(await winner(ledger)).toMatchObject({ status: 'settled' })
  await judge(ledger, btc, otherwise('pending'))
  expect(await winner(ledger)).toMatchObject({ status: 'proposed', quorum: null })
  expect(await rowOf(ledger, ADAM)).toMatchObject({ standing: 'unchecked' })
  await judge(ledger, btc, verified(8, 9_000))
  expect(await winner(ledger)).toMatchObject({
    status: 'verified',
    quorum: { attested: [], contradicting: didsOf(ADAM, BERTA) }
  })
  await judge(ledger, btc, verified(7, 9_000))
  expect(await winner(ledger)).toMatchObject({ status: 'settled' })
  await ledger.append(await attested(ADAM, adams, btc, null))
  expect(await winner(ledger)).toMatchObject({ status: 'verified', quorum: { contradicting: didsOf(ADAM) } })
  await ledger.appendPolicy(policyOf(ALICE, EVERYBODY, { quorum: { k: 1, of: [BERTA] } }))
  expect(await winner(ledger)).toMatchObject({ status: 'settled', quorum: { k: 1, of: 1, missing: [] } })
  await ledger.appendPolicy(policyOf(ALICE, EVERYBODY))
  expect(await winner(ledger)).toMatchObject({ status: 'verified', quorum: null })
})

test('a later Bitcoin anchor displaces an earlier EVM one; both times, and when each came here, are shown and told', async () => {
  const { event, evm, btc } = await announced()
  const late = await next(ALICE, event, { ...announceBody('batch-1'), timestampAnchors: [BTC] })
  const early = await next(ALICE, null, { ...announceBody('batch-1'), timestampAnchors: [EVM] })
  const published = await next(ALICE, early, { ...late.envelope.body })
  const ledger = await open()
  const follower = new Follower((query) => ledger.changes('winners', query))
  const told = async (): Promise<ProjectionChange | undefined> => {
    await ledger.caughtUp()
    await follower.readAll()
    return follower.received.at(-1)
  }
  await ledger.append(early)
  expect(await told()).toMatchObject({ winnerChanged: null })
  await judge(ledger, evm, verified(9, 5_000))
  const first = { chainId: 'eip155:1', provenTime: 5_000, firstSeenLogSeq: 2 }
  expect(await told()).toMatchObject({ winnerChanged: { previous: null, winner: first, cause: 'first', rule: null } })
  await ledger.append(published)
  await judge(ledger, btc, verified(7, 9_000))
  const second = { chainId: 'btc:mainnet', provenTime: 9_000, firstSeenLogSeq: 4 }
  expect(await told()).toMatchObject({
    row: { winner: second, losers: [{ ...first, rule: 'rail' }], earliestProvenTime: 5_000 },
    winnerChanged: { previous: first, winner: second, cause: 'displaced', rule: 'rail' }
  })
  await ledger.append(await attested(ADAM, null, btc, HERE))
  expect(await told()).toMatchObject({ row: { quorum: { attested: didsOf(ADAM) } }, winnerChanged: null })
  await judge(ledger, btc, otherwise('invalid', 'BTC_NOT_BEST_CHAIN'))
  expect(await told()).toMatchObject({ winnerChanged: { previous: second, winner: first, cause: 'withdrawn' } })
  // Who was away is told how things differ from what they were when it left.
  await follower.disconnect()
  await judge(ledger, evm, otherwise('pending'))
  await judge(ledger, btc, verified(7, 9_000))
  await judge(ledger, evm, verified(9, 5_000))
  expect(await told()).toMatchObject({ winnerChanged: { previous: first, winner: second, cause: 'displaced' } })
  const newcomer = new Follower((query) => ledger.changes('winners', query))
  await newcomer.readAll()
  expect(newcomer.received).toMatchObject([{ row: { winner: second }, winnerChanged: null }])
  const rebuilt = await ledger.engine.rebuild()
  expect(rebuilt.filter(({ identical }) => !identical)).toEqual([])
})

test('an attestation that is none, or that stands among the packs, has no effect', async () => {
  const { btc } = await announced()
  const ledger = await open()
  const broken = await next(ADAM, null, { ...attestationBody(btc, HERE), note: '' }, { type: 'attestation' })
  const misplaced = await next(ADAM, null, attestationBody(btc, HERE), { type: 'attestation', namespace: '_trust' })
  await ledger.append(broken, misplaced, await attested(ADAM, broken, btc, HERE))
  await ledger.caughtUp()
  const listed = await allRows(ledger, 'effects')
  expect(Object.fromEntries(listed.map(({ eventId, effect }) => [eventId, effect]))).toEqual({
    [broken.id]: 'BODY_INVALID',
    [misplaced.id]: 'TYPE_UNKNOWN'
  })
  expect(await allRows(ledger, 'attestations')).toHaveLength(1)
})

test('state digests agree on attestations whatever a node found itself, winners digests where policy and verdicts are equal', async () => {
  const { event, btc } = await announced()
  const [adams, bertas] = [await attested(ADAM, null, btc, HERE), await attested(BERTA, null, btc, HERE)]
  const digests = []
  for (const [order, found] of [
    [[event, adams, bertas], verified(7, 9_000)],
    [[bertas, event, adams], verified(7, 9_000)],
    [[bertas, adams, event], otherwise('pending')]
  ] as const) {
    const ledger = await open()
    await ledger.append(...order)
    await judge(ledger, btc, found)
    digests.push(await ledger.digest(NAMESPACE))
  }
  const [one, other, undecided] = digests
  expect(other).toEqual(one)
  expect(undecided?.state).toBe(one?.state)
  expect(undecided?.winners.digest).not.toBe(one?.winners.digest)
  const without = await open()
  await without.append(event, adams)
  expect((await without.digest(NAMESPACE)).state).not.toBe(one?.state)
})
