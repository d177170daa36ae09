import type { FastifyRequest } from 'fastify'
import type { Visibility } from '../access/visibility.ts'
import type { LoggedEvent, Operations } from '../operations.ts'
import { maySee } from '../policy/read-scope.ts'
import { RequestRefused } from './errors.ts'
import { requireKnownNamespace } from './known-namespace.ts'
import { readerOf } from './reader.ts'

/** What decides what a reader may see, beside its scope. */
export type Sight = Pick<Visibility, 'seesEvent' | 'mayName'> & Partial<Pick<Visibility, 'carried'>>

/** Goes by namespaces alone. */
export const PLAIN_SIGHT: Sight = {
  seesEvent: (scope, { namespace }) => maySee(scope, namespace),
  mayName: maySee
}

/**
 * Throws `ACCESS_DENIED` where the reader may not see the namespace that it names: the same for those that are carried
 * and those that nobody knows, so that nobody learns which there are. Readers without limits are told of a namespace of
 * which the node knows nothing, with `NOT_FOUND`.
 */
export async function requireNamespace(
  request: FastifyRequest,
  namespace: string | undefined,
  sight: Sight,
  operations: Pick<Operations, 'status' | 'events'>
): Promise<void> {
  const reader = readerOf(request)
  if (reader.namespaces === null) return await requireKnownNamespace(operations, namespace, sight.carried?.())
  if (namespace !== undefined && !sight.mayName(reader, namespace)) throw namespaceDenied(namespace)
}

export function namespaceDenied(namespace: string): RequestRefused {
  return new RequestRefused(
    'ACCESS_DENIED',
    `you may not see ${namespace}`,
    'Ask the operator of this node for a token.'
  )
}

/** Whether the reader of the request may see a record of the log: local ones are for operators. */
export function seesLogged(request: FastifyRequest, { scope, event }: LoggedEvent, sight: Sight): boolean {
  const reader = readerOf(request)
  if (reader.namespaces === null) return scope === 'shared' || reader.isOperator
  const { namespace, signer } = event
  if (scope !== 'shared' || typeof namespace !== 'string') return false
  return sight.seesEvent(reader, { namespace, signer: typeof signer === 'string' ? signer : '' })
}
