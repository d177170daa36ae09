import { describe, expect, it, onTestFinished } from 'vitest'
import { PROJECTION_NAMES } from '../../src/api/rows.ts'
import { statusOf } from '../../src/http/errors.ts'
import { PUBLIC_LIMITS } from '../../src/http/limits.ts'
import { startListener } from '../../src/http/listener.ts'
import type { App } from '../../src/http/listener.ts'
import { registerEveryPublicRoute } from '../../src/http/public-listener.ts'
import { ROUTE_TAGS } from '../../src/http/route-docs.ts'
import { noQuery } from '../../src/http/schemas.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { openNode } from '../node/nodes.ts'
import { ALICE } from '../projections/support/world.ts'
import { memoryNode } from './support/memory-operations.ts'
import type { Document, Operation } from './support/openapi.ts'
import { operationsIn, refsIn, someFederation, somePacks } from './support/openapi.ts'

const NO_OBSERVER = { routeAdded: () => undefined, answered: () => undefined }

interface Route {
  readonly method: string
  readonly url: string
}

/** The document of a listener with all public routes and perhaps more, and all that fastify was told to serve. */
async function described(
  more: (app: App) => void = () => undefined
): Promise<{ readonly document: Document; readonly routes: readonly Route[]; readonly url: string }> {
  const routes: Route[] = []
  const { node } = await openNode(ALICE, [ALICE])
  onTestFinished(() => node.close())
  const { access, subscriptions, findings } = node.gateway
  const listener = await startListener({
    listen: '127.0.0.1:0',
    key: 'http.listen',
    limits: PUBLIC_LIMITS,
    logger: silentLogger,
    clock: systemClock,
    routes: async (app) => {
      app.addHook('onRoute', ({ method, url, schema }) => {
        if (schema?.hide === true) return
        for (const each of [method].flat()) if (each !== 'HEAD') routes.push({ method: each.toLowerCase(), url })
      })
      await registerEveryPublicRoute(app, {
        listen: '',
        operations: memoryNode(),
        packs: somePacks,
        federation: someFederation,
        access,
        subscriptions,
        findings,
        metrics: { requests: NO_OBSERVER, contentType: 'text/plain', text: () => Promise.resolve('') },
        logger: silentLogger,
        clock: systemClock,
        corsOrigins: ['https://app.example']
      })
      more(app)
    }
  })
  onTestFinished(() => listener.close())
  const document = (await (await fetch(`${listener.url}/openapi.json`)).json()) as Document
  return { document, routes, url: listener.url }
}

/** What is missing of the documentation of an operation. */
function missingOf({ operation }: Operation): readonly string[] {
  const { summary = '', description = '', tags = [], parameters = [], responses = {}, security } = operation
  const problems = Object.entries(responses).filter(([status]) => Number(status) >= 400)
  const isTold = ([, response]: (typeof problems)[number]): boolean =>
    response.content?.['application/problem+json']?.schema['$ref'] === '#/components/schemas/Problem'
  return [
    ...(summary === '' ? ['summary'] : []),
    ...(description === '' ? ['description'] : []),
    ...(tags.length === 1 && tags.every((tag) => Object.hasOwn(ROUTE_TAGS, tag)) ? [] : ['tag']),
    ...(security === undefined ? ['security'] : []),
    ...(Object.keys(responses).some((status) => Number(status) < 400) ? [] : ['answer']),
    ...(['400', '403', '500', '503'].every((status) => Object.hasOwn(responses, status)) ? [] : ['problems']),
    ...problems.filter((problem) => !isTold(problem)).map(([status]) => `problem of ${status}`),
    ...parameters
      .filter(({ description: text = '', example }) => text === '' || example === undefined)
      .map(({ name }) => `parameter ${name}`)
  ]
}

const undocumented = (document: Document): readonly string[] =>
  operationsIn(document).flatMap((operation) =>
    missingOf(operation).map((what) => `${operation.method} ${operation.path}: ${what}`)
  )

describe('GET /openapi.json', () => {
  it('has every route that is served, and says all of each', async () => {
    const { document, routes } = await described()
    const served = routes.map(({ method, url }) => `${method} ${url.replaceAll(/:(\w+)/g, '{$1}')}`)
    expect(
      operationsIn(document)
        .map(({ method, path }) => `${method} ${path}`)
        .toSorted()
    ).toEqual(served.toSorted())
    expect(undocumented(document)).toEqual([])
  })

  it('shows a route that was not documented', async () => {
    const { document } = await described((app) => {
      app.get('/v1/bare', { schema: { querystring: noQuery } }, () => 'bare')
    })
    expect(undocumented(document)).toEqual(
      ['summary', 'description', 'tag', 'security', 'problems'].map((what) => `get /v1/bare: ${what}`)
    )
  })

  it('is OpenAPI 3.1 in which everything that is referred to is there', async () => {
    const { document } = await described()
    expect(document.openapi).toBe('3.1.0')
    expect(document.info).toMatchObject({ title: 'Anchormesh', version: expect.any(String) as string })
    expect(Object.keys(document.components.securitySchemes)).toEqual(['bearer', 'certificate', 'ticket'])
    for (const ref of refsIn(document)) expect(document.components.schemas).toHaveProperty([ref])
    expect(refsIn(document)).toEqual(new Set(Object.keys(document.components.schemas)))
    const ids = operationsIn(document).map(({ operation }) => operation.operationId)
    expect(new Set(ids).size).toBe(ids.length)
    for (const { path, operation } of operationsIn(document)) {
      const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? '')
      const inPath = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path')
      expect(inPath.map(({ name }) => name).toSorted()).toEqual(named.toSorted())
      expect(inPath.every(({ required }) => required === true)).toBe(true)
    }
  })

  it('names the rows of every projection, and no code under another status than its own', async () => {
    const { document } = await described()
    const pages = Object.keys(document.components.schemas).filter((name) => name.endsWith('Page'))
    expect(pages.length).toBe(PROJECTION_NAMES.length + 1)
    for (const { operation } of operationsIn(document))
      for (const [status, { description }] of Object.entries(operation.responses ?? {}))
        for (const [, code] of description.matchAll(/`([A-Z_]{4,})`/g))
          expect([code, statusOf(code ?? '')]).toEqual([code, Number(status)])
  })

  it('says of each route whether it asks for a reader, and by what', async () => {
    const { document, url } = await described()
    for (const { method, path, operation } of operationsIn(document)) {
      const of = `${method} ${path}`
      // Handed on by a proxy, so from elsewhere.
      const headers = { 'x-forwarded-for': '192.0.2.7' }
      const address = url + path.replaceAll(/\{\w+\}/g, 'x')
      const response = await fetch(address, { method: method.toUpperCase(), headers })
      const { code } = (await response.json().catch(() => ({}))) as { readonly code?: string }
      const schemes = (operation.security ?? []).flatMap((one) => Object.keys(one))
      expect([of, code === 'TOKEN_REQUIRED']).toEqual([of, schemes.length > 0])
      // A ticket opens a subscription; what a token alone may do no certificate does.
      expect([of, schemes.includes('ticket')]).toEqual([of, path === '/v1/subscribe'])
      const isForTokens = ['/v1/tickets', '/v1/receipts'].includes(path)
      expect([of, schemes.includes('certificate')]).toEqual([of, schemes.length > 0 && !isForTokens])
    }
  })

  it('is answered with 304 to whoever has it', async () => {
    const { url } = await described()
    const first = await fetch(`${url}/openapi.json`)
    const etag = first.headers.get('etag') ?? ''
    const again = await fetch(`${url}/openapi.json`, { headers: { 'if-none-match': etag } })
    expect([again.status, await again.text()]).toEqual([304, ''])
  })
})

describe('GET /docs', () => {
  it('serves a viewer that takes nothing from elsewhere', async () => {
    const { url } = await described()
    const page = await fetch(`${url}/docs`)
    expect(page.status).toBe(200)
    const policy = page.headers.get('content-security-policy') ?? ''
    expect(policy).toContain("default-src 'none'")
    expect(policy).toContain("script-src 'self';")
    expect(policy).not.toContain('http')
    const html = await page.text()
    const links = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link]) => link ?? '')
    expect(links.length).toBeGreaterThan(4)
    for (const link of links) {
      expect(link).not.toMatch(/^(?:https?:)?\/\//)
      expect((await fetch(new URL(link, `${url}/docs`))).status, link).toBe(200)
    }
    expect(html).not.toMatch(/<script(?![^>]*src=)/)
  })
})
