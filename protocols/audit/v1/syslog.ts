import { encodeCanonical } from '../../canonical-json/v1/codec.ts'
import { concat, utf8 } from '../../primitives/bytes.ts'
import type { AuditOutcome, AuditRecord } from './record.ts'

/** Records that a collector does not get, because they are no longer kept or can't be read (AU-16). */
export interface AuditGap {
  readonly fromSeq: number
  readonly toSeq: number
  readonly reason: 'retention' | 'damage'
  /** Milliseconds since 1970: when it was found. */
  readonly at: number
}

// RFC 5424 section 6.2.1: facility 13 is "log audit".
const FACILITY = 13
/** RFC 5424 section 6.2.1: informational, warning, error. */
const SEVERITY: Readonly<Record<AuditOutcome, number>> = { ok: 6, refused: 4, failed: 3 }
const APP_NAME = 'anchormesh'
const HOSTNAME_CHARS_MAX = 255
/**
 * The number that RFC 5612 keeps for examples: names of one's own need an enterprise number (RFC 5424 section 7.2.2),
 * and this project has none.
 */
const ENTERPRISE = '32473'
const BYTE_ORDER_MARK = Uint8Array.of(0xef, 0xbb, 0xbf)
const NIL = '-'

/** A record as an RFC 5424 message (AU-10 to AU-15). `hostname` may be any text. */
export function syslogMessage(record: AuditRecord, hostname: string): Uint8Array {
  const { seq, at, requestId, action, actor, subject, outcome, code } = record
  const parameters: Parameter[] = [
    ['seq', String(seq)],
    ['requestId', requestId],
    ['actor', actor],
    ['subject', subject],
    ['outcome', outcome]
  ]
  if (code !== null) parameters.push(['code', code])
  const head = headerOf({ at, outcome, msgId: action, hostname })
  return concat(utf8(`${head} ${elementOf('audit', parameters)} `), BYTE_ORDER_MARK, utf8(encodeCanonical(record)))
}

/** What stands in the place of records that are gone (AU-16). */
export function gapMessage({ fromSeq, toSeq, reason, at }: AuditGap, hostname: string): Uint8Array {
  const parameters: readonly Parameter[] = [
    ['fromSeq', String(fromSeq)],
    ['toSeq', String(toSeq)],
    ['reason', reason]
  ]
  const head = headerOf({ at, outcome: 'failed', msgId: 'AUDIT_GAP', hostname })
  const text = encodeCanonical({ fromSeq, toSeq, reason })
  return concat(utf8(`${head} ${elementOf('gap', parameters)} `), BYTE_ORDER_MARK, utf8(text))
}

/** A message as a frame: its length in octets, a space, the message (RFC 5425 section 4.3). */
export function syslogFrame(message: Uint8Array): Uint8Array {
  return concat(utf8(`${message.length} `), message)
}

interface Header {
  readonly at: number
  readonly outcome: AuditOutcome
  readonly msgId: string
  readonly hostname: string
}

function headerOf({ at, outcome, msgId, hostname }: Header): string {
  const priority = FACILITY * 8 + SEVERITY[outcome]
  return `<${priority}>1 ${timestampOf(at)} ${hostnameOf(hostname)} ${APP_NAME} ${NIL} ${msgId}`
}

// Beyond the year 9999, which is no time of RFC 3339.
const TIMESTAMP_MS_END = 253_402_300_800_000

function timestampOf(at: number): string {
  return at < TIMESTAMP_MS_END ? new Date(at).toISOString() : NIL
}

/** PRINTUSASCII (RFC 5424 section 6) alone. */
function hostnameOf(name: string): string {
  const printable = name.replaceAll(/[^!-~]/g, '').slice(0, HOSTNAME_CHARS_MAX)
  return printable === '' ? NIL : printable
}

type Parameter = readonly [name: string, value: string]

function elementOf(name: string, parameters: readonly Parameter[]): string {
  const values = parameters.map(([parameter, value]) => ` ${parameter}="${escaped(value)}"`)
  return `[${name}@${ENTERPRISE}${values.join('')}]`
}

/** RFC 5424 section 6.3.3. */
function escaped(value: string): string {
  return value.replaceAll(/["\\\]]/g, String.raw`\$&`)
}
