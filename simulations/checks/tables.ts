import { BoundedMap } from '../../src/platform/bounded-map.ts'
import type { Inner } from './inside.ts'
import { Inside } from './inside.ts'

/** Something that can grow, and whose it is: `PendingPool.#entries`. */
export interface Table {
  readonly name: string
  readonly size: () => number
  /** What it was made to hold at the most; `null`: it does not say. */
  readonly max: number | null
}

/** Looked into of each collection: what stands in it is alike. */
const ENTRIES_LOOKED_INTO = 16

/** Looked at of one node; one has some thousand parts. */
export const PARTS_MAX = 10_000

// Looked into together: what is hidden is asked for once.
const PARTS_AT_ONCE = 64

/** Parts of the simulation, which all nodes share, and values that hold no tables. */
const NOT_OF_THE_NODE =
  /^(?:Simulated|RunCollector$|ScenarioRun$|CheckRounds$|DiskStore$|OrderedMap$|MapReader$|TextPool$|VirtualTime|Link$|Pipe$|SocketEnd|Zod|\$Zod|Promise|Date|RegExp|Weak|ArrayBuffer|AbortSignal|PublicKey|PrivateKey|KeyObject|Error)/

interface Part {
  readonly owner: string
  readonly name: string
  readonly value: object
}

export interface FoundTables {
  readonly tables: readonly Table[]
  /** Whether nothing was left to look at: there may be other tables where something was. */
  readonly areAll: boolean
}

/** The tables that can be reached from an object, by private fields and closures too. */
export function tablesOf(root: object): FoundTables {
  const inside = new Inside()
  const seen = new Set<object>()
  const tables: Table[] = []
  const waiting: Part[] = [{ owner: '', name: root.constructor.name, value: root }]
  const add = (owner: string, name: string, value: unknown): void => {
    const isPart = (typeof value === 'object' && value !== null) || typeof value === 'function'
    if (!isPart || seen.has(value)) return
    seen.add(value)
    waiting.push({ owner, name, value })
  }
  try {
    for (let at = 0; at < waiting.length && at < PARTS_MAX;) {
      const next = waiting.slice(at, Math.min(at + PARTS_AT_ONCE, PARTS_MAX))
      at += next.length
      const parts = next.filter(({ value }) => !ArrayBuffer.isView(value) && !NOT_OF_THE_NODE.test(classOf(value)))
      for (const [{ owner, name, value }, hidden] of withHidden(parts, inside)) {
        const table = tableOf(`${owner}.${name}`, value, hidden)
        if (table !== null) tables.push(table)
        for (const [part, inner] of partsOf(value, hidden)) add(ownerOf(value, owner, name), part, inner)
      }
    }
  } finally {
    inside.close()
  }
  return { tables, areAll: waiting.length <= PARTS_MAX }
}

function classOf(value: object): string {
  const made: unknown = Reflect.get(value, 'constructor')
  return typeof made === 'function' ? made.name : ''
}

/** A plain object goes by the name of the field that it stands in. */
function ownerOf(value: object, owner: string, name: string): string {
  if (typeof value === 'function') return value.name === '' ? owner : value.name
  const made = classOf(value)
  return made === '' || made === 'Object' || isCollection(value) ? `${owner}.${name}` : made
}

type Collection = Map<unknown, unknown> | Set<unknown> | unknown[]

function isCollection(value: object): value is Collection {
  return value instanceof Map || value instanceof Set || Array.isArray(value)
}

function sizeOf(value: Collection): number {
  return Array.isArray(value) ? value.length : value.size
}

/** The parts, with what the language hides of each. */
function withHidden(parts: readonly Part[], inside: Inside): readonly (readonly [Part, readonly Inner[]])[] {
  const values = parts.map(({ value }) => value).filter(hides)
  const hidden = new Map(inside.of(values).map((inner, index) => [values[index], inner]))
  return parts.map((part) => [part, hidden.get(part.value) ?? []])
}

function hides(value: object): boolean {
  return !isCollection(value) && Object.getPrototypeOf(value) !== Object.prototype
}

function tableOf(name: string, value: object, hidden: readonly Inner[]): Table | null {
  if (value instanceof BoundedMap) {
    const max = hidden.find(([field]) => field === '#max')?.[1]
    return { name, size: () => value.size, max: typeof max === 'number' ? max : null }
  }
  return isCollection(value) ? { name, size: () => sizeOf(value), max: null } : null
}

function partsOf(value: object, hidden: readonly Inner[]): readonly Inner[] {
  if (value instanceof BoundedMap) return first(value.values())
  if (value instanceof Map) return [...first(value.keys()), ...first(value.values())]
  if (isCollection(value)) return first(value.values())
  return typeof value === 'function' ? hidden : [...ownParts(value), ...hidden]
}

function first(values: Iterator<unknown>): readonly Inner[] {
  const found: Inner[] = []
  for (let next = values.next(); next.done !== true && found.length < ENTRIES_LOOKED_INTO; next = values.next())
    found.push(['each', next.value])
  return found
}

/** Getters are not called: they may do something. */
function ownParts(value: object): readonly Inner[] {
  return Object.entries(Object.getOwnPropertyDescriptors(value)).map(([name, { value: part }]) => [
    name,
    part as unknown
  ])
}
