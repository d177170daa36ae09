import { expect, test } from 'vitest'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { TimestampAnchor } from '../../protocols/event/v1/announce.ts'
import { evidenceHashOf } from '../../protocols/event/v1/announce.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import type { FinalityRule } from '../../src/policy/config-schema.ts'
import { viewPolicy } from '../../src/policy/policy-view.ts'
import type { EffectivePolicy } from '../../src/policy/policy.ts'
import { verdictEvent } from '../../src/timestamps/verdict.ts'
import type { VerifierResult } from '../../src/timestamps/verifier.ts'
import type { Ledger } from '../projections/support/ledger.ts'
import { allRows, openLedger } from '../projections/support/ledger.ts'
import { announceBody, next } from '../support/events.ts'
import { NAMESPACE, member, policyOf } from '../support/identities.ts'
import { until } from '../support/until.ts'
import type { ScriptedVerifier, StartedWorker } from './support.ts'
import {
  BTC,
  EVM,
  anchorRow,
  passRetry,
  rowOf,
  scriptedVerifier,
  startWorker,
  unreachable,
  valid,
  verdicts
} from './support.ts'

const ALICE = member('alice')
const POLICY = policyOf(ALICE, [ALICE])
const MINUTE = 60_000
const TOKEN = { chainId: 'rfc3161:tsa', token: Buffer.from('token').toString('base64url') }

const bodyWith = (...timestampAnchors: JsonObject[]): JsonObject => ({ ...announceBody('batch-1'), timestampAnchors })
const notBest: VerifierResult = {
  outcome: 'invalid',
  code: 'BTC_NOT_BEST_CHAIN',
  detail: 'another block stands at height 7',
  recheckAfterMs: 10 * MINUTE
}
const notFinal = (depth: number): VerifierResult => ({ outcome: 'notYetFinal', depth, needed: 6, retryAfterMs: 0 })

const withFinality = (finality: Readonly<Record<string, FinalityRule>>): EffectivePolicy => {
  const settings = POLICY.namespaces[NAMESPACE]
  if (settings === undefined) throw new Error('the namespace is configured')
  return { ...POLICY, namespaces: { [NAMESPACE]: { ...settings, finality } } }
}

/** Waits until the worker has asked `count` times and has put the row off as often. */
const putOff = async (verifier: ScriptedVerifier, worker: StartedWorker, count: number): Promise<void> =>
  void (await until(
    `put off ${count} times`,
    () => verifier.requests.length === count && worker.retries.length === count
  ))

const outcomes = async (ledger: Ledger): Promise<unknown[]> =>
  (await verdicts(ledger)).map(({ chainId, outcome, code }) => [chainId, outcome, code])

test('a chain that is rewritten takes the winner away, and gives it back', async () => {
  const ledger = await openLedger({ policy: POLICY })
  const verifier = scriptedVerifier()
  verifier.script('eip155:1', valid(9, 5_000))
  verifier.script(
    'btc:mainnet',
    valid(7, 9_000, 10 * MINUTE),
    notFinal(0),
    notBest,
    valid(7, 9_000, 10 * MINUTE),
    valid(7, 9_000)
  )
  await ledger.append(await next(ALICE, null, bodyWith(BTC, EVM)))
  const worker = startWorker(ledger, verifier, POLICY)
  const won = (chainId: string, loserCount: number): Promise<JsonObject> =>
    rowOf(
      ledger,
      'winners',
      (row) => (row['winner'] as JsonObject | null)?.['chainId'] === chainId && row['loserCount'] === loserCount
    )
  await won('btc:mainnet', 1)
  const taken = won('eip155:1', 0)
  await passRetry(ledger, worker, 1)
  expect(await anchorRow(ledger, 'btc:mainnet', 'pending')).toMatchObject({
    code: null,
    provenTime: null,
    position: null,
    recheckAt: null
  })
  await taken
  await passRetry(ledger, worker, 2)
  const invalid = await anchorRow(ledger, 'btc:mainnet', 'invalid')
  expect(invalid).toMatchObject({ code: 'BTC_NOT_BEST_CHAIN', recheckAt: ledger.clock.now() + 10 * MINUTE })
  const back = won('btc:mainnet', 1)
  await passRetry(ledger, worker, 3)
  await back
  await passRetry(ledger, worker, 4)
  await rowOf(ledger, 'timestamp-anchors', ({ status, recheckAt }) => status === 'verified' && recheckAt === null)
  await worker.stop()
  expect((await outcomes(ledger)).filter((verdict) => (verdict as string[])[0] === 'btc:mainnet')).toEqual([
    ['btc:mainnet', 'verified', null],
    ['btc:mainnet', 'pending', null],
    ['btc:mainnet', 'invalid', 'BTC_NOT_BEST_CHAIN'],
    ['btc:mainnet', 'verified', null],
    ['btc:mainnet', 'verified', null]
  ])
})

test('what was verified is looked at when its time comes and not before, and the log hears of it once it is buried', async () => {
  const ledger = await openLedger({ policy: POLICY })
  const verifier = scriptedVerifier()
  verifier.script(
    'btc:mainnet',
    valid(7, 9_000, 10 * MINUTE),
    valid(7, 9_000, 20 * MINUTE),
    valid(7, 9_000, -1),
    valid(7, 9_000)
  )
  const start = ledger.clock.now()
  await ledger.append(await next(ALICE, null, bodyWith(BTC)))
  const worker = startWorker(ledger, verifier, POLICY)
  await putOff(verifier, worker, 1)
  await ledger.clock.advance(10 * MINUTE - 1)
  expect(verifier.requests).toHaveLength(1)
  await ledger.clock.advance(1)
  await putOff(verifier, worker, 2)
  expect(worker.status()).toMatchObject({ undecided: 0, rechecks: 1, unconfirmed: 0 })
  await ledger.clock.advance(20 * MINUTE)
  await putOff(verifier, worker, 3)
  expect(await verdicts(ledger)).toMatchObject([{ recheckAt: start + 10 * MINUTE }])
  const buried = rowOf(
    ledger,
    'timestamp-anchors',
    ({ recheckAt, status }) => recheckAt === null && status === 'verified'
  )
  await ledger.clock.advance(5_000)
  await buried
  await until('nothing is in hand', () => worker.status().rechecks === 0)
  await ledger.clock.advance(24 * 60 * MINUTE)
  await worker.stop()
  expect(verifier.requests).toHaveLength(4)
  // A chain is not asked more often than every five seconds, whatever its verifier says.
  expect(worker.retries).toEqual([10 * MINUTE, 20 * MINUTE, 5_000])
  const found = await verdicts(ledger)
  expect(found).toHaveLength(2)
  expect(found[1]).not.toHaveProperty('recheckAt')
})

test('another time or position of the same outcome is a new verdict', async () => {
  const ledger = await openLedger({ policy: POLICY })
  const verifier = scriptedVerifier()
  verifier.script('eip155:1', valid(9, 5_000, 10 * MINUTE), valid(9, 6_000, 10 * MINUTE))
  await ledger.append(await next(ALICE, null, bodyWith(EVM)))
  const worker = startWorker(ledger, verifier, POLICY)
  const later = rowOf(ledger, 'winners', ({ earliestProvenTime }) => earliestProvenTime === 6_000)
  await passRetry(ledger, worker, 1)
  expect(await later).toMatchObject({ winner: { provenTime: 6_000 } })
  await worker.stop()
})

test('after a restart what is overdue is looked at at once, what is not at its time, and what needs it no more never', async () => {
  const ledger = await openLedger({ policy: POLICY })
  const verifier = scriptedVerifier()
  verifier.script('btc:mainnet', valid(7, 9_000, 10 * MINUTE), valid(7, 9_000))
  verifier.script('eip155:1', valid(9, 5_000, 90 * MINUTE), valid(9, 5_000))
  const first = await next(ALICE, null, bodyWith(BTC, EVM))
  await ledger.append(first)
  const before = startWorker(ledger, verifier, POLICY)
  await putOff(verifier, before, 2)
  await before.stop()
  await ledger.clock.advance(30 * MINUTE)
  const after = startWorker(ledger, verifier, POLICY)
  await rowOf(ledger, 'timestamp-anchors', ({ chainId, recheckAt }) => chainId === 'btc:mainnet' && recheckAt === null)
  await until('the other is put off', () => after.retries.length === 1)
  expect(after.retries).toEqual([60 * MINUTE])
  const buried = rowOf(
    ledger,
    'timestamp-anchors',
    ({ chainId, recheckAt }) => chainId === 'eip155:1' && recheckAt === null
  )
  await ledger.clock.advance(60 * MINUTE)
  await buried
  await after.stop()
  verifier.requests.length = 0
  verifier.script('rfc3161:tsa', valid(1_000, 1_000))
  await ledger.append(await next(ALICE, first, bodyWith(TOKEN)))
  const last = startWorker(ledger, verifier, POLICY)
  await anchorRow(ledger, 'rfc3161:tsa', 'verified')
  await ledger.clock.advance(24 * 60 * MINUTE)
  await last.stop()
  expect(verifier.requests.map(({ timestampAnchor }) => timestampAnchor.chainId)).toEqual(['rfc3161:tsa'])
})

test('a chain that can not be asked again takes nothing away; after a while the operator hears of it', async () => {
  const ledger = await openLedger({ policy: POLICY })
  const verifier = scriptedVerifier()
  verifier.script(
    'btc:mainnet',
    valid(7, 9_000, 10 * MINUTE),
    ...Array.from({ length: 7 }, () => unreachable),
    () => Promise.reject(new Error('out of order')),
    valid(7, 9_000, 10 * MINUTE)
  )
  await ledger.append(await next(ALICE, null, bodyWith(BTC)))
  const worker = startWorker(ledger, verifier, POLICY)
  await passRetry(ledger, worker, 1)
  await putOff(verifier, worker, 2)
  const since = ledger.clock.now()
  expect(worker.status()).toMatchObject({ undecided: 0, rechecks: 1, unconfirmed: 1, unconfirmedSince: since })
  expect(worker.warnings()).toEqual([])
  for (let count = 2; count <= 8; count += 1) await passRetry(ledger, worker, count)
  await putOff(verifier, worker, 9)
  expect(worker.warnings()).toEqual([expect.stringContaining(new Date(since).toISOString())])
  expect(worker.warnings()[0]).toMatch(/^1 timestamp anchor/)
  expect((await allRows(ledger, 'winners'))[0]).toMatchObject({ status: 'verified' })
  await passRetry(ledger, worker, 9)
  await putOff(verifier, worker, 10)
  expect(worker.warnings()).toEqual([])
  expect(worker.status()).toMatchObject({ unconfirmed: 0, unconfirmedSince: null })
  await worker.stop()
  expect(await verdicts(ledger)).toHaveLength(1)
})

test('a policy with other rules has what was decided checked anew, once, in the log under its own name', async () => {
  const ledger = await openLedger({ policy: POLICY })
  const verifier = scriptedVerifier()
  verifier.script('btc:mainnet', valid(7, 9_000), notFinal(8), valid(7, 9_000))
  verifier.script('eip155:1', { outcome: 'invalid', code: 'EVM_NOT_FOUND', detail: 'not there' }, valid(9, 5_000))
  verifier.script('rfc3161:tsa', valid(1_000, 1_000))
  const first = await next(ALICE, null, bodyWith(BTC, EVM, TOKEN))
  await ledger.append(first)
  const before = startWorker(ledger, verifier, POLICY)
  await anchorRow(ledger, 'eip155:1', 'invalid')
  await anchorRow(ledger, 'rfc3161:tsa', 'verified')
  await anchorRow(ledger, 'btc:mainnet', 'verified')
  await before.stop()
  const stricter = withFinality({ 'btc:*': { depth: 12 }, 'eip155:1': { depth: 64 }, 'rfc3161:*': {} })
  await ledger.appendPolicy(stricter)
  await ledger.caughtUp()
  verifier.requests.length = 0
  const worker = startWorker(ledger, verifier, stricter)
  await anchorRow(ledger, 'btc:mainnet', 'pending')
  await anchorRow(ledger, 'eip155:1', 'verified')
  const final = anchorRow(ledger, 'btc:mainnet', 'verified')
  await passRetry(ledger, worker, 1)
  await final
  await worker.stop()
  const policyDigest = viewPolicy(stricter).policyDigest(NAMESPACE)
  expect((await verdicts(ledger)).slice(3).map((verdict) => verdict['policyDigest'])).toEqual(
    Array.from({ length: 3 }, () => policyDigest)
  )
  // The rule of the time-stamping authority is the same: its token is not asked about.
  const asked = verifier.requests.map(({ timestampAnchor, finality }) => `${timestampAnchor.chainId} ${finality.depth}`)
  expect(asked.toSorted()).toEqual(['btc:mainnet 12', 'btc:mainnet 12', 'eip155:1 64'])
})

test('the same finding under other rules is logged once, and a policy that changes members alone asks nobody', async () => {
  const ledger = await openLedger({ policy: POLICY })
  const verifier = scriptedVerifier()
  verifier.script('btc:mainnet', valid(7, 9_000))
  verifier.script('eip155:1', valid(9, 5_000))
  const first = await next(ALICE, null, bodyWith(BTC))
  await ledger.append(first)
  const before = startWorker(ledger, verifier, POLICY)
  await anchorRow(ledger, 'btc:mainnet', 'verified')
  await before.stop()
  const deeper = withFinality({ 'btc:*': { depth: 12 }, 'eip155:1': { tag: 'finalized' } })
  await ledger.appendPolicy(deeper)
  await ledger.caughtUp()
  const worker = startWorker(ledger, verifier, deeper)
  const policyDigest = viewPolicy(deeper).policyDigest(NAMESPACE)
  await rowOf(ledger, 'timestamp-anchors', (row) => row['policyDigest'] === policyDigest)
  await worker.stop()
  const settings = deeper.namespaces[NAMESPACE]
  if (settings === undefined) throw new Error('the namespace is configured')
  const fewer = {
    ...deeper,
    namespaces: { [NAMESPACE]: { ...settings, members: { ...settings.members, request: [] } } }
  }
  expect(viewPolicy(fewer).policyDigest(NAMESPACE)).not.toBe(policyDigest)
  await ledger.appendPolicy(fewer)
  await ledger.append(await next(ALICE, first, bodyWith(EVM)))
  await ledger.caughtUp()
  verifier.requests.length = 0
  const last = startWorker(ledger, verifier, fewer)
  await anchorRow(ledger, 'eip155:1', 'verified')
  await last.stop()
  expect(verifier.requests.map(({ timestampAnchor }) => timestampAnchor.chainId)).toEqual(['eip155:1'])
  expect(await outcomes(ledger)).toEqual([
    ['btc:mainnet', 'verified', null],
    ['btc:mainnet', 'verified', null],
    ['eip155:1', 'verified', null]
  ])
})

test('a verdict under a policy that the log does not know is checked anew', async () => {
  const ledger = await openLedger({ policy: POLICY })
  const verifier = scriptedVerifier()
  verifier.script('eip155:1', valid(9, 5_000))
  await ledger.append(await next(ALICE, null, bodyWith(EVM)))
  const identity = {
    namespace: NAMESPACE,
    batchId: 'batch-1',
    chainId: 'eip155:1',
    evidenceId: EVM.txHash,
    owner: ALICE.orgId,
    batchRoot: sha256Hex('batch-1'),
    evidenceHash: evidenceHashOf(EVM as TimestampAnchor)
  }
  const finding = { outcome: 'verified', code: null, provenTime: 5_000, position: 9, evidence: {} } as const
  await ledger.appendLocal(verdictEvent(1, { ...identity, ...finding, policyDigest: sha256Hex('of another release') }))
  await ledger.caughtUp()
  const worker = startWorker(ledger, verifier, POLICY)
  const policyDigest = viewPolicy(POLICY).policyDigest(NAMESPACE)
  await rowOf(ledger, 'timestamp-anchors', (row) => row['policyDigest'] === policyDigest)
  await worker.stop()
  expect(verifier.requests).toHaveLength(1)
})

test('a chain that policy lists no longer is left as it is', async () => {
  const ledger = await openLedger({ policy: POLICY })
  const verifier = scriptedVerifier()
  verifier.script('btc:mainnet', valid(7, 9_000, 10 * MINUTE))
  verifier.script('eip155:1', valid(9, 5_000))
  const first = await next(ALICE, null, bodyWith(BTC))
  await ledger.append(first)
  const before = startWorker(ledger, verifier, POLICY)
  await putOff(verifier, before, 1)
  await before.stop()
  const without = withFinality({ 'eip155:1': { tag: 'finalized' } })
  await ledger.appendPolicy(without)
  await ledger.append(await next(ALICE, first, bodyWith(EVM)))
  await ledger.caughtUp()
  await ledger.clock.advance(60 * MINUTE)
  const worker = startWorker(ledger, verifier, without)
  expect(await rowOf(ledger, 'winners', ({ status }) => status === 'verified')).toMatchObject({
    winner: { chainId: 'eip155:1' },
    loserCount: 0
  })
  await worker.stop()
  expect(verifier.requests).toHaveLength(2)
  expect(await anchorRow(ledger, 'btc:mainnet', 'verified')).toMatchObject({ provenTime: 9_000 })
})

test('a token whose authority has no roots in the new policy counts no longer', async () => {
  const ledger = await openLedger({ policy: POLICY })
  const verifier = scriptedVerifier()
  const missing: VerifierResult = { outcome: 'unreachable', code: 'ROOTS_MISSING', retryAfterMs: 0 }
  verifier.script('rfc3161:tsa', valid(1_000, 1_000), missing)
  const rooted = {
    ...POLICY,
    rails: { ...POLICY.rails, rfc3161: { tsa: { roots: ['MA'], certificates: [], policies: [] } } }
  }
  await ledger.appendPolicy(rooted)
  await ledger.append(await next(ALICE, null, bodyWith(TOKEN)))
  const before = startWorker(ledger, verifier, rooted)
  await anchorRow(ledger, 'rfc3161:tsa', 'verified')
  await before.stop()
  await ledger.appendPolicy(POLICY)
  await ledger.caughtUp()
  const worker = startWorker(ledger, verifier, POLICY)
  expect(await anchorRow(ledger, 'rfc3161:tsa', 'unreachable')).toMatchObject({ code: 'ROOTS_MISSING' })
  await rowOf(ledger, 'winners', ({ status }) => status === 'proposed')
  await worker.stop()
})

test('a token of an authority without roots stays unverified: nothing is logged that nobody could decide', async () => {
  const ledger = await openLedger({ policy: POLICY })
  const verifier = scriptedVerifier()
  verifier.script('rfc3161:tsa', { outcome: 'unreachable', code: 'ROOTS_MISSING', retryAfterMs: 0 })
  verifier.script('eip155:1', valid(9, 5_000))
  await ledger.append(await next(ALICE, null, bodyWith(TOKEN, EVM)))
  const worker = startWorker(ledger, verifier, POLICY)
  await anchorRow(ledger, 'eip155:1', 'verified')
  await until('the token was looked at', () => verifier.requests.length === 2)
  await worker.stop()
  expect(await verdicts(ledger)).toMatchObject([{ chainId: 'eip155:1' }])
  expect(worker.retries).toEqual([])
})

test('a verifier that never answers holds up no other, and no event', async () => {
  const ledger = await openLedger({ policy: POLICY })
  const hanging = scriptedVerifier()
  hanging.script('btc:mainnet', () => new Promise(() => {}))
  const prompt = scriptedVerifier()
  prompt.script('eip155:1', valid(9, 5_000))
  let before = null
  for (let part = 0; part < 4; part += 1) {
    const anchors = Array.from({ length: 16 }, (_, index) => ({ ...BTC, blockHeight: 100 * part + index }))
    before = await next(ALICE, before, bodyWith(...anchors))
    await ledger.append(before)
  }
  const worker = startWorker(ledger, [hanging, prompt], POLICY)
  await until('eight are asked about', () => hanging.requests.length === 8)
  await ledger.append(await next(ALICE, before, bodyWith(EVM)))
  await anchorRow(ledger, 'eip155:1', 'verified')
  expect(worker.status()).toMatchObject({ undecided: 64, running: 8, waiting: 0 })
  await worker.stop()
  expect(hanging.requests).toHaveLength(8)
})
