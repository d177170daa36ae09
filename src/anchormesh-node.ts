import type { NodeCounts } from './metrics/node-counts.ts'
import type { NodeReload, NodeReloaded } from './live-settings.ts'
import type { NodeGateway } from './node-gateway.ts'
import type { Operations } from './operations.ts'
import type { PackServing } from './pack-sync/server.ts'
import type { CountingTrail } from './platform/audit.ts'
import type { ChangesQuery, ProjectionUpdate } from './projections/changes.ts'

/** A federation node: its operations, changes of projections, and its life. */
export interface AnchormeshNode extends Operations {
  /** For those who serve the node's operations. */
  readonly auditTrail: CountingTrail
  /** What its parts have counted since the start, for metrics. */
  counts(): Promise<NodeCounts>
  /** What apps and partners are offered beside the operations. */
  readonly gateway: NodeGateway
  /** Answers those who pull packs from this node, or push theirs. */
  readonly packServing: PackServing
  /**
   * Joins the mesh, if a network was given, begins to verify, if verifiers were, and to attest what it verified, where a
   * quorum names it. Throws `PORT_IN_USE`,
   * `CONFIG_INVALID`.
   */
  start(): Promise<void>
  /**
   * Goes by another configuration from now on, without a restart: all of it or, where it throws, nothing. See
   * `NodeReloading.reload`.
   */
  reload(next: NodeReload): Promise<NodeReloaded>
  /** The rows of a projection, then each change; see `followChanges`. */
  changes(projection: string, query?: ChangesQuery): AsyncIterable<ProjectionUpdate>
  /** Leaves the mesh, finishes what was taken in, and closes the stores. */
  close(): Promise<void>
}
