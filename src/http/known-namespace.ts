import type { Operations } from '../operations.ts'
import { notCarried } from '../policy/not-carried.ts'

/**
 * Throws `NOT_FOUND`, naming those that are carried, for a namespace of which this node knows nothing: an empty answer
 * would hide a slip of the keyboard. One that is carried no more is known as long as the log holds events of it.
 * `carriedNow` spares asking for the status, which looks at much more.
 */
export async function requireKnownNamespace(
  operations: Pick<Operations, 'status' | 'events'>,
  namespace: string | undefined,
  carriedNow?: readonly string[]
): Promise<void> {
  if (namespace === undefined) return
  const carried = carriedNow ?? (await carriedNamespaces(operations))
  if (carried.includes(namespace)) return
  for await (const _event of operations.events({ namespace, limit: 1 })) return
  throw notCarried(namespace, carried)
}

export async function carriedNamespaces(operations: Pick<Operations, 'status'>): Promise<readonly string[]> {
  const { namespaces } = await operations.status()
  return namespaces.map(({ namespace }) => namespace)
}
