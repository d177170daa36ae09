import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import { createJsonSchemaTransform, createJsonSchemaTransformObject } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { RequestRefused } from './errors.ts'
import { answerNotModified } from './etag.ts'
import type { App } from './listener.ts'
import { ROUTE_TAGS, documented } from './route-docs.ts'
import type { DocumentedRoute } from './route-docs.ts'
import { noQuery } from './schemas.ts'

const TITLE = 'Anchormesh'
const DESCRIPTION =
  'What an Anchormesh node answers. Every answer of a projection names the position of the log (`logSeq`) at which it ' +
  'is true; `at` reads an earlier one, `waitFor` one’s own writes. Errors are RFC 9457 problems whose `code` is stable. ' +
  'Query parameters that a route does not know are refused.'

const INFO = {
  title: TITLE,
  description: DESCRIPTION,
  // Of the node that serves it, once it is asked for.
  version: '',
  license: { name: 'Apache-2.0', identifier: 'Apache-2.0' }
}

// OpenAPI 3.1 has it; the types that come with the plugin don't.
const CERTIFICATE = { type: 'mutualTLS', description: 'A client certificate that the node’s policy pins.' } as never

/** JSON Schema as it goes out. */
interface Written {
  readonly [name: string]: unknown
}

const toJson = createJsonSchemaTransform({})
const toComponents = createJsonSchemaTransformObject({})

/**
 * Has every route that is registered from now on written to the OpenAPI document, and serves that at `/openapi.json`,
 * with a viewer at `/docs` that needs nothing from elsewhere. `version`: of the release.
 */
export async function documentRoutes(app: App, version: () => Promise<string>): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: INFO,
      servers: [{ url: '/' }],
      tags: Object.entries(ROUTE_TAGS).map(([name, description]) => ({ name, description })),
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer', description: 'A token of `anchormesh tokens create`.' },
          certificate: CERTIFICATE,
          ticket: {
            type: 'apiKey',
            in: 'query',
            name: 'ticket',
            description: 'For EventSource and WebSocket in browsers; lives 60 s.'
          }
        }
      }
    },
    transform: (document) => {
      const { schema, url, route } = document
      const { 'x-body': body, ...rest } = (schema ?? {}) as Partial<DocumentedRoute<Record<number, z.ZodType>>> &
        Written
      const written = toJson({ ...document, schema: rest })
      const shown = written.schema as Written
      if (shown['hide'] === true) return written
      const requestBody =
        body === undefined ? {} : { body: { content: { [body.mediaType]: { schema: z.toJSONSchema(body.schema) } } } }
      const operationId = operationIdOf(String(route.method), url)
      const parameters = { querystring: withExamples(shown['querystring']), params: withExamples(shown['params']) }
      return { url: written.url, schema: { ...shown, ...parameters, ...requestBody, operationId } }
    },
    transformObject: (document) => pruned(toComponents(document))
  })
  await registerViewer(app)
  let text: string | undefined
  app.get('/openapi.json', {
    schema: {
      querystring: noQuery,
      ...documented({
        summary: 'This document',
        description: 'OpenAPI 3.1; `/docs` shows it.',
        tag: 'operations',
        access: 'anyone',
        answers: { 200: z.looseObject({ openapi: z.string() }) },
        empty: { 304: 'It is the one that the client has.' }
      })
    },
    onSend: answerNotModified,
    handler: async (_request, reply) => {
      // All routes are there before the first request.
      text ??= JSON.stringify({ ...app.swagger(), info: { ...INFO, version: await version() } }, plain)
      return await reply.type('application/json').send(text as never)
    }
  })
}

/** The viewer's page, and the files that it needs. */
const VIEWER_PATH = /^\/docs(?:\/|\/static\/[A-Za-z0-9][A-Za-z0-9.-]{0,63})?$/

async function registerViewer(app: App): Promise<void> {
  await app.register(async (viewer) => {
    // The plugin would write the document anew for everybody who asks for `/docs/yaml`, and fail on names of files that
    // no file system has.
    viewer.addHook('onRequest', async ({ raw: { url = '' } }) => {
      const [path = '', query] = url.split(/\?(.*)/s, 2)
      if (!VIEWER_PATH.test(path)) throw new RequestRefused('NOT_FOUND', 'the viewer has no such file')
      if (query !== undefined) throw new RequestRefused('QUERY_INVALID', 'the viewer knows no parameters')
    })
    await viewer.register(swaggerUi, {
      routePrefix: '/docs',
      // Nothing from elsewhere, no inline script; the viewer sets styles on elements itself.
      staticCSP: {
        'default-src': "'none'",
        'base-uri': "'none'",
        'connect-src': "'self'",
        'font-src': "'self'",
        'form-action': "'none'",
        'frame-ancestors': "'none'",
        'img-src': ["'self'", 'data:'],
        'script-src': "'self'",
        'style-src': ["'self'", "'unsafe-inline'"]
      },
      uiConfig: { url: '/openapi.json', validatorUrl: null, docExpansion: 'list', tryItOutEnabled: false },
      theme: { title: `${TITLE}: the HTTP API` }
    })
  })
}

/** `GET /v1/projections/:name` as `getV1ProjectionsByName`. */
function operationIdOf(method: string, url: string): string {
  const words = url.split(/[/.-]+/).filter((word) => word !== '')
  const named = words.map((word) => (word.startsWith(':') ? `By${capital(word.slice(1))}` : capital(word)))
  return method.toLowerCase() + named.join('')
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1)
}

/** Zod drops the `examples` of what it transforms, but no `example`. */
function withExamples(parameters: unknown): unknown {
  const { properties = {}, ...rest } = (parameters ?? {}) as { readonly properties?: Readonly<Record<string, Written>> }
  const shown = Object.entries(properties).map(([name, { example, ...schema }]) => [
    name,
    example === undefined ? schema : { ...schema, examples: [example] }
  ])
  return parameters === undefined ? undefined : { ...rest, properties: Object.fromEntries(shown) as object }
}

/** Without the schemas that nothing refers to. */
function pruned<Document extends { readonly components?: object; readonly paths?: object }>(
  document: Document
): Document {
  const schemas = ((document.components as Written | undefined)?.['schemas'] ?? {}) as Written
  const used = new Set<string>()
  const look = (value: unknown): void => {
    for (const [, name] of JSON.stringify(value ?? null).matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      if (name === undefined || used.has(name)) continue
      used.add(name)
      look(schemas[name])
    }
  }
  look(document.paths)
  const kept = Object.fromEntries(Object.entries(schemas).filter(([name]) => used.has(name)))
  return { ...document, components: { ...document.components, schemas: kept } }
}

/** Without what zod says of every integer and list, and nobody needs to read a thousand times. */
function plain(name: string, value: unknown): unknown {
  const isNoise =
    (name === 'minimum' && value === Number.MIN_SAFE_INTEGER) ||
    (name === 'maximum' && value === Number.MAX_SAFE_INTEGER) ||
    (name === 'readOnly' && value === true)
  return isNoise ? undefined : value
}
