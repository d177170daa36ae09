import type { Anchorer } from './anchoring/anchorer.ts'
import type { ReceiptQueue } from './anchoring/receipt-queue.ts'
import type { CountedTrail } from './audit/counted-trail.ts'
import type { NodeAudit } from './audit/node-audit.ts'
import type { SyslogTransport } from './audit/syslog-transport.ts'
import type { Author } from './authoring/author.ts'
import type { Bundles } from './bundles/bundles.ts'
import type { IngestDoor } from './ingest/door.ts'
import type { RequestGuard } from './ingest/request-guard.ts'
import type { BackupSource } from './backup/make-backup.ts'
import type { BlobStore } from './log/blob-store.ts'
import type { CheckpointKeeper } from './log/checkpoint-file.ts'
import type { EventLog } from './log/event-log.ts'
import type { Store } from './log/store.ts'
import type { Network } from './network/network.ts'
import type { AuditNotes, AuditTrail } from './platform/audit.ts'
import type { Clock } from './platform/clock.ts'
import type { Logger } from './platform/logger.ts'
import type { Random } from './platform/random.ts'
import type { SignatureVerifiers } from './platform/signature-verifiers.ts'
import type { PolicyView } from './policy/policy-view.ts'
import type { NamespaceDigests } from './projections/digest.ts'
import type { ProjectionEngine } from './projections/engine.ts'
import type { NodeSync } from './sync/node-sync.ts'
import type { Keyring } from './trust/keyring.ts'
import type { TimestampVerifier } from './timestamps/verifier.ts'
import type { Signer } from './trust/signer.ts'
import type { ConfigurationSource, LiveSettings } from './live-settings.ts'
import type { SignerRegistry } from './trust/signer-registry.ts'
import type { TrustPins } from './trust/trust-pins.ts'
import type { Verification } from './verification/verification.ts'

export type { NodeConfig } from './live-settings.ts'

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
  /** Where the configuration can be read again; without one `reloadConfig` is refused. */
  readonly configuration?: ConfigurationSource
  /** What the node's folder holds beside its stores; without it `backup` is refused. */
  readonly backup?: BackupSource
  /** The organisation's keys on this machine; by default the one of `signer`, in memory. */
  readonly signers?: SignerRegistry
  /** The pins of packs in the configuration; without it packs can't be pinned by command. */
  readonly pins?: TrustPins
  /** Verify the signatures of many events that come together; by default the calling thread does. Closed with the node. */
  readonly signatureVerifiers?: SignatureVerifiers
  /** Takes the audit records in the place of the node's own audit log. */
  readonly audit?: AuditTrail
  /** What was done while no node had the store; recorded when the node opens, and when it is asked for its audit log. */
  readonly auditNotes?: AuditNotes
  /** The way to the collector that gets a copy of the audit records, once the node is started. */
  readonly syslog?: SyslogTransport
}

/** What `createNode` put together. */
export interface NodeParts {
  readonly live: LiveSettings
  readonly ports: NodePorts
  /** The policy in force now; a reload puts another in its place, so nobody keeps it. */
  readonly policy: () => PolicyView
  /** Who signs for this node now. */
  readonly signer: () => Signer
  /** For every part that decides or does what an auditor asks after. */
  readonly audit: CountedTrail
  /** `null` where the node was given another trail. */
  readonly nodeAudit: NodeAudit | null
  readonly log: EventLog
  readonly engine: ProjectionEngine
  readonly keyring: Keyring
  readonly door: IngestDoor
  readonly author: Author
  readonly digests: NamespaceDigests
  readonly blobs: BlobStore
  readonly queue: ReceiptQueue
  /** Keeps signed requests of every kind from being answered twice. */
  readonly guard: RequestGuard
  readonly bundles: Bundles
  readonly stopFollowing: () => void
  readonly verification: Verification
  /** `null` where the node was given no network. */
  readonly sync: NodeSync | null
}
