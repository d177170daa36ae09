import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { StoreReader } from '../log/store.ts'
import { prefixRange } from '../log/store.ts'
import type { RowLayout } from './row-codec.ts'

/** Keys of rows from `gte` on and before `lt`. */
export interface KeySpan {
  readonly gte: string
  readonly lt: string
}

/** What of the parts of a key is known: those in front, and those behind one that is not. */
export interface KnownParts {
  /** Ends with `!` unless it is empty. */
  readonly lead: string
  /** `null`: nothing is known behind the lead. */
  readonly tail: string | null
  /** Whether a part that is not known stands between the two. */
  readonly isGapped: boolean
}

/** The values of key fields that are asked for, by field. */
export type AskedFields = Readonly<Partial<Record<string, string>>>

// Each is one seek of some 20 µs, and organisations of a namespace are tens: 256 take no longer than a few thousand rows
// that are walked through.
const PARTS_SKIPPED_MAX = 256

/** `!` separates the parts of a key and sorts below everything in a name; this is the character after it. */
const AFTER_SEPARATOR = '"'

/** What is known of the keys behind `prefix`, which ends with a whole part. */
export function knownParts({ key }: RowLayout, prefix: string, asked: AskedFields): KnownParts {
  let position = prefix.split('!').length - 1
  const run = (): string[] => {
    const values: string[] = []
    for (; position < key.length; position += 1) {
      const field = key[position]
      const value = field === null || field === undefined ? undefined : asked[field]
      // A name with a separator in it names no row; the filter sees to that.
      if (value === undefined || value.includes('!')) break
      values.push(value)
    }
    return values
  }
  const near = run()
  if (near.length > 0) return { lead: prefix, tail: near.join('!'), isGapped: false }
  position += 1
  const far = run()
  return far.length > 0
    ? { lead: prefix, tail: far.join('!'), isGapped: true }
    : { lead: prefix, tail: null, isGapped: false }
}

/**
 * Where the rows stand that have these parts, in key order; other rows may stand there, too. What stands in the gap is
 * found by skipping from one to the next; past `PARTS_SKIPPED_MAX` the rest is one span. `past` are the keys that stood
 * there at the moment that is asked for, and may stand there no more.
 */
export async function* spansOf(
  { lead, tail, isGapped }: KnownParts,
  reader: StoreReader,
  rowsPrefix: string,
  past: ReadonlyMap<string, JsonObject | null>
): AsyncGenerator<KeySpan> {
  const whole = prefixRange(lead)
  if (tail === null) yield whole
  else if (isGapped) yield* skipping({ lead, tail, whole }, reader, rowsPrefix, past)
  else yield goingOn(lead + tail)
}

/** The key itself and those that go on with a further part: `batch-1` is not `batch-10`. */
function goingOn(key: string): KeySpan {
  return { gte: key, lt: key + AFTER_SEPARATOR }
}

async function* skipping(
  { lead, tail, whole }: { readonly lead: string; readonly tail: string; readonly whole: KeySpan },
  reader: StoreReader,
  rowsPrefix: string,
  past: ReadonlyMap<string, JsonObject | null>
): AsyncGenerator<KeySpan> {
  const partOf = (key: string): string => key.slice(lead.length).split('!', 1)[0] ?? ''
  const gone = [...new Set([...past.keys()].filter((key) => key.startsWith(lead)).map(partOf))].sort()
  let from = whole.gte
  for (let skipped = 0; skipped < PARTS_SKIPPED_MAX; skipped += 1) {
    const key = await firstKey(reader, rowsPrefix + from, rowsPrefix + whole.lt)
    const stored = key === undefined ? undefined : partOf(key.slice(rowsPrefix.length))
    while (gone[0] !== undefined && lead + gone[0] < from) gone.shift()
    const part = stored === undefined || (gone[0] !== undefined && gone[0] < stored) ? gone[0] : stored
    if (part === undefined) return
    yield goingOn(`${lead}${part}!${tail}`)
    from = lead + part + AFTER_SEPARATOR
  }
  yield { gte: from, lt: whole.lt }
}

async function firstKey(reader: StoreReader, gte: string, lt: string): Promise<string | undefined> {
  for await (const [key] of reader.range({ gte, lt, limit: 1 })) return key
  return undefined
}
