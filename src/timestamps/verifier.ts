import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { TimestampAnchor } from '../../protocols/event/v1/announce.ts'
import type { FinalityRule } from '../policy/config-schema.ts'

/** Why evidence is no evidence: it speaks for itself, and every node that reads it finds the same. */
export type InvalidCode =
  | `TSA_${'MALFORMED' | 'IMPRINT' | 'SIGNATURE' | 'CERT_BINDING' | 'EKU' | 'CHAIN' | 'EXPIRED' | 'REVOKED' | 'POLICY' | 'NONCE'}`
  | `BTC_${'MALFORMED' | 'TX_64_BYTES' | 'BRANCH' | 'POW' | 'ROOT_NOT_FOUND' | 'NOT_BEST_CHAIN'}`
  | `OTS_${'MALFORMED' | 'ROOT'}`
  | `EVM_${'NOT_FOUND' | 'REVERTED' | 'ROOT_NOT_FOUND' | 'CONTRACT' | 'CHAIN'}`

/**
 * Why nothing could be found out for now. `PROVIDER_UNREACHABLE`: no connection, or an HTTP error; `EVIDENCE_MISSING`:
 * the evidence stands by hash, and its bytes are not here; `ROOTS_MISSING`: policy names no roots for the authority.
 */
export type UnreachableCode =
  | `PROVIDER_${'TIMEOUT' | 'MALFORMED' | 'CHAIN' | 'LIMITED' | 'UNREACHABLE'}`
  | 'PROVIDERS_DISAGREE'
  | 'EVIDENCE_MISSING'
  | 'ROOTS_MISSING'

export interface VerifierRequest {
  /** Evidence that stands by hash was replaced by its bytes, where they are here. */
  readonly timestampAnchor: TimestampAnchor
  /** What the evidence has to show, 64 hex digits. */
  readonly batchRoot: string
  /** When the policy takes the anchor's chain for final. */
  readonly finality: FinalityRule
}

/** What a verifier found. Times are milliseconds since 1970, delays are milliseconds. */
export type VerifierResult =
  | {
      readonly outcome: 'valid'
      /** In which way it is final, as `{ "depth": 6 }`. */
      readonly finality: JsonObject
      /** When the root existed at the latest, integer. */
      readonly provenTime: number
      /** The block's height; for a time-stamping authority its genTime in milliseconds. */
      readonly position: number
      /** What was seen and asked, for those who read the log later. */
      readonly evidence: JsonObject
      /** Final by policy, but a chain may still be rewritten: when to look once more. Absent: never. */
      readonly recheckAfterMs?: number
    }
  | {
      readonly outcome: 'invalid'
      readonly code: InvalidCode
      readonly detail: string
      /** The chain says otherwise now, and could change its mind: when to look once more. Absent: never. */
      readonly recheckAfterMs?: number
    }
  | { readonly outcome: 'unreachable'; readonly code: UnreachableCode; readonly retryAfterMs: number }
  | { readonly outcome: 'notYetFinal'; readonly depth: number; readonly needed: number; readonly retryAfterMs: number }

/** How a provider has been since the start. */
export interface ProviderHealth {
  readonly name: string
  readonly asked: number
  readonly failed: number
  /** The last failure, while nothing has succeeded since; `null` when all is well. Times are ms since 1970. */
  readonly failure: {
    readonly code: UnreachableCode
    readonly detail: string
    readonly at: number
    /** When the first failure of the row came of which this is the last. */
    readonly since: number
  } | null
}

/**
 * Checks timestamp anchors of some chains by itself: no other node is asked. What can be expected is a result; a
 * verifier that throws counts as one that could not be reached.
 */
export interface TimestampVerifier {
  /** For log lines. */
  readonly name: string
  /** Whether it can check anchors on the chain (`btc:mainnet`, `eip155:1`, `rfc3161:<tsa>`). */
  handles(chainId: string): boolean
  /** `signal` aborts when the node stops or waits no longer. */
  verify(request: VerifierRequest, signal: AbortSignal): Promise<VerifierResult>
  /** How those whom it asks have been; absent where it asks nobody. */
  health?(): readonly ProviderHealth[]
}
