import { FIGURES } from '../../../simulations/results/figures.ts'
import { METRICS_COLUMNS, PROTOCOL_COLUMNS } from '../../../simulations/results/metrics-csv.ts'
import { TRACE_FIELDS, TRACE_MEANINGS } from '../../../simulations/results/trace-kinds.ts'
import type { TraceKind } from '../../../simulations/model/simulation.ts'

/** The tables that documents have of what the code says; a test holds the two together. */
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')

/** Of `simulations/TRACE.md`. */
export function traceTable(): string {
  const kinds = Object.keys(TRACE_FIELDS) as TraceKind[]
  return table(
    ['kind', 'what', 'fields'],
    kinds.map((kind) => {
      const fields = Object.entries(TRACE_FIELDS[kind].shape).map(
        ([name, field]: [string, { description?: string; isOptional(): boolean }]) =>
          `\`${name}\`${field.isOptional() ? ' (may be absent)' : ''}: ${field.description}`
      )
      return [`\`${kind}\``, TRACE_MEANINGS[kind], fields.join('<br>')]
    })
  )
}

/** Of `simulations/results/README.md`. */
export function columnTables(): readonly string[] {
  const columns = (all: readonly { readonly name: string; readonly about: string }[]): string =>
    table(
      ['column', 'what'],
      all.map(({ name, about }) => [`\`${name}\``, about])
    )
  const figures = Object.entries(FIGURES).map(([name, { unit, meaning }]) => [`\`${name}\``, unit, meaning])
  return [columns(METRICS_COLUMNS), columns(PROTOCOL_COLUMNS), table(['figure', 'unit', 'what'], figures)]
}
