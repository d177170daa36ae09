import fc from 'fast-check'
import { expect, it, onTestFinished } from 'vitest'
import type { z } from 'zod'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import { page } from '../../src/api/pages.ts'
import type { ProjectionName } from '../../src/api/rows.ts'
import { PROJECTION_NAMES, rowSchemas } from '../../src/api/rows.ts'
import type { LocalEvent } from '../../src/events/local.ts'
import { localEvent } from '../../src/events/local.ts'
import { PROJECTIONS } from '../../src/projections/all.ts'
import type { DeliveryTaken } from '../../src/projections/deliveries.ts'
import type { FeedbackTaken, TelemetryTaken } from '../../src/projections/finding-records.ts'
import { anchoringEvent } from '../../src/projections/anchoring-record.ts'
import { everyRow, openLedger, sharedEntry } from '../projections/support/ledger.ts'
import { admissible, someArrival } from '../projections/support/order.ts'
import { someVerdicts, withVerdicts } from '../projections/support/verdicts.ts'
import { ALICE, EVERYBODY, OTHER_NAMESPACE, eventsOf, someActs } from '../projections/support/world.ts'
import { announce, judged, openProver, sealed, stampOver } from '../proofs/support.ts'
import type { SignedEvent } from '../support/events.ts'
import { next } from '../support/events.ts'
import { NAMESPACE, policyOf } from '../support/identities.ts'
import { rowOf } from '../verification/support.ts'

const POLICY = policyOf(ALICE, EVERYBODY, {
  namespaces: [NAMESPACE, OTHER_NAMESPACE],
  quorum: { k: 1, of: EVERYBODY }
})

const JOB = {
  namespace: NAMESPACE,
  owner: 'org-a',
  batchId: 'b-9',
  batchRoot: 'ab'.repeat(32),
  chainId: 'btc:main',
  state: 'under-way',
  together: ['btc:main'],
  attempts: 1,
  draft: null,
  timestampAnchor: null,
  code: 'PROVIDER_TIMEOUT',
  detail: 'no answer',
  eventId: null
} as const

const [TOLD, MEASURED] = [sha256Hex('fingerprint'), sha256Hex('measurement')]
const SIGNED = { tenant: 'alpha', signer: 'did:web:agent.example', kid: 'key-1', bodyHash: sha256Hex('body') }

/** What partners handed in over HTTP: a delivery, a finding, and a judgement that adjusts it. */
const HANDED_IN: readonly LocalEvent[] = [
  localEvent('delivery', 1, {
    deliveryHash: sha256Hex('delivery'),
    from: 'did:web:partner.example',
    kid: 'key-1',
    namespace: NAMESPACE,
    bytes: 12,
    ts: 1
  } satisfies DeliveryTaken),
  localEvent('telemetry', 2, {
    ...SIGNED,
    reportId: sha256Hex('report'),
    timestamp: 2,
    executionId: 'run-1',
    attestationMeasurementHash: MEASURED,
    fingerprint: TOLD,
    findings: [{ findingId: 'f-1', kind: 'policy', severity: 'high', score: 700 }]
  } satisfies TelemetryTaken),
  localEvent('feedback', 3, {
    ...SIGNED,
    feedbackId: sha256Hex('feedback'),
    signedAt: 3,
    findingId: 'f-1',
    fingerprint: TOLD,
    attestationMeasurementHash: MEASURED,
    action: 'adjust',
    score: 300,
    rule: 'r-1'
  } satisfies FeedbackTaken)
]

/** How many rows there were of each projection; each is exactly what its schema says: nothing more, nothing else. */
function checked(rows: Readonly<Record<string, readonly JsonObject[]>>, seen: Map<string, number>): void {
  for (const [name, list] of Object.entries(rows)) {
    const schema: z.ZodType = rowSchemas[name as ProjectionName]
    for (const row of list) expect(schema.parse(row), name).toEqual(row)
    seen.set(name, (seen.get(name) ?? 0) + list.length)
  }
}

/** Checkpoints of a log that was rolled back: an alarm. */
async function forkedLog(): Promise<readonly SignedEvent[]> {
  const bodyOf = (size: number) => ({ epoch: '00000000000000e1', size, root: sha256Hex(`root of ${size}`) })
  const options = { type: 'checkpoint', namespace: '_trust' }
  const first = await next(ALICE, null, bodyOf(9), options)
  const previous = { event: first.id, size: 9, root: sha256Hex('root of 9'), consistency: [] }
  return [first, await next(ALICE, first, { ...bodyOf(5), previous }, options)]
}

it('takes the rows of every projection as they are, whatever happened', async () => {
  const seen = new Map<string, number>()
  await fc.assert(
    fc.asyncProperty(someActs(60, { attestWeight: 8 }), someArrival, someVerdicts, async (acts, arrival, verdicts) => {
      const ledger = await openLedger({ policy: POLICY })
      const groups = admissible(await eventsOf(acts), arrival).map((group) => group.map(sharedEntry))
      for (const group of withVerdicts(groups, verdicts)) await ledger.log.append(group)
      await ledger.appendLocal(anchoringEvent(1_700_000_000_000, JOB))
      await ledger.caughtUp()
      checked(await everyRow(ledger), seen)
      await ledger.close()
    }),
    { numRuns: 12, seed: 6 }
  )
  const ledger = await openLedger({ policy: POLICY })
  await ledger.append(...(await forkedLog()))
  for (const event of HANDED_IN) await ledger.appendLocal(event)
  await ledger.caughtUp()
  checked(await everyRow(ledger), seen)
  await ledger.close()

  const node = await openProver()
  onTestFinished(() => node.close())
  const { root } = await sealed(node, 3)
  await announce(node, [stampOver(root)])
  await judged(node, 'rfc3161:stamp', 'verified')
  await rowOf(node, 'winners', (row) => row['status'] === 'verified')
  checked(await everyRow(node), seen)
  expect([...seen].filter(([, count]) => count === 0)).toEqual([])
  expect([...seen.keys()].toSorted()).toEqual(PROJECTIONS.map(({ name }) => name).toSorted())
  for (const name of PROJECTION_NAMES) {
    const answer = await node.query(name, { limit: 1 })
    expect(page(name).parse(answer)).toEqual(answer)
  }
})
