import type { Frame, SyncErrorCode } from '../../protocols/range-sync/v1/frames.ts'
import type { SessionLimits } from './limits.ts'

/** What a side brings to a session beside its view. */
export interface SideOptions {
  readonly limits: SessionLimits
  /** Chain ids of which nothing is to be sent here: their events were refused when they came before. */
  readonly unwanted: ReadonlySet<string>
}

/** Why a session ends here: what is told to the peer. */
export interface SessionFailure {
  readonly ok: false
  readonly code: SyncErrorCode
  readonly detail: string
}

/**
 * What a side does with a frame: what it sends, and where it is then. `talk`: it waits for the next frame. `transfer`:
 * it knows what to send. `equal`: there is nothing to do, and the session is over.
 */
export type Step =
  { readonly ok: true; readonly send: readonly Frame[]; readonly next: 'talk' | 'transfer' | 'equal' } | SessionFailure

export function failure(code: SyncErrorCode, detail: string): SessionFailure {
  return { ok: false, code, detail }
}

export const TRANSFER: Step = { ok: true, send: [], next: 'transfer' }

export function talk(...send: readonly Frame[]): Step {
  return { ok: true, send, next: 'talk' }
}
