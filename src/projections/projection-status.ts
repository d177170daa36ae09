import type { ProjectionInstance } from './instance.ts'

/** The state of one projection for `status`. */
export interface ProjectionStatus {
  readonly name: string
  readonly version: number
  /** The position that its rows are true at. */
  readonly logSeq: number
  readonly state: 'live' | 'catching-up' | 'halted'
  /** Why it halted, or why it can't be written just now. */
  readonly reason?: string
}

/** What a rebuild found: the hash over all bytes of the projection before and after. */
export interface RebuiltProjection {
  readonly projection: string
  readonly version: number
  readonly logSeq: number
  readonly rows: number
  readonly before: string
  readonly after: string
  readonly identical: boolean
}

/** How far a rebuild has come. */
export type RebuildProgress = (progress: {
  readonly projection: string
  readonly done: number
  readonly total: number
}) => void

/** A fingerprint of a projection before it was folded anew, and the one after. */
export function rebuiltOf(
  { projection: { name, version }, state }: ProjectionInstance,
  before: { readonly hash: string },
  after: { readonly hash: string; readonly rows: number }
): RebuiltProjection {
  return {
    projection: name,
    version,
    logSeq: state.cursor,
    rows: after.rows,
    before: before.hash,
    after: after.hash,
    identical: before.hash === after.hash
  }
}

/** What `status` says of a projection; `trouble`: why folding failed last, if it did. */
export function statusOf(
  { projection, state, halted }: ProjectionInstance,
  head: number,
  trouble: string | null
): ProjectionStatus {
  const behind = state.cursor < head
  const reason = halted ?? (behind ? trouble : null)
  return {
    name: projection.name,
    version: projection.version,
    logSeq: state.cursor,
    state: halted !== null ? 'halted' : behind ? 'catching-up' : 'live',
    ...(reason === null ? {} : { reason })
  }
}

/** Whether what is stored is of another version, or does not reach as far as it must. */
export function isOutdated({ projection, state }: ProjectionInstance, least = 0): boolean {
  return state.cursor < least || (state.version !== projection.version && state.cursor > 0)
}
