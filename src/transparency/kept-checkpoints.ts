import type { LogName } from '../../protocols/checkpoint/v1/note.ts'
import type { EventLog } from '../log/event-log.ts'
import type { Store } from '../log/store.ts'
import { checkpointFactKey } from '../projections/checkpoint-chain.ts'
import type { CheckpointFact } from '../projections/checkpoint-chain.ts'
import type { CheckpointRow } from '../projections/checkpointed.ts'
import { checkpointKey } from '../projections/checkpointed.ts'
import { successorsKey } from '../projections/checkpoint-forks.ts'
import type { ProjectionEngine } from '../projections/engine.ts'
import { viewRows } from '../projections/rows-view.ts'
import type { OwnCheckpoint } from './own-log.ts'

const PROJECTION = 'checkpoints'

export interface KeptPorts {
  readonly engine: ProjectionEngine
  readonly store: Store
  readonly log: EventLog
}

/** Resolves once the checkpoints in the log are folded. Throws `PROJECTION_HALTED`. */
export async function checkpointsFolded({ engine, log }: KeptPorts): Promise<void> {
  await engine.reached(log.head.logSeq, null, PROJECTION)
}

/** The newest checkpoint that is kept of a key's log, as far as they are folded; `null` where there is none. */
export async function keptCheckpoint(
  { engine, store }: KeptPorts,
  { signer, kid }: LogName
): Promise<CheckpointRow | null> {
  const [row] = await viewRows(engine, store, PROJECTION, (view) => view.rows([checkpointKey(signer, kid)]))
  return (row as CheckpointRow | undefined) ?? null
}

/**
 * The last checkpoint of a signer's log, under whichever key: the one that no other goes on from. Where there are several,
 * that of `kid`, or else the longest.
 */
export async function lastCheckpoint(ports: KeptPorts, { signer, kid }: LogName): Promise<CheckpointRow | null> {
  const { engine, store } = ports
  const [rows, ends] = await viewRows(engine, store, PROJECTION, async (view) => {
    const found: CheckpointRow[] = []
    for await (const [, row] of view.range(checkpointKey(signer, ''))) found.push(row as CheckpointRow)
    const successors = await view.facts(found.map(({ eventId }) => successorsKey(signer, eventId)))
    return [found, found.filter((_row, index) => successors[index] === undefined)] as const
  })
  const [longest = null] = ends.toSorted((one, other) => other.size - one.size || (one.kid < other.kid ? -1 : 1))
  const own = (row: CheckpointRow): boolean => row.kid === kid
  return ends.find(own) ?? longest ?? rows.find(own) ?? null
}

/** The checkpoint with this id, then those before it. */
export async function* checkpointsUpTo({ engine, store }: KeptPorts, eventId: string): AsyncGenerator<OwnCheckpoint> {
  for (let at: string | null = eventId; at !== null;) {
    const key = checkpointFactKey(at)
    const [fact] = await viewRows(engine, store, PROJECTION, (view) => view.facts([key]))
    if (fact === undefined) return
    const { event, kid, epoch, size, root, before } = fact as unknown as CheckpointFact
    yield { event, kid, epoch, size, root }
    at = before
  }
}

/** All that are kept: one of each key of each member. */
export async function* keptCheckpoints({ engine }: KeptPorts): AsyncGenerator<CheckpointRow> {
  for await (const row of engine.instance(PROJECTION).rowsWithPrefix('')) yield row as CheckpointRow
}
