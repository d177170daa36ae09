import type { FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { decodeCanonical } from '../../protocols/canonical-json/v1/codec.ts'
import { RequestRefused } from './errors.ts'
import type { App } from './listener.ts'

const JSON_MEDIA_TYPE = 'application/json'

/** Routes that take their bodies in one form; of any other media type they take none. */
type Routes = (scope: App) => void

/**
 * Registers routes whose bodies are JSON. What is none is refused with `BODY_MALFORMED`, and so are members that would
 * change an object's prototype, which others would drop.
 */
export function registerForJson(app: App, routes: Routes): void {
  register(app, routes, (scope) => {
    scope.addContentTypeParser(JSON_MEDIA_TYPE, { parseAs: 'string' }, scope.getDefaultJsonParser('error', 'error'))
  })
}

/** Registers routes that keep what their JSON bodies hold, every member of it. */
export function registerForExactJson(app: App, routes: Routes): void {
  register(app, routes, (scope) => {
    scope.addContentTypeParser(JSON_MEDIA_TYPE, { parseAs: 'buffer' }, async (_request: FastifyRequest, body: Buffer) =>
      exactJson(body)
    )
  })
}

/** Registers routes whose bodies are taken as they come: what they hold is for a protocol to say. */
export function registerForBytes(app: App, mediaType: string, routes: Routes): void {
  register(app, routes, (scope) => {
    scope.addContentTypeParser(mediaType, { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  })
}

/** Registers routes that read their bodies themselves, piece by piece. */
export function registerForStream(app: App, mediaType: string, routes: Routes): void {
  register(app, routes, (scope) => {
    scope.addContentTypeParser(mediaType, (_request, _payload, done) => done(null))
  })
}

function register(app: App, routes: Routes, accept: (scope: App) => void): void {
  app.register(async (plain) => {
    const scope = plain.withTypeProvider<ZodTypeProvider>()
    accept(scope)
    routes(scope)
  })
}

/**
 * The value of a body whose every member counts. Throws `BODY_MALFORMED` for what is no I-JSON: a repeated member name
 * or a number that would be rounded would not be sealed as it was meant.
 */
function exactJson(body: Uint8Array): unknown {
  const decoded = decodeCanonical(body)
  if (decoded.ok) return decoded.value
  // The last rule of canonical JSON: all others hold, and what is written is only written differently.
  if (decoded.code === 'NOT_CANONICAL') return JSON.parse(Buffer.from(body).toString('utf8'))
  throw new RequestRefused('BODY_MALFORMED', `${decoded.code}: ${decoded.detail}`)
}
