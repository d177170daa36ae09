import { z } from 'zod'
import type { AuditBase, AuditRecord } from '../../protocols/audit/v1/record.ts'
import { FIRST_BASE, decodeAuditRecord } from '../../protocols/audit/v1/record.ts'
import {
  AUDIT_BASE_KEY,
  AUDIT_HEAD_KEY,
  AUDIT_RECORDS_PREFIX,
  AUDIT_SENT_KEY,
  auditRecordKey,
  parseSortableNumber
} from '../log/keys.ts'
import type { KeyRange, StoreReader, WriteOperation } from '../log/store.ts'
import { prefixRange } from '../log/store.ts'

/** What is known of the last record beside the records themselves (AU-9). */
export interface AuditHead extends AuditBase {
  /** The `logSeq` of the last policy that has a record; 0 before the first. */
  readonly policySeq: number
}

/** The last record that the collector at an address has got. */
export interface SentPlace extends AuditBase {
  readonly collector: string
}

/** The bytes at a place of the audit log. */
export interface StoredRecord {
  readonly seq: number
  readonly bytes: Uint8Array
}

const seq = z.int().nonnegative()
const hash = z.string().regex(/^[0-9a-f]{64}$/)
const baseSchema: z.ZodType<AuditBase> = z.object({ seq, hash })
const headSchema: z.ZodType<AuditHead> = z.object({ seq, hash, policySeq: seq })
const sentSchema: z.ZodType<SentPlace> = z.object({ seq, hash, collector: z.string() })

/** The base (AU-7); that of an empty chain where none was written. */
export async function readBase(store: StoreReader): Promise<AuditBase> {
  return (await readEntry(store, AUDIT_BASE_KEY, baseSchema)) ?? FIRST_BASE
}

/** What is noted of the last record; null where nothing is, or nothing that can be read. */
export async function readHead(store: StoreReader): Promise<AuditHead | null> {
  return await readEntry(store, AUDIT_HEAD_KEY, headSchema)
}

export async function readSent(store: StoreReader): Promise<SentPlace | null> {
  return await readEntry(store, AUDIT_SENT_KEY, sentSchema)
}

export const putBase = (base: AuditBase): WriteOperation => putEntry(AUDIT_BASE_KEY, base)
export const putHead = (head: AuditHead): WriteOperation => putEntry(AUDIT_HEAD_KEY, head)
export const putSent = (sent: SentPlace): WriteOperation => putEntry(AUDIT_SENT_KEY, sent)

function putEntry(key: string, value: object): WriteOperation {
  return { type: 'put', key, value: JSON.stringify(value) }
}

async function readEntry<Value>(store: StoreReader, key: string, schema: z.ZodType<Value>): Promise<Value | null> {
  const bytes = await store.get(key)
  if (bytes === undefined) return null
  try {
    return schema.parse(JSON.parse(Buffer.from(bytes).toString('utf8')))
  } catch {
    // What can't be read says as little as what is not there; the records show what is wrong.
    return null
  }
}

/** What is stored behind `after`, up to `upTo`, in order. */
export async function* storedAfter(
  store: StoreReader,
  after: number,
  upTo: number = Number.MAX_SAFE_INTEGER,
  options: Pick<KeyRange, 'limit'> = {}
): AsyncGenerator<StoredRecord> {
  if (upTo <= after) return
  const range = { gt: auditRecordKey(after), lte: auditRecordKey(upTo), ...options }
  for await (const [key, bytes] of store.range(range)) yield { seq: seqIn(key), bytes }
}

/** The last that is stored. */
export async function lastStored(store: StoreReader): Promise<StoredRecord | null> {
  const range = { ...prefixRange(AUDIT_RECORDS_PREFIX), reverse: true, limit: 1 }
  for await (const [key, bytes] of store.range(range)) return { seq: seqIn(key), bytes }
  return null
}

/** The record in these bytes; null where there is none that stands for itself. */
export function recordIn(bytes: Uint8Array): AuditRecord | null {
  const decoding = decodeAuditRecord(bytes)
  return decoding.ok ? decoding.record : null
}

function seqIn(key: string): number {
  return parseSortableNumber(key.slice(AUDIT_RECORDS_PREFIX.length))
}
