import { AnchormeshError } from '../platform/errors.ts'

/** The failure of asking this node about a namespace of which it knows nothing. */
export function notCarried(namespace: string, carried: readonly string[]): AnchormeshError {
  return new AnchormeshError('NOT_FOUND', `this node does not carry ${namespace}`, {
    hint: `it carries: ${carried.join(', ')}`,
    detail: { namespace, carried }
  })
}
