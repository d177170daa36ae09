import { AsyncLocalStorage } from 'node:async_hooks'

const scope = new AsyncLocalStorage<string>()

/** Does work on behalf of a request; what it calls can learn the request's id. */
export function onBehalfOf<Result>(requestId: string, work: () => Result): Result {
  return scope.run(requestId, work)
}

/**
 * The id of the request that is being worked on, as a member of an audit record. To be asked by what a request calls
 * itself, never by what goes on beside it: a timer or a connection keeps the scope that it was begun in.
 */
export function ofThisRequest(): { readonly requestId?: string } {
  const requestId = scope.getStore()
  return requestId === undefined ? {} : { requestId }
}
