import type { ConfigPath } from '../../src/policy/yaml-reader.ts'

/** What is wrong with a scenario whose every value by itself is right. */
export interface ScenarioProblem {
  readonly path: ConfigPath
  readonly message: string
}
