import type { AuditAction, AuditEntry } from '../platform/audit.ts'

/** Counts what could not be recorded in detail, until that itself can be recorded. */
export class LostRecords {
  #total = 0
  #since: { readonly from: number; to: number; readonly counts: Map<AuditAction, number> } | null = null

  /** Since the start. */
  get total(): number {
    return this.#total
  }

  note(action: AuditAction, at: number): void {
    this.#total += 1
    this.#since ??= { from: at, to: at, counts: new Map() }
    this.#since.to = at
    this.#since.counts.set(action, (this.#since.counts.get(action) ?? 0) + 1)
  }

  /** What was lost since the last call, as an entry; null where nothing was. */
  take(): AuditEntry | null {
    if (this.#since === null) return null
    const { from, to, counts } = this.#since
    this.#since = null
    const count = [...counts.values()].reduce((sum, lost) => sum + lost, 0)
    const most = [...counts].sort(([, left], [, right]) => right - left).map(([action, lost]) => `${action} ${lost}`)
    const detail = { count, from, to, actions: most.join(', ') }
    return { action: 'AUDIT_LOST', actor: 'node', subject: 'audit', outcome: 'failed', code: null, detail }
  }
}
