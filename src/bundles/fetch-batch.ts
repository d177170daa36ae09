import type { Random } from '../platform/random.ts'
import type { BatchRow } from '../projections/batches.ts'
import { receiptsMissing } from '../projections/batches.ts'
import type { ProjectionEngine } from '../projections/engine.ts'
import { viewRows } from '../projections/rows-view.ts'
import type { Store } from '../log/store.ts'
import type { AskFailure, BundleClient, ServingPeer } from './client.ts'

/** What came of fetching one batch. */
export interface BatchFetch {
  /** Receipts that are held now and were not. */
  readonly held: number
  /** How many are still missing. */
  readonly missing: number
  /** Whether a peer that gave receipts had more of them when its turn ended. */
  readonly turnOver: boolean
  /** How many peers were asked. */
  readonly asked: number
  /** Why peers did not give what they were asked for, by code. */
  readonly failures: Readonly<Partial<Record<AskFailure, number>>>
}

export interface BatchFetchPorts {
  readonly client: BundleClient
  readonly engine: ProjectionEngine
  readonly store: Store
  readonly random: Random
  /**
   * The peers of the namespace with the role `serve` to which a connection stands and that may be asked, in the order in
   * which they are.
   */
  readonly servers: (namespace: string) => readonly ServingPeer[]
  /** Peers that lied. */
  readonly penalise: (peerId: string) => void
}

/**
 * Fetches what is missing of a batch: asks the serving peers one after the other until nothing is. Resolves with null where
 * nothing is missing (any more). Rejects when the signal aborts, and where nothing can be kept.
 */
export async function fetchBatch(
  rowKey: string,
  ports: BatchFetchPorts,
  signal: AbortSignal,
  onHeld: (count: number) => void = () => {}
): Promise<BatchFetch | null> {
  const row = await batchRow(rowKey, ports)
  if (row === null || row.receiptCount === null) return null
  const batch = { ...row, receiptCount: row.receiptCount }
  const failures: Partial<Record<AskFailure, number>> = {}
  let missing = receiptsMissing(row)
  if (missing === 0) return null
  let held = 0
  let asked = 0
  let turnOver = false
  for (const peer of ports.servers(row.namespace)) {
    asked += 1
    const fetched = await ports.client.fetch(batch, peer, signal, onHeld)
    held += fetched.held
    turnOver ||= fetched.turnOver && fetched.held > 0
    const { failure } = fetched
    if (failure !== null) failures[failure.code] = (failures[failure.code] ?? 0) + 1
    if (failure?.code === 'lied') ports.penalise(peer.peerId)
    missing -= fetched.held + fetched.forgotten
    if (missing <= 0) break
  }
  return { held, missing: Math.max(0, missing), turnOver, asked, failures }
}

/** The batch's row as it is now; null where there is none. */
export async function batchRow(
  rowKey: string,
  { engine, store }: Pick<BatchFetchPorts, 'engine' | 'store'>
): Promise<BatchRow | null> {
  const [row] = await viewRows(engine, store, 'batches', (view) => view.rows([rowKey]))
  return (row as BatchRow | undefined) ?? null
}
