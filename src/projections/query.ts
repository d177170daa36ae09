import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { ReceiptPart } from '../api/queries.ts'
import type { Store } from '../log/store.ts'
import { AnchormeshError } from '../platform/errors.ts'
import type { ProjectionEngine } from './engine.ts'
import type { ProjectionInstance } from './instance.ts'
import type { PagePosition, ProjectionPage, RowTest } from './page.ts'
import { readPage } from './page.ts'
import type { FilterName } from './projection.ts'
import type { AskedFields } from './row-places.ts'

export type { ProjectionPage, RowTest } from './page.ts'

// A page is one answer in memory: 500 rows are about 500 KiB.
export const PAGE_ROWS_MAX = 500
export const PAGE_ROWS_DEFAULT = 100

/** Filters (those that the projection knows) and the part of the rows that is wanted. Times are ms since 1970. */
export interface ProjectionQuery extends PagePosition {
  readonly namespace?: string
  readonly batchId?: string
  readonly signer?: string
  readonly status?: string
  readonly fromTs?: number
  readonly toTs?: number
  /** 1 to 500, default 100. */
  readonly limit?: number
  /** Of `receipts` alone: what rows show beside their columns. */
  readonly include?: readonly ReceiptPart[]
}

/** Which rows a reader may see at all. */
export interface RowView {
  /** Where they begin, ascending, none within another; `null`: anywhere. */
  readonly prefixes: readonly string[] | null
  /** Whether one of those may be seen. */
  shows(row: JsonObject): boolean
}

/** For readers who may see everything. */
export const EVERY_ROW: RowView = { prefixes: null, shows: () => true }

const EVERYWHERE = ['']

const FILTERS: readonly FilterName[] = ['batchId', 'signer', 'status', 'fromTs', 'toTs']

/** One page of the rows that a query asks for, of those that `view` shows. Throws as `readPage` does. */
export async function queryRows(
  engine: ProjectionEngine,
  store: Store,
  epoch: string,
  name: string,
  query: ProjectionQuery,
  view: RowView = EVERY_ROW,
  also?: RowTest
): Promise<ProjectionPage> {
  const instance = engine.instance(name)
  const { namespace, include, limit, ...place } = query
  if (include !== undefined)
    throw new AnchormeshError('QUERY_INVALID', 'only rows of receipts include more than their columns')
  const prefixes = namespace === undefined ? (view.prefixes ?? EVERYWHERE) : [namespacePrefix(instance, namespace)]
  const wanted = { prefixes, asked: askedFields(query), matches: rowFilter(instance, query), limit: pageLimit(limit) }
  return await readPage(name, { ...place, ...wanted, shows: (row) => view.shows(row), also }, { engine, store, epoch })
}

function pageLimit(limit: number | undefined): number {
  if (limit === undefined) return PAGE_ROWS_DEFAULT
  if (Number.isInteger(limit) && limit >= 1 && limit <= PAGE_ROWS_MAX) return limit
  throw new AnchormeshError('QUERY_INVALID', `limit is an integer from 1 to ${PAGE_ROWS_MAX}`)
}

/** The key prefix of a namespace's rows. Throws `QUERY_INVALID` where rows belong to none. */
export function namespacePrefix(instance: ProjectionInstance, namespace: string): string {
  const { projection } = instance
  const prefix = projection.namespacePrefix(namespace)
  if (prefix === null) throw new AnchormeshError('QUERY_INVALID', `rows of ${projection.name} belong to no namespace`)
  return prefix
}

/** What a query asks of fields that may stand in keys: always that they are equal. */
function askedFields({ namespace, batchId, signer }: ProjectionQuery): AskedFields {
  return {
    ...(namespace === undefined ? {} : { namespace }),
    ...(batchId === undefined ? {} : { batchId }),
    ...(signer === undefined ? {} : { signer })
  }
}

function rowFilter(instance: ProjectionInstance, query: ProjectionQuery): (row: JsonObject) => boolean {
  const tests: ((row: JsonObject) => boolean)[] = []
  for (const name of FILTERS) {
    const value = query[name]
    if (value === undefined) continue
    const filter = instance.projection.filters[name]
    if (filter === undefined) {
      const known = Object.keys(instance.projection.filters).join(', ')
      throw new AnchormeshError('QUERY_INVALID', `${instance.projection.name} can't be filtered by ${name}`, {
        hint: `it knows: namespace, ${known}`
      })
    }
    tests.push((row) => filter(row, value))
  }
  return (row) => tests.every((test) => test(row))
}
