import { AnchormeshError } from '../platform/errors.ts'
import type { ConfigProblem } from '../policy/yaml.ts'
import type { CommandContext } from './command.ts'
import type { CodedProblem } from './data-folder/load-config.ts'
import { loadConfig, problemsIn, problemsOfEach } from './data-folder/load-config.ts'
import { dataPaths } from './data-folder/paths.ts'

/** What is wrong with a configuration, and what is right and does nothing in this version. */
export interface ConfigCheck {
  readonly problems: readonly CodedProblem[]
  readonly withoutEffect: readonly ConfigProblem[]
}

/** Checks a configuration as a start does, without its effects. What is wrong is an answer; only defects are thrown. */
export async function validateConfig({ configSources }: Pick<CommandContext, 'configSources'>): Promise<ConfigCheck> {
  try {
    const { withoutEffect } = await loadConfig(configSources)
    return { problems: [], withoutEffect }
  } catch (error) {
    if (!(error instanceof AnchormeshError)) throw error
    const file = error.code.startsWith('KEYSTORE') ? dataPaths(configSources.folder).keystore : configSources.folder
    const problems = new Map<string, CodedProblem>()
    for (const problem of [...(await problemsOfEach(configSources)), ...problemsIn(error, file)]) {
      const { file: at, line, column, key, message } = problem
      problems.set(JSON.stringify([at, line, column, key, message]), problem)
    }
    return { problems: [...problems.values()], withoutEffect: [] }
  }
}
