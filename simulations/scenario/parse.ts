import { parseConfig } from '../../src/policy/yaml.ts'
import type { ConfigOverride, ConfigProblem } from '../../src/policy/yaml.ts'
import type { ConfigPath } from '../../src/policy/yaml-reader.ts'
import { scenarioProblems } from './check.ts'
import { scenarioSchema } from './schema.ts'
import type { Scenario } from './schema.ts'

/** A scenario, or all that is wrong with it. */
export type ParsedScenario =
  | {
      readonly ok: true
      readonly scenario: Scenario
      /** A problem that later checks found, at the place that `path` came from. */
      problemAt(path: ConfigPath, message: string): ConfigProblem
    }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] }

/** Reads the text of a scenario; `file` is the name that problems show. */
export function parseScenario(text: string, file: string, overrides: readonly ConfigOverride[] = []): ParsedScenario {
  const parsed = parseConfig(text, file, scenarioSchema, overrides)
  if (!parsed.ok) return parsed
  const scenario = parsed.value
  const found = scenarioProblems(scenario)
  if (found.length > 0)
    return { ok: false, problems: found.map(({ path, message }) => parsed.problemAt(path, message)) }
  return { ok: true, scenario, problemAt: (path, message) => parsed.problemAt(path, message) }
}
