import type { FastifyReply, FastifyRequest } from 'fastify'
import { isBodyUnderWay } from './deadlines.ts'
import type { App } from './listener.ts'

// Browsers ask again before the first request after this; a changed configuration takes effect soon enough.
const PREFLIGHT_SECONDS = 600
/** What pages may send beside what every page may: a token, the form of a body, and where a stream or cache stands. */
const ALLOWED_HEADERS = 'authorization, content-type, if-none-match, last-event-id'
const EXPOSED_HEADERS = 'etag, retry-after, www-authenticate, x-request-id'

/** The origins as browsers name them: without a path, and in lower case. */
export function originsOf(configured: readonly string[]): ReadonlySet<string> {
  return new Set(configured.filter((origin) => URL.canParse(origin)).map((origin) => new URL(origin).origin))
}

/**
 * Lets pages of these origins, and of no others, use the listener from a browser (Fetch standard, CORS protocol). What
 * the browser would add by itself (cookies, client certificates) is never allowed, and neither is the origin `null`,
 * which every sandboxed page has. Comes before every hook that asks who somebody is: a preflight shows no certificate
 * and no token and opens nothing, and a page that is refused has to learn why.
 */
export function allowOrigins(app: App, origins: readonly string[]): void {
  const allowed = originsOf(origins)
  if (allowed.size === 0) return
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('vary', 'origin')
    const { origin } = request.headers
    if (origin === undefined || !allowed.has(origin)) {
      done()
      return
    }
    reply.header('access-control-allow-origin', origin)
    if (isPreflight(request)) {
      answerPreflight(reply)
      return
    }
    reply.header('access-control-expose-headers', EXPOSED_HEADERS)
    done()
  })
  // Of these origins none comes as far as this, and the others are told nothing.
  app.options('/*', { schema: { hide: true } }, async (_request, reply) => await reply.code(204).send())
}

/** Browsers send no body with one; one that has a body is judged as every request is, before the body is read. */
function isPreflight({ method, headers, raw }: FastifyRequest): boolean {
  return method === 'OPTIONS' && headers['access-control-request-method'] !== undefined && !isBodyUnderWay(raw)
}

function answerPreflight(reply: FastifyReply): void {
  reply.header('access-control-allow-methods', 'GET, HEAD, POST')
  reply.header('access-control-allow-headers', ALLOWED_HEADERS)
  reply.header('access-control-max-age', PREFLIGHT_SECONDS)
  reply.code(204).send()
}
