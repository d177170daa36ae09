import { setTimeout as delay } from 'node:timers/promises'

/** Conditions are looked at this often; what they wait for takes milliseconds to a second. */
const POLL_MS = 5

/** Far beyond what any condition takes on a busy machine; it only ends a hang, with a sentence that names what hung. */
const DEADLINE_MS = 60_000

/**
 * Waits until `condition` gives something other than false, null or undefined, and gives that. Fails with `what` after
 * the deadline. What is asked by a promise, which itself is none of these, is waited for by `untilAnswer`.
 */
export async function until<Value>(
  what: string,
  condition: () => Value extends PromiseLike<unknown> ? never : Value,
  deadlineMs: number = DEADLINE_MS
): Promise<NonNullable<Value>> {
  const endMs = performance.now() + deadlineMs
  for (;;) {
    const value: Value = condition()
    if (value !== false && value !== null && value !== undefined) return value
    if (performance.now() > endMs) throw new Error(`still waiting after ${deadlineMs} ms: ${what}`)
    await delay(POLL_MS)
  }
}
