import { onTestFinished } from 'vitest'
import type { JsonObject } from '../../../protocols/canonical-json/v1/json.ts'
import type { Listener } from '../../../src/http/listener.ts'
import { startPublicListener } from '../../../src/http/public-listener.ts'
import type { AnchormeshNode } from '../../../src/node.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { silentLogger } from '../../../src/platform/logger.ts'
import { openProver, stampOver } from '../../proofs/support.ts'
import { NAMESPACE } from '../../support/identities.ts'
import { rowOf } from '../../verification/support.ts'

/** A real node, its batches and where it is served. */
export interface RichNode {
  readonly node: AnchormeshNode
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

/** A node over real sockets, closed when the test ends: it can seal, announce and verify stamps. */
export async function richNode(): Promise<RichNode> {
  const node = await openProver()
  const listener: Listener = await startPublicListener({
    listen: '127.0.0.1:0',
    operations: node,
    packs: node.packServing,
    logger: silentLogger,
    clock: systemClock
  })
  onTestFinished(async () => {
    await listener.close()
    await node.close()
  })
  return {
    node,
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
