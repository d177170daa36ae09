import { encodeCanonical } from '../../protocols/canonical-json/v1/codec.ts'
import {
  ACTION_PATTERN,
  ACTOR_BYTES_MAX,
  CODE_PATTERN,
  DETAIL_MEMBERS_MAX,
  DETAIL_NAME_PATTERN,
  REQUEST_ID_BYTES_MAX,
  SUBJECT_BYTES_MAX
} from '../../protocols/audit/v1/record.ts'
import type { AuditDetail, AuditRecord } from '../../protocols/audit/v1/record.ts'
import { utf8 } from '../../protocols/primitives/bytes.ts'
import type { AuditEntry } from '../platform/audit.ts'
import { DETAIL_BYTES_MAX, DETAIL_TEXT_BYTES_MAX } from './limits.ts'

/** What a record says, before it has its place in the chain. */
export type AuditContent = Omit<AuditRecord, 'seq' | 'prev' | 'hash'>

/** Of a character of UTF-16. */
const UTF8_BYTES_MAX = 3

type DetailValue = AuditDetail[string]

/**
 * The entry as a record may hold it (AU-4): whatever it holds, there is something to write. Text is cut to its bound,
 * and control characters in it are replaced, because it may come from peers.
 */
export function contentOf(entry: AuditEntry, at: number, requestId: string): AuditContent {
  const { action, actor, subject, outcome, code, detail = {} } = entry
  return {
    at: Math.max(0, Math.round(at)),
    requestId: wordOf(entry.requestId ?? requestId, REQUEST_ID_BYTES_MAX) ?? 'unknown',
    action: ACTION_PATTERN.test(action) ? action : 'UNKNOWN',
    actor: textOf(actor, ACTOR_BYTES_MAX) || 'unknown',
    subject: textOf(subject, SUBJECT_BYTES_MAX) || 'unknown',
    outcome,
    code: code === null || CODE_PATTERN.test(code) ? code : 'UNKNOWN',
    detail: detailOf(detail)
  }
}

/** Printable ASCII alone; null where nothing is left. */
function wordOf(text: string, charsMax: number): string | null {
  const word = text.replaceAll(/[^!-~]/g, '').slice(0, charsMax)
  return word === '' ? null : word
}

function textOf(text: string, bytesMax: number): string {
  // Nothing behind it could be kept, so nothing behind it is looked at.
  const clean = text
    .slice(0, bytesMax)
    .toWellFormed()
    .replaceAll(/[\p{Cc}\u2028\u2029]/gu, '\ufffd')
  return cutTo(clean, bytesMax)
}

/** The longest beginning that has no more bytes and ends with a whole character. */
function cutTo(text: string, bytesMax: number): string {
  if (text.length * UTF8_BYTES_MAX <= bytesMax || utf8(text).length <= bytesMax) return text
  let bytes = 0
  let kept = ''
  for (const character of text) {
    bytes += utf8(character).length
    if (bytes > bytesMax) break
    kept += character
  }
  return kept
}

/** As many members as have room; `cut` says that there were more, or longer ones. */
function detailOf(detail: NonNullable<AuditEntry['detail']>): AuditDetail {
  const kept: Record<string, DetailValue> = {}
  let cut = false
  let members = 0
  // The braces; each member comes with a comma, but for the first.
  let bytes = 1
  for (const [name, value] of Object.entries(detail)) {
    const put = valueOf(value)
    const isOne = DETAIL_NAME_PATTERN.test(name) && members + 1 < DETAIL_MEMBERS_MAX
    const memberBytes = isOne ? utf8(encodeCanonical({ [name]: put })).length - 1 : Infinity
    if (bytes + memberBytes <= DETAIL_BYTES_MAX) {
      kept[name] = put
      members += 1
      bytes += memberBytes
    } else cut = true
    if (put !== value) cut = true
  }
  return cut ? { ...kept, cut } : kept
}

function valueOf(value: DetailValue): DetailValue {
  if (typeof value === 'string') return textOf(value, DETAIL_TEXT_BYTES_MAX)
  if (typeof value !== 'number') return value
  if (!Number.isFinite(value)) return null
  // JSON has no −0.
  return Math.abs(value) <= Number.MAX_SAFE_INTEGER ? value + 0 : String(value)
}
