import { LineCounter, Lexer, isAlias, isMap, isScalar, isSeq, parseDocument } from 'yaml'
import type { Document, Node, YAMLMap } from 'yaml'
import type { ProblemCode } from './problems.ts'

/** YAML as plain values, with the place of each, and nothing in it that could blow up later. */

export type PlainValue = string | number | boolean | null | PlainValue[] | PlainObject
export type PlainObject = { [key: string]: PlainValue }

interface Position {
  readonly line: number
  readonly column: number
}

/** A path into a configuration: keys of mappings and indexes of lists. */
export type ConfigPath = readonly (string | number)[]

/** What keeps a text from being read as configuration. `path` leads to the mapping or list that it stands in. */
export interface YamlFault extends Position {
  readonly path: ConfigPath
  readonly message: string
  readonly code?: ProblemCode
}

export interface YamlSource {
  /** Complete only where there are no faults. An empty text is an empty mapping. */
  readonly value: PlainValue
  readonly faults: readonly YamlFault[]
  /**
   * Where `path` stands in the text: a single value by itself, a mapping or list by its key, and anything by its key
   * where the key is asked for. Of what is not there, the nearest thing around it.
   */
  locate(path: ConfigPath, part?: 'key' | 'value'): Position
}

/** A mesh of four thousand peers with three keys each fits in; a text beyond it is not what it claims to be. */
export const CONFIG_CHARS_MAX = 4 * 1024 * 1024

/**
 * The configuration is eight levels deep. `yaml` composes by recursion and can kill the process beyond several hundred.
 */
const DEPTH_MAX = 64

/** Values after aliases are expanded: what a file of the greatest size could hold when written out. */
const VALUES_MAX = 200_000

/** Reads YAML 1.2 (core schema). Never throws for bad input. */
export function readYaml(text: string): YamlSource {
  const start = { line: 1, column: 1 }
  if (text.length > CONFIG_CHARS_MAX) {
    return unreadable({ ...start, path: [], message: `is longer than ${CONFIG_CHARS_MAX} characters` })
  }
  if (isNestedDeeper(text, DEPTH_MAX)) {
    return unreadable({ ...start, path: [], message: `is nested deeper than ${DEPTH_MAX} levels` })
  }
  const lineCounter = new LineCounter()
  // Duplicates are found below, where the key can be named.
  const document = parseDocument(text, { lineCounter, uniqueKeys: false, prettyErrors: false })
  const positionOf = (offset: number): Position => {
    const { line, col } = lineCounter.linePos(offset)
    return { line: Math.max(line, 1), column: Math.max(col, 1) }
  }
  // One slip breaks much of what follows it, and often stands at the end of the line before.
  const faults = [...document.errors, ...document.warnings].slice(0, 1).map((error) => ({
    ...positionOf(error.pos[0]),
    path: [],
    message: `${error.message} (look at this line and the one above)`
  }))
  if (faults.length > 0) return { value: {}, faults, locate: () => start }
  const reader = new Reader(document, positionOf)
  const value = document.contents === null ? {} : reader.read(document.contents, [])
  return { value: value ?? {}, faults: reader.faults, locate: (path, part) => reader.locate(path, part) }
}

function unreadable(fault: YamlFault): YamlSource {
  return { value: {}, faults: [fault], locate: () => fault }
}

/** The lexer marks the text of a scalar by a token of its own before it. */
const SCALAR_FOLLOWS = '\x1f'

/**
 * Whether open brackets, or the indentation of a line and the indicators (`-`, `?`, `:`) on it, are more than `limit`:
 * the text can be nested no deeper than they say. Only the lexer runs, which does not recurse.
 */
function isNestedDeeper(text: string, limit: number): boolean {
  let brackets = 0
  let blocks = 0
  let scalar = false
  let lineStart = true
  for (const token of new Lexer().lex(text)) {
    if (scalar) {
      scalar = false
      continue
    }
    if (token === SCALAR_FOLLOWS) scalar = true
    else if (token === '[' || token === '{') brackets += 1
    else if (token === ']' || token === '}') brackets -= 1
    else if (brackets === 0 && (token === '-' || token === '?' || token === ':')) blocks += 1
    else if (lineStart && token.startsWith(' ')) blocks = Math.ceil(token.length / 2)
    lineStart = token === '\n' || token === '\r\n'
    if (lineStart) blocks = 0
    if (brackets + blocks > limit) return true
  }
  return false
}

class Reader {
  readonly faults: YamlFault[] = []
  readonly #document: Document
  readonly #positionOf: (offset: number) => Position
  readonly #values = new Map<string, number>()
  readonly #keys = new Map<string, number>()
  /** Nodes that are being read now: an alias to one of them would never end. */
  readonly #open = new Set<Node>()
  #count = 0

  constructor(document: Document, positionOf: (offset: number) => Position) {
    this.#document = document
    this.#positionOf = positionOf
  }

  locate(path: ConfigPath, part: 'key' | 'value' = 'value'): Position {
    for (let length = path.length; length >= 0; length -= 1) {
      const name = JSON.stringify(path.slice(0, length))
      const offset = (part === 'value' ? this.#values.get(name) : undefined) ?? this.#keys.get(name)
      if (offset !== undefined) return this.#positionOf(offset)
    }
    return { line: 1, column: 1 }
  }

  read(node: Node, path: ConfigPath): PlainValue {
    const offset = node.range?.[0] ?? 0
    // Without a key (in a list, or at the top) a mapping is found by itself.
    const name = JSON.stringify(path)
    if (isScalar(node) || isAlias(node) || !this.#keys.has(name)) this.#values.set(name, offset)
    this.#count += 1
    if (this.#count > VALUES_MAX) {
      // Said once: what follows is the same fault again.
      if (this.#count === VALUES_MAX + 1) this.#fault(offset, path, `holds more than ${VALUES_MAX} values`)
      return null
    }
    if (isAlias(node)) return this.#alias(node.resolve(this.#document), node.source, offset, path)
    if (isMap(node)) return this.#nested(node, () => this.#mapping(node, path))
    if (isSeq(node)) {
      return this.#nested(node, () => node.items.map((item, index) => this.read(item as Node, [...path, index])))
    }
    if (isScalar(node)) {
      const value: unknown = node.value
      if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
        return value
      }
    }
    this.#fault(offset, path, 'is not a value that configuration can hold')
    return null
  }

  #alias(target: Node | undefined, name: string, offset: number, path: ConfigPath): PlainValue {
    if (target === undefined) {
      this.#fault(offset, path, `is an alias of *${name}, which is not set before it`)
      return null
    }
    if (this.#open.has(target)) {
      this.#fault(offset, path, `is an alias of *${name}, which it is part of itself`, 'YAML_CYCLE')
      return null
    }
    const value = this.read(target, path)
    // A wrong value is best looked for where it is used.
    this.#values.set(JSON.stringify(path), offset)
    return value
  }

  #nested<T>(node: Node, read: () => T): T {
    this.#open.add(node)
    const value = read()
    this.#open.delete(node)
    return value
  }

  #mapping(node: YAMLMap, path: ConfigPath): PlainObject {
    const object: PlainObject = {}
    const seen = new Set<string>()
    for (const pair of node.items) {
      const keyNode = pair.key as Node
      const keyOffset = keyNode.range?.[0] ?? 0
      const key = isScalar(keyNode) ? keyOf(keyNode.value, keyNode.source) : null
      if (key === null || key === '__proto__') {
        this.#fault(keyOffset, path, 'holds a key that is not a plain name')
        continue
      }
      const keyPath = [...path, key]
      if (seen.has(key)) {
        this.#fault(keyOffset, keyPath, 'is a duplicate key', 'DUPLICATE_KEY')
        continue
      }
      seen.add(key)
      this.#keys.set(JSON.stringify(keyPath), keyOffset)
      const value = pair.value === null ? null : this.read(pair.value as Node, keyPath)
      // `key:` with nothing behind it (all of it commented out) is a key that was left out.
      if (value === null) this.#values.delete(JSON.stringify(keyPath))
      else object[key] = value
    }
    return object
  }

  #fault(offset: number, path: ConfigPath, message: string, code?: ProblemCode): void {
    this.faults.push({ ...this.#positionOf(offset), path, message, ...(code === undefined ? {} : { code }) })
  }
}

/** Chain ids and the like are written without quotes; then the text counts as it stands in the file. */
function keyOf(value: unknown, source: string | undefined): string | null {
  return typeof value === 'string' ? value : (source ?? null)
}
