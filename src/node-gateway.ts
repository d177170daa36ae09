import { ReaderAccess } from './access/reader-access.ts'
import { AccessTokens } from './access/tokens.ts'
import { storeWriter } from './log/store-writer.ts'
import type { NodeParts } from './node-parts.ts'
import { ReceiptParts } from './proofs/receipt-parts.ts'
import { SubscriptionHub } from './subscriptions/hub.ts'

/** What a node offers apps and partners beside its operations. */
export class NodeGateway {
  readonly tokens: AccessTokens
  /** Who may read what. */
  readonly access: ReaderAccess
  readonly #parts: NodeParts
  /** Who follows the node's projections. */
  readonly subscriptions: SubscriptionHub
  /** What rows of `receipts` show on request. */
  readonly receiptParts: ReceiptParts

  constructor(parts: NodeParts) {
    this.#parts = parts
    const { ports, log, engine, policy } = parts
    this.tokens = new AccessTokens({ ...ports, ...parts, write: storeWriter(ports.store, log) })
    this.access = new ReaderAccess({ ...ports, ...parts, tokens: this.tokens })
    this.receiptParts = new ReceiptParts({ ...parts, store: ports.store })
    this.subscriptions = new SubscriptionHub({ ...ports, engine, policy, epoch: log.epoch })
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
