import type { ConfigPath } from '../../policy/yaml-reader.ts'
import type { ConfigProblem } from '../../policy/yaml.ts'

/** A file that was parsed: what is written in it, and where. */
interface WrittenConfig {
  /** The places that a pattern leads to; `*` is any key or index. What is left out or empty is nowhere. */
  written(pattern: ConfigPath): readonly ConfigPath[]
  problemAt(path: ConfigPath, message: string): ConfigProblem
}

/** Settings of later versions. Each is checked, so that a file which has them can stay when they come into use. */
const PEERS: readonly ConfigPath[] = [['peers', '*', 'certificatePins']]

/**
 * What the operator has set that does nothing in this version: one sentence for each setting, at the first place of it.
 * Nobody is less protected by these than they believe (`unsupportedProblems` has those), so they are no errors.
 */
export function settingsWithoutEffect(peers: WrittenConfig): readonly ConfigProblem[] {
  return PEERS.flatMap((pattern) => {
    const [first, ...others] = peers.written(pattern)
    if (first === undefined) return []
    const more = others.length === 0 ? '' : `, as ${others.length} more like it`
    return [peers.problemAt(first, `is accepted, but has no effect in this version${more}`)]
  })
}
