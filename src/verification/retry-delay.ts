import type { Random } from '../platform/random.ts'

// What is down for a moment is back within seconds.
const DELAY_MS_MIN = 5_000
// A provider that is down for a day is asked 96 times, and an anchor is not later than this after it came back.
const DELAY_MS_MAX = 15 * 60_000
// A provider may ask for more, but not that it is never asked again.
const ASKED_MS_MAX = 60 * 60_000
// Spreads those that failed together, so that they don't come back together.
const JITTER = 0.25

// The fastest chains make a block in a second or two; a verifier that asks for less would be asked without end.
const RECHECK_MS_MIN = 5_000
// No chain is rewritten a week deep, and the timers of the platform go wrong beyond 24 days.
export const RECHECK_MS_MAX = 7 * 24 * 60 * 60_000

/** Milliseconds until what was decided is looked at once more, from what the verifier asked for. */
export function recheckDelay(askedMs: number): number {
  return Math.round(Math.max(RECHECK_MS_MIN, Math.min(RECHECK_MS_MAX, askedMs)))
}

// A chain is rewritten once in a long while, and then settles: what was taken back this often within a day flaps, and so
// may what its provider says. Each time costs two verdicts, and a quorum two attestations, that are kept for ever.
const FLAPS_FREE = 3
const FLAP_DELAY_MS_MIN = 10 * 60_000
const FLAP_DELAY_MS_MAX = 6 * 60 * 60_000
export const FLAPS_WITHIN_MS = 24 * 60 * 60_000

/** Milliseconds until what was decided, and taken back `flaps` times of late, is asked about again at the soonest. */
export function flapDelay(flaps: number): number {
  return flaps <= FLAPS_FREE ? 0 : Math.min(FLAP_DELAY_MS_MAX, FLAP_DELAY_MS_MIN * 2 ** (flaps - FLAPS_FREE - 1))
}

/**
 * Milliseconds until the next try after `failures` in a row (0: none, it is only too early): twice as long each time,
 * at least what was asked for, and up to a quarter more by chance.
 */
export function retryDelay(failures: number, askedMs: number, random: Random): number {
  const backoffMs = Math.min(DELAY_MS_MAX, DELAY_MS_MIN * 2 ** Math.max(0, failures - 1))
  return Math.round(Math.max(backoffMs, Math.min(ASKED_MS_MAX, askedMs)) * (1 + JITTER * random.fraction()))
}
