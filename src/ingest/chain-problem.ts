import type { VerifiedEvent } from '../events/verified.ts'
import type { ChainPlace } from '../log/event-index.ts'

/** Why the event can't follow the one at `before`, which its `prev` names; `null` when it can. */
export function chainProblem(event: VerifiedEvent, before: ChainPlace): string | null {
  const { authorSeq, ts } = event.envelope
  if (before.chain !== event.chain) return 'its predecessor is an event of another chain'
  if (before.authorSeq !== authorSeq - 1)
    return `its predecessor is at authorSeq ${before.authorSeq}, it is at ${authorSeq}`
  if (ts < before.ts) return `its ts ${ts} is before that of its predecessor, ${before.ts}`
  return null
}
