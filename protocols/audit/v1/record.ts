import { decodeCanonical, encodeCanonical } from '../../canonical-json/v1/codec.ts'
import { isJsonObject } from '../../canonical-json/v1/json.ts'
import type { JsonValue } from '../../canonical-json/v1/json.ts'
import { isIntegerBetween, isStringLike, shapeProblem } from '../../canonical-json/v1/shape.ts'
import type { Shape } from '../../canonical-json/v1/shape.ts'
import { utf8 } from '../../primitives/bytes.ts'
import { sha256Hex } from '../../primitives/sha256.ts'

/** How something went (AU-4). */
export const AUDIT_OUTCOMES = ['ok', 'refused', 'failed'] as const
export type AuditOutcome = (typeof AUDIT_OUTCOMES)[number]

/** Figures and names beside the members that every record has. */
export type AuditDetail = Readonly<Record<string, string | number | boolean | null>>

/** One decision, in a chain of such: members and bounds are those of SPEC AU-3 and AU-4. */
export interface AuditRecord {
  readonly seq: number
  /** Milliseconds since 1970. */
  readonly at: number
  readonly requestId: string
  readonly action: string
  readonly actor: string
  readonly subject: string
  readonly outcome: AuditOutcome
  readonly code: string | null
  readonly detail: AuditDetail
  readonly prev: string
  readonly hash: string
}

/** What stands before the first record (AU-5). */
export const AUDIT_GENESIS = '0'.repeat(64)

// So that the syslog message of any record stays within the 8,192 octets that a collector should take (RFC 5425
// section 4.3.1).
export const RECORD_BYTES_MAX = 4_096
export const REQUEST_ID_BYTES_MAX = 64
export const ACTOR_BYTES_MAX = 256
export const SUBJECT_BYTES_MAX = 512
export const DETAIL_MEMBERS_MAX = 16

export const ACTION_PATTERN = /^[A-Z][A-Z0-9_]{0,31}$/
export const CODE_PATTERN = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/
export const DETAIL_NAME_PATTERN = /^[A-Za-z][A-Za-z0-9_.-]{0,31}$/
const REQUEST_ID_PATTERN = /^[!-~]{1,64}$/
const HASH_PATTERN = /^[0-9a-f]{64}$/

const isOutcome = (value: JsonValue): boolean => AUDIT_OUTCOMES.some((outcome) => outcome === value)

const SHAPE: Shape = {
  seq: { is: (value) => isIntegerBetween(value, 1, Number.MAX_SAFE_INTEGER), expected: 'an integer from 1' },
  at: { is: (value) => isIntegerBetween(value, 0, Number.MAX_SAFE_INTEGER), expected: 'milliseconds since 1970' },
  requestId: { is: (value) => isStringLike(value, REQUEST_ID_PATTERN), expected: '1 to 64 printable characters' },
  action: { is: (value) => isStringLike(value, ACTION_PATTERN), expected: 'an action' },
  actor: { is: (value) => isTextUpTo(value, ACTOR_BYTES_MAX), expected: `1 to ${ACTOR_BYTES_MAX} bytes` },
  subject: { is: (value) => isTextUpTo(value, SUBJECT_BYTES_MAX), expected: `1 to ${SUBJECT_BYTES_MAX} bytes` },
  outcome: { is: isOutcome, expected: AUDIT_OUTCOMES.join(', ') },
  code: { is: (value) => value === null || isStringLike(value, CODE_PATTERN), expected: 'a code or null' },
  detail: { is: isDetail, expected: `at most ${DETAIL_MEMBERS_MAX} named values` },
  prev: { is: (value) => isStringLike(value, HASH_PATTERN), expected: 'a hash' },
  hash: { is: (value) => isStringLike(value, HASH_PATTERN), expected: 'a hash' }
}

/** Why bytes are no record that stands for itself. */
export type RecordCode = 'RECORD_TOO_LARGE' | 'RECORD_MALFORMED' | 'RECORD_INVALID' | 'RECORD_ALTERED'

export type RecordDecoding =
  | { readonly ok: true; readonly record: AuditRecord }
  | { readonly ok: false; readonly code: RecordCode; readonly detail: string }

/** The record that follows the one with hash `prev`, and the bytes that it is stored as. */
export function sealAuditRecord(content: Omit<AuditRecord, 'hash'>): {
  readonly record: AuditRecord
  readonly line: string
} {
  const record = { ...content, hash: hashOf(content) }
  return { record, line: encodeCanonical(record) }
}

/** Reads one record (AU-1 to AU-6). Whether it follows the one before it is for `AuditChain` to say. */
export function decodeAuditRecord(bytes: Uint8Array): RecordDecoding {
  // [REJECT] AU-1.
  if (bytes.length > RECORD_BYTES_MAX)
    return refused('RECORD_TOO_LARGE', `${bytes.length} bytes; a record has at most ${RECORD_BYTES_MAX}`)
  // [REJECT] AU-2.
  const decoded = decodeCanonical(bytes)
  if (!decoded.ok) return refused('RECORD_MALFORMED', `${decoded.code}: ${decoded.detail}`)
  // [REJECT] AU-3, AU-4.
  const problem = shapeProblem(decoded.value, SHAPE, 'record')
  if (problem !== null) return refused('RECORD_INVALID', problem)
  const record = decoded.value as unknown as AuditRecord
  const { hash, ...content } = record
  // [REJECT] AU-6.
  if (hashOf(content) !== hash) return refused('RECORD_ALTERED', 'its hash is not that of its content')
  return { ok: true, record }
}

/** The record before the first that is kept (AU-7). */
export interface AuditBase {
  readonly seq: number
  readonly hash: string
}

/** What stands before the first record of all. */
export const FIRST_BASE: AuditBase = { seq: 0, hash: AUDIT_GENESIS }

/** What is wrong with a record, or with its place. */
export interface ChainProblem {
  /** The record's own number, or the one that it should have. */
  readonly seq: number
  readonly problem: string
}

/** Goes along a chain from its base and says of each record what is wrong (AU-6, AU-8). */
export class AuditChain {
  #last: AuditBase

  constructor(base: AuditBase) {
    this.#last = base
  }

  /** The last record that was taken, whatever was found of it. */
  get last(): AuditBase {
    return this.#last
  }

  /** Takes the bytes that stand at `seq`. After a gap or an altered record it goes on with what is written there. */
  take(seq: number, bytes: Uint8Array): ChainProblem | null {
    const { seq: before, hash: prev } = this.#last
    const decoding = decodeAuditRecord(bytes)
    if (!decoding.ok) {
      this.#last = { seq, hash: hashIn(bytes) }
      return { seq, problem: `${decoding.code}: ${decoding.detail}` }
    }
    const { record } = decoding
    this.#last = { seq, hash: record.hash }
    // [REJECT] AU-8.
    if (record.seq !== seq) return { seq, problem: `it says that it is record ${record.seq}` }
    if (seq !== before + 1) return { seq: before + 1, problem: `missing, up to ${seq - 1}` }
    return record.prev === prev ? null : { seq, problem: `it does not follow record ${before}` }
  }
}

function hashOf(content: Omit<AuditRecord, 'hash'>): string {
  return sha256Hex(utf8(encodeCanonical(content)))
}

/** The hash that a record names which is refused: the next one was chained to it. */
function hashIn(bytes: Uint8Array): string {
  const decoded = decodeCanonical(bytes)
  const hash = decoded.ok && isJsonObject(decoded.value) ? decoded.value['hash'] : undefined
  return isStringLike(hash, HASH_PATTERN) ? hash : ''
}

function isTextUpTo(value: JsonValue | undefined, bytesMax: number): boolean {
  return typeof value === 'string' && value !== '' && utf8(value).length <= bytesMax
}

function isDetail(value: JsonValue): boolean {
  if (!isJsonObject(value)) return false
  const members = Object.entries(value)
  if (members.length > DETAIL_MEMBERS_MAX) return false
  return members.every(
    ([name, member]) => DETAIL_NAME_PATTERN.test(name) && (member === null || typeof member !== 'object')
  )
}

function refused(code: RecordCode, detail: string): RecordDecoding {
  return { ok: false, code, detail }
}
