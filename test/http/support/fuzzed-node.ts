import fc from 'fast-check'
import { expect } from 'vitest'
import { PROJECTION_NAMES } from '../../../src/api/rows.ts'
import { ALICE } from '../../proofs/support.ts'
import { NAMESPACE } from '../../support/identities.ts'
import type { FuzzedRequest } from './fuzz.ts'
import { Fits, send, someRequest } from './fuzz.ts'
import type { Document } from './openapi.ts'
import { richNode, rowsOf } from './rich-node.ts'

// As many as a browser opens at once, twice.
const AT_ONCE = 12

/**
 * Sends so many requests, made from the node's own document, to a node over sockets: no 500, every answer is one that
 * the document tells of, and the node answers as before. Gives how often each status came.
 */
export async function fuzz(requests: number, seed: number): Promise<ReadonlyMap<number, number>> {
  const rich = await richNode()
  const { root, leaves } = await rich.batch('b-1', 5, true)
  await rich.batch('b-2', 2)
  const { body } = await rich.get('/openapi.json')
  const document = body as unknown as Document
  const page = await rich.get('/v1/projections/receipts?limit=1')
  const events = await rich.get('/v1/events')
  const ids = (events.body['events'] as unknown as { readonly id: string }[]).map(({ id }) => id)
  const known = {
    namespace: [NAMESPACE, '_trust'],
    batchId: ['b-1', 'b-2'],
    signer: [ALICE.signer.did],
    owner: [ALICE.orgId],
    orgId: [ALICE.orgId],
    batchRoot: [root],
    leafHash: leaves,
    name: PROJECTION_NAMES,
    status: ['verified', 'held', 'announced'],
    cursor: [page.body['nextCursor'] as string],
    id: ids
  }
  const fits = new Fits(document)
  const statuses = new Map<number, number>()
  const corpus = fc.sample(someRequest(document, known), { numRuns: requests, seed })
  const next = corpus.values()
  const work = async (): Promise<void> => {
    for (const request of next) {
      const answer = await sent(rich.url, request)
      fits.check(request, answer)
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  const after = await rich.get('/v1/projections/receipts?limit=1')
  expect(rowsOf(after)).toEqual(rowsOf(page))
  expect((await rich.get('/health')).body['status']).toBe('ok')
  return statuses
}

/** A body that is refused before it is read can cost its sender the answer: then only that is asked again. */
async function sent(url: string, request: FuzzedRequest): ReturnType<typeof send> {
  try {
    return await send(url, request)
  } catch (error) {
    if (request.body === null) throw error
    return await send(url, { ...request, body: request.body.subarray(0, 0) })
  }
}
