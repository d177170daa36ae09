/** One column: its heading, and what stands below it for a row. */
export interface Column<Row> {
  readonly heading: string
  readonly cell: (row: Row) => string | number | boolean | null | undefined
  /** Default `left`; figures read better on the right. */
  readonly align?: 'left' | 'right'
}

const GAP = '  '

/**
 * Rows as lines of aligned columns, the headings first: wherever the lines go, because what is for machines is
 * `--json`. A column that has nothing to say in any row is left out.
 */
export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  return new TableInParts<Row>().part(columns, rows)
}

/**
 * A table whose rows come in parts, too many to be held at once. The headings stand above the first part, and again
 * only where a part has something to say in other columns.
 */
export class TableInParts<Row> {
  /** The columns below the last headings, by heading, with their widths. */
  #widths = new Map<string, number>()

  /** The lines of the next rows. */
  part(columns: readonly Column<Row>[], rows: readonly Row[]): string {
    const filled = columns
      .map(({ heading, cell, align }) => ({ heading, align, cells: rows.map((row) => cellText(cell(row))) }))
      .filter(({ cells }) => cells.length === 0 || cells.some((cell) => cell !== ''))
    const goesOn = this.#widths.size > 0 && filled.every(({ heading }) => this.#widths.has(heading))
    if (!goesOn) this.#widths = new Map(filled.map(({ heading }) => [heading, heading.length]))
    const padded = [...this.#widths].map(([heading, before]) => {
      const column = filled.find((candidate) => candidate.heading === heading)
      const cells = column?.cells ?? rows.map(() => '')
      const width = Math.max(before, ...cells.map(lengthOf))
      this.#widths.set(heading, width)
      return (goesOn ? cells : [heading, ...cells]).map((cell) => pad(cell, width, column?.align))
    })
    const lines = goesOn ? rows.length : rows.length + 1
    return Array.from({ length: lines }, (_, index) => lineOf(padded.map((cells) => cells[index] ?? ''))).join('\n')
  }
}

function pad(cell: string, width: number, align: 'left' | 'right' = 'left'): string {
  const space = ' '.repeat(width - lengthOf(cell))
  return align === 'right' ? space + cell : cell + space
}

function lineOf(cells: readonly string[]): string {
  return cells.join(GAP).trimEnd()
}

/** In characters as they are shown. */
function lengthOf(cell: string): number {
  return [...cell].length
}

/** Names and values, one pair a line, the values aligned. Pairs without a value are left out. */
export function facts(pairs: readonly (readonly [string, string | number | boolean | null | undefined])[]): string {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined && value !== '')
  const width = Math.max(0, ...shown.map(([name]) => [...name].length))
  return shown.map(([name, value]) => `${name.padEnd(width)}${GAP}${cellText(value)}`).join('\n')
}

// Hashes are told apart by eye in tables; whoever compares them for real takes --json.
const HASH_CHARS_SHOWN = 16
const DID_CHARS_SHOWN = 24

/** The beginning of a hash. */
export function shortHash(hash: unknown): string {
  return typeof hash === 'string' ? hash.slice(0, HASH_CHARS_SHOWN) : ''
}

/** A DID that is recognised: its beginning and its end, because the beginnings of all did:key are alike. */
export function shortDid(did: unknown): string {
  if (typeof did !== 'string') return ''
  return did.length <= DID_CHARS_SHOWN ? did : `${did.slice(0, DID_CHARS_SHOWN - 7)}…${did.slice(-6)}`
}

/** Milliseconds since 1970 as a time in UTC, to the second. */
export function time(ms: unknown): string {
  return typeof ms === 'number' ? new Date(ms).toISOString().replace(/\.[0-9]{3}Z$/, 'Z') : ''
}

/** A whole number with its thousands apart. */
export function figure(value: number): string {
  return value.toLocaleString('en-US')
}

/** Bytes in the largest unit that leaves a figure before the point. */
export function bytes(count: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  const power = count < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(count) / 10))
  return `${power === 0 ? count : (count / 1024 ** power).toFixed(1)} ${units[power]}`
}

/** Milliseconds as a person says them. */
export function duration(ms: number): string {
  const seconds = ms / 1000
  if (seconds < 60) return `${seconds.toFixed(1)} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`
}

/**
 * A value as it may be shown: text from other nodes can hold control characters, which could move the cursor or change
 * what stands on the screen, and characters that turn the direction of writing.
 */
export function cellText(value: string | number | boolean | null | undefined): string {
  if (value === null || value === undefined) return ''
  return String(value).replaceAll(/[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu, escapeOf)
}

function escapeOf(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}
