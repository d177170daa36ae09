import type { RejectCode } from '../../protocols/event/v1/codec.ts'

/** Refused for ever, by every node; the peer that sent it pays. */
export type RejectedCode = RejectCode | 'SIGNATURE_INVALID' | 'KEY_WEAK' | 'CHAIN_BROKEN'

/** Not taken now; can be had again, and is never remembered against the event. */
export type IgnoredCode =
  | 'FUTURE_TIMESTAMP'
  | 'NAMESPACE_NOT_CARRIED'
  | 'SIGNER_NOT_MEMBER'
  | 'RATE_LIMITED'
  | 'OVERLOADED'
  | 'STORE_FULL'
  | 'SAME_ID_OTHER_BYTES'

/** Can't be judged yet; kept, within bounds, until what it waits for arrives. */
export type PendingCode = 'KEY_UNKNOWN' | 'PREDECESSOR_MISSING'

/** All codes of each outcome, for those who count them. */
export const OUTCOME_CODES = {
  pending: codesOf<PendingCode>({ KEY_UNKNOWN: true, PREDECESSOR_MISSING: true }),
  ignored: codesOf<IgnoredCode>({
    FUTURE_TIMESTAMP: true,
    NAMESPACE_NOT_CARRIED: true,
    SIGNER_NOT_MEMBER: true,
    RATE_LIMITED: true,
    OVERLOADED: true,
    STORE_FULL: true,
    SAME_ID_OTHER_BYTES: true
  }),
  rejected: codesOf<RejectedCode>({
    EVENT_TOO_LARGE: true,
    MALFORMED: true,
    NOT_CANONICAL: true,
    DUPLICATE_KEY: true,
    NUMBER_NOT_IJSON: true,
    LONE_SURROGATE: true,
    UNKNOWN_VERSION: true,
    SCHEMA_INVALID: true,
    SIGNATURE_INVALID: true,
    SIGNER_MISMATCH: true,
    KEY_WEAK: true,
    CHAIN_BROKEN: true
  })
} as const

/** The compiler sees to it that none is missing. */
function codesOf<Code extends string>(codes: Readonly<Record<Code, true>>): readonly string[] {
  return Object.keys(codes)
}

/** What the ingest door says of the bytes that it was given. Expected outcomes are values; exceptions are defects. */
export type Outcome =
  | { readonly outcome: 'accepted'; readonly id: string; readonly logSeq: number }
  | { readonly outcome: 'duplicate'; readonly id: string; readonly logSeq: number }
  | { readonly outcome: 'pending'; readonly code: PendingCode; readonly detail: string; readonly id: string }
  | { readonly outcome: 'ignored'; readonly code: IgnoredCode; readonly detail: string; readonly id: string | null }
  | { readonly outcome: 'rejected'; readonly code: RejectedCode; readonly detail: string; readonly id: string | null }

/** `accepted`, or `ignored(STORE_FULL)`: the name under which an outcome is counted and logged. */
export function outcomeName(outcome: Outcome): string {
  return 'code' in outcome ? `${outcome.outcome}(${outcome.code})` : outcome.outcome
}

/** The outcomes that say why. */
export type Refusal = Extract<Outcome, { readonly code: string }>

export function rejected(
  code: RejectedCode,
  detail: string,
  id: string | null
): Extract<Outcome, { outcome: 'rejected' }> {
  return { outcome: 'rejected', code, detail, id }
}

export function ignored(
  code: IgnoredCode,
  detail: string,
  id: string | null
): Extract<Outcome, { outcome: 'ignored' }> {
  return { outcome: 'ignored', code, detail, id }
}

export function pending(code: PendingCode, detail: string, id: string): Extract<Outcome, { outcome: 'pending' }> {
  return { outcome: 'pending', code, detail, id }
}
