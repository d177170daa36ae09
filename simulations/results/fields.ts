import type { JsonValue } from '../../protocols/canonical-json/v1/json.ts'

/** A text of a record of the trace. */
export function textOf(value: JsonValue | undefined): string {
  if (typeof value !== 'string') throw new TypeError(`a record of the trace has ${JSON.stringify(value)} for a text`)
  return value
}

export function countOf(value: JsonValue | undefined): number {
  if (typeof value !== 'number') throw new TypeError(`a record of the trace has ${JSON.stringify(value)} for a number`)
  return value
}
