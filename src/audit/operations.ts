import type { AuditOutcome, AuditRecord } from '../../protocols/audit/v1/record.ts'
import type { AuditLogStatus } from './audit-log.ts'

export type { AuditOutcome, AuditRecord } from '../../protocols/audit/v1/record.ts'

/** Which audit records are wanted. */
export interface AuditQuery {
  /** Recorded at this time or later, milliseconds since 1970. */
  readonly since?: number
  /** Only records after this number. */
  readonly after?: number
  readonly action?: string
  readonly actor?: string
  readonly outcome?: AuditOutcome
  readonly limit?: number
  /** Goes on with what is recorded from now on, until the signal aborts. */
  readonly follow?: boolean
}

/** What a walk over the whole audit log found. */
export interface AuditVerification {
  readonly ok: boolean
  readonly records: number
  /** The last record that was dropped by retention; 0 where none was. */
  readonly baseSeq: number
  readonly headSeq: number
  /** Of the last record, hex. */
  readonly headHash: string
  /** `seq` is the record that is missing, altered or does not follow. */
  readonly problems: readonly { readonly seq: number; readonly problem: string }[]
  /** All problems, also those beyond the hundred that are listed. */
  readonly problemCount: number
}

/** How the collector is served. */
export interface SyslogStatus {
  /** `HOST:PORT`. */
  readonly collector: string
  /**
   * `idle`: it has everything. `sending`: a connection is open. `waiting`: the last try failed, and the next one is due
   * later. `off`: the node was not started.
   */
  readonly state: 'off' | 'idle' | 'sending' | 'waiting'
  /** Records that it has not got yet, as far as is known. */
  readonly behind: number
  /** Records that it never got, because they were dropped or damaged before, since the start. */
  readonly missed: number
  readonly lastError: string | null
}

export interface AuditStatus extends AuditLogStatus {
  /** Null where no collector is configured. */
  readonly syslog: SyslogStatus | null
}

/** What those who operate a node can ask of its audit log. */
export interface AuditOperations {
  /** The audit records, oldest first. */
  audit(query: AuditQuery, signal?: AbortSignal): AsyncIterable<AuditRecord>
  /** Walks the whole audit log. Problems are findings, not errors. */
  verifyAudit(
    onProgress?: (progress: { readonly done: number; readonly total: number | null; readonly unit: string }) => void
  ): Promise<AuditVerification>
}
