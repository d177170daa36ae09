import type { Estimate } from '../statistics.ts'

/** A part of a report: a picture, what it shows, and the numbers in it. */
export interface ReportFigure {
  /** Of its file, without an ending. */
  readonly name: string
  readonly title: string
  readonly caption: string
  readonly svg: string
  readonly table: ReportTable
}

export interface ReportTable {
  readonly head: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;'
}

export function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? character)
}

/** The first cell of a row names it. */
export function tableHtml({ head, rows }: ReportTable): string {
  const heads = head.map((cell) => `<th scope="col">${escapeHtml(cell)}</th>`).join('')
  const body = rows.map(
    ([name = '', ...cells]) =>
      `<tr><th scope="row">${escapeHtml(name)}</th>${cells.map((cell) => `<td>${escapeHtml(cell)}</td>`).join('')}</tr>`
  )
  return `<div class="table"><table><thead><tr>${heads}</tr></thead><tbody>${body.join('')}</tbody></table></div>`
}

/** Four significant digits, groups of three; whole numbers in full. */
export function numberText(value: number | null | undefined): string {
  if (value === null || value === undefined) return '–'
  const [whole = '', fraction] = (Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)))).split(
    '.'
  )
  const grouped = whole.replaceAll(/\B(?=(?:\d{3})+$)/g, '\u{202f}')
  return fraction === undefined ? grouped : `${grouped}.${fraction}`
}

/** A mean with its interval, as cells of a table have it. */
export function estimateText(estimate: Estimate | null | undefined): string {
  if (estimate === null || estimate === undefined) return '–'
  const { mean, low, high } = estimate
  return low === null ? numberText(mean) : `${numberText(mean)} [${numberText(low)}, ${numberText(high)}]`
}
