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
import { settled } from '../support/settled.ts'
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
const DAY = 24 * 60 * MINUTE

const bodyWith = (...timestampAnchors: JsonObject[]): JsonObject => ({ ...announceBody('batch-1'), timestampAnchors })
const notFinal: VerifierResult = { outcome: 'notYetFinal', depth: 0, needed: 6, retryAfterMs: 0 }
const limited: VerifierResult = { outcome: 'unreachable', code: 'PROVIDER_LIMITED', retryAfterMs: 0 }
const repeated = (count: number, ...results: readonly VerifierResult[]): VerifierResult[] =>
  Array.from({ length: count }, () => results).flat()

const withDepth = (depth: number): EffectivePolicy => {
  const settings = POLICY.namespaces[NAMESPACE]
  if (settings === undefined) throw new Error('the namespace is configured')
  const finality: Readonly<Record<string, FinalityRule>> = { 'btc:*': { depth } }
  return { ...POLICY, namespaces: { [NAMESPACE]: { ...settings, finality } } }
}

const putOff = async (verifier: ScriptedVerifier, worker: StartedWorker, count: number): Promise<void> =>
  void (await until(
    `put off ${count} times`,
    () => verifier.requests.length === count && worker.retries.length === count
  ))

/** Lets time pass, one delay of the worker after another, and says how often it had the chain asked. */
async function passTime({ clock }: Ledger, verifier: ScriptedVerifier, worker: StartedWorker, forMs: number) {
  const end = clock.monotonicMs() + forMs
  for (;;) {
    await putOff(verifier, worker, verifier.requests.length)
    const delayMs = worker.retries.at(-1) ?? 0
    if (clock.monotonicMs() + delayMs > end) return
    const asked = verifier.requests.length
    await clock.advance(delayMs)
    await until('it was asked', () => verifier.requests.length > asked)
    for (let turn = 0; turn < 10; turn += 1) await settled()
  }
}

test('a provider that fails in another way each time fills no log', async () => {
  const ledger = await openLedger({ policy: POLICY })
  const verifier = scriptedVerifier()
  verifier.script('btc:mainnet', ...repeated(5_000, unreachable, notFinal, limited))
  await ledger.append(await next(ALICE, null, bodyWith(BTC)))
  const worker = startWorker(ledger, verifier, POLICY)
  await anchorRow(ledger, 'btc:mainnet', 'unreachable')
  await passTime(ledger, verifier, worker, 4 * 60 * MINUTE)
  expect(verifier.requests.length).toBeGreaterThan(100)
  expect((await verdicts(ledger)).length).toBe(9)
  verifier.script('btc:mainnet', valid(7, 9_000))
  const verified = anchorRow(ledger, 'btc:mainnet', 'verified')
  await passRetry(ledger, worker, worker.retries.length)
  await verified
  await worker.stop()
})

test('a chain that flaps is taken back at once each time, and believed again later each time', async () => {
  const ledger = await openLedger({ policy: POLICY })
  const verifier = scriptedVerifier()
  verifier.script('btc:mainnet', ...repeated(20_000, valid(7, 9_000, 5_000), notFinal))
  await ledger.append(await next(ALICE, null, bodyWith(BTC)))
  const worker = startWorker(ledger, verifier, POLICY)
  await anchorRow(ledger, 'btc:mainnet', 'verified')
  await passTime(ledger, verifier, worker, 3 * DAY)
  const found = await verdicts(ledger)
  await worker.stop()
  expect(found.length).toBeLessThan(60)
  expect(found.length).toBeGreaterThan(30)
  // The last of each row of two: verified, and what took it back after the shortest delay.
  const delays = worker.retries.slice(0, found.length - 1)
  expect(delays.filter((_, index) => index % 2 === 0).every((delayMs) => delayMs === 5_000)).toBe(true)
})

test('what somebody who verified all found out is gone on with soon, whatever it waited for', async () => {
  const ledger = await openLedger({ policy: POLICY })
  const verifier = scriptedVerifier()
  verifier.script('btc:mainnet', valid(7, 9_000, 7 * DAY), notFinal, valid(7, 9_000))
  await ledger.append(await next(ALICE, null, bodyWith(BTC)))
  const worker = startWorker(ledger, verifier, POLICY)
  await putOff(verifier, worker, 1)
  expect(await worker.verifyOnline()).toMatchObject({ lostCount: 1 })
  const back = anchorRow(ledger, 'btc:mainnet', 'verified')
  // The worker either looks by itself, or hears of it while that very check runs and goes on from what it found.
  await until('it is in hand', () => verifier.requests.length === 3 || worker.retries.length === 2)
  await ledger.clock.advance(60 * MINUTE)
  await back
  expect(verifier.requests).toHaveLength(3)
  await worker.stop()
})

test('a time to look again that no verdict could have meant is now', async () => {
  const ledger = await openLedger({ policy: POLICY })
  const verifier = scriptedVerifier()
  verifier.script('eip155:1', notFinal)
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
  const policyDigest = viewPolicy(POLICY).policyDigest(NAMESPACE)
  const recheckAt = ledger.clock.now() + 4 * 365 * DAY
  await ledger.appendLocal(verdictEvent(recheckAt, { ...identity, ...finding, policyDigest, recheckAt }))
  await ledger.caughtUp()
  const worker = startWorker(ledger, verifier, POLICY)
  await anchorRow(ledger, 'eip155:1', 'pending')
  await worker.stop()
})

test('what was final by a weaker rule, and can not be asked about, counts no longer; by a stronger one it counts', async () => {
  for (const [depth, status] of [
    [12, 'proposed'],
    [3, 'verified']
  ] as const) {
    const ledger = await openLedger({ policy: withDepth(6) })
    const verifier = scriptedVerifier()
    verifier.script('btc:mainnet', valid(7, 9_000, 10 * MINUTE), unreachable)
    await ledger.append(await next(ALICE, null, bodyWith(BTC)))
    const before = startWorker(ledger, verifier, withDepth(6))
    await putOff(verifier, before, 1)
    await before.stop()
    await ledger.appendPolicy(withDepth(depth))
    await ledger.caughtUp()
    const worker = startWorker(ledger, verifier, withDepth(depth))
    await until('it was asked', () => worker.retries.length === 1)
    expect(await rowOf(ledger, 'winners', () => true)).toMatchObject({ status })
    await worker.stop()
    expect(await verdicts(ledger)).toHaveLength(status === 'verified' ? 1 : 2)
  }
})

test('nodes whose providers fail in different ways have the same digests', async () => {
  const digests = []
  const event = await next(ALICE, null, bodyWith(BTC, EVM))
  for (const result of [unreachable, limited, notFinal]) {
    const ledger = await openLedger({ policy: POLICY })
    const verifier = scriptedVerifier()
    verifier.script('btc:mainnet', result)
    verifier.script('eip155:1', valid(9, 5_000))
    await ledger.append(event)
    const worker = startWorker(ledger, verifier, POLICY)
    await anchorRow(ledger, 'eip155:1', 'verified')
    await until('both were asked', () => worker.retries.length === 1)
    await worker.stop()
    expect(await allRows(ledger, 'winners')).toHaveLength(1)
    const { winners } = await ledger.digest(NAMESPACE)
    digests.push(winners)
  }
  expect(digests[1]).toEqual(digests[0])
  expect(digests[2]).toEqual(digests[0])
})
