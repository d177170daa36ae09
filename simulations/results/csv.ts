/** A value of a CSV file; `null` is an empty field. */
export type CsvValue = string | number | boolean | null

/** A line of CSV (RFC 4180, with a line feed alone at its end). */
export function csvLine(values: readonly CsvValue[]): string {
  return `${values.map(csvField).join(',')}\n`
}

function csvField(value: CsvValue): string {
  if (value === null) return ''
  const text = String(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
