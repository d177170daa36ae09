import { setTimeout as delay } from 'node:timers/promises'

/** Between two questions to another process; what they wait for takes tens of milliseconds to some seconds. */
const POLL_MS = 25

/** Far beyond what any answer takes on a busy machine; it only ends a hang, with a sentence that names what hung. */
const DEADLINE_MS = 60_000

/** Asks again until the answer is other than false or null, and gives that. Fails with `what` after the deadline. */
export async function untilAnswer<Answer>(
  what: string,
  ask: () => Promise<Answer | false | null>,
  deadlineMs: number = DEADLINE_MS
): Promise<Answer> {
  const endMs = performance.now() + deadlineMs
  for (;;) {
    const answer = await ask()
    if (answer !== false && answer !== null) return answer
    if (performance.now() > endMs) throw new Error(`still waiting after ${deadlineMs} ms: ${what}`)
    await delay(POLL_MS)
  }
}
