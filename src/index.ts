/** Anchormesh as a library: a federation node on ports of one's own. */
export { createNode } from './node.ts'
export type { AnchormeshNode, NodeConfig, NodePorts } from './node.ts'

export type {
  AnchorRequest,
  AnchoringResult,
  AnnounceRequest,
  BuiltProof,
  Digest,
  EventsQuery,
  HandInRequest,
  HandInResult,
  ImportResult,
  LogVerification,
  LoggedEvent,
  NodeStatus,
  Operations,
  ProgressListener,
  ProjectionPage,
  ProjectionQuery,
  ProofRequest,
  Published,
  PublishedPack,
  RebuiltProjection,
  ReceiptProof,
  SealRequest,
  SealedBatch,
  SubmitOutcome
} from './operations.ts'
export type { ChangesQuery, ProjectionChange, ProjectionCheckpoint, ProjectionUpdate } from './projections/changes.ts'
export type { WinnerChange } from './projections/winner-change.ts'

export { checkpointFile, memoryCheckpoint } from './log/checkpoint-file.ts'
export type { NodeRails, NodeReload, NodeReloaded } from './live-settings.ts'
export type { CheckpointKeeper, RestoredFrom, StoreCheckpoint } from './log/checkpoint-file.ts'
export { openLevelStore, openMemoryStore } from './log/level-store.ts'
export type { KeyRange, Store, StoreReader, StoreSnapshot, WriteOperation } from './log/store.ts'

export type {
  CheckpointCheck,
  CheckpointCheckRequest,
  LogCheckpoint,
  LogConsistency,
  LogInclusion,
  LogProofOperations
} from './transparency/log-proof-operations.ts'
/** Checks of a log's proofs and signed checkpoints, as pure functions (protocols/checkpoint/v1). */
export { isSignedBy, parseCheckpoint } from '../protocols/checkpoint/v1/note.ts'
export { verifyConsistency } from '../protocols/checkpoint/v1/tree.ts'
export { verifyInclusion } from '../protocols/batch/v1/merkle.ts'

export { createLibp2pNetwork } from './network/libp2p/libp2p-network.ts'
export type {
  GossipVerdict,
  KnownPeer,
  Network,
  NetworkHandlers,
  NetworkOptions,
  NetworkStatus,
  PeerStatus
} from './network/network.ts'

export { systemClock } from './platform/clock.ts'
export type { Clock } from './platform/clock.ts'
export { AnchormeshError } from './platform/errors.ts'
export type { FailureCode } from './platform/errors.ts'
export { createLogger, silentLogger } from './platform/logger.ts'
export type { Logger, LogLevel } from './platform/logger.ts'
export { systemRandom } from './platform/random.ts'
export type { Random } from './platform/random.ts'

/** Keys and packs of organisations: functions over a node, or over what `Operations` it offers. */
export { listSigners, publishAnchorPack, signAnchorPack } from './packs/library.ts'
export { checkTrustProof, listTrustAnchors } from './packs/trust-anchors.ts'
export type { ListedAnchor } from './packs/trust-anchors.ts'
export type {
  DraftedPack,
  ListedSigner,
  PackDraft,
  PackOperations,
  PackView,
  PublishPackRequest,
  SignPackRequest,
  SignersReport,
  TrustProof
} from './packs/pack-operations.ts'
export type { AnchorPack, PackKey } from '../protocols/event/v1/anchor-pack.ts'
export type { HeldKey, IntendedKey, SignerPlan, SignerRegistry } from './trust/signer-registry.ts'
export type { TrustPins } from './trust/trust-pins.ts'
/** Packs beside the mesh: what is known of other organisations' keys, and how it gets on, with a node or without. */
export { getAnchors, getSyncState, setAnchors, setSyncState } from './pack-sync/anchors.ts'
export type { Anchor, AnchorName, AnchorStore, StoredAnchors, SyncState } from './pack-sync/anchors.ts'
export { memoryAnchorStore, storedAnchorStore } from './pack-sync/anchor-store.ts'
export { planAnchorSync } from './pack-sync/plan.ts'
export type { PlanQuery, SyncPlan, SyncPlanEntry } from './pack-sync/plan.ts'
export { runAnchorSync } from './pack-sync/run.ts'
export type { RunOptions } from './pack-sync/run.ts'
export type { SyncProgress, SyncResult, SyncWarning } from './pack-sync/result.ts'
export type { AnchorDoor, AnchorSyncOptions, SyncedOrganisation } from './pack-sync/sync-options.ts'
export { pushAnchorPack } from './pack-sync/push.ts'
export type { PackPushResult, PushRequest, PushRunOptions } from './pack-sync/push.ts'
export { shelfOfEvents } from './pack-sync/event-shelf.ts'
export type { PackPlace, PackShelf } from './pack-sync/shelf.ts'
export type { OrganisationRoot } from './trust/pack-chain.ts'
export { fileTransport } from './pack-sync/file-transport.ts'
export { httpTransport } from './http/pack-transport.ts'
export { streamTransport } from './pack-sync/streams.ts'
export type { PackTransport, PullAnswer, PushAnswer } from './pack-sync/transport.ts'

export { checkProof } from './proofs/check-proof.ts'
export type { ProofCheck, ProofTrust } from './proofs/check-proof.ts'
export type { ProofReport, ProofStep } from './proofs/report.ts'

export { effectivePolicy } from './policy/policy.ts'
/** Whether policy lets an organisation do something to another. */
export { checkCrossOrgPolicy } from './policy/cross-org.ts'
export type { CrossOrgOperation, CrossOrgRequest, CrossOrgVerdict } from './policy/cross-org.ts'
export type {
  EffectivePolicy,
  EffectivePolicyResult,
  PolicyProblem,
  PolicySelf,
  TsaCertificates,
  TsaPolicy
} from './policy/policy.ts'
export { federationSchema, peersSchema } from './policy/config-schema.ts'
export type { FederationConfig, PeersConfig } from './policy/config-schema.ts'
/**
 * What checks timestamp anchors, as `verifiers` of `createNode`: one for all time-stamping authorities, one for each
 * Bitcoin network and each EVM chain. Those of chains ask providers, of which `k` must say the same.
 */
export { createRfc3161Verifier } from './timestamps/rfc3161/verifier.ts'
export { createBitcoinVerifier } from './timestamps/bitcoin/verifier.ts'
export type { BitcoinVerifierOptions } from './timestamps/bitcoin/verifier.ts'
export { createEvmVerifier } from './timestamps/evm/verifier.ts'
export type { EvmVerifierOptions } from './timestamps/evm/verifier.ts'
export type {
  InvalidCode,
  ProviderHealth,
  TimestampVerifier,
  UnreachableCode,
  VerifierRequest,
  VerifierResult
} from './timestamps/verifier.ts'

/** Providers over HTTP, and the ports behind which one's own may stand. */
export { createBitcoinProvider } from './timestamps/clients/bitcoin-provider.ts'
export type { BitcoinProviderClient } from './timestamps/clients/bitcoin-provider.ts'
export type { BitcoinCoreAddress, BitcoinSurroundings } from './timestamps/clients/bitcoin-rpc.ts'
export { parseBitcoinProvider } from './policy/bitcoin-provider.ts'
export type { BitcoinProviderAddress } from './policy/bitcoin-provider.ts'
export type { BitcoinProvider, BlockPlace } from './timestamps/bitcoin/provider.ts'
export { createEvmRpc } from './timestamps/clients/evm-rpc.ts'
export type { EvmRpcOptions } from './timestamps/clients/evm-rpc.ts'
export type { EvmProvider, EvmSight, EvmTag, EvmTransaction } from './timestamps/evm/provider.ts'
export type { ProviderAnswer, ProviderFailure } from './timestamps/provider.ts'

/** What makes timestamp anchors, as `anchorers` of `createNode`: at most one for each chain. */
export { createTsaAnchorer } from './timestamps/clients/tsa-anchorer.ts'
export type { TsaAnchorerOptions } from './timestamps/clients/tsa-anchorer.ts'
export { createBitcoinWalletAnchorer } from './timestamps/clients/bitcoin-wallet-anchorer.ts'
export { createCalendarAnchorer } from './timestamps/clients/open-timestamps-anchorer.ts'
export type { CalendarAnchorerOptions } from './timestamps/clients/open-timestamps-anchorer.ts'
export { createEvmAnchorer } from './timestamps/clients/evm-anchorer.ts'
export type { EvmAnchorerOptions } from './timestamps/clients/evm-anchorer.ts'
export { parsePrivateKey } from './timestamps/clients/evm-draft.ts'
export type { Anchorer, AnchorStep, RailName } from './anchoring/anchorer.ts'

/** A token without a node, and an authority for development, whose tokens prove nothing. */
export { requestTimestamp } from './timestamps/clients/rfc3161-client.ts'
export type { TimestampRequest, TimestampRequestFailure, TimestampResult } from './timestamps/clients/rfc3161-client.ts'
export { startDevelopmentTsa } from './timestamps/clients/development-tsa.ts'
export type { DevelopmentTsa, DevelopmentTsaOptions } from './timestamps/clients/development-tsa.ts'

/** Which timestamp anchor of a batch wins, as a pure function (protocols/winner/v1). */
export { countQuorum, winnerState } from '../protocols/winner/v1/quorum.ts'
export type {
  EvidenceFinding,
  QuorumCount,
  QuorumRule,
  QuorumStatement,
  QuorumStatements,
  WinnerState
} from '../protocols/winner/v1/quorum.ts'
export { decidingRule, selectWinner } from '../protocols/winner/v1/winner.ts'
export type { Candidate, Loser, Superseded, WinnerRule } from '../protocols/winner/v1/winner.ts'

export type { TimestampAnchor } from '../protocols/event/v1/announce.ts'
export type { JsonObject } from '../protocols/canonical-json/v1/json.ts'
export type { FinalityRule } from './policy/config-schema.ts'
export type { Signer } from './trust/signer.ts'
export { localSigner } from './trust/local-signer.ts'
