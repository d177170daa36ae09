/** What is audited (CONTRACT, DESIGN "Audit"); a name says what was done, its outcome how that went. */
export type AuditAction =
  | 'KEY_ADDED'
  | 'KEY_ROTATED'
  | 'KEY_RETIRED'
  | 'KEY_REVOKED'
  | 'KEY_THRESHOLD_SET'
  | 'PACK_DRAFTED'
  | 'PACK_SIGNED'
  | 'KEYSTORE_SEALED'
  | 'SIGNER_ADOPTED'
  | 'STORE_REKEYED'
  | 'POLICY_CHANGED'
  | 'CONFIG_RELOADED'
  | 'TRUST_PINNED'
  | 'FED_ANCHOR_PUBLISH'
  | 'FED_ANCHOR_SYNC_PULL'
  | 'FED_ANCHOR_SYNC_APPLY'
  | 'FED_ANCHOR_SYNC_REJECT'
  | 'FED_ANCHOR_SYNC_PUSH'
  | 'SYNC_SESSION'
  | 'ADMIN_CALL'
  | 'EVENTS_REFUSED'
  | 'LOG_CHECKPOINT_ALARM'
  | 'BACKUP_MADE'
  | 'BACKUP_RESTORED'
  | 'KEY_BOUND'
  | 'RECEIPT_FORGOTTEN'
  | 'BUNDLES_SERVED'
  | 'TOKEN_CREATED'
  | 'TOKEN_REVOKED'
  | 'NODE_REGISTERED'
  | 'NODE_REMOVED'
  | 'DELIVERY_TAKEN'
  | 'TELEMETRY_TAKEN'
  | 'FEEDBACK_TAKEN'
  | 'REQUEST_SIGNATURE_REFUSED'
  | 'REQUEST_MAPPING_REFUSED'
  | 'REQUEST_REPLAYED'
  | 'ACCESS_REFUSED'
  | 'AUDIT_LOST'
  | 'AUDIT_DAMAGED'
  | 'AUDIT_NOT_FORWARDED'

/** One thing that was decided or done. Free text comes from peers, too: it holds no secrets and is cut to a bound. */
export interface AuditEntry {
  readonly action: AuditAction
  /** Whose doing it was: a DID, a PeerId or address, `operator` (admin listener, command line), or `node` (by itself). */
  readonly actor: string
  /** What it was done to: a kid, an organisation, a namespace, a route, a file. */
  readonly subject: string
  readonly outcome: 'ok' | 'refused' | 'failed'
  /** The code of what was refused or failed, else `null`. */
  readonly code: string | null
  /** Joins the records of one request; a new one is drawn where the caller has none. */
  readonly requestId?: string
  /** Figures and names beside the above. */
  readonly detail?: Readonly<Record<string, string | number | boolean | null>>
}

/**
 * Takes audit records, in order. They are written soon, in one batch; who must not go on before a record is durable
 * waits for `flushed`.
 */
export interface AuditTrail {
  record(entry: AuditEntry): void
  /** Resolves when all that was recorded is synced. Rejects where the store can't be written. */
  flushed(): Promise<void>
}

/** What was done while no node had the store. */
export interface AuditNote {
  /** Becomes the request id of its record. */
  readonly id: string
  /** When it was done, milliseconds since 1970. */
  readonly at: number
  readonly entry: AuditEntry
}

/** Where such notes wait to be recorded. */
export interface AuditNotes {
  /** Oldest first. */
  read(): Promise<readonly AuditNote[]>
  /** They are recorded, durably. */
  taken(notes: readonly AuditNote[]): Promise<void>
}

/** A trail that also takes what others can bring about as often as they like. */
export interface CountingTrail extends AuditTrail {
  /**
   * Counts one more like this: what has the same action, actor, subject, outcome and code becomes one record for each
   * minute, with the `count` in its detail. Only the first detail of a minute is kept.
   */
  count(entry: AuditEntry): void
}

/** For those who keep no trail. */
export const NO_AUDIT: CountingTrail = { record: () => {}, count: () => {}, flushed: () => Promise.resolve() }
