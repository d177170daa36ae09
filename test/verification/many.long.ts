import { expect, test } from 'vitest'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import type { TimestampVerifier } from '../../src/timestamps/verifier.ts'
import { QUEUED_MAX, WAITING_MAX } from '../../src/verification/lane.ts'
import { openLedger } from '../projections/support/ledger.ts'
import type { SignedEvent } from '../support/events.ts'
import { announceBody, next } from '../support/events.ts'
import { member, policyOf } from '../support/identities.ts'
import { until } from '../support/until.ts'
import { EVM, startWorker, valid } from './support.ts'

const ALICE = member('alice')
const POLICY = policyOf(ALICE, [ALICE])
const ANCHORS = 25_600
const MINUTE = 60_000

test('of more anchors than may be in hand, the others stay in the projection, and each is verified in the end', async () => {
  const ledger = await openLedger({ policy: POLICY })
  let isDown = true
  const asked = new Set<string>()
  const verifier: TimestampVerifier = {
    name: 'down at first',
    handles: (chainId) => chainId.startsWith('eip155:'),
    verify({ timestampAnchor }) {
      asked.add('txHash' in timestampAnchor ? timestampAnchor.txHash : '')
      return Promise.resolve(
        isDown ? { outcome: 'unreachable', code: 'PROVIDER_TIMEOUT', retryAfterMs: 60 * MINUTE } : valid(9, 5_000)
      )
    }
  }
  let before: SignedEvent | null = null
  for (let part = 0; part < ANCHORS / 16; part += 1) {
    const timestampAnchors = Array.from({ length: 16 }, (_, index) => ({
      ...EVM,
      txHash: sha256Hex(`transaction ${part} ${index}`)
    }))
    before = await next(ALICE, before, { ...announceBody(`batch-${part}`), timestampAnchors })
    await ledger.append(before)
  }
  await ledger.caughtUp()
  const worker = startWorker(ledger, verifier, POLICY)
  let most = 0
  const inHand = (): number => {
    const { undecided, rechecks } = worker.status()
    most = Math.max(most, undecided + rechecks)
    return undecided
  }
  await until('every one was asked about', () => (inHand(), asked.size === ANCHORS), 240_000)
  await until('what may wait waits', () => (inHand(), worker.status().waiting === WAITING_MAX))
  expect(worker.status().isBehind).toBe(true)
  isDown = false
  for (let quarter = 0; quarter < 24 && (inHand() > 0 || worker.status().isBehind); quarter += 1) {
    await ledger.clock.advance(15 * MINUTE)
    await until('what is in hand is asked about', () => inHand() === worker.status().waiting, 240_000)
  }
  expect(worker.status()).toMatchObject({ undecided: 0, isBehind: false })
  expect(most).toBeLessThanOrEqual(QUEUED_MAX + WAITING_MAX)
  const { rows } = await ledger.query('timestamp-anchors', { status: 'unreachable', limit: 1 })
  expect(rows).toEqual([])
  await worker.stop()
}, 600_000)
