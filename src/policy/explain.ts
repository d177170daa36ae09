import { z } from 'zod'
import type { ConfigPath, PlainValue } from './yaml-reader.ts'

export interface Explanation {
  readonly path: ConfigPath
  readonly message: string
  /** The key itself is wrong, not its value. */
  readonly part?: 'key'
  readonly didYouMean?: string
}

/** A zod issue as sentences for the person who wrote the file; `config` is what was checked against `schema`. */
export function explain(issue: z.core.$ZodIssue, config: PlainValue, schema: z.ZodType): Explanation[] {
  const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)))
  switch (issue.code) {
    case 'unrecognized_keys': {
      const known = Object.keys(outlineAt(schema, path, config)?.properties ?? {})
      const message = 'is not a known key'
      return issue.keys.map((key) => ({ path: [...path, key], message, part: 'key', ...suggestion(key, known) }))
    }
    case 'invalid_type': {
      const given = valueAt(config, path)
      return [{ path, message: given === undefined ? 'is required' : typeMessage(issue.expected, given) }]
    }
    case 'invalid_value': {
      const given = valueAt(config, path)
      const allowed = issue.values.map(String)
      const message = given === undefined ? 'is required' : `is ${shown(given)}, but must be ${anyOf(allowed)}`
      return [{ path, message, ...(typeof given === 'string' ? suggestion(given, allowed) : {}) }]
    }
    case 'invalid_union': {
      const allowed = 'options' in issue ? issue.options?.map(String) : undefined
      if (allowed === undefined) return [{ path, message: issue.message }]
      const given = valueAt(config, path)
      const message = given === undefined ? 'is required' : `is ${shown(given)}, but must be ${anyOf(allowed)}`
      return [{ path, message, ...(typeof given === 'string' ? suggestion(given, allowed) : {}) }]
    }
    case 'invalid_key':
      return issue.issues.map(({ message }) => ({ path, message: `the key ${message}`, part: 'key' }))
    default:
      return [{ path, message: issue.message }]
  }
}

/** The part of a JSON Schema that says which keys there are. */
export interface Outline {
  readonly type?: string
  readonly properties?: Readonly<Record<string, Outline>>
  readonly additionalProperties?: Outline | false
  readonly items?: Outline
  /** Of a union: each of its forms. */
  readonly oneOf?: readonly Outline[]
  readonly const?: unknown
  readonly enum?: readonly unknown[]
}

/** What zod itself says of a schema's keys and types. */
export function outlineOf(schema: z.ZodType): Outline {
  return z.toJSONSchema(schema, { io: 'input' }) as Outline
}

function outlineAt(schema: z.ZodType, path: ConfigPath, config: PlainValue): Outline | undefined {
  return path.reduce<Outline | undefined>((outline, part, depth) => {
    const inner =
      typeof part === 'number'
        ? outline?.items
        : (outline?.properties?.[part] ?? (outline?.additionalProperties || undefined))
    return inner?.oneOf?.find((form) => isFormOf(form, valueAt(config, path.slice(0, depth + 1)))) ?? inner
  }, outlineOf(schema))
}

/** Whether the value is of this form of a union, whose forms are told from each other by their `kind`. */
function isFormOf({ properties }: Outline, value: PlainValue | undefined): boolean {
  const { const: word, enum: words = [word] } = properties?.['kind'] ?? {}
  return words.includes(valueAt(value ?? null, ['kind']))
}

/** What stands at the path; `undefined`: nothing. */
export function valueAt(config: PlainValue, path: ConfigPath): PlainValue | undefined {
  return path.reduce<PlainValue | undefined>((value, part) => {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined
    return (value as Record<string | number, PlainValue>)[part]
  }, config)
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  array: 'a list',
  object: 'a mapping',
  record: 'a mapping',
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false'
}

function typeMessage(expected: string, given: PlainValue): string {
  const quotes = expected === 'string' && ['number', 'boolean'].includes(typeof given) ? '; put it in quotes' : ''
  return `is ${shown(given)}, but must be ${TYPE_NAMES[expected] ?? expected}${quotes}`
}

function shown(value: PlainValue): string {
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return value === null ? 'nothing' : 'a mapping'
  return typeof value === 'string' ? `the text ${JSON.stringify(value.slice(0, 64))}` : String(value)
}

function anyOf(words: readonly string[]): string {
  return words.length === 1 ? String(words[0]) : `one of ${words.join(', ')}`
}

/** The nearest known word, when it is near enough that a slip of the keyboard explains the difference. */
export function suggestion(word: string, known: readonly string[]): { didYouMean?: string } {
  const near = known
    .map((candidate) => ({ candidate, distance: editDistance(word.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, distance }) => distance <= Math.max(1, Math.floor(candidate.length / 3)))
    .sort((left, right) => left.distance - right.distance)[0]
  return near === undefined ? {} : { didYouMean: near.candidate }
}

/** Levenshtein's distance with swaps of neighbours (optimal string alignment). */
export function editDistance(from: string, to: string): number {
  // Longer words are no slip of anything here, and the table is quadratic.
  if (Math.abs(from.length - to.length) > 8 || from.length > 128) return Number.POSITIVE_INFINITY
  const rows = [Array.from({ length: to.length + 1 }, (_, column) => column)]
  const at = (row: number, column: number): number => rows[row]?.[column] ?? Number.POSITIVE_INFINITY
  for (let row = 1; row <= from.length; row += 1) {
    const next = [row]
    rows.push(next)
    for (let column = 1; column <= to.length; column += 1) {
      const same = from[row - 1] === to[column - 1]
      const swapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]
      next.push(
        Math.min(
          at(row - 1, column) + 1,
          at(row, column - 1) + 1,
          at(row - 1, column - 1) + (same ? 0 : 1),
          swapped ? at(row - 2, column - 2) + 1 : Number.POSITIVE_INFINITY
        )
      )
    }
  }
  return at(from.length, to.length)
}
