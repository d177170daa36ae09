import type { CommandContext } from '../command.ts'
import { AnchormeshError } from '../../platform/errors.ts'

/**
 * Short beside what is waited for: a gossip heartbeat is a second, an event's way across the mesh some milliseconds.
 */
const POLL_MS = 50

/** A mesh of three on loopback forms in about two seconds; on a machine that is busy it may take many times that. */
const DEADLINE_MS = 40_000

/** Asks again until there is an answer other than null. Throws `NOT_YET`, naming `what`, after the deadline. */
export async function poll<Answer>(
  what: string,
  ask: () => Promise<Answer | null>,
  { clock, signal }: Pick<CommandContext, 'clock' | 'signal'>
): Promise<Answer> {
  const endMs = clock.monotonicMs() + DEADLINE_MS
  for (;;) {
    const answer = await ask()
    if (answer !== null) return answer
    if (clock.monotonicMs() > endMs) {
      throw new AnchormeshError('NOT_YET', `still waiting after ${DEADLINE_MS / 1000} s: ${what}`, {
        hint: 'The machine may be very busy: try once more. --keep leaves the folders, to look around in.'
      })
    }
    await clock.sleep(POLL_MS, signal)
  }
}
