import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { StoreReader } from '../log/store.ts'
import { prefixRange } from '../log/store.ts'
import type { GapParts } from './gap-parts.ts'
import type { RowLayout } from './row-codec.ts'
import type { ProjectionState } from './state.ts'

/** Keys of rows from `gte` on and before `lt`. */
export interface KeySpan {
  readonly gte: string
  readonly lt: string
}

/** Where rows are to be looked for, in key order: under these keys and nowhere else, or in these spans. */
export type RowPlaces =
  | { readonly kind: 'keys'; readonly keys: readonly string[] }
  | { readonly kind: 'spans'; readonly spans: readonly KeySpan[] }

/** The values of key fields that are asked for, by field. */
export type AskedFields = Readonly<Partial<Record<string, string>>>

/** The rows of one moment. */
export interface RowsOfMoment {
  readonly reader: StoreReader
  readonly state: ProjectionState
  /** Where they begin in the store. */
  readonly rowsPrefix: string
  /** Those that differed then from what is stored now. */
  readonly changed: ReadonlyMap<string, JsonObject | null>
  readonly gapParts: GapParts
}

/** What of the parts of a key is known behind a prefix. */
interface KnownParts {
  readonly tail: string
  /** Whether a part that is not known stands between prefix and tail. */
  readonly isGapped: boolean
  /** Whether nothing follows the tail. */
  readonly isWhole: boolean
}

/** `!` separates the parts of a key and sorts below everything in a name; this is the character after it. */
const AFTER_SEPARATOR = '"'

/**
 * Where the rows stand whose key begins with `prefix` (whole parts) and has these fields; others may stand there, too.
 * One part between the two that is not asked for, as the owner in `<namespace>!<owner>!<batch>`, is filled in with all
 * that there are, unless they are too many.
 */
export async function placesOf(
  layout: RowLayout,
  prefix: string,
  asked: AskedFields,
  moment: RowsOfMoment
): Promise<RowPlaces> {
  const known = knownParts(layout, prefix, asked)
  if (known === null) return { kind: 'spans', spans: [prefixRange(prefix)] }
  const { tail, isGapped, isWhole } = known
  const parts = isGapped ? await partsOf(prefix, moment) : ['']
  if (parts === null) return { kind: 'spans', spans: [prefixRange(prefix)] }
  const keys = isGapped ? parts.map((part) => `${prefix}${part}!${tail}`) : [prefix + tail]
  return isWhole ? { kind: 'keys', keys } : { kind: 'spans', spans: keys.map(goingOn) }
}

function knownParts({ key }: RowLayout, prefix: string, asked: AskedFields): KnownParts | null {
  const begin = prefix.split('!').length - 1
  for (const from of [begin, begin + 1]) {
    const values: string[] = []
    for (const field of key.slice(from)) {
      const value = field === null ? undefined : asked[field]
      // A name with a separator in it names no row; the filter sees to that.
      if (value === undefined || value.includes('!')) break
      values.push(value)
    }
    if (values.length > 0)
      return { tail: values.join('!'), isGapped: from > begin, isWhole: from + values.length === key.length }
  }
  return null
}

/** What stands in the next part of keys, now or at the moment that is asked for, in order; `null`: too much. */
async function partsOf(prefix: string, moment: RowsOfMoment): Promise<readonly string[] | null> {
  const { reader, state, rowsPrefix, changed, gapParts } = moment
  const stored = await gapParts.of(prefix, reader, state, rowsPrefix)
  if (stored === null || changed.size === 0) return stored
  const parts = new Set(stored)
  for (const key of changed.keys()) if (key.startsWith(prefix)) parts.add(partAfter(prefix, key))
  return [...parts].sort()
}

/** The part of the key that follows the prefix. */
function partAfter(prefix: string, key: string): string {
  return key.slice(prefix.length).split('!', 1)[0] ?? ''
}

/** Those keys that go on with a further part, and the key itself: `batch-1` is not `batch-10`. */
function goingOn(key: string): KeySpan {
  return { gte: key, lt: key + AFTER_SEPARATOR }
}
