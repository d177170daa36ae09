import type { JsonObject, JsonValue } from '../../protocols/canonical-json/v1/json.ts'
import { textOf } from './fields.ts'
import type { FaultSpan } from './run-record.ts'

interface OpenSpan {
  readonly span: FaultSpan
  readonly index: JsonValue | undefined
}

/** What the scenario does, from the records `fault` and `heal`. */
export class FaultSpans {
  readonly #nodeOf: (name: JsonValue) => number
  readonly #spans: OpenSpan[] = []

  /** `nodeOf` gives the number of a node that a record names. */
  constructor(nodeOf: (name: JsonValue) => number) {
    this.#nodeOf = nodeOf
  }

  begin(atUs: number, fields: JsonObject): void {
    const groups = listOf(fields['groups']).map((group) => this.#nodesOf(group))
    const span = {
      kind: textOf(fields['fault']),
      fromUs: atUs,
      untilUs: null,
      groups,
      nodes: this.#nodesOf(fields['nodes'])
    }
    this.#spans.push({ span, index: fields['index'] })
  }

  /** The oldest of that fault that still goes on is over. */
  end(atUs: number, { index }: JsonObject): void {
    const place = this.#spans.findIndex(({ span, index: of }) => span.untilUs === null && of === index)
    const open = this.#spans[place]
    if (open !== undefined) this.#spans[place] = { ...open, span: { ...open.span, untilUs: atUs } }
  }

  /** The nodes that something of this kind is being done to. */
  nodesNow(kind: string): ReadonlySet<number> {
    const now = this.#spans.filter(({ span }) => span.kind === kind && span.untilUs === null)
    return new Set(now.flatMap(({ span }) => span.nodes))
  }

  get all(): FaultSpan[] {
    return this.#spans.map(({ span }) => span)
  }

  #nodesOf(names: JsonValue | undefined): number[] {
    return listOf(names).map(this.#nodeOf)
  }
}

const listOf = (value: JsonValue | undefined): readonly JsonValue[] =>
  Array.isArray(value) ? (value as JsonValue[]) : []
