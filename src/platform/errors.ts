/** How a command ends, by the exit code that scripts rely on. */
export const EXIT = { done: 0, failed: 1, usage: 2, undecided: 3, interrupted: 130, terminated: 143 } as const

/** Codes of failures that stop a command or a node (expected outcomes of events are values, not errors). */
export type FailureCode =
  | 'STORE_LOCKED'
  | 'STORE_CORRUPT'
  | 'STORE_FULL'
  | 'STORE_NEWER'
  | 'STORE_OLDER'
  | 'PORT_IN_USE'
  | 'KEYSTORE_PERMISSIONS'
  | 'KEYSTORE_PASSPHRASE'
  | 'KEYSTORE_CORRUPT'
  | 'KEYSTORE_CHANGED'
  | 'SIGNER_UNAVAILABLE'
  | 'STORE_KEY_MISSING'
  | 'STORE_REKEY_UNFINISHED'
  | 'NODE_NOT_RUNNING'
  | 'OWN_CHAIN_BEHIND'
  | 'PEER_UNREACHABLE'
  | 'CONFIG_INVALID'
  | 'USAGE'
  | 'ADMIN_TOKEN_INVALID'
  | 'NOT_FOUND'
  | 'QUERY_INVALID'
  | 'UNKNOWN_PROJECTION'
  | 'STATE_OUTDATED'
  | 'CURSOR_TOO_OLD'
  | 'CURSOR_FOREIGN'
  | 'CURSOR_FUTURE'
  | 'NOT_YET'
  | 'PROJECTION_HALTED'
  | 'BATCH_EXISTS'
  | 'BATCH_UNKNOWN'
  | 'RECEIPTS_INVALID'
  | 'RECEIPT_UNKNOWN'
  | 'PUBLISH_REFUSED'
  | 'TSA_REQUEST_FAILED'
  | 'RAIL_NOT_CONFIGURED'
  | 'SEALING_NOT_CONFIGURED'
  | 'RECEIPTS_QUEUE_FULL'
  | 'ANCHORINGS_FULL'
  | 'ANCHORING_EXISTS'
  | 'ANCHORING_UNKNOWN'
  | 'PROOF_INVALID'
  | 'BACKUP_INVALID'
  | 'PACK_DRAFT_INVALID'
  | 'PACK_DRAFT_ALTERED'
  | 'PACK_DRAFT_STALE'
  | 'PACK_DRAFT_PENDING'
  | 'PACK_SIGNATURES_MISSING'
  | 'PACK_ALREADY_SIGNED'
  | 'PACK_UNKNOWN'
  | 'KEY_NOT_HELD'
  | 'KEY_EXISTS'
  | 'KEY_IN_USE'
  | 'SIGNER_UNKNOWN'
  | 'LAST_GOOD_REQUIRED'
  | 'LAST_GOOD_UNKNOWN'
  | 'SIGNERS_CORRUPT'
  | 'SIGNERS_PERMISSIONS'
  | 'PINS_NOT_KEPT'
  | 'CHECKPOINT_INVALID'
  | 'TOKENS_FULL'
  | 'INTERNAL'

/**
 * A failure that ends an operation: a stable code, what happened, and what the person can do about it.
 * `detail` holds figures and names for machines.
 */
export class AnchormeshError extends Error {
  readonly code: FailureCode
  readonly hint: string | undefined
  readonly detail: Readonly<Record<string, unknown>> | undefined

  constructor(
    code: FailureCode,
    message: string,
    options: { hint?: string; detail?: Readonly<Record<string, unknown>>; cause?: unknown } = {}
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'AnchormeshError'
    this.code = code
    this.hint = options.hint
    this.detail = options.detail
  }
}

/** The message of anything that was thrown, for log lines and wrapped errors. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
