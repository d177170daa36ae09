import type { AlarmCode } from '../../protocols/checkpoint/v1/judge.ts'

/** A signed checkpoint of this node's log. Hashes are hex. */
export interface LogCheckpoint {
  /** The note (checkpoint/v1), which other tools read as well. */
  readonly note: string
  readonly origin: string
  readonly epoch: string
  readonly size: number
  readonly root: string
  /** The key in the form of C2SP signed-note. */
  readonly verifierKey: string
}

/** That a record stands in the log at its place. */
export interface LogInclusion {
  readonly origin: string
  readonly epoch: string
  readonly logSeq: number
  readonly size: number
  readonly root: string
  readonly leafHash: string
  readonly recordHash: string
  readonly proof: readonly string[]
  /** What the record's hash is made from (CHK-1); `null` of a local record, which never leaves the node. */
  readonly record: {
    readonly previousHash: string
    readonly scope: 1
    readonly recordedAt: number
    /** The event's wire bytes, base64url. */
    readonly bytes: string
  } | null
}

/** That the log of `to` records begins with that of `from`. */
export interface LogConsistency {
  readonly origin: string
  readonly epoch: string
  readonly from: number
  readonly fromRoot: string
  readonly to: number
  readonly toRoot: string
  readonly proof: readonly string[]
}

export interface CheckpointCheckRequest {
  /** A note. */
  readonly note: string
  /** A consistency proof between the kept checkpoint of that log and this one, whichever is longer. */
  readonly proof?: readonly string[]
}

/** How a signed checkpoint stands to what this node has of that log: its own log, or the checkpoints it keeps. */
export interface CheckpointCheck {
  readonly origin: string
  readonly epoch: string
  readonly size: number
  readonly root: string
  /** `undecided`: the signature is good, but nothing is kept that it could be held against without a further proof. */
  readonly outcome: 'consistent' | 'contradiction' | 'undecided' | 'unsigned'
  readonly code: AlarmCode | 'SIGNATURE_INVALID' | 'KEY_UNKNOWN' | null
  readonly detail: string
  /** The size that a consistency proof is needed from, or to; `null` where none would help. */
  readonly keptSize: number | null
}

/** What a node says of its log as a transparency log. */
export interface LogProofOperations {
  /** The checkpoint over all that is durable now, signed. Throws `NOT_YET` while the tree over an older log is built. */
  logCheckpoint(): Promise<LogCheckpoint>
  /** Proves that a record stands in the first `size` (default: all) records. Throws `NOT_FOUND`, `QUERY_INVALID`, `NOT_YET`. */
  logInclusion(query: { readonly logSeq: number; readonly size?: number }): Promise<LogInclusion>
  /** Proves that the log only grew. Throws `NOT_FOUND`, `QUERY_INVALID`, `NOT_YET`. */
  logConsistency(query: { readonly from: number; readonly to: number }): Promise<LogConsistency>
  /** Holds a signed checkpoint against this node's log, or what it keeps of another's. Throws `CHECKPOINT_INVALID`. */
  checkCheckpoint(request: CheckpointCheckRequest): Promise<CheckpointCheck>
}
