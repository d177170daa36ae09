import { HASH_PATTERN } from '../../protocols/event/v1/envelope.ts'
import type { LoggedEvent, Operations } from '../operations.ts'
import type { LogProofOperations } from '../transparency/log-proof-operations.ts'
import { RequestRefused } from './errors.ts'
import { answerNotModified } from './etag.ts'
import { requireKnownNamespace } from './known-namespace.ts'
import { eventsPage } from './events-page.ts'
import type { App } from './listener.ts'
import { registerLogProofRoutes } from './log-proof-routes.ts'
import * as schemas from './schemas.ts'

/** What the public listener serves. */
export type PublicOperations = Pick<Operations, 'status' | 'events' | 'event' | 'query' | 'digest'> & LogProofOperations

/** `/health` and the reading routes of `/v1` (CONTRACT, section 4). */
export function registerPublicRoutes(app: App, operations: PublicOperations): void {
  app.get('/health', {
    schema: { querystring: schemas.noQuery, response: { 200: schemas.health, 503: schemas.health } },
    handler: async (_request, reply) => {
      const { did, network, version, uptimeMs, log, health } = await operations.status()
      const answer = { did, peerId: network?.peerId ?? null, version, uptimeMs, logSeq: log.logSeq }
      reply.header('cache-control', 'no-store')
      if (health.ok) return await reply.code(200).send({ status: 'ok', ...answer })
      return await reply.code(503).send({ status: 'failing', ...answer, reasons: health.reasons })
    }
  })

  app.get('/v1/projections/:name', {
    schema: {
      params: schemas.projectionParams,
      querystring: schemas.projectionQuery,
      response: { 200: schemas.projectionPage }
    },
    onSend: answerNotModified,
    handler: async ({ params, query }) => {
      await requireKnownNamespace(operations, query.namespace)
      return await operations.query(params.name, query)
    }
  })

  app.get('/v1/events', {
    schema: { querystring: schemas.eventsPageQuery, response: { 200: schemas.eventsPage } },
    handler: async ({ query }) => {
      await requireKnownNamespace(operations, query.namespace)
      return await eventsPage(operations, query)
    }
  })

  app.get('/v1/events/:id', {
    schema: { params: schemas.eventParams, querystring: schemas.noQuery, response: { 200: schemas.loggedEvent } },
    handler: async ({ params }) => await findEvent(operations, params.id)
  })

  app.get('/v1/digest', {
    schema: { querystring: schemas.namespaceQuery, response: { 200: schemas.digest } },
    handler: async ({ query }) => await operations.digest(query.namespace)
  })
  registerLogProofRoutes(app, operations)
}

/** The event with this id. Throws `NOT_FOUND`. */
export async function findEvent(operations: Pick<Operations, 'event'>, id: string): Promise<LoggedEvent> {
  const event = HASH_PATTERN.test(id) ? await operations.event(id) : null
  if (event === null) throw new RequestRefused('NOT_FOUND', `the log holds no event ${id}`)
  return event
}
