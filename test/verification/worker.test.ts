import { expect, test } from 'vitest'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { viewPolicy } from '../../src/policy/policy-view.ts'
import type { VerifierResult } from '../../src/timestamps/verifier.ts'
import { allRows, openLedger } from '../projections/support/ledger.ts'
import { announceBody, next } from '../support/events.ts'
import { NAMESPACE, member, policyOf } from '../support/identities.ts'
import { recordingLogger } from '../support/recording-logger.ts'
import type { LogLine } from '../support/recording-logger.ts'
import { settled } from '../support/settled.ts'
import { until } from '../support/until.ts'
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

const bodyWith = (...timestampAnchors: JsonObject[]): JsonObject => ({ ...announceBody('batch-1'), timestampAnchors })

test('what was announced is verified and wins; a stronger anchor that comes later displaces it', async () => {
  const ledger = await openLedger({ policy: POLICY })
  const verifier = scriptedVerifier()
  verifier.script('eip155:1', valid(9, 5_000))
  verifier.script('btc:mainnet', valid(7, 9_000))
  const first = await next(ALICE, null, bodyWith(EVM))
  await ledger.append(first)
  const worker = startWorker(ledger, verifier, POLICY)
  await rowOf(ledger, 'winners', (row) => row['status'] === 'verified')
  await ledger.append(await next(ALICE, first, bodyWith(BTC)))
  const row = await rowOf(ledger, 'winners', ({ loserCount }) => loserCount === 1)
  expect(row).toMatchObject({
    winner: { chainId: 'btc:mainnet', provenTime: 9_000 },
    losers: [{ chainId: 'eip155:1', rule: 'rail' }],
    earliestProvenTime: 5_000
  })
  await worker.stop()
  expect(verifier.requests.map(({ timestampAnchor, finality }) => [timestampAnchor, finality])).toEqual([
    [EVM, { tag: 'finalized' }],
    [BTC, { depth: 6 }]
  ])
  const policyDigest = viewPolicy(POLICY).policyDigest(NAMESPACE)
  expect(await verdicts(ledger)).toMatchObject([
    {
      chainId: 'eip155:1',
      outcome: 'verified',
      code: null,
      provenTime: 5_000,
      position: 9,
      policyDigest,
      evidence: { seen: true, finality: { depth: 6 } }
    },
    { chainId: 'btc:mainnet', outcome: 'verified', position: 7, policyDigest }
  ])
})

test('invalid evidence is found once and never asked about again', async () => {
  const ledger = await openLedger({ policy: POLICY })
  const verifier = scriptedVerifier()
  verifier.script('btc:mainnet', { outcome: 'invalid', code: 'BTC_BRANCH', detail: 'the branch leads elsewhere' })
  const event = await next(ALICE, null, bodyWith(BTC))
  await ledger.append(event)
  const worker = startWorker(ledger, verifier, POLICY)
  expect(await anchorRow(ledger, 'btc:mainnet', 'invalid')).toMatchObject({ code: 'BTC_BRANCH' })
  await ledger.append(await next(ALICE, event, bodyWith(BTC)))
  await ledger.caughtUp()
  await ledger.clock.advance(24 * 60 * MINUTE)
  await worker.stop()
  expect(verifier.requests).toHaveLength(1)
  expect((await allRows(ledger, 'winners'))[0]).toMatchObject({ status: 'proposed', winner: null })
})

test('what is unreachable is asked again, each time later, and logged only when something changes', async () => {
  const ledger = await openLedger({ policy: POLICY })
  const verifier = scriptedVerifier()
  verifier.script('btc:mainnet', ...Array.from({ length: 11 }, () => unreachable), valid(7, 9_000))
  await ledger.append(await next(ALICE, null, bodyWith(BTC)))
  const worker = startWorker(ledger, verifier, POLICY)
  const verified = anchorRow(ledger, 'btc:mainnet', 'verified')
  for (let failures = 1; failures <= 11; failures += 1) await passRetry(ledger, worker, failures)
  await verified
  await worker.stop()
  expect(verifier.requests).toHaveLength(12)
  expect(worker.retries).toHaveLength(11)
  for (const [index, delayMs] of worker.retries.entries()) {
    const shortest = Math.min(15 * MINUTE, 5_000 * 2 ** index)
    expect(delayMs).toBeGreaterThanOrEqual(shortest)
    expect(delayMs).toBeLessThanOrEqual(1.25 * shortest)
  }
  expect((await verdicts(ledger)).map(({ outcome, code }) => [outcome, code])).toEqual([
    ['unreachable', 'PROVIDER_TIMEOUT'],
    ['verified', null]
  ])
})

test('what is not yet final is pending until it is', async () => {
  const ledger = await openLedger({ policy: POLICY })
  const verifier = scriptedVerifier()
  verifier.script(
    'btc:mainnet',
    { outcome: 'notYetFinal', depth: 2, needed: 6, retryAfterMs: 10 * MINUTE },
    valid(7, 9_000)
  )
  await ledger.append(await next(ALICE, null, bodyWith(BTC)))
  const worker = startWorker(ledger, verifier, POLICY)
  await anchorRow(ledger, 'btc:mainnet', 'pending')
  const verified = anchorRow(ledger, 'btc:mainnet', 'verified')
  await passRetry(ledger, worker, 1)
  await verified
  expect(worker.retries[0]).toBeGreaterThanOrEqual(10 * MINUTE)
  expect(verifier.requests).toHaveLength(2)
  await worker.stop()
  expect(await verdicts(ledger)).toMatchObject([
    { outcome: 'pending', evidence: { depth: 2, needed: 6 } },
    { outcome: 'verified' }
  ])
})

test.each<[what: string, answer: () => Promise<VerifierResult>]>([
  ['throws', () => Promise.reject(new Error('out of order'))],
  ['answers without a time', () => Promise.resolve(valid(7, Number.NaN))],
  [
    'answers without a code',
    () => Promise.resolve({ outcome: 'invalid', detail: 'none' } as unknown as VerifierResult)
  ],
  ['answers without a delay', () => Promise.resolve({ ...unreachable, retryAfterMs: Number.NaN } as VerifierResult)],
  ['asks for another look at no time', () => Promise.resolve(valid(7, 9_000, Number.NaN))],
  [
    'says of a rewritten chain what is no time',
    () =>
      Promise.resolve({
        outcome: 'invalid',
        code: 'BTC_NOT_BEST_CHAIN',
        detail: 'gone',
        recheckAfterMs: 'soon'
      } as unknown as VerifierResult)
  ],
  ['answers nothing at all', () => Promise.resolve(undefined as unknown as VerifierResult)],
  ['answers nonsense', () => Promise.resolve({ outcome: 'maybe' } as unknown as VerifierResult)],
  [
    'brings too much evidence',
    () => Promise.resolve({ ...valid(7, 1), evidence: { all: 'x'.repeat(20_000) } } as VerifierResult)
  ]
])(
  'a verifier that %s counts as unreachable, is named in the log, and holds nothing else up',
  async (_what, answer) => {
    const lines: LogLine[] = []
    const ledger = await openLedger({ policy: POLICY })
    const verifier = scriptedVerifier()
    verifier.script('btc:mainnet', answer, valid(7, 9_000))
    verifier.script('eip155:1', valid(9, 5_000))
    await ledger.append(await next(ALICE, null, bodyWith(BTC, EVM)))
    const worker = startWorker(ledger, verifier, POLICY, recordingLogger(lines))
    expect(await anchorRow(ledger, 'btc:mainnet', 'unreachable')).toMatchObject({ code: 'VERIFIER_FAILED' })
    await anchorRow(ledger, 'eip155:1', 'verified')
    expect(lines).toMatchObject([{ level: 'error', fields: { verifier: 'scripted', chainId: 'btc:mainnet' } }])
    const verified = anchorRow(ledger, 'btc:mainnet', 'verified')
    await passRetry(ledger, worker, 1)
    await verified
    await worker.stop()
  }
)

test('a verifier that does not answer is given up after a minute', async () => {
  const ledger = await openLedger({ policy: POLICY })
  const verifier = scriptedVerifier()
  verifier.script('btc:mainnet', () => new Promise(() => {}))
  await ledger.append(await next(ALICE, null, bodyWith(BTC)))
  const worker = startWorker(ledger, verifier, POLICY)
  await until('it is asked', () => verifier.requests.length === 1)
  const given = anchorRow(ledger, 'btc:mainnet', 'unreachable')
  await ledger.clock.advance(MINUTE)
  expect(await given).toMatchObject({ code: 'PROVIDER_TIMEOUT' })
  await worker.stop()
})

test('chains without a verifier, and those that policy does not list, stay unverified', async () => {
  const ledger = await openLedger({ policy: POLICY })
  const verifier = scriptedVerifier()
  verifier.script('eip155:5', valid(9, 5_000))
  verifier.script('btc:mainnet', valid(7, 9_000))
  await ledger.append(await next(ALICE, null, bodyWith({ ...EVM, chainId: 'eip155:5' }, EVM, BTC)))
  const worker = startWorker(ledger, verifier, POLICY)
  await anchorRow(ledger, 'btc:mainnet', 'verified')
  await worker.stop()
  expect((await allRows(ledger, 'timestamp-anchors')).map(({ chainId, status }) => [chainId, status])).toEqual([
    ['btc:mainnet', 'verified'],
    ['eip155:1', 'unverified'],
    ['eip155:5', 'unverified']
  ])
})

test('a worker that stops in the middle logs nothing more, and the next one goes on with what is undecided', async () => {
  const ledger = await openLedger({ policy: POLICY })
  const first = scriptedVerifier()
  const aborted: boolean[] = []
  first.script('eip155:1', valid(9, 5_000))
  first.script('rfc3161:tsa', unreachable)
  first.script('btc:mainnet', async (signal) => {
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
    aborted.push(signal.aborted)
    return valid(1, 1)
  })
  const token = { chainId: 'rfc3161:tsa', token: Buffer.from('token').toString('base64url') }
  await ledger.append(await next(ALICE, null, bodyWith(EVM, BTC, token)))
  const stopping = startWorker(ledger, first, POLICY)
  await anchorRow(ledger, 'eip155:1', 'verified')
  await anchorRow(ledger, 'rfc3161:tsa', 'unreachable')
  await until('the next try is set', () => stopping.retries.length === 1)
  const timers = ledger.clock.timersSet
  await stopping.stop()
  await settled()
  expect(aborted).toEqual([true])
  expect(ledger.clock.timersSet).toBe(timers - 2)
  expect(await verdicts(ledger)).toHaveLength(2)
  const second = scriptedVerifier()
  for (const chainId of ['eip155:1', 'btc:mainnet', 'rfc3161:tsa']) second.script(chainId, valid(7, 9_000))
  const resumed = startWorker(ledger, second, POLICY)
  await rowOf(ledger, 'winners', ({ loserCount }) => loserCount === 2)
  await resumed.stop()
  expect(second.requests.map(({ timestampAnchor }) => timestampAnchor.chainId).toSorted()).toEqual([
    'btc:mainnet',
    'rfc3161:tsa'
  ])
})

test('a rebuild of the projections loses nothing that is to be verified', async () => {
  const ledger = await openLedger({ policy: POLICY })
  const verifier = scriptedVerifier()
  verifier.script('eip155:1', valid(9, 5_000))
  verifier.script('btc:mainnet', unreachable, valid(7, 9_000))
  const event = await next(ALICE, null, bodyWith(BTC))
  await ledger.append(event)
  const worker = startWorker(ledger, verifier, POLICY)
  await anchorRow(ledger, 'btc:mainnet', 'unreachable')
  const rebuilt = await ledger.engine.rebuild()
  expect(rebuilt.filter(({ identical }) => !identical)).toEqual([])
  await ledger.append(await next(ALICE, event, bodyWith(EVM)))
  await anchorRow(ledger, 'eip155:1', 'verified')
  await passRetry(ledger, worker, 1)
  await rowOf(ledger, 'winners', ({ loserCount }) => loserCount === 1)
  await worker.stop()
})

test('many anchors are checked a few at a time, each once, and the log takes events meanwhile', async () => {
  const ledger = await openLedger({ policy: POLICY })
  const verifier = scriptedVerifier()
  let running = 0
  let most = 0
  verifier.script('rfc3161:tsa', async () => {
    running += 1
    most = Math.max(most, running)
    await settled()
    running -= 1
    return valid(7, 9_000)
  })
  let before = null
  const worker = startWorker(ledger, verifier, POLICY)
  for (let part = 0; part < 20; part += 1) {
    const anchors = Array.from({ length: 16 }, (_, index) => ({
      chainId: 'rfc3161:tsa',
      token: Buffer.from(`token ${part} ${index}`).toString('base64url')
    }))
    before = await next(ALICE, before, bodyWith(...anchors))
    await ledger.append(before)
  }
  const row = await rowOf(ledger, 'winners', ({ loserCount }) => loserCount === 319)
  await worker.stop()
  expect(row['losers']).toHaveLength(64)
  expect(verifier.requests).toHaveLength(320)
  expect(most).toBe(8)
  expect(await verdicts(ledger)).toHaveLength(320)
})
