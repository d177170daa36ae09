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
export type { CheckpointKeeper, StoreCheckpoint } from './log/checkpoint-file.ts'
export { openLevelStore, openMemoryStore } from './log/level-store.ts'
export type { KeyRange, Store, StoreReader, StoreSnapshot, WriteOperation } from './log/store.ts'

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

export { checkProof } from './proofs/check-proof.ts'
export type { ProofCheck, ProofTrust } from './proofs/check-proof.ts'
export type { ProofReport, ProofStep } from './proofs/report.ts'

export { effectivePolicy } from './policy/policy.ts'
export type { EffectivePolicy, EffectivePolicyResult, PolicyProblem, PolicySelf } from './policy/policy.ts'
export { federationSchema, peersSchema } from './policy/config-schema.ts'
export type { FederationConfig, PeersConfig } from './policy/config-schema.ts'
export type {
  InvalidCode,
  TimestampVerifier,
  UnreachableCode,
  VerifierRequest,
  VerifierResult
} from './timestamps/verifier.ts'
export type { Anchorer, AnchorStep, RailName } from './anchoring/anchorer.ts'
export type { TimestampAnchor } from '../protocols/event/v1/announce.ts'
export type { JsonObject } from '../protocols/canonical-json/v1/json.ts'
export type { FinalityRule } from './policy/config-schema.ts'
export type { Signer } from './trust/signer.ts'
export { localSigner } from './trust/local-signer.ts'
