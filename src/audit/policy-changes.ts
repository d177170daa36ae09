import { isJsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { JsonObject, JsonValue } from '../../protocols/canonical-json/v1/json.ts'

// A list or an object further down is compared as a whole: a record has no room for more.
const DEPTH_MAX = 3

/** Which keys differ, by their path (`namespaces.dao:vaultmesh.members`), in byte order; `before` is null at first. */
export function changedKeys(before: JsonObject | null, after: JsonObject): readonly string[] {
  return [...differences(before ?? {}, after, '', 1)].toSorted()
}

function* differences(before: JsonObject, after: JsonObject, prefix: string, depth: number): Generator<string> {
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [left, right] = [own(before, key), own(after, key)]
    const path = `${prefix}${key}`
    if (depth < DEPTH_MAX && isJsonObject(left) && isJsonObject(right))
      yield* differences(left, right, `${path}.`, depth + 1)
    else if (JSON.stringify(left) !== JSON.stringify(right)) yield path
  }
}

function own(value: JsonObject, key: string): JsonValue | undefined {
  return Object.hasOwn(value, key) ? value[key] : undefined
}
