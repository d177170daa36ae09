import { carriedNamespaces } from '../http/known-namespace.ts'
import type { Operations } from '../operations.ts'
import { notCarried } from '../policy/not-carried.ts'

/** Throws `NOT_FOUND`, naming those that are carried, for a namespace in which this node can do nothing. */
export async function requireCarriedNamespace(
  operations: Pick<Operations, 'status'>,
  namespace: string
): Promise<void> {
  const carried = await carriedNamespaces(operations)
  if (!carried.includes(namespace)) throw notCarried(namespace, carried)
}
