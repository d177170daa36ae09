/**
 * Who reads over HTTP, and what they may see. Tenant boundaries hold by it in queries, subscriptions and counts: whoever
 * shows a row, an event or a number to somebody asks it first.
 */
export interface ReadScope {
  /** For audit records and logs: `loopback`, `operator`, `token:<id>`, `certificate:<did>`, `nobody`. */
  readonly actor: string
  /** The namespaces that may be seen; `null`: all of them, also those that are carried no more. */
  readonly namespaces: ReadonlySet<string> | null
  /**
   * The tenant whose data may be seen where it belongs to no namespace; `null`: every tenant's, `NO_TENANT`: no
   * tenant's.
   */
  readonly tenant: string | null
  /** Whether what concerns the node as a whole (audit records, metrics, local events) may be seen. */
  readonly isOperator: boolean
}

/** No tenant has this name. */
export const NO_TENANT = ''

/** For the operator, and for readers on loopback. */
export const SEES_ALL: ReadScope = { actor: 'loopback', namespaces: null, tenant: null, isOperator: true }

/** For those who have shown nothing, on routes that are open to everybody. */
export const SEES_NOTHING: ReadScope = { actor: 'nobody', namespaces: new Set(), tenant: NO_TENANT, isOperator: false }

/** Whether the reader may see what belongs to the namespace. */
export function maySee({ namespaces }: ReadScope, namespace: string): boolean {
  return namespaces === null || namespaces.has(namespace)
}

/** Whether the reader may see what belongs to the tenant as a whole. */
export function maySeeTenant({ tenant }: ReadScope, other: string): boolean {
  return tenant === null || tenant === other
}
