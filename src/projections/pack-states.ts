import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { AnchoredKey, PackState } from '../trust/pack-chain.ts'
import { stateKey } from './pack-facts.ts'
import type { Table } from './projection.ts'

/**
 * The keys after a valid pack: those that it changed, and the pack whose state has the others; `null` where these are
 * all. A small pack can leave 48 KiB of keys in force, so what it does not change is not written once more for it.
 */
type StateFact = Omit<PackState, 'keys'> & {
  readonly hash: string
  readonly before: string | null
  readonly keys: readonly AnchoredKey[]
}

/** A state with the facts that it was put together from, the newest first. */
interface JoinedState {
  readonly state: PackState
  readonly path: readonly StateFact[]
}

// The facts that one reading goes through: they are small and mostly at hand, and a full set for each 16 packs is about
// as much as the packs themselves.
const PATH_MAX = 32
const PATH_KEPT = 16

/** Remembers the state after a pack beside that of the pack before it. */
export function putState(facts: Table, orgId: string, state: PackState, before: string | null): void {
  const { hash } = state
  if (hash === null) throw new Error('the root has no pack')
  const changed = [...state.keys.values()].filter(({ changedBy }) => changedBy === hash)
  facts.put(stateKey(orgId, hash), encode({ ...state, hash, before, keys: changed }))
}

/** The state after a pack, if that is valid. `get` gives the fact of a key. */
export async function readState(
  get: (key: string) => Promise<JsonObject | undefined>,
  orgId: string,
  hash: string
): Promise<PackState | undefined> {
  return (await join(get, orgId, hash))?.state
}

/**
 * The same for one who continues it. Where it takes too many facts, all keys are put down halfway: then it takes fewer
 * for whatever continues it or one of those before it, so that many packs on one predecessor share what is put down.
 */
export async function continueState(facts: Table, orgId: string, hash: string): Promise<PackState | undefined> {
  const joined = await join((key) => facts.get(key), orgId, hash)
  if (joined !== undefined && joined.path.length >= PATH_MAX) {
    const [middle] = joined.path.slice(PATH_KEPT)
    if (middle === undefined) throw new Error('a long path has a middle')
    const keys = [...keysOf(joined.path.slice(PATH_KEPT)).values()]
    facts.put(stateKey(orgId, middle.hash), encode({ ...middle, before: null, keys }))
  }
  return joined?.state
}

async function join(
  get: (key: string) => Promise<JsonObject | undefined>,
  orgId: string,
  hash: string
): Promise<JoinedState | undefined> {
  const path: StateFact[] = []
  for (let next: string | null = hash; next !== null;) {
    const fact: JsonObject | undefined = await get(stateKey(orgId, next))
    if (fact === undefined && path.length === 0) return undefined
    if (fact === undefined) throw new Error(`the state of pack ${next} of ${orgId} is not among the facts`)
    const state = fact as unknown as StateFact
    path.push(state)
    next = state.before
  }
  const [last] = path
  if (last === undefined) return undefined
  const { packSeq, threshold, validUntil } = last
  return { state: { packSeq, hash, threshold, validUntil, keys: keysOf(path) }, path }
}

/** In ascending order of kid. */
function keysOf(path: readonly StateFact[]): Map<string, AnchoredKey> {
  const keys = new Map<string, AnchoredKey>()
  for (const fact of path) {
    for (const anchored of fact.keys) if (!keys.has(anchored.key.kid)) keys.set(anchored.key.kid, anchored)
  }
  return new Map([...keys].sort(([left], [right]) => (left < right ? -1 : 1)))
}

function encode(fact: StateFact): JsonObject {
  const { packSeq, hash, threshold, validUntil, before, keys } = fact
  return { packSeq, hash, threshold, validUntil, before, keys: keys as unknown as JsonObject[] }
}
