import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { AnchormeshNode } from '../../src/node.ts'
import { NO_AUDIT } from '../../src/platform/audit.ts'
import type { SignedEvent } from '../support/events.ts'
import { NAMESPACE } from '../support/identities.ts'
import { Entrance } from './entrance.ts'
import {
  BATCHES,
  EVENTS,
  KEYS,
  OF_EACH,
  TOO_MANY,
  governedPolicy,
  openPolicy,
  self,
  workload
} from './governance-world.ts'
import { cpuMicroseconds, median, report } from './report.ts'
import { caughtUp, ingest, openNode, reached } from './workload.ts'

/**
 * What policy, audit and rate limits cost a durable ingest with all projections. Every node takes in the same signed
 * announces: of 25 organisations, whose keys are rotated half-way, half of them evidence for another organisation's
 * batch.
 *
 * `without`: no audit trail; a policy that names no tenant and no measurement, and one rule that allows everything; no
 * packs. The door asks for rates whatever comes by gossip, so these come by import: the same checks but for the rates,
 * and the same pace.
 * `gossip`: as `without`, but by gossip and with limits that are asked for, to tell the way from what is done on it.
 * `with`: by gossip from ten peers, with an audit log, rates of peer, signer, namespace and day, tenants, measurements
 * of each signer, 600 rules between organisations, and packs that retire or revoke the keys of the first half.
 * `refusing`: as `with`, and one signer sends 5 % of all events beyond its daily cap.
 *
 * Packs come in between what is measured. Rounds alternate, and so does which kind comes first; ratios are those of the
 * kinds of one round. All nodes must verify as many signatures and show the same batches, every announce in effect.
 */
const ROUNDS = 5
const PEERS = 10
/** Handed in together, as an import does. */
const TURN_EVENTS = 32
/** As many as gossip has under judgement for one peer; these and as many again are under way at most, as in an import. */
const IN_FLIGHT = 256
/** The node publishes one when it is closed. */
const CHECKPOINT_MS = 600_000

const KINDS = ['without', 'gossip', 'with', 'refusing'] as const
type Kind = (typeof KINDS)[number]

interface Cost {
  readonly cpu: number
  readonly elapsed: number
}

const load = await workload()
const policies = {
  without: openPolicy(),
  gossip: openPolicy(),
  with: governedPolicy(load),
  refusing: governedPolicy(load, { dailyCap: OF_EACH })
}
const costs: Record<Kind, Cost[]> = { without: [], gossip: [], with: [], refusing: [] }
const digests = new Set<string>()
for (let round = 0; round <= ROUNDS; round += 1) {
  for (const kind of round % 2 === 0 ? KINDS : KINDS.toReversed()) {
    const cost = await measure(kind)
    // The first round warms the code up.
    if (round > 0) costs[kind].push(cost)
  }
}
same(digests.size, 1, 'digests of batches')

const middle = (kind: Kind, figure: keyof Cost): number => median(costs[kind].map((cost) => cost[figure]))
const ratio = (kind: Kind, figure: keyof Cost): number =>
  median(costs[kind].map((cost, round) => cost[figure] / (costs.without[round]?.[figure] ?? Number.NaN)))
report('governance', [
  { name: 'CPU per event, without', value: middle('without', 'cpu'), unit: 'µs' },
  { name: 'CPU per event, without, by gossip', value: middle('gossip', 'cpu'), unit: 'µs' },
  { name: 'CPU per event, with policy, audit and rate limits', value: middle('with', 'cpu'), unit: 'µs' },
  { name: 'with / without, CPU time', value: ratio('with', 'cpu'), unit: 'ratio', bound: 1.25, compare: '<=' },
  { name: 'with / without, elapsed time', value: ratio('with', 'elapsed'), unit: 'ratio' },
  { name: 'by gossip / without, CPU time', value: ratio('gossip', 'cpu'), unit: 'ratio' },
  { name: 'by gossip / without, elapsed time', value: ratio('gossip', 'elapsed'), unit: 'ratio' },
  {
    name: '5 % refused / without, CPU time',
    value: ratio('refusing', 'cpu'),
    unit: 'ratio',
    bound: 1.25,
    compare: '<='
  },
  { name: '5 % refused / without, elapsed time', value: ratio('refusing', 'elapsed'), unit: 'ratio' },
  { name: 'events refused and counted, of those handed in', value: TOO_MANY / (EVENTS + TOO_MANY), unit: 'share' }
])

async function measure(kind: Kind): Promise<Cost> {
  const isGoverned = kind === 'with' || kind === 'refusing'
  const folder = mkdtempSync(join(tmpdir(), 'anchormesh-bench-'))
  const network = new Entrance()
  const ports = isGoverned ? { network } : { network, audit: NO_AUDIT }
  const bench = await openNode([self], folder, { policy: policies[kind], checkpointMs: CHECKPOINT_MS, ports })
  const { node } = bench
  await node.start()
  const halves = kind === 'refusing' ? load.tooMuch : load.halves
  let [cpu, elapsed, handedIn] = [0, 0, 0]
  for (const [index, half] of halves.entries()) {
    if (isGoverned) await ingest(node, load.packs[index] ?? [])
    const startedMs = performance.now()
    cpu += await cpuMicroseconds(() => (kind === 'without' ? ingest(node, half) : gossip(node, network, half)))
    elapsed += (performance.now() - startedMs) * 1_000
    handedIn += half.length
  }
  await check(kind, node)
  await node.close()
  if (kind === 'refusing') await checkAudit(folder)
  await bench.end()
  return { cpu: cpu / handedIn, elapsed: elapsed / handedIn }
}

/** Everything that was handed in was verified once, and counts: the same on all nodes. */
async function check(kind: Kind, node: AnchormeshNode): Promise<void> {
  const packs = kind === 'with' || kind === 'refusing' ? load.packs.flat().length : 0
  const refused = kind === 'refusing' ? TOO_MANY : 0
  const { ingest: taken } = await node.status()
  same(taken.signaturesVerified, EVENTS + packs + refused, `signatures verified, ${kind}`)
  same(taken.outcomes['accepted'] ?? 0, EVENTS + packs, `events accepted, ${kind}`)
  const others = Object.values(taken.outcomes).reduce((sum, count) => sum + count, -EVENTS - packs)
  same(others, refused, `other outcomes, ${kind}`)
  let [announcements, effective] = [0, 0]
  const batches = await rowsOf(node, 'batches', (row) => {
    const of = row['announcements'] as readonly { readonly effect: string | null }[]
    announcements += of.length
    effective += row['effect'] === null ? of.filter(({ effect }) => effect === null).length : 0
  })
  same(batches, BATCHES, `rows of batches, ${kind}`)
  same(announcements, EVENTS, `announcements, ${kind}`)
  same(effective, EVENTS, `announcements with effect, ${kind}`)
  same(await rowsOf(node, 'effects'), 0, `rows of effects, ${kind}`)
  digests.add((await node.digest(NAMESPACE)).projections['batches'] ?? '')
  if (packs > 0) same(await rowsOf(node, 'trust-anchors'), KEYS, `trust anchors, ${kind}`)
}

/** What was refused stands in the audit log of the node that was closed. */
async function checkAudit(folder: string): Promise<void> {
  const { node } = await openNode([self], folder, { policy: policies.refusing })
  let counted = 0
  for await (const { code, detail } of node.audit({ action: 'EVENTS_REFUSED' }))
    if (code === 'RATE_LIMITED') counted += Number(detail['count'])
  same(counted, TOO_MANY, 'refusals in the audit log')
  await node.close()
}

async function rowsOf(
  node: AnchormeshNode,
  projection: string,
  look: (row: JsonObject) => void = () => {}
): Promise<number> {
  let count = 0
  for (let cursor: string | undefined; ;) {
    const page = await node.query(projection, { limit: 500, ...(cursor === undefined ? {} : { cursor }) })
    count += page.rows.length
    page.rows.forEach(look)
    if (page.nextCursor === null) return count
    cursor = page.nextCursor
  }
}

/** Hands the events in as gossip does, the peers taking turns, and waits until every projection shows them. */
async function gossip(node: AnchormeshNode, network: Entrance, events: readonly SignedEvent[]): Promise<void> {
  const before = (await node.status()).log.logSeq
  let accepted = 0
  const judge = async (wire: Uint8Array, peer: string): Promise<void> => {
    if ((await network.judge(wire, peer)) === 'accept') accepted += 1
  }
  let underway: readonly Promise<void>[] = []
  for (let from = 0; from < events.length; from += IN_FLIGHT) {
    const judged: Promise<void>[] = []
    for (let turn = from; turn < from + IN_FLIGHT; turn += TURN_EVENTS) {
      const peer = `peer-${(turn / TURN_EVENTS) % PEERS}`
      for (const { wire } of events.slice(turn, turn + TURN_EVENTS)) judged.push(judge(wire, peer))
      await Promise.resolve()
    }
    const known = before + accepted
    await Promise.all(underway)
    await reached(node, 'batches', Math.max(before, known - IN_FLIGHT))
    underway = judged
  }
  await Promise.all(underway)
  // Gossip has its verdict before an event is written.
  await reached(node, 'batches', before + accepted)
  await caughtUp(node)
}

function same(value: number, expected: number, what: string): void {
  if (value !== expected) throw new Error(`${what}: ${value}, and not ${expected}`)
}
