import { isDeepStrictEqual } from 'node:util'
import { stringify } from 'yaml'
import { z } from 'zod'
import type { JsonObject, JsonValue } from '../../protocols/canonical-json/v1/json.ts'
import { scenarioSchema } from './schema.ts'
import type { Scenario, ScenarioFile } from './schema.ts'

/** A scenario as it would stand in a file, with every default written out: what traces and saved scenarios hold. */
export function writtenScenario(scenario: Scenario): ScenarioFile & JsonObject {
  return z.encode(scenarioSchema, scenario) as ScenarioFile & JsonObject
}

/** The text of a scenario file, without what defaults say anyway. `comment` stands above it. */
export function scenarioText(scenario: Scenario, comment: string): string {
  const shortest = withoutDefaults(writtenScenario(scenario), (shorter) => {
    const read = scenarioSchema.safeParse(shorter)
    return read.success && isDeepStrictEqual(read.data, scenario)
  })
  return `# ${comment}\n${stringify(shortest, { lineWidth: 120 })}`
}

/** Takes members away for as long as the whole means the same, those within others first. */
function withoutDefaults(whole: JsonObject, isSame: (shorter: JsonObject) => boolean): JsonObject {
  const shorten = (value: JsonValue, replace: (shorter: JsonValue) => JsonObject): JsonValue => {
    if (typeof value !== 'object' || value === null) return value
    if (isList(value)) {
      return value.reduce<readonly JsonValue[]>(
        (items, item, index) =>
          items.with(
            index,
            shorten(item, (shorter) => replace(items.with(index, shorter)))
          ),
        value
      )
    }
    let object = value
    for (const key of Object.keys(value)) {
      const { [key]: member = null, ...others } = object
      const before = object
      object = isSame(replace(others))
        ? others
        : { ...object, [key]: shorten(member, (shorter) => replace({ ...before, [key]: shorter })) }
    }
    return object
  }
  return shorten(whole, (shorter) => shorter as JsonObject) as JsonObject
}

const isList = (value: JsonValue): value is readonly JsonValue[] => Array.isArray(value)
