import { parseSortableNumber, sortableNumber } from '../log/keys.ts'
import type { Table } from './projection.ts'
import type { RowsView } from './rows-view.ts'

/**
 * The want-list as facts of the projection `batches`, so that nobody has to look through all batches for what is
 * missing: one entry for each batch, the oldest first, and the sums of each namespace.
 */

const WANTED_PREFIX = 'w!'
const SUMS_PREFIX = 'n!'

/** A batch of which receipts are missing here. */
export interface WantedBatch {
  /** The key of its row in `batches`. */
  readonly rowKey: string
  readonly missing: number
}

/** What is missing of a namespace. */
export type WantedSums = { readonly batches: number; readonly missing: number }

const NOTHING: WantedSums = { batches: 0, missing: 0 }

/** The fact that holds the sums of a namespace. A fold must have read it before it calls `changeWanted`. */
export const sumsKey = (namespace: string): string => SUMS_PREFIX + namespace

function wantedKey(rowKey: string, since: number): string {
  const [namespace, rest] = splitNamespace(rowKey)
  return `${WANTED_PREFIX}${namespace}!${sortableNumber(since)}!${rest}`
}

/** What is missing of a batch changed from one number to another; `since` (milliseconds since 1970) stays as it was. */
export function changeWanted(
  facts: Table,
  rowKey: string,
  since: number,
  change: { readonly from: number; readonly to: number }
): void {
  const { from, to } = change
  if (from === to) return
  if (to === 0) facts.del(wantedKey(rowKey, since))
  else facts.put(wantedKey(rowKey, since), { missing: to })
  const key = sumsKey(splitNamespace(rowKey)[0])
  const { batches, missing } = (facts.at(key) as WantedSums | undefined) ?? NOTHING
  facts.put(key, { batches: batches + Number(to > 0) - Number(from > 0), missing: missing + to - from })
}

/** The batches of which receipts are missing (in a namespace), by namespace, those that have been so for longest first. */
export async function* wantedBatches(view: RowsView, namespace?: string): AsyncGenerator<WantedBatch> {
  const prefix = WANTED_PREFIX + (namespace === undefined ? '' : `${namespace}!`)
  for await (const [key, fact] of view.factsRange(prefix)) {
    const [, of = '', , ...rest] = key.split('!')
    yield { rowKey: [of, ...rest].join('!'), missing: fact['missing'] as number }
  }
}

/** The sums of a namespace, and since when the oldest has been missing (milliseconds since 1970; null: none is). */
export async function wantedSums(
  view: RowsView,
  namespace: string
): Promise<WantedSums & { readonly since: number | null }> {
  const [sums] = await view.facts([sumsKey(namespace)])
  const { batches, missing } = (sums as WantedSums | undefined) ?? NOTHING
  for await (const [key] of view.factsRange(`${WANTED_PREFIX}${namespace}!`))
    return { batches, missing, since: parseSortableNumber(key.split('!')[2] ?? '') }
  return { batches, missing, since: null }
}

function splitNamespace(rowKey: string): readonly [string, string] {
  const end = rowKey.indexOf('!')
  return [rowKey.slice(0, end), rowKey.slice(end + 1)]
}
