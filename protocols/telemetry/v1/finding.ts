import type { JsonValue } from '../../canonical-json/v1/json.ts'
import { isIntegerBetween, isStringLike } from '../../canonical-json/v1/shape.ts'
import type { Member, Shape } from '../../canonical-json/v1/shape.ts'
import { NAME_PATTERN } from '../../event/v1/announce.ts'
import { HASH_PATTERN } from '../../event/v1/envelope.ts'
import { utf8 } from '../../primitives/bytes.ts'

/** From the least to the most. */
export const SEVERITIES = ['info', 'low', 'medium', 'high', 'critical'] as const
export type Severity = (typeof SEVERITIES)[number]

/** Highest score of a finding. */
export const SCORE_MAX = 1_000
/** Longest subject of a finding, in bytes of UTF-8: a path or an address, not a text. */
export const SUBJECT_BYTES_MAX = 1_024

/** What an execution found (SPEC TM-7). */
export type Finding = {
  readonly findingId: string
  readonly kind: string
  readonly severity: Severity
  /** 0 to 1,000. */
  readonly score: number
  readonly subject?: string
  readonly detail?: JsonValue
}

/** Members that telemetry and feedback have in common. */
export const NAME: Member = { is: (value) => isStringLike(value, NAME_PATTERN), expected: 'a name' }
export const HASH: Member = { is: (value) => isStringLike(value, HASH_PATTERN), expected: 'a hash' }
export const TIME: Member = { is: (value) => isIntegerBetween(value, 0, Number.MAX_SAFE_INTEGER), expected: 'a time' }
export const SEVERITY: Member = {
  is: (value) => (SEVERITIES as readonly JsonValue[]).includes(value),
  expected: `one of ${SEVERITIES.join(', ')}`
}
export const SCORE: Member = {
  is: (value) => isIntegerBetween(value, 0, SCORE_MAX),
  expected: `an integer from 0 to ${SCORE_MAX}`
}

/** A text of 1 to so many bytes of UTF-8. */
export function textWithin(bytesMax: number): Member {
  return {
    // No text has fewer bytes than UTF-16 units, so a long one need not be encoded.
    is: (value) =>
      typeof value === 'string' && value !== '' && value.length <= bytesMax && utf8(value).length <= bytesMax,
    expected: `a text of 1 to ${bytesMax} bytes`
  }
}

export const FINDING_SHAPE: Shape = {
  detail: { is: () => true, expected: 'anything', optional: true },
  findingId: NAME,
  kind: NAME,
  score: SCORE,
  severity: SEVERITY,
  subject: { ...textWithin(SUBJECT_BYTES_MAX), optional: true }
}
