/** What a file of numbers holds, or what is wrong with it. */
export type CsvResult<Value> =
  { readonly ok: true; readonly value: Value } | { readonly ok: false; readonly line: number; readonly problem: string }

/** A line by the names of its columns; one that is empty is absent. */
export type CsvRow = Readonly<Record<string, number>>

const NUMBER_PATTERN = /^\d+(?:\.\d+)?$/

/**
 * Comma-separated numbers under a line of names. Columns of other names are passed over, empty lines and such that begin
 * with `#` too.
 */
export function readCsv(
  text: string,
  columns: { readonly required: readonly string[]; readonly optional?: readonly string[] }
): CsvResult<readonly (CsvRow & { readonly line: number })[]> {
  const { required, optional = [] } = columns
  let names: string[] | null = null
  const rows: (CsvRow & { readonly line: number })[] = []
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = index + 1
    if (raw.trim() === '' || raw.startsWith('#')) continue
    const cells = raw.split(',').map((cell) => cell.trim())
    if (names === null) {
      names = cells
      const missing = required.find((name) => !cells.includes(name))
      if (missing !== undefined) return { ok: false, line, problem: `there is no column ${missing}, but ${raw.trim()}` }
      continue
    }
    const row: Record<string, number> & { line: number } = { line }
    for (const name of [...required, ...optional]) {
      const cell = cells[names.indexOf(name)] ?? ''
      if (cell === '' && !required.includes(name)) continue
      if (cell === '') return { ok: false, line, problem: `${name} is empty` }
      if (!NUMBER_PATTERN.test(cell))
        return { ok: false, line, problem: `${name} is ${cell}, but must be a number from 0, such as 20 or 1.5` }
      row[name] = Number(cell)
    }
    rows.push(row)
  }
  return names === null
    ? { ok: false, line: 1, problem: `the first line must name the columns: ${[...required, ...optional].join(',')}` }
    : { ok: true, value: rows }
}

/** The number of a node, where there is one. */
export function isNode(number: number | undefined, nodes: number): number is number {
  return number !== undefined && Number.isInteger(number) && number < nodes
}
