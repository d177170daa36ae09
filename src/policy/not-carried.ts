import { TRUST_NAMESPACE } from '../../protocols/event/v1/envelope.ts'
import { AnchormeshError } from '../platform/errors.ts'

/** The failure of asking this node about a namespace of which it knows nothing. */
export function notCarried(namespace: string, carried: readonly string[]): AnchormeshError {
  return new AnchormeshError('NOT_FOUND', `this node does not carry ${namespace}`, {
    hint: `it carries: ${carried.join(', ')}`,
    detail: { namespace, carried }
  })
}

/** The failure of asking for batches of a namespace that is not configured: not carried, or the reserved one. */
export function hasNoBatches(namespace: string, carried: readonly string[]): AnchormeshError {
  if (namespace !== TRUST_NAMESPACE) return notCarried(namespace, carried)
  const others = carried.filter((name) => name !== TRUST_NAMESPACE)
  return new AnchormeshError('NOT_FOUND', `${TRUST_NAMESPACE} holds keys, and no batches`, {
    hint: others.length === 0 ? 'this node carries no other namespace' : `batches are in: ${others.join(', ')}`,
    detail: { namespace, carried }
  })
}
