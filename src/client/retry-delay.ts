import type { Random } from '../platform/random.ts'

/** How a subscription connects again after its connection broke. */
export interface RetryOptions {
  /** The longest first pause, milliseconds; doubled with each attempt that fails. Default 500. */
  readonly baseMs?: number
  /** The longest pause that doubling comes to. Default 30,000: a node that is back is found again within half a minute. */
  readonly maxMs?: number
  /** Attempts in a row that may fail before the subscription does; default none are too many. */
  readonly attemptsMax?: number
}

const BASE_MS = 500
const MAX_MS = 30_000
// A node asks for a minute at the most; whatever stands in between must not put a client to sleep for a day.
const RETRY_AFTER_MS_MAX = 300_000
/** 2^20 × the base is beyond every maximum, and no number grows without end. */
const DOUBLINGS_MAX = 20

/**
 * Milliseconds to wait before attempt `attempt` (from 1) is made again: exponential, and drawn from the upper half of
 * what that gives, so that the clients of a node that was away do not come back in one moment. Never shorter than the
 * node asked for.
 */
export function retryDelay(
  attempt: number,
  retryAfterMs: number | null,
  { baseMs = BASE_MS, maxMs = MAX_MS }: RetryOptions,
  random: Random
): number {
  const longest = Math.min(maxMs, baseMs * 2 ** Math.min(attempt - 1, DOUBLINGS_MAX))
  const drawn = longest / 2 + (longest / 2) * random.fraction()
  if (retryAfterMs === null) return drawn
  // Beyond what the node asked for, or all whom it turned away would be there again together.
  return Math.min(retryAfterMs, RETRY_AFTER_MS_MAX) + drawn / 2
}
