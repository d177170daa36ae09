import { createHash } from 'node:crypto'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { STORE_META_KEY } from '../../src/log/keys.ts'
import { LogReader } from '../../src/log/log-reader.ts'
import { PROJECTIONS } from '../../src/projections/all.ts'
import type { Projection } from '../../src/projections/projection.ts'
import { decodeRow } from '../../src/projections/row-codec.ts'
import { readState, rowsOfState } from '../../src/projections/state.ts'
import { prefixRange } from '../../src/log/store.ts'
import type { SimulatedNode, Simulation } from '../model/simulation.ts'

/**
 * What nodes hold, read from their disks: no time passes, no node notices, and it can be asked of nodes that are off.
 */
type Stored = SimulatedNode['disk']['stored']

/** Those of which something is asked: they play by the rules. */
export function honestNodes({ nodes }: Pick<Simulation, 'nodes'>): readonly SimulatedNode[] {
  return nodes.filter(({ isHonest }) => isHonest)
}

/** Those of them that run, and so have to come to hold what the others hold. */
export function runningNodes(simulation: Pick<Simulation, 'nodes'>): readonly SimulatedNode[] {
  return honestNodes(simulation).filter(({ state }) => state === 'running')
}

/** The description of the store that the disk holds, which is another after the disk was lost; `null`: an empty disk. */
export async function storeOn({ disk }: SimulatedNode): Promise<string | null> {
  const bytes = await disk.stored.get(STORE_META_KEY)
  return bytes === undefined ? null : Buffer.from(bytes).toString('utf8')
}

/** Which of these events the node holds, in their order. */
export async function holdsEvents(node: SimulatedNode, eventIds: readonly string[]): Promise<readonly boolean[]> {
  const places = await new LogReader(node.disk.stored).findMany(eventIds)
  return places.map((place) => place !== undefined)
}

/** How many shared events of the namespace the node holds. */
export async function countOn(node: SimulatedNode, namespace: string): Promise<number> {
  return await new LogReader(node.disk.stored).count(namespace)
}

/** SHA-256 over the tips of the namespace in ascending order: equal for equal sets of events (DESIGN, "Digests"). */
export async function eventsDigestOn(node: SimulatedNode, namespace: string): Promise<string> {
  const ids: string[] = []
  for await (const { id } of new LogReader(node.disk.stored).tips(namespace)) ids.push(id)
  const hash = createHash('sha256')
  for (const id of ids.sort()) hash.update(id, 'hex')
  return hash.digest('hex')
}

/** A projection of this release. */
export function projectionNamed(name: string): Projection {
  const found = PROJECTIONS.find((projection) => projection.name === name)
  if (found === undefined) throw new Error(`there is no projection ${name}`)
  return found
}

/** The rows of a projection as they stand on the disk, and the position that they are true at. */
export async function rowsOn(
  { disk: { stored } }: SimulatedNode,
  projection: Projection
): Promise<{ readonly cursor: number; readonly rows: ReadonlyMap<string, JsonObject> }> {
  const state = await readState(stored, projection)
  const prefix = rowsOfState(projection.name, state)
  const rows = new Map<string, JsonObject>()
  for await (const [key, bytes] of (stored satisfies Stored).range(prefixRange(prefix))) {
    const rowKey = key.slice(prefix.length)
    rows.set(rowKey, decodeRow(projection.layout, rowKey, bytes))
  }
  return { cursor: state.cursor, rows }
}
