import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import type { ReadScope } from '../policy/read-scope.ts'
import { maySee } from '../policy/read-scope.ts'
import type { ProjectionInstance } from '../projections/instance.ts'
import type { Projection } from '../projections/projection.ts'
import { namespacePrefix } from '../projections/query.ts'

/** Which rows of a projection a subscription shows. Readers with equal names see the same rows. */
export interface View {
  readonly name: string
  /** The name as it stands in cursors. */
  readonly digest: string
  /** Where its rows stand, in key order; rows in between are not looked at. */
  readonly prefixes: readonly string[]
  readonly passes: (key: string) => boolean
  /** Whether a row of those may be seen; absent: all. */
  readonly shows?: (row: JsonObject) => boolean
}

/** Which rows of a projection a reader may see. */
export interface SeenRows {
  /** Where they begin, ascending, none within another; `null`: anywhere. */
  readonly prefixes: readonly string[] | null
  /** What else than the scope decides which rows they are: readers with another one see others. */
  readonly basis?: string
  /** Whether one of those may be seen. */
  shows(row: JsonObject): boolean
}

/** What a reader's scope comes to. */
export interface RowVisibility {
  rowsOf(scope: ReadScope, projection: Projection): SeenRows
  /** Whether the reader may name this namespace in a query. */
  mayName(scope: ReadScope, namespace: string): boolean
}

/** Rows that belong to a namespace are seen by who may see the namespace; others by who may see all. */
export const visibleByNamespace: RowVisibility = {
  rowsOf: ({ namespaces }, projection) => {
    const prefixes = [...(namespaces ?? [])].flatMap((namespace) => projection.namespacePrefix(namespace) ?? [])
    return { prefixes: prefixes.sort(), shows: () => true }
  },
  mayName: (scope, namespace) => maySee(scope, namespace)
}

// A cursor is made for each row of a snapshot; 64 bits are enough, as the digest guards against mistakes alone.
const DIGEST_HEX_DIGITS = 16

/**
 * The view of a reader with this scope; of one namespace, where one is named, which the reader may name. Throws
 * `QUERY_INVALID` where rows belong to no namespace.
 */
export function viewOf(
  instance: ProjectionInstance,
  namespace: string | undefined,
  scope: ReadScope,
  visibility: RowVisibility
): View {
  const { namespaces, tenant } = scope
  const prefix = namespace === undefined ? undefined : namespacePrefix(instance, namespace)
  const named = namespace === undefined ? 'all' : `namespace ${namespace}`
  // Whoever may see a namespace sees all of it; `_trust` is every namespace's, and each sees a part.
  const seesAll = namespaces === null || (namespace !== undefined && maySee(scope, namespace))
  if (seesAll) return viewNamed(named, [prefix ?? ''])
  const seen = visibility.rowsOf(scope, instance.projection)
  const prefixes = prefix === undefined ? (seen.prefixes ?? ['']) : [prefix]
  const readers = JSON.stringify([[...namespaces].sort(), tenant, seen.basis ?? ''])
  return viewNamed(`${named} ${readers}`, prefixes, (row) => seen.shows(row))
}

function viewNamed(name: string, prefixes: readonly string[], shows?: View['shows']): View {
  return {
    name,
    digest: sha256Hex(name).slice(0, DIGEST_HEX_DIGITS),
    prefixes,
    passes: (key) => prefixes.some((prefix) => key.startsWith(prefix)),
    ...(shows === undefined ? {} : { shows })
  }
}
