import { AnchormeshError } from '../platform/errors.ts'
import type { ConfigProblem } from '../policy/yaml.ts'
import type { CommandContext } from './command.ts'
import { loadConfig } from './data-folder/load-config.ts'
import { dataPaths } from './data-folder/paths.ts'
import { configuredRails } from './data-folder/rails.ts'

/** A problem with its stable code. */
export type CodedProblem = Omit<ConfigProblem, 'code'> & { readonly code: string }

/** What is wrong with a configuration, and what is right and does nothing in this version. */
export interface ConfigCheck {
  readonly problems: readonly CodedProblem[]
  readonly withoutEffect: readonly ConfigProblem[]
}

/** Checks a configuration as a start does, without its effects. What is wrong is an answer; only defects are thrown. */
export async function validateConfig({ configSources, clock, random }: CommandContext): Promise<ConfigCheck> {
  try {
    const { federation, policy, folder, withoutEffect } = await loadConfig(configSources)
    await configuredRails(federation, policy, { folder, clock, random })
    return { problems: [], withoutEffect }
  } catch (error) {
    if (!(error instanceof AnchormeshError)) throw error
    const { problems } = (error.detail ?? {}) as { readonly problems?: readonly ConfigProblem[] }
    if (problems !== undefined) {
      return {
        problems: problems.map((problem) => ({ ...problem, code: problem.code ?? error.code })),
        withoutEffect: []
      }
    }
    const file = error.code.startsWith('KEYSTORE') ? dataPaths(configSources.folder).keystore : configSources.folder
    const place = { file, line: null, column: null, key: '' }
    return { problems: [{ ...place, message: error.message, code: error.code }], withoutEffect: [] }
  }
}
