import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import type { ReadScope } from '../policy/read-scope.ts'
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
}

/**
 * Whether a reader may see the row of a key. By the key alone, because of a row that is gone nothing else is left.
 */
export type KeyVisibility = (projection: Projection, key: string, scope: ReadScope) => boolean

/** Rows that belong to a namespace are seen by who may see the namespace; others by who may see all. */
export const visibleByNamespace: KeyVisibility = (projection, key, { namespaces }) => {
  if (namespaces === null) return true
  for (const namespace of namespaces) {
    const prefix = projection.namespacePrefix(namespace)
    if (prefix !== null && key.startsWith(prefix)) return true
  }
  return false
}

/** Packs, and what they bind, stand here for every namespace. */
const TRUST_NAMESPACE = '_trust'

// A cursor is made for each row of a snapshot; 64 bits are enough, as the digest guards against mistakes alone.
const DIGEST_HEX_DIGITS = 16

/**
 * The view of a reader with this scope; of one namespace, where one is named, which the reader may see. Throws
 * `QUERY_INVALID` where rows belong to no namespace.
 */
export function viewOf(
  instance: ProjectionInstance,
  namespace: string | undefined,
  scope: ReadScope,
  isVisible: KeyVisibility
): View {
  if (namespace !== undefined) {
    const prefix = namespacePrefix(instance, namespace)
    return viewNamed(`namespace ${namespace}`, [prefix], (key) => key.startsWith(prefix))
  }
  const { namespaces, tenant } = scope
  if (namespaces === null) return viewNamed('all', [''], () => true)
  const { projection } = instance
  const names = [...namespaces].sort()
  const prefixes = new Set<string>()
  for (const name of [...names, TRUST_NAMESPACE]) prefixes.add(projection.namespacePrefix(name) ?? '')
  return viewNamed(
    `scope ${JSON.stringify([names, tenant])}`,
    prefixes.has('') ? [''] : [...prefixes].sort((left, right) => (left < right ? -1 : 1)),
    (key) => isVisible(projection, key, scope)
  )
}

function viewNamed(name: string, prefixes: readonly string[], passes: View['passes']): View {
  return { name, digest: sha256Hex(name).slice(0, DIGEST_HEX_DIGITS), prefixes, passes }
}
