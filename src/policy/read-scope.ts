/**
 * Who reads over HTTP, and what they may see. Tenant boundaries hold by it in queries, subscriptions and counts: whoever
 * shows a row, an event or a number to somebody asks it first.
 */
export interface ReadScope {
  /** For audit records and logs: `loopback`, `operator`, `token:<id>`, `certificate:<did>`. */
  readonly actor: string
  /** The namespaces that may be seen; `null`: all of them, also those that are carried no more. */
  readonly namespaces: ReadonlySet<string> | null
  /** The tenant whose data may be seen where it belongs to no namespace; `null`: every tenant's. */
  readonly tenant: string | null
  /** Whether what concerns the node as a whole (audit records, metrics, local events) may be seen. */
  readonly isOperator: boolean
}

/** For the operator, and for readers on loopback. */
export const SEES_ALL: ReadScope = { actor: 'loopback', namespaces: null, tenant: null, isOperator: true }

/** Whether the reader may see what belongs to the namespace. */
export function maySee({ namespaces }: ReadScope, namespace: string): boolean {
  return namespaces === null || namespaces.has(namespace)
}

/** Whether the reader may see what belongs to the tenant as a whole. */
export function maySeeTenant({ tenant }: ReadScope, other: string): boolean {
  return tenant === null || tenant === other
}
