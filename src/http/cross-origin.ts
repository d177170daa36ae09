import type { App } from './listener.ts'

// Browsers ask again before the first request after this; a changed configuration takes effect soon enough.
const PREFLIGHT_SECONDS = 600

/** Lets pages of these origins, and of no others, read the answers in a browser (Fetch standard, CORS protocol). */
export function allowOrigins(app: App, origins: readonly string[]): void {
  if (origins.length === 0) return
  app.addHook('onRequest', async (request, reply) => {
    reply.header('vary', 'origin')
    const { origin } = request.headers
    if (origin === undefined || !origins.includes(origin)) return
    reply.header('access-control-allow-origin', origin)
    reply.header('access-control-expose-headers', 'etag, retry-after, x-request-id')
  })
  app.options('/*', { schema: { hide: true } }, async (_request, reply) => {
    reply.header('access-control-allow-methods', 'GET, HEAD')
    reply.header('access-control-allow-headers', 'if-none-match')
    reply.header('access-control-max-age', PREFLIGHT_SECONDS)
    return await reply.code(204).send()
  })
}
