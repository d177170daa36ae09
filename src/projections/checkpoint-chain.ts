import type { KnownCheckpoint } from '../../protocols/checkpoint/v1/judge.ts'
import type { SharedRecord } from '../log/log-reader.ts'
import type { Table } from './projection.ts'

/**
 * A checkpoint as the fold remembers it. Those before it are reached by `before` one by one, or by `jump` over about
 * half of the way, so that finding one takes some forty steps among a million (a skew-binary list).
 */
export type CheckpointFact = KnownCheckpoint & {
  /** How many checkpoints stand before it. */
  readonly depth: number
  readonly before: string | null
  readonly jump: string | null
  readonly jumpDepth: number
}

/** Where the fact of a checkpoint stands. */
export const checkpointFactKey = (eventId: string): string => `checkpoint!${eventId}`
/** Under which the nearest checkpoint at or before an event of the chain stands. */
const nearestKey = (eventId: string): string => `nearest!${eventId}`

/** The nearest checkpoint before the event in its chain; `null` where there is none. */
export async function checkpointBefore({ event }: SharedRecord, facts: Table): Promise<CheckpointFact | null> {
  const { prev } = event.envelope
  if (prev === null) return null
  const nearest = await facts.get(nearestKey(prev))
  return nearest === undefined ? null : await checkpointFact(nearest['event'] as string, facts)
}

/** Notes which checkpoint is the nearest for those that follow the event. */
export async function noteNearest(eventId: string, checkpoint: string, facts: Table): Promise<void> {
  await facts.get(nearestKey(eventId))
  facts.put(nearestKey(eventId), { event: checkpoint })
}

/** Links a checkpoint to the one before it. */
export async function linkCheckpoint(
  known: KnownCheckpoint,
  before: CheckpointFact | null,
  facts: Table
): Promise<void> {
  const jump = await jumpFrom(before, facts)
  const fact: CheckpointFact = {
    ...known,
    depth: before === null ? 0 : before.depth + 1,
    before: before?.event ?? null,
    jump: jump?.event ?? null,
    jumpDepth: jump?.depth ?? 0
  }
  await facts.get(checkpointFactKey(known.event))
  facts.put(checkpointFactKey(known.event), { ...fact })
}

/** The checkpoint with this id if it is `from` or stands before it; else `null`. */
export async function ancestorOf(from: CheckpointFact, eventId: string, facts: Table): Promise<CheckpointFact | null> {
  const sought = (await facts.get(checkpointFactKey(eventId))) as CheckpointFact | undefined
  if (sought === undefined) return null
  let at = from
  while (at.depth > sought.depth) {
    const next = at.jump !== null && at.jumpDepth >= sought.depth ? at.jump : at.before
    at = await checkpointFact(next as string, facts)
  }
  return at.event === eventId ? at : null
}

/** Two jumps of the same length behind the one before are joined into one; else the jump goes there. */
async function jumpFrom(before: CheckpointFact | null, facts: Table): Promise<CheckpointFact | null> {
  if (before === null || before.jump === null) return before
  const first = await checkpointFact(before.jump, facts)
  if (first.jump === null) return before
  const second = await checkpointFact(first.jump, facts)
  return before.depth - first.depth === first.depth - second.depth ? second : before
}

async function checkpointFact(eventId: string, facts: Table): Promise<CheckpointFact> {
  const fact = (await facts.get(checkpointFactKey(eventId))) as CheckpointFact | undefined
  if (fact === undefined) throw new Error(`checkpoint ${eventId} is not among the facts`)
  return fact
}
