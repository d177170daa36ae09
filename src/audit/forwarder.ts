import type { AuditBase } from '../../protocols/audit/v1/record.ts'
import { FIRST_BASE } from '../../protocols/audit/v1/record.ts'
import type { AuditGap } from '../../protocols/audit/v1/syslog.ts'
import { gapMessage, syslogFrame, syslogMessage } from '../../protocols/audit/v1/syslog.ts'
import { concat } from '../../protocols/primitives/bytes.ts'
import { auditRecordKey } from '../log/keys.ts'
import type { Store } from '../log/store.ts'
import type { AuditTrail } from '../platform/audit.ts'
import type { Clock } from '../platform/clock.ts'
import { messageOf } from '../platform/errors.ts'
import type { Logger } from '../platform/logger.ts'
import { pause } from '../platform/pause.ts'
import type { Random } from '../platform/random.ts'
import type { AuditLog } from './audit-log.ts'
import {
  CONFIRM_AFTER_MS,
  LINGER_MS,
  RECONNECT_MS,
  RECONNECT_MS_MAX,
  SENT_AT_ONCE_MAX,
  SENT_PER_WRITE_MAX
} from './limits.ts'
import { untilWritten } from './list-records.ts'
import type { SyslogStatus } from './operations.ts'
import { putSent, readSent, recordIn, storedAfter } from './stored.ts'
import type { SyslogConnection, SyslogTransport } from './syslog-transport.ts'

/** What forwarding works with. */
export interface ForwarderPorts {
  readonly log: Pick<AuditLog, 'head' | 'base' | 'closed' | 'onWritten'>
  readonly store: Store
  readonly trail: AuditTrail
  readonly transport: SyslogTransport
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/** What one connection has carried so far. */
interface Carried {
  last: AuditBase
  messages: number
  readonly gaps: AuditGap[]
}

/**
 * Sends the audit records to a syslog collector, in order and each at least once (AU-10 to AU-17). Its place is kept in
 * the store, and moves only for what the collector has read. While the collector is away the records wait where they
 * are; what retention drops meanwhile is told to it as a gap.
 */
export class SyslogForwarder {
  readonly #ports: ForwarderPorts
  readonly #stopping = new AbortController()
  #place: AuditBase = FIRST_BASE
  #state: SyslogStatus['state'] = 'off'
  #lastError: string | null = null
  #missed = 0
  #failures = 0
  #running: Promise<void> | null = null

  constructor(ports: ForwarderPorts) {
    this.#ports = ports
  }

  /** Begins to forward, and goes on until it is stopped or the audit log is closed. */
  start(): void {
    this.#running ??= this.#run()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
    this.#state = 'off'
  }

  /** Takes up the place that was reached before. Call it once, before anything else. */
  async open(): Promise<void> {
    const { store, transport, trail, log, logger } = this.#ports
    const sent = await readSent(store)
    // A new collector gets all that is kept.
    if (sent === null || sent.collector !== transport.collector) return
    const bytes = await store.get(auditRecordKey(sent.seq))
    const record = bytes === undefined ? null : recordIn(bytes)
    if (sent.seq <= log.head.seq && (record === null || record.hash === sent.hash)) {
      this.#place = sent
      return
    }
    const problem = `it is not the one that was forwarded up to record ${sent.seq}`
    logger.error(
      { collector: transport.collector, problem },
      'the audit log is damaged: all that is kept is sent again'
    )
    const subject = transport.collector
    trail.record({
      action: 'AUDIT_DAMAGED',
      actor: 'node',
      subject,
      outcome: 'failed',
      code: null,
      detail: { problem }
    })
  }

  status(): SyslogStatus {
    const { log, transport } = this.#ports
    return {
      collector: transport.collector,
      state: this.#state,
      behind: Math.max(0, log.head.seq - Math.max(this.#place.seq, log.base.seq)),
      missed: this.#missed,
      lastError: this.#lastError
    }
  }

  async #run(): Promise<void> {
    const { log, clock, logger, transport } = this.#ports
    const { signal } = this.#stopping
    while (!signal.aborted) {
      if (log.head.seq <= this.#place.seq) {
        this.#state = 'idle'
        if (log.closed) return
        await untilWritten(log, signal)
        continue
      }
      try {
        await this.#send(signal)
        if (this.#lastError !== null) logger.info({ collector: transport.collector }, 'the syslog collector is back')
        this.#failures = 0
        this.#lastError = null
      } catch (error) {
        if (signal.aborted || log.closed) return
        this.#state = 'waiting'
        this.#failed(messageOf(error))
        await pause(clock, this.#delayMs(), signal)
      }
    }
  }

  /** One connection, from its opening to the word that all of it came. */
  async #send(signal: AbortSignal): Promise<void> {
    const connection = await this.#ports.transport.connect(signal)
    this.#state = 'sending'
    const giveUp = (): void => connection.abort()
    signal.addEventListener('abort', giveUp, { once: true })
    try {
      if (signal.aborted) giveUp()
      const carried = await this.#carry(connection, signal)
      await connection.finish()
      await this.#delivered(carried)
    } catch (error) {
      connection.abort()
      throw error
    } finally {
      signal.removeEventListener('abort', giveUp)
    }
  }

  async #carry(connection: SyslogConnection, signal: AbortSignal): Promise<Carried> {
    const { log, clock } = this.#ports
    const carried: Carried = { last: this.#place, messages: 0, gaps: [] }
    const openedMs = clock.monotonicMs()
    const isDone = (): boolean =>
      carried.messages >= SENT_AT_ONCE_MAX || clock.monotonicMs() - openedMs >= CONFIRM_AFTER_MS
    while (!isDone() && !signal.aborted) {
      const messages = await this.#next(carried)
      if (messages.length > 0) {
        await connection.write(concat(...messages.map(syslogFrame)))
        carried.messages += messages.length
      } else if (log.closed || !(await this.#moreWithin(carried.last.seq, signal))) break
    }
    return carried
  }

  /** The next messages, and the gaps before and between them; moves the place of the connection on. */
  async #next(carried: Carried): Promise<Uint8Array[]> {
    const { log, store, transport, clock } = this.#ports
    const messages: Uint8Array[] = []
    const head = log.head
    const tellGap = (toSeq: number): void => {
      const fromSeq = carried.last.seq + 1
      if (toSeq < fromSeq) return
      const reason = toSeq <= log.base.seq ? 'retention' : 'damage'
      const gap: AuditGap = { fromSeq, toSeq, reason, at: clock.now() }
      carried.gaps.push(gap)
      messages.push(gapMessage(gap, transport.hostname))
    }
    for await (const { seq, bytes } of storedAfter(store, carried.last.seq, head.seq, { limit: SENT_PER_WRITE_MAX })) {
      const record = recordIn(bytes)
      tellGap(record === null ? seq : seq - 1)
      if (record !== null) messages.push(syslogMessage(record, transport.hostname))
      carried.last = { seq, hash: record?.hash ?? carried.last.hash }
    }
    if (messages.length === 0 && carried.last.seq < head.seq) {
      tellGap(head.seq)
      carried.last = head
    }
    return messages
  }

  /** Whether there is more behind a record within the time that a connection is kept for it. */
  async #moreWithin(seq: number, signal: AbortSignal): Promise<boolean> {
    const { log, clock } = this.#ports
    const waiting = new AbortController()
    const end = (): void => waiting.abort()
    const cancel = clock.after(LINGER_MS, end)
    signal.addEventListener('abort', end, { once: true })
    await untilWritten(log, waiting.signal)
    cancel()
    signal.removeEventListener('abort', end)
    return log.head.seq > seq
  }

  async #delivered({ last, gaps }: Carried): Promise<void> {
    const { store, transport, trail, logger } = this.#ports
    this.#place = last
    for (const { fromSeq, toSeq, reason } of gaps) {
      this.#missed += toSeq - fromSeq + 1
      const detail = { fromSeq, toSeq, reason }
      const subject = transport.collector
      trail.record({ action: 'AUDIT_NOT_FORWARDED', actor: 'node', subject, outcome: 'failed', code: null, detail })
    }
    try {
      await store.write([putSent({ seq: last.seq, hash: last.hash, collector: transport.collector })], { sync: true })
    } catch (error) {
      // It has come; that it comes once more after a restart is better than that it comes again at once.
      logger.warn({ reason: messageOf(error) }, 'the place in forwarding could not be written down')
    }
  }

  #failed(reason: string): void {
    const { logger, transport } = this.#ports
    this.#failures += 1
    if (this.#lastError !== reason)
      logger.warn({ collector: transport.collector, reason }, 'audit records can’t be forwarded; it is tried again')
    this.#lastError = reason
  }

  /** Doubled each time, and never the same for two nodes: a collector that comes back is not run down. */
  #delayMs(): number {
    const { random } = this.#ports
    const doubled = RECONNECT_MS * 2 ** Math.min(this.#failures - 1, 16)
    return Math.min(RECONNECT_MS_MAX, doubled) * (0.5 + random.fraction() / 2)
  }
}
