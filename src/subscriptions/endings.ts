import type { ProjectionState } from '../projections/state.ts'
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

/** Why a connection that once let its reader in does so no more. */
export interface Loss {
  readonly code: 'CERTIFICATE_REQUIRED' | 'CERTIFICATE_NOT_PINNED'
  readonly detail: string
}
