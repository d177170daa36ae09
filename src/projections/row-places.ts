import { prefixRange } from '../log/store.ts'
import { listKey } from './batch-lists.ts'
import type { RowLayout } from './row-codec.ts'

/** Keys of rows from `gte` on and before `lt`. */
export interface KeySpan {
  readonly gte: string
  readonly lt: string
}

/** Where rows are to be looked for: under these keys and nowhere else, or in these spans; both in key order. */
export type RowPlaces =
  | { readonly kind: 'keys'; readonly keys: readonly string[] }
  | { readonly kind: 'spans'; readonly spans: readonly KeySpan[] }

/** Where the list of a batch says (`batch-lists.ts`); `otherwise` where that says nothing. */
export interface ListedPlaces {
  readonly kind: 'list'
  readonly list: string
  readonly otherwise: KeySpan
}

/** The values of key fields that are asked for, by field. */
export type AskedFields = Readonly<Partial<Record<string, string>>>

/** `!` separates the parts of a key and sorts below everything in a name; this is the character after it. */
const AFTER_SEPARATOR = '"'

/** Where the rows stand whose key begins with `prefix` (whole parts) and has these fields; others may stand there, too. */
export function placesOf(layout: RowLayout, prefix: string, asked: AskedFields): RowPlaces | ListedPlaces {
  const { key, listed } = layout
  const begin = prefix.split('!').length - 1
  const values: string[] = []
  for (const field of key.slice(begin)) {
    const value = field === null ? undefined : asked[field]
    if (!isName(value)) break
    values.push(value)
  }
  const together = prefix + values.join('!')
  const { batchId } = asked
  if (listed !== undefined && begin === 1 && isName(batchId)) {
    const otherwise = values.length === 0 ? prefixRange(prefix) : goingOn(together)
    return { kind: 'list', list: listKey(prefix.slice(0, -1), batchId), otherwise }
  }
  if (values.length === 0) return { kind: 'spans', spans: [prefixRange(prefix)] }
  return placesUnder(layout, [together])
}

/** Where the rows stand whose keys begin with one of these, which are of equally many whole parts. */
export function placesUnder({ key }: RowLayout, beginnings: readonly string[]): RowPlaces {
  const isWhole = beginnings.every((beginning) => beginning.split('!').length === key.length)
  return isWhole ? { kind: 'keys', keys: beginnings } : { kind: 'spans', spans: beginnings.map(goingOn) }
}

/** Something with a separator in it is no name, so no row has it; the filter sees to that. */
function isName(value: string | undefined): value is string {
  return value?.includes('!') === false
}

/** Those keys that go on with a further part, and the key itself: `batch-1` is not `batch-10`. */
function goingOn(key: string): KeySpan {
  return { gte: key, lt: key + AFTER_SEPARATOR }
}
