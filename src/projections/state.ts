import type { StoreReader, WriteOperation } from '../log/store.ts'
import { fewValues } from '../log/store.ts'
import { factsPrefix, generationPrefix, listsPrefix, rowsPrefix, stateKey } from './keys.ts'
import type { Projection } from './projection.ts'
import { parseStored } from './row-codec.ts'

/** How far a projection has come; written in the batch that holds its rows. */
export interface ProjectionState {
  readonly version: number
  readonly generation: number
  /** The `logSeq` that the rows are true at. */
  readonly cursor: number
  /** Changes after this position are in the journal. */
  readonly journalFrom: number
  /** The first generation from whose rows the journal leads to those of now; who has older ones must begin anew. */
  readonly journalGeneration: number
}

/**
 * The state as the store holds it. Read from the same snapshot as the rows it belongs to them, while what an instance
 * knows of its state may be one write behind the disk.
 */
export async function readState(
  reader: StoreReader,
  { name, version }: Pick<Projection, 'name' | 'version'>
): Promise<ProjectionState> {
  const [bytes] = await fewValues(reader, [stateKey(name)])
  return bytes === undefined ? { ...BEFORE_ALL, version } : decodeState(bytes)
}

/**
 * Whether what was read before in this turn of the event loop, without a snapshot, is all of `state`, which an instance
 * knows. A write that came in between by another thread, also one of which the instance has not heard yet, has moved
 * the state in the store: each batch that touches rows or lists of a generation in use moves its cursor, or has another
 * generation in use, and neither ever goes back.
 */
export function isStillState(
  getNow: (key: string) => Uint8Array | undefined,
  name: string,
  { generation, cursor }: ProjectionState
): boolean {
  const bytes = getNow(stateKey(name))
  const stored = bytes === undefined ? BEFORE_ALL : decodeState(bytes)
  return stored.generation === generation && stored.cursor === cursor
}

const BEFORE_ALL = { generation: 0, cursor: 0, journalFrom: 0, journalGeneration: 0 }

function decodeState(bytes: Uint8Array): ProjectionState {
  return parseStored(bytes) as unknown as ProjectionState
}

export function writeState(name: string, state: ProjectionState): WriteOperation {
  return { type: 'put', key: stateKey(name), value: JSON.stringify(state) }
}

/** Where the rows that a state speaks of stand in the store. */
export function rowsOfState(name: string, { generation }: ProjectionState): string {
  return rowsPrefix(generationPrefix(name, generation))
}

/** Where the lists of batches beside those rows stand. */
export function listsOfState(name: string, { generation }: ProjectionState): string {
  return listsPrefix(generationPrefix(name, generation))
}

/** Where the facts beside those rows stand. */
export function factsOfState(name: string, { generation }: ProjectionState): string {
  return factsPrefix(generationPrefix(name, generation))
}
