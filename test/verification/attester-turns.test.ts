import { afterEach, expect, test } from 'vitest'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { verdictEvent } from '../../src/timestamps/verdict.ts'
import { Attester } from '../../src/verification/attester.ts'
import { evidenceIn } from '../projections/support/evidence.ts'
import { sharedEntry } from '../projections/support/ledger.ts'
import { verdictOn, verified } from '../projections/support/winner-model.ts'
import { attestationBody, packKeySigner, signedBy } from '../projections/support/world.ts'
import type { SignedEvent } from '../support/events.ts'
import { announceBody, next } from '../support/events.ts'
import { member, policyOf } from '../support/identities.ts'
import type { Ingest } from '../support/ingest.ts'
import { openIngest } from '../support/ingest.ts'
import { recordingLogger } from '../support/recording-logger.ts'
import { settled } from '../support/settled.ts'
import { untilAnswer } from '../support/until-answer.ts'
import { BTC, EVM } from './support.ts'

const ALICE = member('alice')
const BERTA = member('berta')
const MEMBERS = [ALICE, BERTA]
const POLICY = policyOf(ALICE, MEMBERS, { quorum: { k: 1, of: [ALICE] } })

const opened: { readonly attester: Attester; readonly ingest: Ingest }[] = []
afterEach(async () => {
  for (const { attester, ingest } of opened.splice(0)) {
    await attester.stop()
    await ingest.close()
  }
})

function attesting(ingest: Ingest, perMinute: number): void {
  const { author, log, engine, store, clock } = ingest
  const publish = (): Promise<void> => Promise.resolve()
  const logger = recordingLogger(ingest.lines)
  const ports = { author, publish, log, engine, store, policy: () => ingest.policy, clock, logger, perMinute }
  const attester = new Attester(ports)
  opened.push({ attester, ingest })
  attester.start()
}

/** All that the event announces is verified. */
async function judge({ log, clock }: Ingest, event: SignedEvent): Promise<void> {
  const identities = evidenceIn(event, (did) => MEMBERS.find(({ signer }) => signer.did === did)?.orgId)
  await log.append([sharedEntry(event)])
  for (const identity of identities)
    await log.append([
      { scope: 'local', event: verdictEvent(clock.now(), verdictOn(identity, verified(7, 9_000), POLICY)) }
    ])
}

const token = (index: number): JsonObject => ({
  chainId: 'rfc3161:tsa',
  token: Buffer.from(`token ${index}`).toString('base64url')
})
const owners = async (ingest: Ingest): Promise<unknown[]> => {
  for (let turn = 0; turn < 20; turn += 1) await settled()
  return (await ingest.rows('attestations')).map(({ owner }) => owner)
}

test('who announces more than can be attested holds up nobody else', async () => {
  const ingest = await openIngest(ALICE, MEMBERS, { policy: POLICY })
  let before: SignedEvent | null = null
  for (let batch = 0; batch < 4; batch += 1) {
    const timestampAnchors = Array.from({ length: 16 }, (_, index) => token(16 * batch + index))
    before = await next(BERTA, before, { ...announceBody(`b-${batch}`), owner: ALICE.orgId, timestampAnchors })
    await judge(ingest, before)
  }
  await judge(ingest, await next(BERTA, before, { ...announceBody('mine'), timestampAnchors: [BTC] }))
  attesting(ingest, 20)
  await untilAnswer('as much is said as may be', async () => (await owners(ingest)).length === 20)
  expect(await owners(ingest)).toContain(BERTA.orgId)
  for (let minute = 0; minute < 4; minute += 1) await ingest.clock.advance(60_000)
  await untilAnswer('all is said', async () => (await owners(ingest)).length === 65)
})

test('what can not be said yet holds up nothing else', async () => {
  const ingest = await openIngest(ALICE, MEMBERS, { policy: POLICY })
  const event = await next(BERTA, null, { ...announceBody('mine'), timestampAnchors: [BTC, EVM] })
  const [btc] = evidenceIn(event, () => BERTA.orgId)
  if (btc === undefined) throw new Error('nothing is announced')
  const older = packKeySigner(ALICE, 0, 0)
  const template = await next(ALICE, null, attestationBody(btc, null), { type: 'attestation' })
  const ahead = { ...template.envelope, kid: older.kid, ts: ingest.clock.now() + 3_600_000 }
  await ingest.log.append([sharedEntry(await signedBy([older], ahead))])
  await judge(ingest, event)
  attesting(ingest, 20)
  const said = async (): Promise<unknown[]> =>
    (await ingest.rows('attestations')).map(({ chainId, outcome }) => [chainId, outcome])
  await owners(ingest)
  expect(await said()).toEqual([
    ['btc:mainnet', 'refuted'],
    ['eip155:1', 'verified']
  ])
  await ingest.clock.advance(3_630_000)
  await owners(ingest)
  expect(await said()).toEqual([
    ['btc:mainnet', 'verified'],
    ['eip155:1', 'verified']
  ])
})
