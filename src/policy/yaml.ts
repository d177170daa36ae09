import { z } from 'zod'
import { explain, valueAt } from './explain.ts'
import type { ProblemCode } from './problems.ts'
import { readYaml } from './yaml-reader.ts'
import type { ConfigPath, PlainObject, PlainValue, YamlSource } from './yaml-reader.ts'

/**
 * One thing that is wrong in the configuration. `line` and `column` count from 1; they are null for a value that came
 * from the environment or a flag, and then `file` says which (`environment`, `command line`) and `key` is its name.
 */
export interface ConfigProblem {
  readonly file: string
  readonly line: number | null
  readonly column: number | null
  /** The whole path, such as `peers[2].keys[0].kid`; empty where the text is no YAML at all. */
  readonly key: string
  readonly message: string
  readonly didYouMean?: string
  /** The stable code of a fault that has one. */
  readonly code?: ProblemCode
}

/** A value that goes before what the file says, from the environment or a flag. */
export interface ConfigOverride {
  readonly path: ConfigPath
  readonly value: PlainValue
  readonly source: 'environment' | 'command line'
  /** How the person wrote it: `ANCHORMESH_HTTP_LISTEN`, `--http-listen`. */
  readonly name: string
}

export type ParsedConfig<T> =
  | {
      readonly ok: true
      readonly value: T
      /** A problem that later checks found, at the place that `path` came from. */
      problemAt(path: ConfigPath, message: string): ConfigProblem
      /**
       * The places that a pattern leads to in what was written, defaults not included; `*` is any key or index. What is
       * empty counts as left out.
       */
      written(pattern: ConfigPath): readonly ConfigPath[]
    }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] }

/** After that many problems a person starts over; a hostile file must not fill a terminal. */
const PROBLEMS_MAX = 100

/**
 * Parses one YAML file against a strict zod schema. All problems of the file are found at once, each with its place:
 * YAML that does not parse, duplicate keys, aliases in a circle or without end, unknown keys (with the key that was
 * perhaps meant), wrong values. A key without a value counts as left out.
 */
export function parseConfig<T>(
  text: string,
  fileName: string,
  schema: z.ZodType<T>,
  overrides: readonly ConfigOverride[] = []
): ParsedConfig<T> {
  const source = readYaml(text)
  const problemAt = placer(source, fileName, overrides)
  if (source.faults.length > 0) {
    const problems = source.faults.map(({ line, column, path, message, code }) => ({
      file: fileName,
      line,
      column,
      key: keyText(path),
      message,
      ...(code === undefined ? {} : { code })
    }))
    return { ok: false, problems: problems.slice(0, PROBLEMS_MAX) }
  }
  let merged = source.value
  for (const override of overrides) {
    const problem = beyondEnd(merged, override)
    if (problem !== null) return { ok: false, problems: [problem] }
    merged = applyOverride(merged, override)
  }
  const result = schema.safeParse(merged)
  if (result.success) {
    return { ok: true, value: result.data, problemAt, written: (pattern) => placesOf(merged, pattern) }
  }
  const problems = result.error.issues.flatMap((issue) =>
    explain(issue, merged, schema).map(({ path, message, part, didYouMean }) => ({
      ...problemAt(path, message, part),
      ...(didYouMean === undefined ? {} : { didYouMean })
    }))
  )
  return { ok: false, problems: problems.sort(byPlace).slice(0, PROBLEMS_MAX) }
}

/** In the order that a person meets them; what is not from the file comes first. */
function byPlace(left: ConfigProblem, right: ConfigProblem): number {
  return (left.line ?? 0) - (right.line ?? 0) || (left.column ?? 0) - (right.column ?? 0)
}

/** `federation.yaml:3:5 node.orgId: is required`, or `environment ANCHORMESH_HTTP_LISTEN: …`. */
export function problemText(problem: Omit<ConfigProblem, 'code'> & { readonly code?: string }): string {
  const place = problem.line === null ? problem.file : `${problem.file}:${problem.line}:${problem.column}`
  const key = problem.key === '' ? '' : ` ${problem.key}`
  const hint = problem.didYouMean === undefined ? '' : ` (did you mean ${problem.didYouMean}?)`
  const code = problem.code === undefined ? '' : ` [${problem.code}]`
  return `${place}${key}: ${problem.message}${hint}${code}`
}

/** `peers[2].keys[0].kid` */
function keyText(path: ConfigPath): string {
  return path.map((step, index) => (typeof step === 'number' ? `[${step}]` : index === 0 ? step : `.${step}`)).join('')
}

function placer(source: YamlSource, fileName: string, overrides: readonly ConfigOverride[]) {
  return (path: ConfigPath, message: string, part?: 'key'): ConfigProblem => {
    const set = overrides.findLast((candidate) => beginsWith(path, candidate.path))
    if (set !== undefined) return placeOf(set, message)
    // What is not in the text was made by setting something in it.
    const missing = path.findIndex((_, index) => valueAt(source.value, path.slice(0, index + 1)) === undefined)
    const made = path.slice(0, missing + 1)
    const maker = missing < 0 ? undefined : overrides.findLast((candidate) => beginsWith(candidate.path, made))
    if (maker !== undefined) return placeOf(maker, `${keyText(path)} ${message}`)
    return { file: fileName, ...source.locate(path, part), key: keyText(path), message }
  }
}

function placeOf({ source, name }: ConfigOverride, message: string): ConfigProblem {
  return { file: source, line: null, column: null, key: name, message }
}

function beginsWith(path: ConfigPath, beginning: ConfigPath): boolean {
  return beginning.every((step, index) => step === path[index])
}

/** A list grows by the place behind its last, and no other: the ones between would be nothing. */
function beyondEnd(config: PlainValue, override: ConfigOverride): ConfigProblem | null {
  const { path } = override
  const at = path.findIndex((step, index) => {
    const list = valueAt(config, path.slice(0, index))
    return typeof step === 'number' && Array.isArray(list) && step > list.length
  })
  if (at < 0) return null
  const { length } = valueAt(config, path.slice(0, at)) as readonly PlainValue[]
  const places = length === 0 ? 'it has none yet' : `it has ${length}, counted from 0`
  const list = keyText(path.slice(0, at))
  return placeOf(override, `there is no place ${path[at]} in ${list}: ${places}, and ${length} adds one`)
}

/** A copy of `config` with the override's value at its path; what is no mapping or list on the way is left to the schema. */
function applyOverride(config: PlainValue, override: ConfigOverride): PlainValue {
  const set = (target: PlainValue | undefined, depth: number): PlainValue => {
    const key = override.path[depth]
    if (key === undefined) return override.value
    if (Array.isArray(target) && typeof key === 'number') {
      return [...target.slice(0, key), set(target[key], depth + 1), ...target.slice(key + 1)]
    }
    if (target !== undefined && !isPlainObject(target)) return target
    const inner = target !== undefined && Object.hasOwn(target, key) ? target[key] : undefined
    return { ...target, [key]: set(inner, depth + 1) }
  }
  return set(config, 0)
}

/** The paths in `value` that fit the pattern and lead to something. */
function placesOf(value: PlainValue, pattern: ConfigPath): readonly ConfigPath[] {
  const [step, ...rest] = pattern
  if (step === undefined) return isEmpty(value) ? [] : [[]]
  return entriesOf(value)
    .filter(([key]) => step === '*' || key === step)
    .flatMap(([key, inner]) => placesOf(inner, rest).map((path) => [key, ...path]))
}

function entriesOf(value: PlainValue): readonly (readonly [string | number, PlainValue])[] {
  if (Array.isArray(value)) return value.map((item, index) => [index, item] as const)
  return isPlainObject(value) ? Object.entries(value) : []
}

function isEmpty(value: PlainValue): boolean {
  return typeof value === 'object' && entriesOf(value).length === 0
}

function isPlainObject(value: PlainValue): value is PlainObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
