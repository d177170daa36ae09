import { expect, test } from 'vitest'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import type { VerifierResult } from '../../src/timestamps/verifier.ts'
import type { Ledger } from '../projections/support/ledger.ts'
import { allRows, openLedger } from '../projections/support/ledger.ts'
import type { SignedEvent } from '../support/events.ts'
import { announceBody, next } from '../support/events.ts'
import { NAMESPACE, member, policyOf } from '../support/identities.ts'
import { until } from '../support/until.ts'
import type { ScriptedVerifier } from './support.ts'
import {
  BTC,
  EVM,
  anchorRow,
  openWorker,
  scriptedVerifier,
  startWorker,
  unreachable,
  valid,
  verdicts
} from './support.ts'

const ALICE = member('alice')
const OTHER_NAMESPACE = 'dao:other'
const POLICY = policyOf(ALICE, [ALICE], { namespaces: [NAMESPACE, OTHER_NAMESPACE] })
const TOKEN = { chainId: 'rfc3161:tsa', token: Buffer.from('token').toString('base64url') }

const bodyWith = (...timestampAnchors: JsonObject[]): JsonObject => ({ ...announceBody('batch-1'), timestampAnchors })
const invalid = (code: 'BTC_NOT_BEST_CHAIN' | 'EVM_NOT_FOUND' | 'TSA_REVOKED'): VerifierResult => ({
  outcome: 'invalid',
  code,
  detail: `because of ${code}`
})
const EMPTY = { checked: 0, verified: 0, pending: 0, invalid: 0, unreachable: 0, notChecked: 0, changed: 0 }

/** A ledger with one verified anchor on each rail, and the verifier that verified them. */
async function verifiedLedger(): Promise<{ ledger: Ledger; verifier: ScriptedVerifier; event: SignedEvent }> {
  const ledger = await openLedger({ policy: POLICY })
  const verifier = scriptedVerifier()
  for (const { chainId } of [BTC, EVM, TOKEN]) verifier.script(chainId, valid(7, 9_000))
  const event = await next(ALICE, null, bodyWith(TOKEN, EVM, BTC))
  await ledger.append(event)
  const worker = startWorker(ledger, verifier, POLICY)
  for (const { chainId } of [BTC, EVM, TOKEN]) await anchorRow(ledger, chainId, 'verified')
  await worker.stop()
  verifier.requests.length = 0
  return { ledger, verifier, event }
}

test('what holds is asked about again and changes nothing', async () => {
  const { ledger, verifier } = await verifiedLedger()
  const worker = openWorker(ledger, verifier, POLICY)
  const told: [number, number][] = []
  const result = await worker.verifyOnline({}, (done, total) => told.push([done, total]))
  expect(result).toEqual({
    rails: (['btc', 'eip155', 'rfc3161'] as const).map((rail) => ({ ...EMPTY, rail, checked: 1, verified: 1 })),
    lost: [],
    lostCount: 0,
    unconfirmed: 0
  })
  expect(told).toEqual([
    [1, 3],
    [2, 3],
    [3, 3]
  ])
  expect(verifier.requests).toHaveLength(3)
  expect(await verdicts(ledger)).toHaveLength(3)
  await worker.stop()
})

test('what no longer holds is listed, the strongest first, with its reason, logged, and takes the winner away', async () => {
  const { ledger, verifier } = await verifiedLedger()
  verifier.script('rfc3161:tsa', invalid('TSA_REVOKED'))
  verifier.script('eip155:1', { outcome: 'notYetFinal', depth: 1, needed: 6, retryAfterMs: 0 })
  verifier.script('btc:mainnet', invalid('BTC_NOT_BEST_CHAIN'))
  const worker = openWorker(ledger, verifier, POLICY)
  const result = await worker.verifyOnline()
  await worker.stop()
  const identity = { namespace: NAMESPACE, owner: 'org-alice', batchId: 'batch-1' }
  expect(result).toEqual({
    rails: [
      { ...EMPTY, rail: 'btc', checked: 1, invalid: 1, changed: 1 },
      { ...EMPTY, rail: 'eip155', checked: 1, pending: 1, changed: 1 },
      { ...EMPTY, rail: 'rfc3161', checked: 1, invalid: 1, changed: 1 }
    ],
    lost: [
      {
        ...identity,
        chainId: 'btc:mainnet',
        evidenceId: BTC.txid,
        outcome: 'invalid',
        code: 'BTC_NOT_BEST_CHAIN',
        detail: 'because of BTC_NOT_BEST_CHAIN'
      },
      {
        ...identity,
        chainId: 'eip155:1',
        evidenceId: EVM.txHash,
        outcome: 'pending',
        code: null,
        detail: '1 of 6 blocks deep'
      },
      {
        ...identity,
        chainId: 'rfc3161:tsa',
        evidenceId: sha256Hex(Buffer.from('token')),
        outcome: 'invalid',
        code: 'TSA_REVOKED',
        detail: 'because of TSA_REVOKED'
      }
    ],
    lostCount: 3,
    unconfirmed: 0
  })
  expect(await verdicts(ledger)).toHaveLength(6)
  await ledger.caughtUp()
  expect((await allRows(ledger, 'winners'))[0]).toMatchObject({ status: 'proposed' })
})

test('what can not be asked about counts on, and is told apart from what no longer holds', async () => {
  const { ledger, verifier } = await verifiedLedger()
  verifier.script('btc:mainnet', unreachable)
  verifier.script('rfc3161:tsa', () => Promise.reject(new Error('out of order')))
  const worker = openWorker(ledger, verifier, POLICY)
  expect(await worker.verifyOnline()).toMatchObject({
    rails: [
      { rail: 'btc', checked: 1, unreachable: 1, changed: 0 },
      { rail: 'eip155', verified: 1 },
      { rail: 'rfc3161', unreachable: 1, changed: 0 }
    ],
    lostCount: 0,
    unconfirmed: 2
  })
  await worker.stop()
  expect(await verdicts(ledger)).toHaveLength(3)
})

test('without a verifier nothing is checked; what counts and is listed is unconfirmed', async () => {
  const { ledger } = await verifiedLedger()
  const verifier = scriptedVerifier()
  verifier.script('eip155:1', valid(7, 9_000))
  const settings = POLICY.namespaces[NAMESPACE]
  if (settings === undefined) throw new Error('the namespace is configured')
  const { ['rfc3161:*']: _dropped, ...finality } = settings.finality
  const policy = { ...POLICY, namespaces: { ...POLICY.namespaces, [NAMESPACE]: { ...settings, finality } } }
  await ledger.appendPolicy(policy)
  const worker = openWorker(ledger, verifier, policy)
  expect(await worker.verifyOnline()).toEqual({
    rails: [
      { ...EMPTY, rail: 'btc', notChecked: 1 },
      { ...EMPTY, rail: 'eip155', checked: 1, verified: 1 },
      { ...EMPTY, rail: 'rfc3161', notChecked: 1 }
    ],
    lost: [],
    lostCount: 0,
    unconfirmed: 1
  })
  await worker.stop()
})

test('what was undecided is decided, and what was invalid may hold now; neither counted before', async () => {
  const ledger = await openLedger({ policy: POLICY })
  const verifier = scriptedVerifier()
  verifier.script('eip155:1', invalid('EVM_NOT_FOUND'), valid(9, 5_000))
  verifier.script('btc:mainnet', unreachable)
  await ledger.append(await next(ALICE, null, bodyWith(BTC, EVM)))
  const worker = openWorker(ledger, verifier, POLICY)
  expect(await worker.verifyOnline()).toMatchObject({
    rails: [
      { rail: 'btc', unreachable: 1, changed: 1 },
      { rail: 'eip155', invalid: 1, changed: 1 }
    ],
    lostCount: 0,
    unconfirmed: 0
  })
  expect(await worker.verifyOnline()).toMatchObject({
    rails: [
      { rail: 'btc', unreachable: 1, changed: 0 },
      { rail: 'eip155', verified: 1, changed: 1 }
    ],
    lostCount: 0
  })
  await worker.stop()
})

test('one namespace, or what was announced since a time', async () => {
  const { ledger, verifier, event } = await verifiedLedger()
  const late = { ...TOKEN, token: Buffer.from('late').toString('base64url') }
  const lateEvent = await next(ALICE, event, bodyWith(late), { ts: event.envelope.ts + 1_000 })
  await ledger.append(lateEvent, await next(ALICE, null, bodyWith(BTC), { namespace: OTHER_NAMESPACE, ts: 5 }))
  const worker = openWorker(ledger, verifier, POLICY)
  const asked = async (query: Parameters<typeof worker.verifyOnline>[0]): Promise<unknown> => {
    verifier.requests.length = 0
    await worker.verifyOnline(query)
    return verifier.requests.map(({ timestampAnchor }) => timestampAnchor)
  }
  expect(await asked({ namespace: OTHER_NAMESPACE })).toEqual([BTC])
  expect(await asked({ since: lateEvent.envelope.ts })).toEqual([late])
  expect(await asked({ since: lateEvent.envelope.ts + 1 })).toEqual([])
  expect(await asked({ namespace: NAMESPACE, since: 0 })).toHaveLength(4)
  await expect(worker.verifyOnline({ namespace: 'dao:nobody' })).rejects.toMatchObject({ code: 'NOT_FOUND' })
  await worker.stop()
})

test('beside the worker each anchor is asked about once, and its verdict logged once', async () => {
  const ledger = await openLedger({ policy: POLICY })
  const verifier = scriptedVerifier()
  const answer = Promise.withResolvers<VerifierResult>()
  verifier.script('btc:mainnet', () => answer.promise)
  await ledger.append(await next(ALICE, null, bodyWith(BTC)))
  const worker = startWorker(ledger, verifier, POLICY)
  await until('the worker asks', () => verifier.requests.length === 1)
  const verified = worker.verifyOnline()
  answer.resolve(valid(7, 9_000))
  expect(await verified).toMatchObject({ rails: [{ rail: 'btc', verified: 1, changed: 1 }] })
  await worker.stop()
  expect(await verdicts(ledger)).toHaveLength(1)
})

test('a node that stops ends it', async () => {
  const { ledger, verifier } = await verifiedLedger()
  verifier.script('btc:mainnet', () => new Promise(() => {}))
  const worker = openWorker(ledger, verifier, POLICY)
  const verified = worker.verifyOnline()
  const failed = expect(verified).rejects.toMatchObject({ name: 'AbortError' })
  await until('it is asked', () => verifier.requests.length === 3)
  await worker.stop()
  await failed
  expect(await verdicts(ledger)).toHaveLength(3)
})
