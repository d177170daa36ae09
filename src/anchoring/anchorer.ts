import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { TimestampAnchor } from '../../protocols/event/v1/announce.ts'

/** The rails by the names that configuration and command line give them. */
export type RailName = 'tsa' | 'btc' | 'evm'

/** How far the evidence for a root is. Delays are milliseconds. */
export type AnchorStep =
  /** The evidence is whole. Whether it is final, the node's own verifier says. */
  | { readonly state: 'complete'; readonly timestampAnchor: TimestampAnchor }
  /**
   * Under way. `draft` is all that is needed to go on, after a restart too (a signed transaction, a pending proof): it is
   * logged before `advance` is called with it, so whatever costs money is only done there, and can be done twice without
   * paying twice. At most 32 KiB as JSON.
   */
  | { readonly state: 'under-way'; readonly draft: JsonObject; readonly detail: string; readonly retryAfterMs: number }
  /** Nothing was done, or it came to nothing: to be tried again from the start. */
  | { readonly state: 'failed'; readonly code: string; readonly detail: string; readonly retryAfterMs: number }

/** Makes evidence for roots on one chain. Expected failures are steps; it never throws but when aborted. */
export interface Anchorer {
  readonly rail: RailName
  readonly chainId: string
  /** Begins, without lasting effects outside: signs a transaction, asks an authority or a calendar. */
  prepare(batchRoot: string, signal: AbortSignal): Promise<AnchorStep>
  /** Goes on with a draft of `prepare` or of an earlier `advance`: broadcasts, looks for the block, upgrades a proof. */
  advance(batchRoot: string, draft: JsonObject, signal: AbortSignal): Promise<AnchorStep>
}
