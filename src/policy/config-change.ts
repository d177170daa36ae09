import type { JsonValue } from '../../protocols/canonical-json/v1/json.ts'
import { encodeCanonical } from '../../protocols/canonical-json/v1/codec.ts'

/** One setting of a configuration as it is in force. Lists of single values are one setting. */
export interface Setting {
  /** The whole path: `node.listen`, `peers[did:web:beta.example].roles`. */
  readonly key: string
  readonly value: JsonValue
  /** Where it stands in the file. */
  readonly path: readonly (string | number)[]
}

/** A setting that differs; `null` for one that is not there. What could be a secret is masked. */
export interface ConfigChange {
  readonly key: string
  readonly before: JsonValue
  readonly after: JsonValue
  /** Whether the running node goes on by the value of before until it is started again. */
  readonly needsRestart: boolean
}

/** What a reload of the configuration came to. */
export interface ConfigReloaded {
  readonly changes: readonly ConfigChange[]
  /** Whether another policy is in force now. */
  readonly isNewPolicy: boolean
}

/** What makes an entry of a list findable though others come before it. */
const NAMES = ['did', 'orgId', 'kid', 'packSeq'] as const

/** All settings of a parsed configuration, in the order of the file's schema. */
export function settingsOf(value: JsonValue, key = '', path: Setting['path'] = []): Setting[] {
  if (Array.isArray(value)) {
    const items = value as readonly JsonValue[]
    if (items.length === 0 || !items.every(isMapping)) return [{ key, value, path }]
    return items.flatMap((item, index) => settingsOf(item, `${key}[${nameOf(item, index)}]`, [...path, index]))
  }
  if (!isMapping(value)) return [{ key, value, path }]
  const entries = Object.entries(value)
  if (entries.length === 0) return [{ key, value, path }]
  return entries.flatMap(([name, inner]) => settingsOf(inner, key === '' ? name : `${key}.${name}`, [...path, name]))
}

/** Keys that begin with one of these (a whole step of the path) need a restart. */
export function changesBetween(
  before: ReadonlyMap<string, JsonValue>,
  after: ReadonlyMap<string, JsonValue>,
  needsRestart: (key: string) => boolean
): readonly ConfigChange[] {
  const keys = [...new Set([...before.keys(), ...after.keys()])]
  return keys.flatMap((key) => {
    const [old, now] = [before.get(key) ?? null, after.get(key) ?? null]
    if (encodeCanonical(old) === encodeCanonical(now)) return []
    return [{ key, before: masked(old), after: masked(now), needsRestart: needsRestart(key) }]
  })
}

/** Whether `key` is `section` or stands below it. */
export function isBelow(key: string, section: string): boolean {
  return key === section || key.startsWith(`${section}.`) || key.startsWith(`${section}[`)
}

/** The value with what may be a secret in it masked: user names and passwords, queries and long tokens of URLs. */
export function masked(value: JsonValue): JsonValue {
  if (typeof value === 'string') return maskedUrl(value)
  return Array.isArray(value) ? (value as readonly JsonValue[]).map(masked) : value
}

const MASK = '***'
// Providers put keys of 20 and more characters into paths; names of networks and wallets are shorter.
const TOKEN = /^[A-Za-z0-9_-]{20,}$/

function maskedUrl(text: string): string {
  const scheme = /^(?:[a-z][a-z0-9]*\+)?[a-z][a-z0-9]*:\/\//i.exec(text)?.[0]
  if (scheme === undefined) return text
  const [address, query] = splitAt(text.slice(scheme.length), '?')
  const [authority = '', ...segments] = address.split('/')
  const host = authority.slice(authority.lastIndexOf('@') + 1)
  const credentials = authority.includes('@') ? `${MASK}@` : ''
  const path = segments.map((segment) => `/${TOKEN.test(segment) ? MASK : segment}`).join('')
  return `${scheme}${credentials}${host}${path}${query === undefined ? '' : `?${MASK}`}`
}

function splitAt(text: string, mark: string): readonly [string, string?] {
  const at = text.indexOf(mark)
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + 1)]
}

function nameOf(item: JsonValue, index: number): string {
  const found = NAMES.map((name) => (item as Record<string, JsonValue>)[name]).find((name) => name !== undefined)
  return typeof found === 'string' || typeof found === 'number' ? String(found) : String(index)
}

function isMapping(value: JsonValue): value is { readonly [name: string]: JsonValue } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
