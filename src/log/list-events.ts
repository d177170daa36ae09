import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { EventLog } from './event-log.ts'
import type { LoggedRecord } from './log-reader.ts'
import { eventAsLogged, parseRecord } from './log-reader.ts'
import type { LogRecord, RecordScope } from './record.ts'

export interface EventsQuery {
  readonly namespace?: string
  readonly signer?: string
  readonly type?: string
  readonly scope?: RecordScope | 'all'
  /** Exclusive. */
  readonly after?: number
  readonly limit?: number
  /** Goes on with what is logged from now on, until the signal aborts. */
  readonly follow?: boolean
}

/** A record as it is shown: `bytes` is the stored payload in base64url. */
export interface LoggedEvent {
  readonly logSeq: number
  readonly scope: RecordScope
  /** `null` for local records. */
  readonly id: string | null
  readonly bytes: string
  readonly event: JsonObject
}

/** The records that the filter lets through, in log order. */
export async function* listEvents(
  log: EventLog,
  filter: EventsQuery,
  signal?: AbortSignal
): AsyncGenerator<LoggedEvent> {
  let position = filter.after ?? 0
  let left = filter.limit ?? Infinity
  while (left > 0 && !isAborted(signal)) {
    const head = log.head.logSeq
    for await (const record of log.records(position, head)) {
      if (isAborted(signal)) return
      const logged = parseRecord(record)
      if (!passes(logged, filter)) continue
      yield shown(logged)
      left -= 1
      if (left === 0) return
    }
    position = Math.max(position, head)
    if (filter.follow !== true || log.closed) return
    if (log.head.logSeq === position) await appended(log, signal)
  }
}

/** The event of this id as it is shown, from the record that holds it. */
export function shownEvent(id: string, record: LogRecord): LoggedEvent {
  return { logSeq: record.logSeq, scope: 'shared', id, bytes: shownBytes(record), event: eventAsLogged(record) }
}

function shown(logged: LoggedRecord): LoggedEvent {
  const { scope, record } = logged
  const [id, event] = logged.scope === 'local' ? [null, logged.event] : [logged.event.id, logged.event.envelope]
  return { logSeq: record.logSeq, scope, id, bytes: shownBytes(record), event: { ...event } }
}

function shownBytes({ payload }: LogRecord): string {
  return Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('base64url')
}

/** Asked again after every wait: the signal changes meanwhile. */
function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true
}

function passes(logged: LoggedRecord, { scope = 'shared', namespace, signer, type }: EventsQuery): boolean {
  if (scope !== 'all' && logged.scope !== scope) return false
  if (logged.scope === 'local')
    return namespace === undefined && signer === undefined && (type === undefined || logged.event.type === type)
  const { envelope } = logged.event
  const fits = (wanted: string | undefined, value: string): boolean => wanted === undefined || wanted === value
  return fits(namespace, envelope.namespace) && fits(signer, envelope.signer) && fits(type, envelope.type)
}

function appended(log: EventLog, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const finish = (): void => {
      stop()
      signal?.removeEventListener('abort', finish)
      resolve()
    }
    const stop = log.onAppended(finish)
    signal?.addEventListener('abort', finish, { once: true })
  })
}
