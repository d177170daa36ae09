import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { verifyInclusion } from '../../protocols/batch/v1/merkle.ts'
import { bytesOfHex, toBase64url } from '../../protocols/primitives/bytes.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import { receiptProofDocument } from '../../src/api/answers.ts'
import { page } from '../../src/api/pages.ts'
import type { PageOf } from '../../src/api/pages.ts'
import type { RowOf } from '../../src/api/rows.ts'
import { BlobStore } from '../../src/log/blob-store.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import { ROWS_WITH_PARTS_MAX } from '../../src/proofs/receipt-parts.ts'
import type { TimestampVerifier } from '../../src/timestamps/verifier.ts'
import { report, stampOver } from '../proofs/support.ts'
import { NAMESPACE } from '../support/identities.ts'
import { untilAnswer } from '../support/until-answer.ts'
import { rowOf } from '../verification/support.ts'
import { richNode } from './support/rich-node.ts'
import type { RichNode } from './support/rich-node.ts'

const takesAnything: TimestampVerifier = {
  name: 'anything',
  handles: () => true,
  verify: () => Promise.resolve({ outcome: 'valid', finality: {}, provenTime: 9_000, position: 9_000, evidence: {} })
}

type Receipt = RowOf<'receipts'>

async function receipts({ get }: RichNode, search: string): Promise<PageOf<Receipt>> {
  const { status, body } = await get(`/v1/projections/receipts?${search}`)
  expect(status, JSON.stringify(body)).toBe(200)
  const parsed = page('receipts').parse(body)
  expect(parsed).toEqual(body)
  return parsed
}

function isProven({ leafHash, batchRoot, proof }: Receipt): boolean {
  if (proof === null || proof === undefined) return false
  const { index, treeSize, path } = proof
  const claim = { leafHash: bytesOfHex(leafHash), index, treeSize, root: bytesOfHex(batchRoot) }
  return verifyInclusion({ ...claim, path: path.map(bytesOfHex) })
}

describe('receipts on request', () => {
  it('come with the record, its way to the root, and what won for the root', async () => {
    const rich = await richNode()
    const stamped = await rich.batch('stamped', 7, true)
    await rich.batch('plain', 1)
    const { rows } = await receipts(rich, 'include=evidence,record,proof')
    expect(rows).toHaveLength(8)
    expect(rows.every(isProven)).toBe(true)
    for (const { batchId, record, index } of rows)
      expect(JSON.parse(record ?? '')).toMatchObject({ receipt: { invoice: index, batchId } })
    const [plain, ...others] = rows
    expect(plain).toMatchObject({ batchId: 'plain', evidence: null, standing: 'unproven' })
    for (const { evidence } of others)
      expect(evidence).toMatchObject({
        chainId: 'rfc3161:stamp',
        provenTime: 9_000,
        timestampAnchor: stampOver(stamped.root)
      })
    const { event } = (await (
      await fetch(`${rich.url}/v1/events/${others[0]?.evidence?.eventId}`)
    ).json()) as JsonObject
    expect(event).toMatchObject({ body: { batchRoot: stamped.root } })
  })

  it('show only what was asked for', async () => {
    const rich = await richNode()
    await rich.batch('b-1', 2)
    for (const part of ['record', 'proof', 'evidence'] as const) {
      const { rows } = await receipts(rich, `include=${part}`)
      for (const row of rows)
        expect(['record', 'proof', 'evidence'].filter((name) => Object.hasOwn(row, name))).toEqual([part])
    }
    const { rows } = await receipts(rich, 'limit=1')
    expect(Object.keys(rows[0] ?? {})).not.toContain('proof')
  })

  it(`come ${ROWS_WITH_PARTS_MAX} at a time, and all of them page by page`, async () => {
    const rich = await richNode()
    const { leaves } = await rich.batch('b-1', 40, true)
    const seen: string[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const after: string = cursor === '' ? '' : `&cursor=${cursor}`
      const { rows, nextCursor } = await receipts(rich, `limit=500&include=proof,evidence${after}`)
      expect(rows.length).toBeLessThanOrEqual(ROWS_WITH_PARTS_MAX)
      expect(rows.every(isProven)).toBe(true)
      seen.push(...rows.map(({ leafHash }) => leafHash))
      cursor = nextCursor
    }
    expect(seen).toEqual(leaves)
    expect((await receipts(rich, 'limit=3&include=proof')).rows).toHaveLength(3)
  })

  it('end a page early whose evidence is large, without losing one', async () => {
    // Too large for an event: it stands beside the log.
    const bytes = new Uint8Array(1_000_000)
    const blobs = await openMemoryStore()
    await new BlobStore(blobs).put([{ hash: sha256Hex(bytes), bytes }], { sync: true })
    const rich = await richNode({ verifiers: [takesAnything], blobs })
    const { batchRoot } = await rich.node.seal({
      namespace: NAMESPACE,
      batchId: 'b-1',
      receipts: Array.from({ length: 7 }, (_, index) => ({ index }))
    })
    const token = { blob: sha256Hex(bytes) }
    const timestampAnchors = [{ chainId: 'rfc3161:large', token }]
    await rich.node.announce({ namespace: NAMESPACE, batchId: 'b-1', timestampAnchors })
    await rowOf(rich.node, 'winners', (row) => row['batchRoot'] === batchRoot)
    const first = await receipts(rich, 'include=evidence')
    expect(first.rows.map(({ index }) => index)).toEqual([0, 1, 2])
    expect(first.rows[2]?.evidence?.timestampAnchor).toEqual({
      chainId: 'rfc3161:large',
      token: toBase64url(bytes)
    })
    const second = await receipts(rich, `include=evidence&limit=3&cursor=${first.nextCursor ?? ''}`)
    expect(second.rows.map(({ index }) => index)).toEqual([3, 4, 5])
    const last = await receipts(rich, `include=evidence&cursor=${second.nextCursor ?? ''}`)
    expect([last.rows.map(({ index }) => index), last.nextCursor]).toEqual([[6], null])
  })

  it('of which one was forgotten show no record, at no position, and the proof of the others stays', async () => {
    const rich = await richNode()
    const { leaves } = await rich.batch('b-1', 3, true)
    const { logSeq: before } = (await rich.node.status()).log
    await rich.node.forget({ receipt: leaves[1] ?? '', reason: 'test' })
    for (const search of ['', `&at=${before}`]) {
      const { rows } = await receipts(rich, `include=record,proof${search}`)
      expect(rows.map(({ record }) => record === null)).toEqual([false, true, false])
      expect(rows.every(isProven)).toBe(true)
    }
  })

  it('show the evidence that won at the position that was asked for', async () => {
    const rich = await richNode()
    await rich.batch('b-1', 1)
    const { logSeq: before } = (await rich.node.status()).log
    const { rows: now } = await receipts(rich, 'include=evidence')
    const batchRoot = now[0]?.batchRoot ?? ''
    await rich.node.announce({ namespace: NAMESPACE, batchId: 'b-1', timestampAnchors: [stampOver(batchRoot)] })
    await untilAnswer('the evidence is folded', async () => {
      const [row] = (await receipts(rich, 'include=evidence')).rows
      return row?.evidence !== null
    })
    expect((await receipts(rich, `include=evidence&at=${before}`)).rows[0]).toMatchObject({
      evidence: null,
      standing: 'unproven'
    })
  })
})

describe('GET /v1/receipts/{leafHash}/proof', () => {
  it('is a file that anybody can check', async () => {
    const rich = await richNode()
    const { leaves } = await rich.batch('b-1', 5, true)
    const { status, body, headers } = await rich.get(
      `/v1/receipts/${leaves[3]}/proof?namespace=${NAMESPACE}&batchId=b-1`
    )
    expect(status).toBe(200)
    expect(headers.get('etag')).not.toBeNull()
    expect(receiptProofDocument.parse(body)).toEqual(body)
    expect(await report(body['proof'] as string)).toMatchObject({
      overall: 'proven',
      leafHash: leaves[3],
      batchId: 'b-1'
    })
  })

  it('says why there is none', async () => {
    const rich = await richNode()
    await rich.batch('b-1', 1)
    const none = '0'.repeat(64)
    for (const [leafHash, search, status, code] of [
      [none, `namespace=${NAMESPACE}&batchId=b-1`, 404, 'RECEIPT_UNKNOWN'],
      [none, `namespace=${NAMESPACE}&batchId=none`, 404, 'RECEIPT_UNKNOWN'],
      [none, 'namespace=dao:none&batchId=b-1', 404, 'NOT_FOUND'],
      [none, `namespace=${NAMESPACE}`, 400, 'QUERY_INVALID'],
      [none, `namespace=${NAMESPACE}&batchId=b-1&leaf=1`, 400, 'QUERY_INVALID'],
      ['0'.repeat(63), `namespace=${NAMESPACE}&batchId=b-1`, 404, 'NOT_FOUND'],
      ['Z'.repeat(64), `namespace=${NAMESPACE}&batchId=b-1`, 404, 'NOT_FOUND']
    ] as const) {
      const answer = await rich.get(`/v1/receipts/${leafHash}/proof?${search}`)
      expect([answer.status, answer.body['code']], search).toEqual([status, code])
    }
  })
})
