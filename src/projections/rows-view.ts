import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { Store } from '../log/store.ts'
import { prefixRange } from '../log/store.ts'
import type { ProjectionEngine } from './engine.ts'
import { decodeRow, parseStored } from './row-codec.ts'
import { factsOfState, readState, rowsOfState } from './state.ts'

/** A projection as it is at one moment, however long somebody reads in it and whatever is folded anew meanwhile. */
export interface RowsView {
  /** Rows in the order of `keys`; `undefined` where there is none. */
  rows(keys: readonly string[]): Promise<(JsonObject | undefined)[]>
  /** The rows whose key begins with `prefix` and is not before `from`, in key order. */
  range(prefix: string, from?: string): AsyncGenerator<[string, JsonObject]>
  /** Facts in the order of `keys`. */
  facts(keys: readonly string[]): Promise<(JsonObject | undefined)[]>
  /** The facts whose key begins with `prefix` and is not before `from`, in key order. */
  factsRange(prefix: string, from?: string): AsyncGenerator<[string, JsonObject]>
}

/** Reads in a projection as it is now. Throws `UNKNOWN_PROJECTION`. */
export async function viewRows<Result>(
  engine: ProjectionEngine,
  store: Store,
  name: string,
  read: (view: RowsView) => Promise<Result>
): Promise<Result> {
  const { projection } = engine.instance(name)
  const snapshot = await store.snapshot()
  try {
    const state = await readState(snapshot, projection)
    const rows = rowsOfState(name, state)
    const facts = factsOfState(name, state)
    return await read({
      async rows(keys) {
        const values = await snapshot.getMany(keys.map((key) => rows + key))
        return values.map((bytes, index) =>
          bytes === undefined ? undefined : decodeRow(projection.layout, keys[index] ?? '', bytes)
        )
      },
      async *range(prefix, from = prefix) {
        const { gte, lt } = prefixRange(rows + prefix)
        const start = rows + from
        for await (const [key, bytes] of snapshot.range({ gte: start > gte ? start : gte, lt }))
          yield [key.slice(rows.length), decodeRow(projection.layout, key.slice(rows.length), bytes)]
      },
      async facts(keys) {
        const values = await snapshot.getMany(keys.map((key) => facts + key))
        return values.map((bytes) => (bytes === undefined ? undefined : (parseStored(bytes) as JsonObject)))
      },
      async *factsRange(prefix, from = prefix) {
        const { gte, lt } = prefixRange(facts + prefix)
        const start = facts + from
        for await (const [key, bytes] of snapshot.range({ gte: start > gte ? start : gte, lt }))
          yield [key.slice(facts.length), parseStored(bytes) as JsonObject]
      }
    })
  } finally {
    await snapshot.close()
  }
}
