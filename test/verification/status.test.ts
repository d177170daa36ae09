import { expect, test } from 'vitest'
import type { ProviderHealth, TimestampVerifier } from '../../src/timestamps/verifier.ts'
import { openLedger } from '../projections/support/ledger.ts'
import { announceBody, next } from '../support/events.ts'
import { member, policyOf } from '../support/identities.ts'
import { BTC, EVM, anchorRow, openWorker, scriptedVerifier, startWorker, unreachable, valid } from './support.ts'
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
