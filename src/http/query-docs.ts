import { PROJECTIONS } from '../projections/all.ts'

/** How to go through all rows. */
export const PAGING =
  'Go on with `cursor` while there is a `nextCursor`, also from a page without rows. Paging is stable under writes: a ' +
  'row that is there throughout comes exactly once. With the same `at` on every page they are all of one state; it is ' +
  'kept for the last 1,000 positions at least (fewer where more than 262,144 rows have changed since), and an older one ' +
  'is refused with `STATE_OUTDATED` and the `oldest` that is.'

/** Those that go by what the root of a receipt is worth. */
const RECEIPT_FILTERS = ['signer', 'fromTs', 'toTs']

/** Which filters each projection knows, as Markdown. */
export function filtersText(): string {
  const lines = PROJECTIONS.map((projection) => {
    const { name, filters } = projection
    const namespace = projection.namespacePrefix('a') === null ? [] : ['namespace']
    const further = name === 'receipts' ? RECEIPT_FILTERS : []
    const known = [...namespace, ...Object.keys(filters), ...further].map((filter) => `\`${filter}\``)
    return `- \`${name}\`: ${known.join(', ')}`
  })
  return ['Filters; another one is refused with `QUERY_INVALID`:', '', ...lines].join('\n')
}
