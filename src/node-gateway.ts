import type { NodeParts } from './node-parts.ts'
import { SubscriptionHub } from './subscriptions/hub.ts'
import { ReceiptParts } from './proofs/receipt-parts.ts'

/** What a node offers apps and partners beside its operations. */
export class NodeGateway {
  readonly #parts: NodeParts
  /** Who follows the node's projections. */
  readonly subscriptions: SubscriptionHub
  /** What rows of `receipts` show on request. */
  readonly receiptParts: ReceiptParts

  constructor(parts: NodeParts) {
    this.#parts = parts
    const { engine, log, policy } = parts
    this.subscriptions = new SubscriptionHub({ ...parts.ports, engine, policy, epoch: log.epoch })
    this.receiptParts = new ReceiptParts({ ...parts, store: parts.ports.store })
  }

  /** Begins what works by itself. */
  async start(): Promise<void> {
    await Promise.resolve(this.#parts)
  }

  /** Ends what works by itself; subscribers are told. */
  async stop(): Promise<void> {
    await this.subscriptions.stop()
  }
}
