import { isJsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { JsonObject, JsonValue } from '../../protocols/canonical-json/v1/json.ts'
import type { Column } from './table.ts'
import { TableInParts, shortDid, shortHash, time } from './table.ts'

/** Values in tables are for the eye; what is longer is cut, and --json has all of it. */
const CELL_CHARS_MAX = 40

/** Rows of any projection as a table: a column for each member, in the order in which the rows name them. */
export function rowTable(rows: readonly JsonObject[]): string {
  return rowTableInParts()(rows)
}

/** The same for rows that come in parts: each call gives the lines of the next rows. */
export function rowTableInParts(): (rows: readonly JsonObject[]) => string {
  const parts = new TableInParts<JsonObject>()
  return (rows) => parts.part(columnsOf(rows), rows)
}

function columnsOf(rows: readonly JsonObject[]): readonly Column<JsonObject>[] {
  const members = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  return members.map((member) => ({
    heading: headingOf(member),
    cell: (row) => cellOf(member, row[member]),
    align: rows.some((row) => typeof row[member] === 'number') && !isTime(member) ? 'right' : 'left'
  }))
}

/** `batchRoot` as `BATCH ROOT`. */
function headingOf(member: string): string {
  return member.replaceAll(/[A-Z]/g, ' $&').toUpperCase()
}

function cellOf(member: string, value: JsonValue | undefined): string {
  if (value === undefined || value === null) return ''
  if (typeof value === 'number') return isTime(member) ? time(value) : String(value)
  if (typeof value === 'string') return textOf(value)
  if (Array.isArray(value)) return listOf(value)
  return candidateOf(value) ?? quorumOf(value) ?? cut(JSON.stringify(value))
}

/** A list says by its length what a table can say of it; of losers the strongest is named, with the rule. */
function listOf(value: readonly JsonValue[]): string {
  const [first] = value
  const strongest = first === undefined ? null : candidateOf(first)
  if (strongest === null || !isJsonObject(first) || typeof first['rule'] !== 'string') return String(value.length)
  const others = value.length === 1 ? '' : `, ${value.length - 1} more`
  return `${strongest} lost by ${first['rule']}${others}`
}

/** A winner or a loser: its chain, and the time that it proves. */
function candidateOf(value: JsonValue): string | null {
  if (!isJsonObject(value)) return null
  const { chainId, provenTime } = value
  return typeof chainId === 'string' && typeof provenTime === 'number' ? `${chainId} ${time(provenTime)}` : null
}

/** A quorum: how many attested, of how many that it takes, and how many say otherwise. */
function quorumOf(value: JsonValue): string | null {
  if (!isJsonObject(value)) return null
  const { k, of, attested, contradicting } = value
  if (typeof k !== 'number' || typeof of !== 'number' || !Array.isArray(attested)) return null
  const against = Array.isArray(contradicting) && contradicting.length > 0 ? `, ${contradicting.length} contradict` : ''
  return `${attested.length} attest, ${k} of ${of} needed${against}`
}

function textOf(value: string): string {
  if (/^[0-9a-f]{64}$/.test(value)) return shortHash(value)
  return value.startsWith('did:') ? shortDid(value) : cut(value)
}

function isTime(member: string): boolean {
  return /^ts$|(?:At|Ts|Time|Ms|Until|notBefore|notAfter)$/.test(member)
}

function cut(text: string): string {
  return text.length <= CELL_CHARS_MAX ? text : `${text.slice(0, CELL_CHARS_MAX - 1)}…`
}
