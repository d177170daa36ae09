import type { JsonObject, JsonValue } from '../../protocols/canonical-json/v1/json.ts'

/**
 * How a projection's usual rows are stored: what their keys say is not said again, and columns stand without their
 * names. It makes a row less than half as long, and length is what LevelDB's work goes by.
 */
export interface RowLayout {
  /** The field that each `!`-separated part of the key holds as text; `null` for a part that is no field. */
  readonly key: readonly (string | null)[]
  /** The other fields, in the order of their storage. */
  readonly columns: readonly string[]
  /**
   * How many parts of rows' keys the list of each batch names (`batch-lists.ts`). What is listed is not deleted; without
   * a number there are no lists.
   */
  readonly listed?: number
}

/** Of rows whose fields are optional or few: stored as they are. */
export const PLAIN_ROWS: RowLayout = { key: [], columns: [] }

/** A row as it is stored and kept in the journal: its columns, or all of it where it is not of the layout. */
export type PackedRow = JsonObject | readonly JsonValue[]

export function packRow({ key, columns }: RowLayout, row: JsonObject): PackedRow {
  const values: JsonValue[] = []
  for (const column of columns) {
    const value = row[column]
    if (value === undefined) return row
    values.push(value)
  }
  let fields = columns.length
  for (const field of key) if (field !== null) fields += 1
  return Object.keys(row).length === fields ? values : row
}

/** The row of `key`: its key's fields first, then its columns. */
export function unpackRow(layout: RowLayout, key: string, packed: PackedRow): JsonObject {
  if (!isList(packed)) return packed
  const row: Record<string, JsonValue> = {}
  const parts = key.split('!')
  for (const [index, field] of layout.key.entries()) if (field !== null) row[field] = parts[index] ?? ''
  for (const [index, column] of layout.columns.entries()) row[column] = packed[index] ?? null
  return row
}

/** Reads a row of the store. */
export function decodeRow(layout: RowLayout, key: string, stored: Uint8Array): JsonObject {
  return unpackRow(layout, key, parseStored(stored) as PackedRow)
}

/** Reads any JSON of the store. */
export function parseStored(stored: Uint8Array): JsonValue {
  return JSON.parse(Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength).toString('utf8')) as JsonValue
}

function isList(packed: PackedRow): packed is readonly JsonValue[] {
  return Array.isArray(packed)
}
