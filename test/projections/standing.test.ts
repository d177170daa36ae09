import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { TimestampAnchor } from '../../protocols/event/v1/announce.ts'
import { evidenceHashOf, evidenceIdOf } from '../../protocols/event/v1/announce.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import type { Standing } from '../../src/projections/standing.ts'
import { viewStandings } from '../../src/projections/standing.ts'
import type { Finding } from '../../src/timestamps/verdict.ts'
import { verdictEvent } from '../../src/timestamps/verdict.ts'
import { next } from '../support/events.ts'
import type { SignedEvent } from '../support/events.ts'
import { NAMESPACE, member, policyOf } from '../support/identities.ts'
import { openLedger } from './support/ledger.ts'
import type { Ledger } from './support/ledger.ts'

const ALICE = member('alice', 'org-a')
const BERTA = member('berta', 'org-b')
const POLICY = policyOf(ALICE, [ALICE, BERTA])

const TOKEN: TimestampAnchor = { chainId: 'rfc3161:tsa', token: 'dG9rZW4' }
const LISTED: TimestampAnchor = { chainId: 'eip155:1', txHash: 'e'.repeat(64), blockNumber: 9, carriedIn: 'calldata' }
const UNLISTED: TimestampAnchor = { ...LISTED, chainId: 'eip155:5' }

const ROOT = sha256Hex('root')
const OTHER_ROOT = sha256Hex('other root')

const opened: Ledger[] = []

afterEach(async () => {
  for (const ledger of opened.splice(0)) await ledger.close()
})

async function open(): Promise<Ledger> {
  const ledger = await openLedger({ policy: POLICY })
  opened.push(ledger)
  return ledger
}

const bodyOf = (timestampAnchors: readonly TimestampAnchor[], batchRoot = ROOT): JsonObject => ({
  owner: 'org-a',
  batchId: 'b-1',
  batchRoot,
  receiptCount: 2,
  timestampAnchors: timestampAnchors as unknown as readonly JsonObject[]
})

const VERIFIED: Finding = { outcome: 'verified', code: null, provenTime: 5_000, position: 7, evidence: {} }
const finding = (outcome: 'pending' | 'invalid' | 'unreachable'): Finding => ({
  outcome,
  code: outcome === 'pending' ? null : outcome === 'invalid' ? 'TSA_IMPRINT' : 'PROVIDER_TIMEOUT',
  provenTime: null,
  position: null,
  evidence: {}
})

async function judge(ledger: Ledger, anchor: TimestampAnchor, found: Finding, batchRoot = ROOT): Promise<void> {
  await ledger.appendLocal(
    verdictEvent(1, {
      namespace: NAMESPACE,
      batchId: 'b-1',
      chainId: anchor.chainId,
      evidenceId: evidenceIdOf(anchor),
      owner: 'org-a',
      batchRoot,
      evidenceHash: evidenceHashOf(anchor),
      ...found,
      policyDigest: ''
    })
  )
}

async function standing(ledger: Ledger, batchRoot = ROOT, at?: number): Promise<Standing> {
  await ledger.caughtUp()
  const batch = { namespace: NAMESPACE, owner: 'org-a', batchId: 'b-1', batchRoot }
  return await viewStandings(ledger.engine, ledger.store, at, (view) => view.standingOf(batch))
}

const unproven = (reason: string): Standing =>
  ({ standing: 'unproven', reason, provenTime: null, chainId: null }) as Standing

async function announced(ledger: Ledger, anchors: readonly TimestampAnchor[], root = ROOT): Promise<SignedEvent> {
  const event = await next(ALICE, null, bodyOf(anchors, root))
  await ledger.append(event)
  return event
}

describe('a root that is not proven, and why', () => {
  test('nobody announced it, or only somebody who does not speak for its owner', async () => {
    const ledger = await open()
    expect(await standing(ledger)).toEqual(unproven('not-announced'))
    await ledger.append(await next(BERTA, null, bodyOf([TOKEN])))
    await judge(ledger, TOKEN, VERIFIED)
    expect(await standing(ledger)).toEqual(unproven('not-announced'))
  })

  test('no timestamp anchor', async () => {
    const ledger = await open()
    await announced(ledger, [])
    expect(await standing(ledger)).toEqual(unproven('no-timestamp-anchor'))
  })

  test.each([
    ['unverified', null],
    ['not-final', finding('pending')],
    ['unreachable', finding('unreachable')],
    ['invalid', finding('invalid')]
  ] as const)('its only timestamp anchor is %s', async (reason, found) => {
    const ledger = await open()
    await announced(ledger, [TOKEN])
    if (found !== null) await judge(ledger, TOKEN, found)
    expect(await standing(ledger)).toEqual(unproven(reason))
  })

  test('its evidence is on a chain that policy does not accept, though it is good', async () => {
    const ledger = await open()
    await announced(ledger, [UNLISTED])
    await judge(ledger, UNLISTED, VERIFIED)
    expect(await standing(ledger)).toEqual(unproven('refused-by-policy'))
  })

  test('of several, the one that is nearest to a proof', async () => {
    const ledger = await open()
    await announced(ledger, [TOKEN, LISTED, UNLISTED])
    await judge(ledger, TOKEN, finding('invalid'))
    expect(await standing(ledger)).toEqual(unproven('unverified'))
    await judge(ledger, LISTED, finding('pending'))
    expect(await standing(ledger)).toEqual(unproven('not-final'))
  })

  test('another root of the batch won', async () => {
    const ledger = await open()
    const first = await announced(ledger, [TOKEN])
    await ledger.append(await next(ALICE, first, bodyOf([LISTED], OTHER_ROOT)))
    await judge(ledger, TOKEN, VERIFIED)
    expect(await standing(ledger)).toMatchObject({ standing: 'proven', chainId: 'rfc3161:tsa' })
    await judge(ledger, LISTED, VERIFIED, OTHER_ROOT)
    expect(await standing(ledger)).toEqual(unproven('other-root-won'))
    expect(await standing(ledger, OTHER_ROOT)).toMatchObject({ standing: 'proven', chainId: 'eip155:1' })
  })
})

test('a root that is proven says when and by which chain; at an earlier position it stands as it stood', async () => {
  const ledger = await open()
  await announced(ledger, [TOKEN])
  const before = ledger.log.head.logSeq
  await judge(ledger, TOKEN, VERIFIED)
  const verified = ledger.log.head.logSeq
  await judge(ledger, TOKEN, finding('invalid'))
  const proven = { standing: 'proven', reason: 'verified', provenTime: 5_000, chainId: 'rfc3161:tsa' }
  expect(await standing(ledger)).toEqual(unproven('invalid'))
  expect(await standing(ledger, ROOT, verified)).toEqual(proven)
  expect(await standing(ledger, ROOT, before)).toEqual(unproven('unverified'))
  expect(await standing(ledger, ROOT, before - 1)).toEqual(unproven('not-announced'))
})

test('a policy that accepts a chain no more takes the proof away', async () => {
  const ledger = await open()
  await announced(ledger, [LISTED])
  await judge(ledger, LISTED, VERIFIED)
  expect(await standing(ledger)).toMatchObject({ standing: 'proven' })
  const settings = POLICY.namespaces[NAMESPACE]
  if (settings === undefined) throw new Error('it is carried')
  await ledger.appendPolicy({
    ...POLICY,
    namespaces: { [NAMESPACE]: { ...settings, finality: { 'rfc3161:*': {} } } }
  })
  expect(await standing(ledger)).toEqual(unproven('refused-by-policy'))
})

test('whatever is found out in whatever order, proven is what a chain that counts is verified for now', async () => {
  const anchors = [TOKEN, LISTED, UNLISTED] as const
  const findings = [VERIFIED, finding('pending'), finding('invalid'), finding('unreachable')] as const
  const step = fc.record({ anchor: fc.nat(anchors.length - 1), finding: fc.nat(findings.length - 1) })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 8 }), async (steps) => {
      const ledger = await openLedger({ policy: POLICY })
      try {
        await announced(ledger, anchors)
        const newest = new Map<TimestampAnchor, Finding>()
        for (const choice of steps) {
          const anchor = anchors[choice.anchor] ?? TOKEN
          const found = findings[choice.finding] ?? VERIFIED
          await judge(ledger, anchor, found)
          newest.set(anchor, found)
        }
        const isVerified = [TOKEN, LISTED].some((anchor) => newest.get(anchor)?.outcome === 'verified')
        expect((await standing(ledger)).standing).toBe(isVerified ? 'proven' : 'unproven')
      } finally {
        await ledger.close()
      }
    }),
    { numRuns: 40 }
  )
})
