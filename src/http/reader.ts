import type { FastifyRequest } from 'fastify'
import type { ReadScope } from '../policy/read-scope.ts'
import { SEES_ALL } from '../policy/read-scope.ts'

const scopes = new WeakMap<object, ReadScope>()

/** Remembers, before a route handles the request, what its reader may see. */
export function setReader(request: FastifyRequest, scope: ReadScope): void {
  scopes.set(request.raw, scope)
}

/** What the reader of this request may see. */
export function readerOf(request: FastifyRequest): ReadScope {
  return scopes.get(request.raw) ?? SEES_ALL
}
