import { AnchormeshError } from '../platform/errors.ts'
import { decodeCursor, encodeCursor } from '../projections/cursor.ts'
import type { ProjectionPage, ProjectionQuery } from '../projections/query.ts'
import { PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX } from '../projections/query.ts'

/** What is asked like a projection and answered in pages of the same form, but is no fold of the log. */
export interface Listing {
  readonly name: string
  /** Of the form of the rows. */
  readonly version: number
  /** What it can be filtered by, for the hint. */
  readonly filters: readonly (keyof ProjectionQuery)[]
}

/** The log that the node has. */
export interface LogPlace {
  readonly epoch: string
  readonly logSeq: number
}

/** How many rows are wanted, and the key behind which they begin. */
export interface PagePlace {
  readonly limit: number
  readonly after: string | undefined
}

/**
 * Throws `QUERY_INVALID` for filters that the listing does not know, and for positions of the log: what is no fold of it
 * has no state there. Throws cursor codes.
 */
export function pagePlace(listing: Listing, query: ProjectionQuery, { epoch }: LogPlace): PagePlace {
  const { name, filters } = listing
  for (const position of ['at', 'waitFor'] as const)
    if (query[position] !== undefined)
      throw new AnchormeshError('QUERY_INVALID', `${name} is no fold of the log, so ${position} says nothing there`)
  const members: readonly (keyof ProjectionQuery)[] = [...filters, 'limit', 'cursor', 'at', 'waitFor']
  for (const [member, value] of Object.entries(query))
    if (value !== undefined && !(members as readonly string[]).includes(member))
      throw new AnchormeshError('QUERY_INVALID', `${name} can't be filtered by ${member}`, {
        hint: `it knows: ${filters.join(', ')}`
      })
  const { limit = PAGE_ROWS_DEFAULT, cursor } = query
  if (!Number.isInteger(limit) || limit < 1 || limit > PAGE_ROWS_MAX)
    throw new AnchormeshError('QUERY_INVALID', `limit is an integer from 1 to ${PAGE_ROWS_MAX}`)
  const place = { kind: 'page', epoch, projection: name } as const
  return { limit, after: cursor === undefined ? undefined : decodeCursor(cursor, place).after }
}

/** The page of these rows; `goOnAfter` is the key behind which there may be more, or null. */
export function pageOf(
  { name, version }: Listing,
  { epoch, logSeq }: LogPlace,
  rows: ProjectionPage['rows'],
  goOnAfter: string | null
): ProjectionPage {
  const nextCursor =
    goOnAfter === null ? null : encodeCursor({ kind: 'page', epoch, projection: name, after: goOnAfter })
  return { projection: name, version, epoch, logSeq, rows, nextCursor }
}
