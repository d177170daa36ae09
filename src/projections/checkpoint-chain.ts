import type { KnownCheckpoint } from '../../protocols/checkpoint/v1/judge.ts'
import type { Checkpoint } from '../../protocols/event/v1/checkpoint.ts'
import type { SharedRecord } from '../log/log-reader.ts'
import type { Table } from './projection.ts'

/**
 * A checkpoint as the fold remembers it. Those before it, under whatever key, are reached by `before` one by one, or by
 * `jump` over about half of the way, so that finding one takes some forty steps among a million (a skew-binary list).
 */
export type CheckpointFact = KnownCheckpoint & {
  readonly signer: string
  readonly kid: string
  /** How many checkpoints stand before it. */
  readonly depth: number
  readonly before: string | null
  readonly jump: string | null
  readonly jumpDepth: number
}

/** A checkpoint in its chain, with what it says is before it. */
export type PlacedCheckpoint = {
  readonly event: string
  readonly signer: string
  readonly kid: string
  readonly authorSeq: number
  readonly checkpoint: Checkpoint
  /** The checkpoint before it (CHK-19), held or not; `null` where there is none. */
  readonly before: { readonly event: string; readonly kid: string } | null
}

/** Where the fact of a checkpoint stands. */
export const checkpointFactKey = (eventId: string): string => `checkpoint!${eventId}`
/** Under which the nearest checkpoint at or before an event of the chain stands. */
const nearestKey = (eventId: string): string => `nearest!${eventId}`
/** Those that can't be judged before another one is. */
const waitingPrefix = (eventId: string): string => `waiting!${eventId}!`

// Read at a time of those that wait for one: a signer that has many wait must not fill the memory.
const WAITING_PAGE = 32

/** The nearest checkpoint before the event in its chain; `null` where there is none. */
export async function nearestBefore({ event }: SharedRecord, facts: Table): Promise<string | null> {
  const { prev } = event.envelope
  if (prev === null) return null
  const nearest = await facts.get(nearestKey(prev))
  return nearest === undefined ? null : (nearest['event'] as string)
}

/** Notes which checkpoint is the nearest for those that follow the event. */
export async function noteNearest(eventId: string, checkpoint: string, facts: Table): Promise<void> {
  await facts.get(nearestKey(eventId))
  facts.put(nearestKey(eventId), { event: checkpoint })
}

/** The one before it, once that is linked itself; `undefined` as long as it is not. */
export async function linkedBefore(
  { signer, before }: PlacedCheckpoint,
  facts: Table
): Promise<CheckpointFact | null | undefined> {
  if (before === null) return null
  const fact = (await facts.get(checkpointFactKey(before.event))) as CheckpointFact | undefined
  return fact?.signer === signer && fact.kid === before.kid ? fact : undefined
}

/** Keeps a checkpoint until the one before it is linked. */
export async function keepWaiting(placed: PlacedCheckpoint, facts: Table): Promise<void> {
  const key = `${waitingPrefix(placed.before?.event ?? '')}${placed.event}`
  await facts.get(key)
  facts.put(key, placed as unknown as Parameters<Table['put']>[1])
}

/** Some of those that wait for the checkpoint after `from`, which is the last key that was looked at. */
export async function waitingFor(
  eventId: string,
  facts: Table,
  from: string | undefined
): Promise<readonly (readonly [string, PlacedCheckpoint])[]> {
  const found = await facts.range(waitingPrefix(eventId), WAITING_PAGE, from === undefined ? undefined : `${from}!`)
  return found.map(([key, value]) => [key, value as unknown as PlacedCheckpoint])
}

/** Links a checkpoint to the one before it. */
export async function linkCheckpoint(
  { event, signer, kid, checkpoint: { epoch, size, root } }: PlacedCheckpoint,
  before: CheckpointFact | null,
  facts: Table
): Promise<void> {
  const jump = await jumpFrom(before, facts)
  const fact: CheckpointFact = {
    event,
    signer,
    kid,
    epoch,
    size,
    root,
    firstSizeOfEpoch: before?.epoch === epoch ? before.firstSizeOfEpoch : size,
    depth: before === null ? 0 : before.depth + 1,
    before: before?.event ?? null,
    jump: jump?.event ?? null,
    jumpDepth: jump?.depth ?? 0
  }
  await facts.get(checkpointFactKey(event))
  facts.put(checkpointFactKey(event), { ...fact })
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
