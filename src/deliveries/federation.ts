import type { BundleAnswer } from '../../protocols/bundle/v1/answer.ts'
import type { SignedReceipt } from '../../protocols/delivery/v1/receipt.ts'
import type { Outcome } from '../events/outcome.ts'
import type { GivenToken } from './challenge-tokens.ts'
import type { Answered } from './deliveries.ts'
import type { NodeDocument } from './node-document.ts'

/** What a node offers partners over HTTP. `address` is that of the client: limits are counted by it. */
export interface FederationServing {
  /** One event's wire bytes, by the ingest door; what is new goes on to the mesh. */
  announce(wire: Uint8Array, address: string): Promise<Outcome>
  /** A request for receipts (bundle/v1): the page's wire bytes, or why there is none. */
  request(wire: Uint8Array, address: string): Promise<BundleAnswer>
  /** The body of a challenge (delivery/v1). */
  challenge(body: Uint8Array, address: string): Promise<Answered<GivenToken>>
  /** The body of a delivery (delivery/v1). */
  deliver(body: Uint8Array, address: string): Promise<Answered<SignedReceipt>>
  document(): NodeDocument
}
