import { expect, test } from 'vitest'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import { viewPolicy } from '../../src/policy/policy-view.ts'
import type { EvidenceIdentity, Finding } from '../../src/timestamps/verdict.ts'
import { verdictEvent } from '../../src/timestamps/verdict.ts'
import type { SignedEvent } from '../support/events.ts'
import { announceBody, next } from '../support/events.ts'
import { NAMESPACE, policyOf } from '../support/identities.ts'
import { evidenceIn } from './support/evidence.ts'
import type { Ledger } from './support/ledger.ts'
import { allRows, openLedger, sharedLines } from './support/ledger.ts'
import { watchedStore } from './support/stores.ts'
import { otherwise, verdictOn, verified } from './support/winner-model.ts'
import { ADAM, ALICE, BERTA, CARL, EVERYBODY, OTHER_NAMESPACE } from './support/world.ts'

/** Carl may announce nowhere; of the chains, `eip155:5` is on no list. */
const POLICY = policyOf(ALICE, EVERYBODY, {
  namespaces: [NAMESPACE, OTHER_NAMESPACE],
  announcers: [ALICE, ADAM, BERTA]
})

const BTC = {
  chainId: 'btc:mainnet',
  txid: 'b'.repeat(64),
  blockHash: 'a'.repeat(64),
  blockHeight: 7,
  otsProof: { blob: 'c'.repeat(64) }
}
const EVM = { chainId: 'eip155:1', txHash: 'e'.repeat(64), blockNumber: 9, carriedIn: 'calldata' }
const UNLISTED = { ...EVM, chainId: 'eip155:5' }

/** The evidence in an announce, as policy has its owner. */
const evidenceOf = (event: SignedEvent): EvidenceIdentity[] => evidenceIn(event, (did) => viewPolicy(POLICY).orgOf(did))

async function judge(ledger: Ledger, event: SignedEvent, index: number, finding: Finding): Promise<void> {
  const identity = evidenceOf(event)[index]
  if (identity === undefined) throw new Error('no such evidence')
  await ledger.appendLocal(verdictEvent(1, verdictOn(identity, finding, POLICY)))
}

/** The batch's row, once everything is folded. */
async function winnerOf(ledger: Ledger, batchId: string = 'batch-1'): Promise<JsonObject | undefined> {
  await ledger.caughtUp()
  return (await allRows(ledger, 'winners')).find((row) => row['batchId'] === batchId)
}

const bodyWith = (...timestampAnchors: JsonObject[]): JsonObject => ({ ...announceBody('batch-1'), timestampAnchors })

test('the digest of verdicts holds what was decided, not how providers are at the moment', async () => {
  const event = await next(ALICE, null, bodyWith(EVM, BTC))
  const ledger = await openLedger({ policy: POLICY })
  await ledger.append(event)
  const digest = async (): Promise<string> => {
    await ledger.caughtUp()
    return (await ledger.digest(NAMESPACE)).winners.verdictSetDigest
  }
  const before = await digest()
  await judge(ledger, event, 0, otherwise('unreachable', 'PROVIDER_TIMEOUT'))
  await judge(ledger, event, 1, otherwise('pending', null))
  expect(await digest()).toBe(before)
  await judge(ledger, event, 0, otherwise('invalid', 'EVM_REVERTED'))
  const decided = await digest()
  expect(decided).not.toBe(before)
  await judge(ledger, event, 0, otherwise('invalid', 'EVM_NOT_FOUND'))
  expect(await digest()).toBe(decided)
  await judge(ledger, event, 1, verified(7, 1_000))
  expect(await digest()).not.toBe(decided)
})

test('a verified anchor wins, a stronger one displaces it, and the loser says by what and why', async () => {
  const event = await next(ALICE, null, bodyWith(EVM, BTC))
  const [evm, btc] = evidenceOf(event)
  const ledger = await openLedger({ policy: POLICY })
  await ledger.append(event)
  expect(await winnerOf(ledger)).toMatchObject({
    status: 'proposed',
    winner: null,
    losers: [],
    loserCount: 0,
    firstSeenLogSeq: 2
  })
  await judge(ledger, event, 0, verified(100, 5_000))
  const first = {
    chainId: 'eip155:1',
    evidenceHash: evm?.evidenceHash,
    eventId: event.id,
    provenTime: 5_000,
    position: 100
  }
  expect(await winnerOf(ledger)).toMatchObject({
    status: 'verified',
    winner: first,
    batchRoot: evm?.batchRoot,
    earliestProvenTime: 5_000
  })
  await judge(ledger, event, 1, verified(7, 9_000))
  expect(await winnerOf(ledger)).toMatchObject({
    winner: { chainId: 'btc:mainnet', provenTime: 9_000 },
    losers: [{ ...first, supersededBy: btc?.evidenceHash, rule: 'rail' }],
    loserCount: 1,
    earliestProvenTime: 5_000
  })
})

test('the newest verdict counts: a block that vanishes gives the place back', async () => {
  const event = await next(ALICE, null, bodyWith(EVM, BTC))
  const ledger = await openLedger({ policy: POLICY })
  await ledger.append(event)
  await judge(ledger, event, 0, verified(100))
  await judge(ledger, event, 1, verified(7))
  await judge(ledger, event, 1, otherwise('pending'))
  expect(await winnerOf(ledger)).toMatchObject({
    winner: { chainId: 'eip155:1' },
    losers: [],
    loserCount: 0,
    earliestProvenTime: 100
  })
  await judge(ledger, event, 1, verified(8))
  expect(await winnerOf(ledger)).toMatchObject({
    winner: { chainId: 'btc:mainnet', position: 8 },
    loserCount: 1,
    earliestProvenTime: 8
  })
  await judge(ledger, event, 1, otherwise('invalid', 'BTC_NOT_BEST_CHAIN'))
  await judge(ledger, event, 0, otherwise('invalid', 'EVM_NOT_FOUND'))
  expect(await winnerOf(ledger)).toMatchObject({
    status: 'proposed',
    batchRoot: null,
    winner: null,
    losers: [],
    earliestProvenTime: null,
    verifiedHere: 0
  })
  const anchors = await allRows(ledger, 'timestamp-anchors')
  expect(anchors.map(({ status, code }) => [status, code])).toEqual([
    ['invalid', 'BTC_NOT_BEST_CHAIN'],
    ['invalid', 'EVM_NOT_FOUND']
  ])
})

test('evidence for a root that the owner did not announce waits until the owner does', async () => {
  const body = { ...bodyWith(BTC), owner: 'org-a', batchRoot: 'd'.repeat(64) }
  const byOther = await next(BERTA, null, body)
  const ledger = await openLedger({ policy: POLICY })
  await ledger.append(byOther)
  await judge(ledger, byOther, 0, verified(7))
  expect(await winnerOf(ledger)).toMatchObject({
    status: 'proposed',
    winner: null,
    firstSeenLogSeq: null,
    verifiedHere: 1
  })
  expect((await sharedLines(ledger))['winners']).toEqual([])
  const otherRoot = await next(ALICE, null, bodyWith())
  await ledger.append(otherRoot)
  expect(await winnerOf(ledger)).toMatchObject({ status: 'proposed', winner: null, firstSeenLogSeq: 4 })
  await ledger.append(await next(ALICE, otherRoot, { ...body, timestampAnchors: [] }))
  expect(await winnerOf(ledger)).toMatchObject({
    status: 'verified',
    batchRoot: 'd'.repeat(64),
    winner: { eventId: byOther.id },
    firstSeenLogSeq: 4
  })
})

test('an owner without the role, a chain that policy does not list and a verdict that came before its evidence win nothing', async () => {
  const noRole = await next(CARL, null, bodyWith(BTC))
  const unlisted = await next(ALICE, null, { ...bodyWith(UNLISTED), batchId: 'batch-2' })
  const unannounced = await next(ALICE, unlisted, { ...bodyWith(BTC), batchId: 'batch-3' })
  const ledger = await openLedger({ policy: POLICY })
  await ledger.append(noRole, unlisted)
  for (const event of [noRole, unlisted, unannounced]) await judge(ledger, event, 0, verified(7))
  expect(await winnerOf(ledger, 'batch-1')).toMatchObject({ status: 'proposed', winner: null, firstSeenLogSeq: null })
  expect(await winnerOf(ledger, 'batch-2')).toMatchObject({ status: 'proposed', winner: null, verifiedHere: 0 })
  expect(await winnerOf(ledger, 'batch-3')).toMatchObject({ status: 'proposed', winner: null, firstSeenLogSeq: null })
  await ledger.append(unannounced)
  expect(await winnerOf(ledger, 'batch-3')).toMatchObject({ status: 'verified', loserCount: 0 })
})

test('a policy that lists other chains decides anew', async () => {
  const event = await next(ALICE, null, bodyWith(BTC, UNLISTED))
  const ledger = await openLedger({ policy: POLICY })
  await ledger.append(event)
  await judge(ledger, event, 0, verified(7))
  await judge(ledger, event, 1, verified(8))
  expect(await winnerOf(ledger)).toMatchObject({ winner: { chainId: 'btc:mainnet' }, loserCount: 0 })
  const settings = POLICY.namespaces[NAMESPACE]
  if (settings === undefined) throw new Error('the namespace is not carried')
  await ledger.appendPolicy({
    ...POLICY,
    namespaces: { ...POLICY.namespaces, [NAMESPACE]: { ...settings, finality: { 'eip155:*': { depth: 2 } } } }
  })
  expect(await winnerOf(ledger)).toMatchObject({ winner: { chainId: 'eip155:5' }, loserCount: 0 })
})

test('many losers are counted, and the strongest of them shown', async () => {
  const ledger = await openLedger({ policy: POLICY })
  let before: SignedEvent | null = null
  for (let part = 0; part < 5; part += 1) {
    const anchors = Array.from({ length: 16 }, (_, index) => ({
      chainId: 'rfc3161:tsa',
      token: Buffer.from(`token ${part} ${index}`).toString('base64url')
    }))
    const event: SignedEvent = await next(ALICE, before, bodyWith(...anchors))
    await ledger.append(event)
    for (const [index] of anchors.entries())
      await judge(ledger, event, index, verified(1_000 - (16 * part + index), 500 + index))
    before = event
  }
  const row = await winnerOf(ledger)
  expect(row).toMatchObject({ winner: { position: 921 }, loserCount: 79, earliestProvenTime: 500, verifiedHere: 80 })
  const losers = row?.['losers'] as { position: number; rule: string }[]
  expect(losers.map(({ position }) => position)).toEqual(Array.from({ length: 64 }, (_, index) => 922 + index))
  expect(new Set(losers.map(({ rule }) => rule))).toEqual(new Set(['gen-time']))
})

test('announces of an owner cost winners a row and the list of its batch each, whatever they announce', async () => {
  const touched: string[] = []
  const read: string[] = []
  const store = watchedStore(await openMemoryStore(), {
    onRead: (key) => void (key.startsWith('v!winners!') && read.push(key))
  })
  const ledger = await openLedger({ store, policy: POLICY })
  await ledger.caughtUp()
  let before: SignedEvent | null = null
  for (let batch = 0; batch < 20; batch += 1)
    await ledger.append((before = await next(BERTA, before, { ...bodyWith(BTC, EVM), batchId: `batch-${batch}` })))
  await ledger.caughtUp()
  const reads = read.filter((key) => key.includes('batch-')).length
  for await (const [key] of store.range({ gte: 'v!winners!', lt: 'v!winners!\x7f' }))
    if (!key.includes('!j!')) touched.push(key)
  expect(touched.filter((key) => key.includes('!r!'))).toHaveLength(20)
  expect(touched.filter((key) => key.includes('!b!'))).toHaveLength(20)
  expect(touched).toHaveLength(40)
  expect(reads).toBe(40)
})
