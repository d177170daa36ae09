import type { JsonObject, JsonValue } from '../protocols/canonical-json/v1/json.ts'
import type { TokenOperations } from './access/token-operations.ts'
import type { AnchoringResult } from './anchoring/anchoring.ts'
import type { AuditOperations, AuditStatus } from './audit/operations.ts'
import type {
  AnchorRequest,
  AnchoringStatus,
  HandInResult,
  ImportProofRequest,
  SplitAnchorsRequest
} from './anchoring/node-anchoring.ts'
import type { ReceiptProof } from './authoring/sealed-batches.ts'
import type { SealedBatch } from './authoring/seal.ts'
import type { BackupMade, BackupRequest } from './backup/make-backup.ts'
import type { FetchedBundles, ReceiptsStatus } from './bundles/bundles.ts'
import type { ForgottenReceipt } from './bundles/receipt-keeper.ts'
import type { ImportResult } from './ingest/import.ts'
import type { EventsQuery, LoggedEvent } from './log/list-events.ts'
import type { LogVerification } from './log/verify-log.ts'
import type { NetworkStatus } from './network/network.ts'
import type { PackPullQuery, PackPushQuery, PackSyncOperations } from './pack-sync/node-pack-sync.ts'
import type { SyncPlan } from './pack-sync/plan.ts'
import type { PackPushResult } from './pack-sync/push.ts'
import type { SyncResult as PackSyncResult } from './pack-sync/result.ts'
import type { Digest } from './projections/digest.ts'
import type { ProjectionStatus, RebuiltProjection } from './projections/projection-status.ts'
import type { ReadScope } from './policy/read-scope.ts'
import type { ConfigReloaded } from './policy/config-change.ts'
import type { PackOperations, PublishedPack } from './packs/pack-operations.ts'
import type { ProjectionPage, ProjectionQuery } from './projections/query.ts'
import type { BuiltProof, ProofRequest } from './proofs/build-proof.ts'
import type { SyncRequest, SyncResult } from './sync/sync-operation.ts'
import type { LogProofOperations } from './transparency/log-proof-operations.ts'
import type { VerificationStatus } from './verification/verification.ts'
import type { OnlineQuery, OnlineVerification } from './verification/verify-online.ts'

export type {
  AnchorRequest,
  AnchoringResult,
  AnchoringStatus,
  BackupMade,
  BackupRequest,
  BuiltProof,
  ConfigReloaded,
  Digest,
  EventsQuery,
  FetchedBundles,
  ForgottenReceipt,
  HandInResult,
  ImportProofRequest,
  SplitAnchorsRequest,
  ImportResult,
  LogVerification,
  LoggedEvent,
  OnlineQuery,
  OnlineVerification,
  PackPullQuery,
  PackPushQuery,
  PackPushResult,
  PackSyncResult,
  ProjectionPage,
  ProjectionQuery,
  PublishedPack,
  ProofRequest,
  RebuiltProjection,
  ReceiptProof,
  ReceiptsStatus,
  SealedBatch,
  SyncPlan,
  SyncRequest,
  SyncResult,
  VerificationStatus
}

/**
 * What a node does for those who operate it and for apps that read it. The node itself offers this; the admin
 * listener serves it; the client of the admin listener offers it again, so that a command need not know whether a
 * node is running.
 */
export interface Operations
  extends AuditOperations, LogProofOperations, PackOperations, PackSyncOperations, TokenOperations {
  status(): Promise<NodeStatus>
  /** Writes one moment of the node to a new folder of its machine. Throws `USAGE`, `NODE_NOT_RUNNING` without a folder. */
  backup(request: BackupRequest, onProgress?: ProgressListener): Promise<BackupMade>
  /**
   * Reads the configuration again and goes by it: all of it or, where anything is wrong with it, nothing. Throws
   * `CONFIG_INVALID` with every problem, keystore codes, `STORE_FULL`, `NODE_NOT_RUNNING`.
   */
  reloadConfig(): Promise<ConfigReloaded>
  /** The events of the log in log order. */
  events(query: EventsQuery, signal?: AbortSignal): AsyncIterable<LoggedEvent>
  /** The shared event with this id, or null when the log holds none. */
  event(id: string): Promise<LoggedEvent | null>
  /**
   * One page of a projection; go on while it has a cursor, also when it has no rows. Rows of `receipts` show how their
   * root stands, worked out as of `winners` (`queryReceipts`). `audit` and `peers` are asked in the same way, though they
   * are no folds of the log. Of what the scope (default: everything) does not let its reader see nothing is shown, nor
   * that it is there. Throws `UNKNOWN_PROJECTION`, `STATE_OUTDATED`, `NOT_YET`, `PROJECTION_HALTED`, cursor codes.
   */
  query(projection: string, query: ProjectionQuery, scope?: ReadScope): Promise<ProjectionPage>
  /** What two nodes compare to know that they agree. Throws `NOT_FOUND` for a namespace that is not carried. */
  digest(namespace: string): Promise<Digest>
  /** Takes in one event's wire bytes by the ingest door, and passes what is new on to the mesh. */
  submit(wire: Uint8Array): Promise<SubmitOutcome>
  /** Seals receipts (any I-JSON values) into a batch. Throws `BATCH_EXISTS`, `RECEIPTS_INVALID`, `NOT_FOUND`. */
  seal(request: SealRequest): Promise<SealedBatch>
  /** The receipts of a batch that was sealed here, each with its proof, in batch order. Throws `BATCH_UNKNOWN`. */
  proofs(namespace: string, batchId: string): AsyncIterable<ReceiptProof>
  /**
   * All that proves one receipt which this node holds, as one file that anybody can check (proof/v1), and how the
   * receipt stands here. Throws `RECEIPT_UNKNOWN` (also for one that was erased), `NOT_YET`, `PROJECTION_HALTED`.
   */
  proof(request: ProofRequest): Promise<BuiltProof>
  /** Announces a sealed batch. Throws `BATCH_UNKNOWN`, `PUBLISH_REFUSED`. */
  announce(request: AnnounceRequest): Promise<Published>
  /**
   * Makes evidence for a sealed batch on a rail, verifies it here and announces it, as far as it goes now; a node that
   * runs goes on by itself, and asking again joins what is under way. Throws `RAIL_NOT_CONFIGURED`, `BATCH_UNKNOWN`,
   * `PUBLISH_REFUSED`, `ANCHORINGS_FULL`.
   */
  anchor(request: AnchorRequest): Promise<AnchoringResult>
  /** Goes on with all evidence that is under way (in a namespace), now, and says how far each is then. */
  upgradeAnchors(query: UpgradeQuery, onProgress?: ProgressListener): Promise<readonly AnchoringResult[]>
  /** Goes on with somebody's pending OpenTimestamps proof of a batch. Throws as `anchor`, `ANCHORING_EXISTS`, `PROOF_INVALID`. */
  importProof(request: ImportProofRequest): Promise<AnchoringResult>
  /**
   * Has what is announced together with a batch's evidence on one chain wait for it no longer; that is announced by
   * itself when it is there. Throws `BATCH_UNKNOWN`, `PUBLISH_REFUSED`, `ANCHORING_UNKNOWN`.
   */
  splitAnchors(request: SplitAnchorsRequest): Promise<readonly AnchoringResult[]>
  /**
   * Queues receipts (any I-JSON values) for the next scheduled batch, durably. Throws `SEALING_NOT_CONFIGURED`,
   * `RECEIPTS_INVALID`, `RECEIPTS_QUEUE_FULL`, `STORE_FULL`.
   */
  handIn(request: HandInRequest): Promise<HandInResult>
  /**
   * Fetches what is missing of the receipts of a namespace (of one batch) from the peers that serve it. Throws
   * `NOT_FOUND`, `BATCH_UNKNOWN`, `PUBLISH_REFUSED` (`ROLE_MISSING`), `NODE_NOT_RUNNING` without a mesh.
   */
  fetchBundles(query: BundleQuery, onProgress?: ProgressListener): Promise<FetchedBundles>
  /**
   * Erases a receipt (by its leaf hash) for good, or a delivery's payload, a report or feedback (by the hash that its
   * record names); the log keeps the hash and the reason. Throws `RECEIPT_UNKNOWN`.
   */
  forget(request: ForgetRequest): Promise<ForgottenReceipt>
  /** Walks the whole log and its indexes. Problems are findings, not errors. */
  verifyLog(onProgress?: ProgressListener): Promise<LogVerification>
  /**
   * Checks every timestamp anchor that was announced (in a namespace, since a time) against the live verifiers, and logs
   * each verdict that differs. Throws `NOT_FOUND`.
   */
  verifyOnline(query: OnlineQuery, onProgress?: ProgressListener): Promise<OnlineVerification>
  /** Builds every projection anew beside the old one and swaps; says whether the bytes came out the same. */
  rebuild(onProgress?: ProgressListener): Promise<readonly RebuiltProjection[]>
  /** The shared events of the log (of one namespace), each as it was received. */
  exportEvents(namespace?: string): AsyncIterable<Uint8Array>
  /** Takes exported events in by the door, in order; local records never travel. */
  importEvents(events: AsyncIterable<Uint8Array>, onProgress?: ProgressListener): Promise<ImportResult>
  /**
   * Syncs a namespace with connected peers, now. Throws `NOT_FOUND`, `PEER_UNREACHABLE`, and `NODE_NOT_RUNNING` for a
   * node without a mesh.
   */
  sync(request: SyncRequest, onProgress?: ProgressListener): Promise<readonly SyncResult[]>
}

/** How far long work is; `total` is null where nobody knows. */
export interface WorkProgress {
  readonly done: number
  readonly total: number | null
  readonly unit: string
}

export type ProgressListener = (progress: WorkProgress) => void

/** The typed outcome of the ingest door as data. */
export type SubmitOutcome =
  | { readonly outcome: 'accepted' | 'duplicate'; readonly id: string; readonly logSeq: number }
  | {
      readonly outcome: 'pending' | 'ignored' | 'rejected'
      readonly code: string
      readonly detail: string
      readonly id: string | null
    }

export interface SealRequest {
  readonly namespace: string
  readonly batchId: string
  readonly receipts: AsyncIterable<JsonValue> | Iterable<JsonValue>
}

export interface AnnounceRequest {
  readonly namespace: string
  readonly batchId: string
  readonly timestampAnchors: readonly JsonObject[]
}

export interface UpgradeQuery {
  readonly namespace?: string
}

export interface HandInRequest {
  readonly namespace: string
  readonly receipts: AsyncIterable<JsonValue> | Iterable<JsonValue>
}

export interface BundleQuery {
  readonly namespace: string
  readonly batchId?: string
}

export interface ForgetRequest {
  /** The leaf hash, hex. */
  readonly receipt: string
  /** At most 1,000 characters. */
  readonly reason: string
}

export interface Published {
  readonly id: string
  readonly logSeq: number
  /** How many peers the event was handed to at once; 0 when none is connected. */
  readonly recipients: number
}

/** How syncing a namespace with a peer goes. */
export interface PeerSync {
  readonly did: string
  readonly namespace: string
  readonly isRunning: boolean
  /** Wall-clock time (ms) of the next session; null while the peer is not connected. */
  readonly nextAt: number | null
  /** The last session, whoever opened it; null before the first. */
  readonly last: {
    readonly at: number
    /** `equal`, `synced`, or the code of the error that ended it. */
    readonly end: string
    readonly detail: string | null
    readonly rounds: number
    readonly bytes: number
    readonly sent: number
    readonly received: number
    readonly membershipDiffers: boolean
  } | null
  /** What all sessions since the start came to, whoever opened them. */
  readonly total: {
    readonly sessions: number
    readonly rounds: number
    readonly bytes: number
    readonly sent: number
    readonly received: number
    /** Came though they were here already, as when two peers send at the same time. */
    readonly duplicate: number
  }
}

export interface NodeStatus {
  readonly did: string
  readonly orgId: string
  readonly kid: string
  readonly version: string
  readonly startedAt: number
  readonly uptimeMs: number
  readonly health: { readonly ok: boolean; readonly reasons: readonly string[] }
  /** What the operator should look at though the node does its work. */
  readonly warnings: readonly string[]
  readonly log: {
    readonly logSeq: number
    readonly epoch: string
    readonly headHash: string
    readonly storeBytes: number
    readonly bytesPerEvent: number
  }
  readonly namespaces: readonly { readonly namespace: string; readonly members: number; readonly events: number }[]
  readonly projections: readonly ProjectionStatus[]
  readonly ingest: {
    /** Counts by `outcome` or `outcome(CODE)`, since the start. */
    readonly outcomes: Readonly<Record<string, number>>
    readonly signaturesVerified: number
    readonly pending: { readonly events: number; readonly bytes: number }
  }
  /** How timestamp anchors are checked; all is 0 where no verifier was given, or the node was not started. */
  readonly verification: VerificationStatus
  /** The audit log; null where records go elsewhere. */
  readonly audit: AuditStatus | null
  /** Receipts of other organisations. */
  readonly receipts: ReceiptsStatus
  /** What came for tenants since the start: `telemetry`, `feedback`, and refusals by code. */
  readonly findings: Readonly<Record<string, number>>
  /** Evidence that this node makes, and receipts that wait to be sealed by schedule. */
  readonly anchoring: AnchoringStatus
  /** Null when the node runs without a mesh (a command that opened the store by itself). */
  readonly network: NetworkStatus | null
  /** The sessions with each peer over each namespace that is shared with it; empty without a mesh. */
  readonly sync: readonly PeerSync[]
}
