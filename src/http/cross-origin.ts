import { checking } from './hooks.ts'
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
 * which every sandboxed page has.
 */
export function allowOrigins(app: App, origins: readonly string[]): void {
  const allowed = originsOf(origins)
  if (allowed.size === 0) return
  const allow = checking((request, reply) => {
    reply.header('vary', 'origin')
    const { origin } = request.headers
    if (origin === undefined || !allowed.has(origin)) return
    reply.header('access-control-allow-origin', origin)
    reply.header('access-control-expose-headers', EXPOSED_HEADERS)
  })
  app.addHook('onRequest', allow)
  app.options('/*', { schema: { hide: true } }, async (_request, reply) => {
    reply.header('access-control-allow-methods', 'GET, HEAD, POST')
    reply.header('access-control-allow-headers', ALLOWED_HEADERS)
    reply.header('access-control-max-age', PREFLIGHT_SECONDS)
    return await reply.code(204).send()
  })
}
