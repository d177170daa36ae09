import type { AuditRecord } from '../../protocols/audit/v1/record.ts'
import type { EventLog } from '../log/event-log.ts'
import type { Store } from '../log/store.ts'
import type { AuditNotes } from '../platform/audit.ts'
import type { Clock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'
import type { Random } from '../platform/random.ts'
import { AuditLog } from './audit-log.ts'
import { CountedTrail } from './counted-trail.ts'
import { SyslogForwarder } from './forwarder.ts'
import { listRecords } from './list-records.ts'
import { followLog } from './log-trail.ts'
import type { AuditOperations, AuditQuery, AuditStatus, AuditVerification } from './operations.ts'
import type { Retention } from './retention.ts'
import type { SyslogTransport } from './syslog-transport.ts'
import { NoteTaker } from './take-notes.ts'
import { verifyAudit } from './verify.ts'

/** What the audit of a node works with. */
export interface NodeAuditPorts {
  readonly store: Store
  readonly log: EventLog
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly retention: Retention
  /** The way to the collector that gets a copy; null without one. */
  readonly syslog: SyslogTransport | null
  /** What was done while no node had the store; null where nobody notes that. */
  readonly notes: AuditNotes | null
}

/** Everything that audit is to a node: the trail, what can be asked of it, and its way to a collector. */
export class NodeAudit implements AuditOperations {
  /** For all who have something to record. */
  readonly trail: CountedTrail
  readonly #ports: NodeAuditPorts
  readonly #log: AuditLog
  readonly #forwarder: SyslogForwarder | null
  readonly #notes: NoteTaker | null
  #stopFollowing: () => void = () => {}

  private constructor(ports: NodeAuditPorts, log: AuditLog) {
    this.#ports = ports
    this.#log = log
    this.trail = new CountedTrail(log, ports.clock)
    const { syslog: transport, notes, logger } = ports
    this.#notes = notes === null ? null : new NoteTaker(notes, log, logger)
    this.#forwarder = transport === null ? null : new SyslogForwarder({ ...ports, log, trail: log, transport })
  }

  /** Opens the audit log, and records from now on what comes into the log as a decision. */
  static async open(ports: NodeAuditPorts): Promise<NodeAudit> {
    const log = await AuditLog.open(ports)
    const audit = new NodeAudit(ports, log)
    await audit.#forwarder?.open()
    await audit.#notes?.take()
    const { policySeq } = log.head
    audit.#stopFollowing = await followLog({ log: ports.log, store: ports.store, trail: audit.trail, policySeq })
    return audit
  }

  /** Begins to forward. */
  start(): void {
    this.#forwarder?.start()
  }

  /** Records what was counted, writes what waits, and takes nothing more. Before the log and the store are closed. */
  async close(): Promise<void> {
    this.#stopFollowing()
    this.trail.writeCounts()
    await this.#forwarder?.stop()
    await this.#log.close()
  }

  async *audit(query: AuditQuery, signal?: AbortSignal): AsyncGenerator<AuditRecord> {
    const { store, logger } = this.#ports
    if (!this.#log.closed) await this.#notes?.take()
    yield* listRecords({ log: this.#log, store, logger }, query, signal)
  }

  async verifyAudit(onProgress?: Parameters<AuditOperations['verifyAudit']>[0]): Promise<AuditVerification> {
    return await verifyAudit(this.#ports.store, (done, total) => onProgress?.({ done, total, unit: 'audit records' }))
  }

  status(): AuditStatus {
    return { ...this.#log.status(), syslog: this.#forwarder?.status() ?? null }
  }

  /** What the operator should look at. */
  warnings(): readonly string[] {
    const { fault, damage, lost, queue, syslog } = this.status()
    const warnings: string[] = []
    if (damage !== null) warnings.push(`the audit log is damaged (${damage}): anchormesh audit --verify`)
    if (fault !== null) warnings.push(`${queue} audit records wait, because they can't be written: ${fault}`)
    if (lost > 0)
      warnings.push(`the detail of ${lost} audit records was lost since the start; their number is recorded`)
    if (syslog?.state === 'waiting')
      warnings.push(
        `${syslog.behind} audit records wait for the collector ${syslog.collector}: ${syslog.lastError ?? ''}`
      )
    return warnings
  }
}
