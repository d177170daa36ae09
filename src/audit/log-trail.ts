import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { EventLog } from '../log/event-log.ts'
import type { LoggedRecord } from '../log/log-reader.ts'
import { parseRecord } from '../log/log-reader.ts'
import { POLICY_PREFIX, parseSortableNumber, policyKey } from '../log/keys.ts'
import type { StoreReader } from '../log/store.ts'
import { prefixRange } from '../log/store.ts'
import type { AuditEntry, AuditTrail } from '../platform/audit.ts'
import { changedKeys } from './policy-changes.ts'

/** What recording the decisions in the log works with. */
export interface LogTrailPorts {
  readonly log: EventLog
  readonly store: StoreReader
  readonly trail: AuditTrail
  /** The `logSeq` of the last policy that has a record. */
  readonly policySeq: number
}

/**
 * Records what comes into the log as a decision of this node: each policy with the keys that differ, keys that were
 * bound, receipts that were erased. Policies that came into the log right before a process was killed are recorded
 * first. Returns the way to stop it.
 */
export async function followLog(ports: LogTrailPorts): Promise<() => void> {
  const { log, trail } = ports
  let before = await policyAt(log, ports.policySeq)
  const take = (logSeq: number, body: JsonObject): void => {
    trail.record(policyEntry(before, body, logSeq))
    before = body
  }
  const head = log.head.logSeq
  const stop = log.onAppended((records) => {
    for (const { logSeq, type, body } of localsIn(records)) {
      if (type === 'policy') take(logSeq, body)
      else if (type === 'key-bound') trail.record(boundEntry(body, logSeq))
      else if (type === 'forgotten') trail.record(forgottenEntry(body, logSeq))
    }
  })
  try {
    const range = { gt: policyKey(ports.policySeq), lt: prefixRange(POLICY_PREFIX).lt }
    for await (const [key] of ports.store.range(range)) {
      const logSeq = parseSortableNumber(key.slice(POLICY_PREFIX.length))
      const body = logSeq > head ? null : await policyAt(log, logSeq)
      if (body !== null) take(logSeq, body)
    }
  } catch (error) {
    stop()
    throw error
  }
  return stop
}

interface Local {
  readonly logSeq: number
  readonly type: string
  readonly body: JsonObject
}

function* localsIn(records: readonly LoggedRecord[]): Generator<Local> {
  for (const { scope, record, event } of records)
    if (scope === 'local') yield { logSeq: record.logSeq, type: event.type, body: event.body }
}

async function policyAt(log: EventLog, logSeq: number): Promise<JsonObject | null> {
  const record = logSeq === 0 ? undefined : await log.read(logSeq)
  const logged = record === undefined ? null : parseRecord(record)
  return logged?.scope === 'local' && logged.event.type === 'policy' ? logged.event.body : null
}

function policyEntry(before: JsonObject | null, after: JsonObject, logSeq: number): AuditEntry {
  const keys = changedKeys(before, after)
  const detail = { logSeq, first: before === null, changed: keys.length, keys: keys.join(' ') }
  return { action: 'POLICY_CHANGED', actor: 'operator', subject: 'policy', outcome: 'ok', code: null, detail }
}

function boundEntry(body: JsonObject, logSeq: number): AuditEntry {
  const [holder, kid] = [textOf(body['holder']), textOf(body['kid'])]
  const detail = { logSeq, holder, publicKey: textOf(body['publicKey']) }
  return { action: 'KEY_BOUND', actor: 'node', subject: kid, outcome: 'ok', code: null, detail }
}

function forgottenEntry(body: JsonObject, logSeq: number): AuditEntry {
  const subject = textOf(body['receipt'])
  const detail = { logSeq, reason: textOf(body['reason']) }
  return { action: 'RECEIPT_FORGOTTEN', actor: 'operator', subject, outcome: 'ok', code: null, detail }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
