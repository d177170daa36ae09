import { expect, test } from 'vitest'
import type { ProviderHealth, TimestampVerifier, VerifierResult } from '../../src/timestamps/verifier.ts'
import { openLedger } from '../projections/support/ledger.ts'
import { announceBody, next } from '../support/events.ts'
import { member, policyOf } from '../support/identities.ts'
import {
  BTC,
  EVM,
  anchorRow,
  openWorker,
  passRetry,
  scriptedVerifier,
  startWorker,
  unreachable,
  valid
} from './support.ts'
import { until } from '../support/until.ts'

const ALICE = member('alice')
const POLICY = policyOf(ALICE, [ALICE])
const MINUTE = 60_000

test('a provider that has failed for ten minutes is named with its reason, and as soon as it answers no longer', async () => {
  const ledger = await openLedger({ policy: POLICY })
  const since = ledger.clock.now()
  const failing = {
    code: 'PROVIDER_LIMITED',
    detail: 'one.example asks for fewer requests',
    at: since + 1,
    since
  } as const
  let health: ProviderHealth[] = [
    { name: 'one.example', asked: 5, failed: 2, failure: failing },
    { name: 'two.example', asked: 3, failed: 0, failure: null }
  ]
  const verifier: TimestampVerifier = { ...scriptedVerifier(), name: 'bitcoin', health: () => health }
  const worker = openWorker(ledger, [verifier, scriptedVerifier()], POLICY)
  expect(worker.status().providers).toEqual(health.map((provider) => ({ verifier: 'bitcoin', ...provider })))
  await ledger.clock.advance(10 * MINUTE - 1)
  expect(worker.warnings()).toEqual([])
  await ledger.clock.advance(1)
  const [warning = '', ...others] = worker.warnings()
  expect(others).toEqual([])
  expect(warning).toContain('one.example asks for fewer requests')
  expect(warning).toContain('PROVIDER_LIMITED')
  expect(warning).toContain(new Date(since).toISOString())
  health = health.map((provider) => ({ ...provider, failure: null }))
  expect(worker.warnings()).toEqual([])
  await worker.stop()
})

test('what is in hand is counted: running, put off, and what is looked at again later', async () => {
  const ledger = await openLedger({ policy: POLICY })
  const verifier = scriptedVerifier()
  verifier.script('btc:mainnet', unreachable)
  verifier.script('eip155:1', valid(9, 5_000, 60 * MINUTE))
  verifier.script('rfc3161:test', () => new Promise(() => {}))
  const body = announceBody('batch-1')
  const first = await next(ALICE, null, body)
  await ledger.append(first, await next(ALICE, first, { ...body, timestampAnchors: [BTC, EVM] }))
  const worker = startWorker(ledger, verifier, POLICY)
  await anchorRow(ledger, 'btc:mainnet', 'unreachable')
  await anchorRow(ledger, 'eip155:1', 'verified')
  await until('both are put off', () => worker.retries.length === 2)
  expect(worker.status()).toEqual({
    undecided: 2,
    waiting: 1,
    running: 1,
    rechecks: 1,
    unconfirmed: 0,
    unconfirmedSince: null,
    isBehind: false,
    providers: []
  })
  await worker.stop()
})

test('what counted and no longer holds is named, apart from what others announced, until it holds again', async () => {
  const BERTA = member('berta')
  const policy = policyOf(ALICE, [ALICE, BERTA])
  const ledger = await openLedger({ policy })
  const verifier = scriptedVerifier()
  const gone: VerifierResult = {
    outcome: 'invalid',
    code: 'BTC_NOT_BEST_CHAIN',
    detail: 'another block stands there',
    recheckAfterMs: 60 * MINUTE
  }
  verifier.script('btc:mainnet', valid(7, 5_000, 60 * MINUTE), gone, valid(7, 5_000))
  verifier.script('eip155:1', valid(9, 5_000, 60 * MINUTE), { ...gone, code: 'EVM_NOT_FOUND' })
  await ledger.append(
    await next(ALICE, null, { ...announceBody('batch-1'), timestampAnchors: [BTC] }),
    await next(BERTA, null, { ...announceBody('batch-2'), timestampAnchors: [EVM] })
  )
  const worker = startWorker(ledger, verifier, policy)
  await anchorRow(ledger, 'btc:mainnet', 'verified')
  await anchorRow(ledger, 'eip155:1', 'verified')
  expect(worker.warnings()).toEqual([])
  await passRetry(ledger, worker, 2)
  await anchorRow(ledger, 'btc:mainnet', 'invalid')
  await anchorRow(ledger, 'eip155:1', 'invalid')
  await until('both are told', () => worker.warnings().length === 2)
  const [own = '', others = ''] = worker.warnings()
  expect(own).toMatch(
    /that this node announced .* batch-1 .* btc:mainnet \(BTC_NOT_BEST_CHAIN\); .* anchormesh anchor /
  )
  expect(others).toMatch(/of others .* batch-2 .* eip155:1 \(EVM_NOT_FOUND\); .* verify-online/)
  await passRetry(ledger, worker, 4)
  await anchorRow(ledger, 'btc:mainnet', 'verified')
  await until('one is left', () => worker.warnings().length === 1)
  expect(worker.warnings()[0]).toContain('batch-2')
  await worker.stop()
})
