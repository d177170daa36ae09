import type { FastifyReply, FastifyRequest } from 'fastify'
import type { AccessRefusal, Grant, ReaderAccess } from '../access/reader-access.ts'
import type { CountingTrail } from '../platform/audit.ts'
import type { ReadScope } from '../policy/read-scope.ts'
import { SEES_ALL, SEES_NOTHING } from '../policy/read-scope.ts'
import { isAdmin, isForeignUpgrade, isFromLoopback, isLocal, isOpen } from './access-rules.ts'
import { addressBlock } from './address-block.ts'
import { isLoopbackHost } from './addresses.ts'
import { RequestRefused } from './errors.ts'
import { PROBLEM_MEDIA_TYPE } from './failures.ts'
import { checking } from './hooks.ts'
import type { App } from './listener.ts'
import { decorateReaders, grantOf, readerOf, setGrant, setReader } from './reader.ts'

/** What decides who may read. */
export interface AccessPorts {
  /** What tokens, tickets and certificates open; without it nobody has any. */
  readonly readers?: Pick<ReaderAccess, 'ofToken' | 'ofTicket' | 'ofCertificate'>
  /** The DID that the client certificate of the request is pinned to; null without one. */
  readonly certificateDidOf?: (request: FastifyRequest) => string | null
  /** Origins whose pages may read, as browsers name them (`originsOf`). */
  readonly origins?: ReadonlySet<string>
  readonly audit: CountingTrail
}

const NO_ORIGINS: ReadonlySet<string> = new Set()
/** The one route that a ticket opens. */
const TICKET_ROUTE = '/v1/subscribe'
const REFUSED: ReadonlySet<string> = new Set([
  'TOKEN_REQUIRED',
  'TOKEN_INVALID',
  'TOKEN_EXPIRED',
  'ACCESS_DENIED',
  'HOST_NOT_ALLOWED'
])
const SAID: Readonly<Record<AccessRefusal, string>> = {
  TOKEN_INVALID: 'this token opens nothing here',
  TOKEN_EXPIRED: 'this token or ticket has expired'
}

/**
 * Decides, before anything of a request is handled, what its reader may see: what a token that is shown opens, also on
 * loopback; else what a client certificate opens; else everything for readers on this machine, and what is open to all
 * for everybody else. Routes below `/v1/admin` ask for their own token. Refuses with `TOKEN_REQUIRED`, `TOKEN_INVALID`,
 * `TOKEN_EXPIRED` (401), `HOST_NOT_ALLOWED` and `ACCESS_DENIED` (403); refusals are counted in the audit log.
 */
export function registerAccess(app: App, ports: AccessPorts): void {
  decorateReaders(app)
  // Fastify waits for what a hook returns; without a token there is nothing to wait for.
  const lookUp = (request: FastifyRequest, reply: FastifyReply, done: () => void): Promise<void> | undefined => {
    const { authorization } = request.headers
    if (authorization !== undefined && !isAdmin(request)) return showToken(authorization, request, reply, ports)
    done()
    return undefined
  }
  const decide = checking((request, reply) => {
    if (grantOf(request) !== null) return
    if (isAdmin(request)) {
      requireLocalName(request)
      return
    }
    const grant = shownIn(request, reply, ports)
    if (grant !== null) setGrant(request, grant)
    else setReader(request, withoutCredential(request, reply, ports))
  })
  app.addHook('onRequest', lookUp)
  app.addHook('onRequest', decide)
  app.addHook('onSend', (request, reply, payload: unknown, done) => {
    if (reply.statusCode === 401 || reply.statusCode === 403) countRefusal(request, reply, payload, ports.audit)
    done(null, payload)
  })
}

async function showToken(
  authorization: string,
  request: FastifyRequest,
  reply: FastifyReply,
  { readers }: AccessPorts
): Promise<void> {
  const token = /^Bearer +([A-Za-z0-9._~+/=-]+)$/i.exec(authorization)?.[1]
  const granting = token === undefined ? undefined : await readers?.ofToken(token)
  if (granting?.ok !== true) throw refused(reply, granting?.code ?? 'TOKEN_INVALID')
  setGrant(request, granting.grant)
}

/** What the ticket or certificate that comes with the request opens; null where none does. */
function shownIn(request: FastifyRequest, reply: FastifyReply, ports: AccessPorts): Grant | null {
  const { readers, certificateDidOf = () => null, origins = NO_ORIGINS } = ports
  const ticket = ticketIn(request)
  if (ticket !== undefined) {
    const granting = typeof ticket === 'string' ? readers?.ofTicket(ticket) : undefined
    if (granting?.ok === true) return granting.grant
    throw refused(reply, granting?.code ?? 'TOKEN_INVALID')
  }
  const did = certificateDidOf(request)
  if (did === null || readers === undefined) return null
  if (isForeignUpgrade(request, origins)) throw foreignPage()
  return readers.ofCertificate(did)
}

/** What those see who show nothing. */
function withoutCredential(
  request: FastifyRequest,
  reply: FastifyReply,
  { origins = NO_ORIGINS }: AccessPorts
): ReadScope {
  requireLocalName(request)
  if (isLocal(request)) {
    if (isForeignUpgrade(request, origins)) throw foreignPage()
    return SEES_ALL
  }
  if (isOpen(request)) return SEES_NOTHING
  reply.header('www-authenticate', 'Bearer')
  throw new RequestRefused(
    'TOKEN_REQUIRED',
    'reading from elsewhere needs an access token or a pinned certificate',
    HINT
  )
}

const HINT = 'The operator of the node makes tokens: anchormesh tokens create'

/** A page from elsewhere whose name was made to resolve to this machine (DNS rebinding) still sends its own name. */
function requireLocalName(request: FastifyRequest): void {
  if (!isFromLoopback(request) || isLoopbackHost(request.headers.host)) return
  const names = 'localhost, 127.0.0.1 and [::1]'
  throw new RequestRefused(
    'HOST_NOT_ALLOWED',
    `without a token this listener answers to the names ${names} only`,
    'A reverse proxy on this machine hands on a token, or asks by one of these names.'
  )
}

function foreignPage(): RequestRefused {
  return new RequestRefused('ACCESS_DENIED', 'pages of other origins need a ticket for a WebSocket')
}

/** What is given as the ticket, where tickets are known; undefined without one. */
function ticketIn({ routeOptions, query }: FastifyRequest): unknown {
  return routeOptions.url === TICKET_ROUTE ? (query as { readonly ticket?: unknown }).ticket : undefined
}

/** RFC 6750, section 3.1. */
function refused(reply: FastifyReply, code: AccessRefusal): RequestRefused {
  reply.header('www-authenticate', 'Bearer error="invalid_token"')
  return new RequestRefused(code, SAID[code], HINT)
}

function countRefusal(request: FastifyRequest, reply: FastifyReply, payload: unknown, audit: CountingTrail): void {
  if (reply.getHeader('content-type') !== PROBLEM_MEDIA_TYPE || !(payload instanceof Uint8Array)) return
  const { code } = JSON.parse(Buffer.from(payload).toString('utf8')) as { readonly code: string }
  if (!REFUSED.has(code) || isAdmin(request)) return
  const { actor } = readerOf(request)
  audit.count({
    action: 'ACCESS_REFUSED',
    actor: actor.includes(':') ? actor : addressBlock(request.ip),
    subject: `${request.method} ${request.routeOptions.url ?? 'unknown'}`,
    outcome: 'refused',
    code,
    requestId: request.id
  })
}
