import { expect } from 'vitest'
import type { JsonObject } from '../../../protocols/canonical-json/v1/json.ts'
import { sha256Hex } from '../../../protocols/primitives/sha256.ts'
import type { SeededRandom } from '../../../simulations/ports/seeded-random.ts'
import { TRUST_NAMESPACE } from '../../../src/policy/names.ts'
import { JOURNAL_POSITIONS_KEPT } from '../../../src/projections/journal.ts'
import type { ProjectionQuery } from '../../../src/projections/query.ts'
import type { Deed } from '../../access/events.ts'
import { eventsOf } from '../../access/events.ts'
import { quietBoth } from '../../access/scope-property.ts'
import { ADA, DAN, LANDS, MEMBERS } from '../../access/world.ts'
import { allRows } from '../../projections/support/ledger.ts'
import type { SignedEvent } from '../../support/events.ts'
import type { WholeGateway } from './whole-gateway.ts'
import { startWholeGateway } from './whole-gateway.ts'

/** What is asked at each position. */
const ASKED: readonly (readonly [projection: string, query: ProjectionQuery])[] = [
  ['batches', {}],
  ['batches', { namespace: 'a:one', status: 'announced' }],
  ['batches', { signer: DAN.signer.did, batchId: 'batch-1' }],
  ['winners', {}],
  ['winners', { namespace: 'b:two', status: 'proposed' }],
  ['sequences', {}],
  ['sequences', { signer: ADA.signer.did }],
  ['equivocations', {}],
  ['sequences', { namespace: TRUST_NAMESPACE }],
  ['receipts', {}],
  ['receipts', { namespace: 'a:two', status: 'held' }]
]

// Until the journal has been cut off, and no state of before is there any more.
const POSITIONS_BEFORE = 2 * JOURNAL_POSITIONS_KEPT + 100

const NAMES = Object.keys(LANDS)

const hashOf = (rows: readonly JsonObject[]): string => sha256Hex(JSON.stringify(rows))

/**
 * Writes so many positions, each of another kind, and notes after each what is answered; asks then over HTTP for the
 * state at each of them, page by page: it is what was answered at that time. Older states are refused from one position
 * on, which the refusal names.
 */
export async function eachPastState(positions: number, random: SeededRandom): Promise<void> {
  const gateway = await startWholeGateway()
  const { node } = gateway
  await fill(gateway, POSITIONS_BEFORE)
  const shared = (await eventsOf(deedsOf(positions, random))).values()
  // A node notes down whose a new key is, some time after the pack that names it.
  for (const { wire } of shared.take(MEMBERS.length)) await node.submit(wire)
  await quietBoth(node)
  const { logSeq: first } = (await node.status()).log
  const noted: (readonly string[])[] = []
  for await (const logSeq of written(gateway, positions, shared)) {
    expect(logSeq).toBe(first + 1 + noted.length)
    const hashes: string[] = []
    for (const [projection, query] of ASKED)
      hashes.push(hashOf(await allRows(node, projection, { ...query, waitFor: logSeq, limit: 500 })))
    noted.push(hashes)
  }
  // Or nothing changes from one to the next.
  expect(new Set(noted.map((hashes) => hashes.join())).size).toBeGreaterThan(0.9 * positions)

  for (const [index, hashes] of noted.entries()) {
    const at = first + 1 + index
    for (const [number, [projection, query]] of ASKED.entries()) {
      const rows = await pages(gateway, projection, { ...query, at, limit: 150 + random.below(350) })
      expect(hashOf(rows), `${projection} ${JSON.stringify(query)} at ${at}`).toBe(hashes[number])
    }
  }

  const { logSeq: head } = (await node.status()).log
  for (const projection of new Set(ASKED.map(([name]) => name))) {
    const { status, body } = await ask(gateway, projection, { at: 0 })
    const { oldest } = body as { readonly oldest: number }
    expect([status, body]).toMatchObject([410, { code: 'STATE_OUTDATED', status: 410, data: { oldest } }])
    expect(head - oldest).toBeGreaterThanOrEqual(1_000)
    expect(await ask(gateway, projection, { at: oldest })).toMatchObject({ status: 200, body: { logSeq: oldest } })
    expect(await ask(gateway, projection, { at: oldest - 1 })).toMatchObject({
      status: 410,
      body: { code: 'STATE_OUTDATED', oldest }
    })
  }
}

/** Positions that change next to nothing. */
async function fill({ node }: WholeGateway, count: number): Promise<void> {
  const author = { author: ADA, namespace: 'a:one', kind: 'unknown' } as const
  const events = await eventsOf(Array.from({ length: count }, () => author))
  const wires = async function* (): AsyncGenerator<Uint8Array> {
    for (const { wire } of events) yield wire
  }
  await node.importEvents(wires())
}

/** What members do: first a pack of each, then of everything. */
function deedsOf(count: number, random: SeededRandom): readonly Deed[] {
  const deeds: Deed[] = MEMBERS.map((author) => ({ author, namespace: TRUST_NAMESPACE, kind: 'pack' }))
  for (let index = 0; index < count; index += 1) {
    const namespace = NAMES[random.below(NAMES.length)] ?? ''
    // Ada's chain in her land holds what was there before.
    const members = (LANDS[namespace]?.members ?? []).filter((one) => one !== ADA)
    const author = members[random.below(members.length)]
    if (index % 12 === 11)
      deeds.push({ author: MEMBERS[random.below(4)] ?? ADA, namespace: TRUST_NAMESPACE, kind: 'pack' })
    else if (author !== undefined) deeds.push({ author, namespace, kind: index % 9 === 8 ? 'fork' : 'announce' })
  }
  return deeds
}

/** Writes, each time one position, and gives it. */
async function* written(
  { node }: WholeGateway,
  count: number,
  shared: Iterator<SignedEvent, undefined>
): AsyncGenerator<number> {
  const held: string[] = []
  for (let index = 0; index < count; index += 1) {
    const leaf = index % 23 === 22 ? held.shift() : undefined
    if (leaf !== undefined) await node.forget({ receipt: leaf, reason: 'test' })
    else if (index % 6 === 5) {
      const [namespace, batchId] = [NAMES[index % NAMES.length] ?? '', `sealed-${index}`]
      await node.seal({ namespace, batchId, receipts: [{ index }, 'two', 3] })
      for await (const { leafHash } of node.proofs(namespace, batchId)) held.push(leafHash)
    } else {
      const event = shared.next().value
      if (event === undefined) throw new Error('too few events')
      expect(await node.submit(event.wire)).toMatchObject({ outcome: 'accepted' })
    }
    yield (await node.status()).log.logSeq
  }
}

async function ask(
  { url }: WholeGateway,
  projection: string,
  query: ProjectionQuery
): Promise<{ readonly status: number; readonly body: JsonObject }> {
  const search = new URLSearchParams(
    Object.entries(query).map(([name, value]): [string, string] => [name, String(value)])
  )
  const response = await fetch(`${url}/v1/projections/${projection}?${search.toString()}`)
  return { status: response.status, body: (await response.json()) as JsonObject }
}

/** The rows of all pages, each of the same state. */
async function pages(gateway: WholeGateway, projection: string, query: ProjectionQuery): Promise<JsonObject[]> {
  const rows: JsonObject[] = []
  for (let cursor: string | null = ''; cursor !== null;) {
    const { status, body } = await ask(gateway, projection, cursor === '' ? query : { ...query, cursor })
    expect([status, body['logSeq']], JSON.stringify(body).slice(0, 300)).toEqual([200, query.at])
    rows.push(...(body['rows'] as unknown as readonly JsonObject[]))
    cursor = body['nextCursor'] as string | null
  }
  return rows
}
