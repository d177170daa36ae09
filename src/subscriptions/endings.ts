import type { ProjectionState } from '../projections/state.ts'
import type { Counts } from '../platform/tally.ts'
import type { Ending } from './frames.ts'

/** Changes since the position are no longer kept. */
export function tooOld({ journalFrom }: Pick<ProjectionState, 'journalFrom'>, logSeq: number): Ending {
  return {
    code: 'CURSOR_TOO_OLD',
    detail: `changes after position ${logSeq} are no longer kept`,
    retryable: false,
    oldest: journalFrom
  }
}

/** The connection takes less than there is to send. */
export function tooSlow(): Ending {
  return {
    code: 'CONSUMER_TOO_SLOW',
    detail: 'the connection did not take what was sent; go on from the cursor',
    retryable: true
  }
}

/** The node stops. */
export function stopping(): Ending {
  return { code: 'NODE_NOT_RUNNING', detail: 'the node is stopping', retryable: true }
}

/** Every code that a subscription ends with once it has begun, at 0. Failures that say nothing to readers are `INTERNAL`. */
export const NO_ENDS = {
  CONSUMER_TOO_SLOW: 0,
  CURSOR_TOO_OLD: 0,
  NODE_NOT_RUNNING: 0,
  PROJECTION_HALTED: 0,
  ACCESS_DENIED: 0,
  TOKEN_EXPIRED: 0,
  TOKEN_INVALID: 0,
  CERTIFICATE_REQUIRED: 0,
  CERTIFICATE_NOT_PINNED: 0,
  INTERNAL: 0
} as const satisfies Counts<string>
export type EndCode = keyof typeof NO_ENDS

/** Every code that keeps a subscription from beginning, at 0. */
export const NO_REFUSALS = {
  QUERY_INVALID: 0,
  UNKNOWN_PROJECTION: 0,
  CURSOR_FOREIGN: 0,
  CURSOR_FUTURE: 0,
  CURSOR_TOO_OLD: 0,
  PROJECTION_HALTED: 0,
  NODE_NOT_RUNNING: 0,
  ACCESS_DENIED: 0,
  TOO_MANY_SUBSCRIBERS: 0,
  INTERNAL: 0
} as const satisfies Counts<string>
export type RefusalCode = keyof typeof NO_REFUSALS

/** What a code counts as: one that is not named counts with the defects. */
export function countedAs<Name extends string>(code: string, none: Counts<Name | 'INTERNAL'>): Name | 'INTERNAL' {
  return Object.hasOwn(none, code) ? (code as Name) : 'INTERNAL'
}

/** Why a connection that once let its reader in does so no more. */
export interface Loss {
  readonly code: 'CERTIFICATE_REQUIRED' | 'CERTIFICATE_NOT_PINNED'
  readonly detail: string
}
