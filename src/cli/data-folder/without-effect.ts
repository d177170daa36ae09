import type { ConfigPath } from '../../policy/yaml-reader.ts'
import type { ConfigProblem } from '../../policy/yaml.ts'

/** A file that was parsed: what is written in it, and where. */
interface WrittenConfig {
  /** The places that a pattern leads to; `*` is any key or index. What is left out or empty is nowhere. */
  written(pattern: ConfigPath): readonly ConfigPath[]
  problemAt(path: ConfigPath, message: string): ConfigProblem
}

/** Settings that say something of TLS alone. */
const OF_TLS: readonly ConfigPath[] = [['peers', '*', 'certificatePins']]

/**
 * What the operator has set that does nothing as long as `http.tls` is not: one sentence for each setting, at the first
 * place of it. Nobody is less protected by these than they believe, because without TLS nobody else can reach the
 * listeners; and a file of peers is shared with nodes that have it. So they are no errors.
 */
export function settingsWithoutEffect(peers: WrittenConfig, hasTls: boolean): readonly ConfigProblem[] {
  if (hasTls) return []
  return OF_TLS.flatMap((pattern) => {
    const [first, ...others] = peers.written(pattern)
    if (first === undefined) return []
    const more = others.length === 0 ? '' : `, as ${others.length} more like it`
    return [peers.problemAt(first, `is accepted, but has no effect without http.tls${more}`)]
  })
}
