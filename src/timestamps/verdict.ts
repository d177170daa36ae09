import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { LocalEvent } from '../events/local.ts'
import { localEvent } from '../events/local.ts'
import type { InvalidCode, UnreachableCode } from './verifier.ts'

/** Which evidence: the columns that name one row of `timestamp-anchors`. */
export type EvidenceIdentity = {
  readonly namespace: string
  readonly batchId: string
  readonly chainId: string
  readonly evidenceId: string
  readonly owner: string
  readonly batchRoot: string
  /** Over the whole timestamp anchor, which stands in the events that announced it. */
  readonly evidenceHash: string
}

/** `VERIFIER_FAILED`: the verifier threw, or answered what is no result. */
export type VerdictCode = InvalidCode | UnreachableCode | 'VERIFIER_FAILED'

/** What this node found out about one timestamp anchor. */
export type Finding =
  | {
      readonly outcome: 'verified'
      readonly code: null
      /** Milliseconds since 1970. */
      readonly provenTime: number
      /** The block's height; for a time-stamping authority its genTime in milliseconds. */
      readonly position: number
      readonly evidence: JsonObject
    }
  | {
      readonly outcome: 'pending' | 'invalid' | 'unreachable'
      readonly code: VerdictCode | null
      readonly provenTime: null
      readonly position: null
      readonly evidence: JsonObject
    }

/**
 * The body of the local event `verdict`: which evidence, what was found, and the digest of the namespace's policy that
 * it was found under. The newest verdict on a piece of evidence is the one that counts.
 */
export type Verdict = EvidenceIdentity &
  Finding & {
    readonly policyDigest: string
    /**
     * When a chain that may still be rewritten is to be asked once more, milliseconds since 1970. Absent: never, as in
     * all verdicts that are not `verified` or `invalid`.
     */
    readonly recheckAt?: number
  }

/** `unverified` until there is a verdict. */
export type TimestampAnchorStatus = 'unverified' | Finding['outcome']

/** The body of a `verdict` event; `null` for another local event. */
export function verdictOf(event: LocalEvent): Verdict | null {
  return event.type === 'verdict' ? (event.body as Verdict) : null
}

export function verdictEvent(ts: number, verdict: Verdict): LocalEvent {
  return localEvent('verdict', ts, verdict)
}
