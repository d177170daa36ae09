import type { UnreachableCode } from './verifier.ts'

/**
 * What a provider (a node of a chain, an API in front of one) answered. `unreachable` is everything that tells nothing
 * about the chain: no answer, a wrong form, another chain, a limit.
 */
export type ProviderAnswer<Value> = { readonly ok: true; readonly value: Value } | ProviderFailure

export interface ProviderFailure {
  readonly ok: false
  readonly code: UnreachableCode
  /** One sentence that names the provider, for the log and for operators. Never holds credentials. */
  readonly detail: string
  /** How long the provider wants to be left alone; 0 where it did not say. Milliseconds. */
  readonly retryAfterMs: number
}
