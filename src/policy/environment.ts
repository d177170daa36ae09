import { federationSchema } from './config-schema.ts'
import { outlineOf, suggestion } from './explain.ts'
import type { Outline } from './explain.ts'
import type { ConfigPath } from './yaml-reader.ts'
import type { ConfigOverride, ConfigProblem } from './yaml.ts'

const PREFIX = 'ANCHORMESH_'

interface Variable {
  readonly path: ConfigPath
  readonly type: string
}

/**
 * What the environment says about `federation.yaml`: each single value or list at a fixed place has the variable
 * `ANCHORMESH_<SECTION>_<KEY>`, words parted by underscores (`node.orgId` is `ANCHORMESH_NODE_ORG_ID`). Lists are
 * separated by commas. Namespaces, rails and sealing have names of the operator's own and stay in the file.
 * A variable of a section that has no such key (of those three, each one) is a problem; others that start with
 * `ANCHORMESH_` are not looked at.
 */
export function environmentOverrides(environment: Readonly<Record<string, string | undefined>>): {
  readonly overrides: readonly ConfigOverride[]
  readonly problems: readonly ConfigProblem[]
} {
  const variables = environmentVariables()
  const sections = sectionNames()
  const overrides: ConfigOverride[] = []
  const problems: ConfigProblem[] = []
  for (const name of Object.keys(environment).sort()) {
    const text = environment[name]
    if (!name.startsWith(PREFIX) || text === undefined) continue
    const variable = variables.get(name)
    if (variable !== undefined) {
      overrides.push({ path: variable.path, value: valueOf(text, variable.type), source: 'environment', name })
    } else if (sections.has(sectionOf(name))) {
      const place = { file: 'environment', line: null, column: null, key: name }
      problems.push({ ...place, message: 'is not a known variable', ...variableLike(name, [...variables.keys()]) })
    }
  }
  return { overrides, problems }
}

/** What all names begin with says nothing of how near two are. */
function variableLike(name: string, known: readonly string[]): ReturnType<typeof suggestion> {
  const { didYouMean } = suggestion(
    name.slice(PREFIX.length),
    known.map((other) => other.slice(PREFIX.length))
  )
  return didYouMean === undefined ? {} : { didYouMean: PREFIX + didYouMean }
}

/** Every variable that is understood, with the path of the key that it sets. */
export function environmentVariables(): ReadonlyMap<string, Variable> {
  const variables = new Map<string, Variable>()
  const collect = (outline: Outline, path: readonly string[]): void => {
    for (const [key, inner] of Object.entries(outline.properties ?? {})) {
      if (inner.type === 'object') collect(inner, [...path, key])
      // The version of the format stands above the sections and belongs to the file.
      else if (path.length > 0) {
        variables.set(variableName([...path, key]), { path: [...path, key], type: inner.type ?? '' })
      }
    }
  }
  collect(outlineOf(federationSchema), [])
  return variables
}

/** The sections of the file, also those whose keys have no variables. */
function sectionNames(): ReadonlySet<string> {
  const sections = Object.entries(outlineOf(federationSchema).properties ?? {})
  return new Set(sections.flatMap(([key, { type }]) => (type === 'object' ? [key.toUpperCase()] : [])))
}

function variableName(path: readonly string[]): string {
  return PREFIX + path.map((key) => key.replaceAll(/[A-Z]/g, '_$&').toUpperCase()).join('_')
}

function sectionOf(name: string): string {
  return name.slice(PREFIX.length).split('_')[0] ?? ''
}

/** What does not look like its type stays text, and the schema says what is wrong with it. */
function valueOf(text: string, type: string): ConfigOverride['value'] {
  if (type === 'array') return text.trim() === '' ? [] : text.split(',').map((item) => item.trim())
  if (type === 'boolean' && /^(?:true|false)$/.test(text)) return text === 'true'
  if (type === 'integer' && /^-?[0-9]+$/.test(text)) return Number(text)
  return text
}
