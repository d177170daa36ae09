import { onTestFinished } from 'vitest'
import type { JsonObject } from '../../../protocols/canonical-json/v1/json.ts'
import type { Listener } from '../../../src/http/listener.ts'
import { startPublicListener } from '../../../src/http/public-listener.ts'
import type { Store } from '../../../src/log/store.ts'
import type { AnchormeshNode } from '../../../src/node.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { silentLogger } from '../../../src/platform/logger.ts'
import type { TimestampVerifier } from '../../../src/timestamps/verifier.ts'
import { ALICE, openNodeOf, stampOver, stampVerifier } from '../../proofs/support.ts'
import { NAMESPACE } from '../../support/identities.ts'
import { rowOf } from '../../verification/support.ts'

/** A real node, its batches and where it is served. */
export interface RichNode {
  readonly node: AnchormeshNode
  readonly close: () => Promise<void>
  readonly url: string
  /** Asks for a path; the answer must be JSON. */
  readonly get: (path: string) => Promise<Answer>
  /** Seals so many receipts as a batch, and announces it, stamped or not. */
  readonly batch: (
    batchId: string,
    receipts: number,
    stamped?: boolean
  ) => Promise<{ readonly root: string; readonly leaves: string[] }>
}

export interface Answer {
  readonly status: number
  readonly body: JsonObject
  readonly headers: Headers
}

/** The rows of a page. */
export const rowsOf = ({ body }: Answer): readonly JsonObject[] => body['rows'] as readonly JsonObject[]

/**
 * A node over real sockets, closed when the test ends: it can seal, announce and verify stamps. `here`: the caller closes
 * it, as one of many.
 */
export async function richNode({
  here = false,
  verifiers = [stampVerifier],
  blobs
}: {
  readonly here?: boolean
  readonly verifiers?: readonly TimestampVerifier[]
  readonly blobs?: Store
} = {}): Promise<RichNode> {
  const node = await openNodeOf(ALICE, [ALICE], verifiers, blobs, systemClock)
  const listener: Listener = await startPublicListener({
    listen: '127.0.0.1:0',
    operations: node,
    packs: node.packServing,
    federation: node.gateway.federation,
    findings: node.gateway.findings,
    audit: node.auditTrail,
    logger: silentLogger,
    clock: systemClock
  })
  const close = async (): Promise<void> => {
    await listener.close()
    await node.close()
  }
  if (!here) onTestFinished(close)
  return {
    node,
    close,
    url: listener.url,
    async get(path) {
      const response = await fetch(listener.url + path)
      return { status: response.status, body: (await response.json()) as JsonObject, headers: response.headers }
    },
    async batch(batchId, count, stamped = false) {
      const receipts = Array.from({ length: count }, (_, index) => ({ invoice: index, batchId }))
      const { batchRoot: root } = await node.seal({ namespace: NAMESPACE, batchId, receipts })
      const leaves: string[] = []
      for await (const { leafHash } of node.proofs(NAMESPACE, batchId)) leaves.push(leafHash)
      const timestampAnchors = stamped ? [stampOver(root)] : []
      await node.announce({ namespace: NAMESPACE, batchId, timestampAnchors })
      if (stamped) await rowOf(node, 'winners', (row) => row['batchId'] === batchId && row['status'] === 'verified')
      return { root, leaves }
    }
  }
}
