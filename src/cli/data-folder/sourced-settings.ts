import type { JsonValue } from '../../../protocols/canonical-json/v1/json.ts'
import { settingsOf } from '../../policy/config-change.ts'
import type { Setting } from '../../policy/config-change.ts'
import type { ConfigOverride, ParsedConfig } from '../../policy/yaml.ts'

/** A setting and where its value comes from, in the order in which one goes before the other. */
export interface SourcedSetting extends Setting {
  readonly source: 'flag' | 'environment' | 'file' | 'default'
  /** The flag's or variable's name, or file, line and column; null for a default. */
  readonly place: string | null
}

type Parsed = Extract<ParsedConfig<unknown>, { readonly ok: true }>

/** Every setting of both files. */
export function sourcedSettings(
  { federation, peers }: { readonly federation: Parsed; readonly peers: Parsed },
  overrides: readonly ConfigOverride[]
): readonly SourcedSetting[] {
  return [...sourced(federation, overrides), ...sourced(peers, []).filter(({ key }) => key !== 'v')]
}

function sourced(config: Parsed, overrides: readonly ConfigOverride[]): SourcedSetting[] {
  return settingsOf(config.value as JsonValue).map((setting): SourcedSetting => {
    const { path } = setting
    const override = overrides.findLast((candidate) => candidate.path.every((step, index) => step === path[index]))
    if (override !== undefined)
      return { ...setting, source: override.source === 'environment' ? 'environment' : 'flag', place: override.name }
    if (config.written(path).length === 0) return { ...setting, source: 'default', place: null }
    const { file, line, column } = config.problemAt(path, '')
    return { ...setting, source: 'file', place: `${file}:${line}:${column}` }
  })
}
