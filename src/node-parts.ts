import type { Anchorer } from './anchoring/anchorer.ts'
import type { ReceiptQueue } from './anchoring/receipt-queue.ts'
import type { Author } from './authoring/author.ts'
import type { Bundles } from './bundles/bundles.ts'
import type { IngestDoor } from './ingest/door.ts'
import type { BlobStore } from './log/blob-store.ts'
import type { CheckpointKeeper } from './log/checkpoint-file.ts'
import type { EventLog } from './log/event-log.ts'
import type { Store } from './log/store.ts'
import type { Network } from './network/network.ts'
import type { Operations } from './operations.ts'
import type { Clock } from './platform/clock.ts'
import type { Logger } from './platform/logger.ts'
import type { Random } from './platform/random.ts'
import type { SignatureVerifiers } from './platform/signature-verifiers.ts'
import type { SealingConfig } from './policy/config-schema.ts'
import type { EffectivePolicy } from './policy/policy.ts'
import type { PolicyView } from './policy/policy-view.ts'
import type { ChangesQuery, ProjectionUpdate } from './projections/changes.ts'
import type { NamespaceDigests } from './projections/digest.ts'
import type { ProjectionEngine } from './projections/engine.ts'
import type { NodeSync } from './sync/node-sync.ts'
import type { Keyring } from './trust/keyring.ts'
import type { TimestampVerifier } from './timestamps/verifier.ts'
import type { Signer } from './trust/signer.ts'
import type { Verification } from './verification/verification.ts'

/** Who the node is and what it may do. */
export interface NodeConfig {
  readonly policy: EffectivePolicy
  readonly signer: Signer
  /** The release, for `status`. */
  readonly version: string
  /** How far ahead an event's `ts` may be, in milliseconds; default two minutes. */
  readonly futureSkewMs?: number
  /** How far the `ts` of a request may be from the clock, in milliseconds; default five minutes. */
  readonly requestSkewMs?: number
  /** Time between two sync sessions with a peer that find no difference, in milliseconds; default a minute. */
  readonly syncIntervalMs?: number
  /** Time between two checkpoints of the log, in milliseconds; default: none is published. */
  readonly checkpointMs?: number
  /** What is sealed by schedule, by namespace; default nothing. */
  readonly sealing?: Readonly<Record<string, SealingConfig>>
}

/** Everything that the node needs of the world. Simulations bring their own. */
export interface NodePorts {
  readonly store: Store
  readonly blobs: Store
  readonly checkpoint: CheckpointKeeper
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Without one the node works on its log alone. */
  readonly network?: Network
  /**
   * Check timestamp anchors, each on the chains that it handles; what none handles stays unverified. Without any
   * nothing wins.
   */
  readonly verifiers?: readonly TimestampVerifier[]
  /** Make timestamp anchors, each on its chain. Without any `anchor` is refused. */
  readonly anchorers?: readonly Anchorer[]
  /** Verify the signatures of many events that come together; by default the calling thread does. Closed with the node. */
  readonly signatureVerifiers?: SignatureVerifiers
}

/** A federation node: its operations, changes of projections, and its life. */
export interface AnchormeshNode extends Operations {
  /**
   * Joins the mesh, if a network was given, begins to verify, if verifiers were, and to attest what it verified, where a
   * quorum names it. Throws `PORT_IN_USE`,
   * `CONFIG_INVALID`.
   */
  start(): Promise<void>
  /** The rows of a projection, then each change; see `followChanges`. */
  changes(projection: string, query?: ChangesQuery): AsyncIterable<ProjectionUpdate>
  /** Leaves the mesh, finishes what was taken in, and closes the stores. */
  close(): Promise<void>
}

/** What `createNode` put together. */
export interface NodeParts {
  readonly config: NodeConfig
  readonly ports: NodePorts
  readonly policy: PolicyView
  readonly log: EventLog
  readonly engine: ProjectionEngine
  readonly keyring: Keyring
  readonly door: IngestDoor
  readonly author: Author
  readonly digests: NamespaceDigests
  readonly blobs: BlobStore
  readonly queue: ReceiptQueue
  readonly bundles: Bundles
  readonly stopFollowing: () => void
  readonly verification: Verification
  /** `null` where the node was given no network. */
  readonly sync: NodeSync | null
}
