import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Grant } from '../access/reader-access.ts'
import type { ReadScope } from '../policy/read-scope.ts'
import { SEES_ALL } from '../policy/read-scope.ts'
import { RequestRefused } from './errors.ts'

// Fields of the request, and no table beside it: a weak one of all requests costs each of them microseconds.
declare module 'fastify' {
  interface FastifyRequest {
    readScope?: ReadScope | null
    readGrant?: Grant | null
  }
}

/** Has requests know from the beginning that they will have a reader. */
export function decorateReaders(app: Pick<FastifyInstance, 'decorateRequest'>): void {
  app.decorateRequest('readScope', null)
  app.decorateRequest('readGrant', null)
}

/** Remembers, before a route handles the request, what its reader may see. */
export function setReader(request: FastifyRequest, scope: ReadScope): void {
  request.readScope = scope
}

/** What the reader of this request may see. */
export function readerOf(request: FastifyRequest): ReadScope {
  return request.readScope ?? SEES_ALL
}

/** Remembers what the reader has shown. */
export function setGrant(request: FastifyRequest, grant: Grant): void {
  request.readGrant = grant
  setReader(request, grant.scope)
}

/** What the reader has shown, a token or a certificate; null for those who need neither. */
export function grantOf(request: FastifyRequest): Grant | null {
  return request.readGrant ?? null
}

/** The grant of the token that the reader has shown, or that a ticket stands for; null without one. */
export function tokenGrantOf(request: FastifyRequest): (Grant & { readonly tokenId: string }) | null {
  const grant = grantOf(request)
  return grant === null || grant.tokenId === null ? null : { ...grant, tokenId: grant.tokenId }
}

/** Whether somebody asks who may read anything at all; on open routes others ask, too. */
export function isReader(request: FastifyRequest): boolean {
  const { namespaces } = readerOf(request)
  return namespaces === null || namespaces.size > 0
}

/** Throws `ACCESS_DENIED` for readers who don't operate this node. */
export function requireOperator(request: FastifyRequest, what: string): void {
  if (readerOf(request).isOperator) return
  throw new RequestRefused('ACCESS_DENIED', `${what}: for those who operate this node only`)
}
