import { expect, test } from 'vitest'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import { BUSY_EVENTS, CHECKS_PER_SECOND_WHILE_BUSY } from '../../src/verification/pace.ts'
import { openLedger } from '../projections/support/ledger.ts'
import type { SignedEvent } from '../support/events.ts'
import { announceBody, next } from '../support/events.ts'
import { member, policyOf } from '../support/identities.ts'
import { settled } from '../support/settled.ts'
import { until } from '../support/until.ts'
import { EVM, scriptedVerifier, startWorker, valid } from './support.ts'

const ALICE = member('alice')
const BERTA = member('berta')
const POLICY = policyOf(ALICE, [ALICE, BERTA])
const ANCHORS = 256
/** So many have their turn while events come in: more than a second of virtual time, and not all. */
const PACED = 128

/** Announces with `count` anchors in all, 16 in each. */
async function announces(count: number): Promise<SignedEvent[]> {
  const all: SignedEvent[] = []
  for (let part = 0; part < count / 16; part += 1) {
    const timestampAnchors: JsonObject[] = Array.from({ length: 16 }, (_, index) => ({
      ...EVM,
      txHash: sha256Hex(`transaction ${part} ${index}`)
    }))
    all.push(await next(ALICE, all.at(-1) ?? null, { ...announceBody(`batch-${part}`), timestampAnchors }))
  }
  return all
}

/** Events without timestamp anchors, without end. */
async function* bursts(): AsyncGenerator<readonly SignedEvent[], never> {
  let before: SignedEvent | null = null
  for (;;) {
    const burst: SignedEvent[] = []
    while (burst.length < BUSY_EVENTS) {
      before = await next(BERTA, before, {}, { type: 'other' })
      burst.push(before)
    }
    yield burst
  }
}

test('while events come in without rest checks go on, so many a second, and at once when they rest', async () => {
  const ledger = await openLedger({ policy: POLICY })
  const verifier = scriptedVerifier()
  verifier.script('eip155:1', valid(9, 5_000))
  const ingest = bursts()
  const burst = async (): Promise<void> => ledger.append(...(await ingest.next()).value)
  const worker = startWorker(ledger, verifier, POLICY)
  await burst()
  const stepMs = 1_000 / CHECKS_PER_SECOND_WHILE_BUSY
  await ledger.append(...(await announces(ANCHORS)))
  for (let checks = 1; checks <= PACED; checks += 1) {
    await until(`check ${checks} begins`, () => verifier.requests.length === checks)
    await settled()
    expect(verifier.requests).toHaveLength(checks)
    // Well before a second without a burst would have passed.
    if ((checks * stepMs) % 800 < stepMs) await burst()
    await ledger.clock.advance(stepMs)
  }
  await until('what was asked is verified', () => worker.status().undecided === ANCHORS - verifier.requests.length)
  await ledger.clock.advance(1_000)
  await until('all are verified', () => worker.status().undecided === 0)
  expect(verifier.requests).toHaveLength(ANCHORS)
  await worker.stop()
})
