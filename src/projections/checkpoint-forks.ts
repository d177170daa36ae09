import type { VerifiedEvent } from '../events/verified.ts'
import { sortableNumber } from '../log/keys.ts'
import type { PlacedCheckpoint } from './checkpoint-chain.ts'
import type { Table } from './projection.ts'

/** The two smallest ids of the checkpoints in one place: more of them prove nothing more. */
type Two = { readonly first: string; readonly second: string | null }

/** Those of a signer that go on from one checkpoint, or that none is before, and the keys whose they are. */
type Successors = Two & { readonly kids: readonly string[] }

/** Two checkpoints of which at most one could be. */
export interface Fork {
  readonly event: string
  readonly against: string
}

/** The two smallest ids at the position of the event in its chain, once there are two (CHK-24). */
export async function forkAt({ chain, id, envelope }: VerifiedEvent, facts: Table): Promise<Fork | null> {
  const key = `position!${chain}!${sortableNumber(envelope.authorSeq)}`
  const two = withId((await facts.get(key)) as Two | undefined, id)
  facts.put(key, two)
  return forkOf(two)
}

/**
 * The two smallest ids that go on from what this one goes on from, once there are two, and all keys whose rows are to
 * show them (CHK-25). No more keys than are bound to the signer.
 */
export async function forkAfter(
  { event, signer, kid, before }: PlacedCheckpoint,
  facts: Table
): Promise<(Fork & { readonly kids: readonly string[] }) | null> {
  const key = successorsKey(signer, before?.event ?? null)
  const known = (await facts.get(key)) as Successors | undefined
  const kids = [...new Set([...(known?.kids ?? []), kid])].sort()
  const two = withId(known, event)
  facts.put(key, { ...two, kids } satisfies Successors)
  const fork = forkOf(two)
  return fork === null ? null : { ...fork, kids }
}

/** Where it stands which checkpoints of the signer go on from this one (`null`: that none is before). */
export const successorsKey = (signer: string, eventId: string | null): string => `after!${signer}!${eventId ?? ''}`

function withId(known: Two | undefined, id: string): Two {
  const ids = [id, known?.first ?? null, known?.second ?? null].filter((other) => other !== null)
  const [first = id, second = null] = [...new Set(ids)].sort()
  return { first, second }
}

function forkOf({ first, second }: Two): Fork | null {
  return second === null ? null : { event: first, against: second }
}
