import { onTestFinished } from 'vitest'
import { startPublicListener } from '../../src/http/public-listener.ts'
import type { PublicListenerOptions } from '../../src/http/public-listener.ts'
import type { AnchormeshNode } from '../../src/node.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { announces, caughtUp, openNode } from '../bench/workload.ts'
import type { SignedEvent } from '../support/events.ts'
import { member } from '../support/identities.ts'
import type { TestMember } from '../support/identities.ts'

/** A node on disk behind a real listener, and what its signers will have announced. */
export interface Serving {
  readonly node: AnchormeshNode
  readonly url: string
  readonly signers: readonly TestMember[]
  /** Not yet in its log. */
  readonly events: readonly SignedEvent[]
  /** Takes events in, in this order, and waits until projections show them. */
  take(events: readonly SignedEvent[]): Promise<void>
}

/** Ends with the test. `count` events of three signers, each of a batch of its own, so that each has a row of its own. */
export async function servingNode(count: number, options: Partial<PublicListenerOptions> = {}): Promise<Serving> {
  const signers = ['one', 'two', 'three'].map((name) => member(name))
  const { node, end } = await openNode(signers)
  onTestFinished(end)
  const listener = await startPublicListener({
    listen: '127.0.0.1:0',
    operations: node,
    subscriptions: node.gateway.subscriptions,
    logger: silentLogger,
    clock: systemClock,
    ...options
  })
  onTestFinished(() => listener.close())
  return {
    node,
    url: listener.url,
    signers,
    events: await announces(signers, count),
    take: async (events) => {
      await node.importEvents(wires(events))
      await caughtUp(node)
    }
  }
}

async function* wires(events: readonly SignedEvent[]): AsyncGenerator<Uint8Array> {
  for (const { wire } of events) yield wire
}
