import { HASH_PATTERN } from '../../protocols/event/v1/envelope.ts'
import { projectionPage } from '../api/pages.ts'
import type { LoggedEvent, Operations } from '../operations.ts'
import type { LogProofOperations } from '../transparency/log-proof-operations.ts'
import { RequestRefused } from './errors.ts'
import { answerNotModified } from './etag.ts'
import { requireKnownNamespace } from './known-namespace.ts'
import { eventsPage } from './events-page.ts'
import type { App } from './listener.ts'
import { registerLogProofRoutes } from './log-proof-routes.ts'
import { PAGING, filtersText } from './query-docs.ts'
import { registerReceiptRoutes } from './receipt-routes.ts'
import { documented } from './route-docs.ts'
import * as schemas from './schemas.ts'

/** What the public listener serves. */
export type PublicOperations = Pick<Operations, 'status' | 'events' | 'event' | 'query' | 'digest' | 'proof'> &
  LogProofOperations

/** Of everything that is a fold of the log. */
const OF_FOLDS = ['NOT_YET', 'PROJECTION_HALTED'] as const
const NOT_MODIFIED = { 304: 'It is the one that the client has (`If-None-Match`).' }

/** `/health` and the reading routes of `/v1` (CONTRACT, section 4). */
export function registerPublicRoutes(app: App, operations: PublicOperations): void {
  app.get('/health', {
    schema: {
      querystring: schemas.noQuery,
      ...documented({
        summary: 'Whether the node is well',
        description: 'With 503 `reasons` say what is wrong.',
        tag: 'operations',
        access: 'anyone',
        answers: { 200: schemas.health, 503: schemas.health }
      })
    },
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
      ...documented({
        summary: 'A page of rows',
        description: `Rows in the order of their keys. ${PAGING}\n\n${filtersText()}`,
        tag: 'queries',
        access: 'reader',
        answers: { 200: projectionPage },
        empty: NOT_MODIFIED,
        problems: [...OF_FOLDS, 'UNKNOWN_PROJECTION', 'STATE_OUTDATED', 'CURSOR_FOREIGN']
      })
    },
    onSend: answerNotModified,
    handler: async ({ params, query }) => {
      await requireKnownNamespace(operations, query.namespace)
      return await operations.query(params.name, query)
    }
  })

  app.get('/v1/events', {
    schema: {
      querystring: schemas.eventsPageQuery,
      ...documented({
        summary: 'A page of events',
        description:
          'In the order of the log. Go on with `after` while there is a `next`, also from a page without events.',
        tag: 'queries',
        access: 'reader',
        answers: { 200: schemas.eventsPage },
        empty: NOT_MODIFIED
      })
    },
    onSend: answerNotModified,
    handler: async ({ query }) => {
      await requireKnownNamespace(operations, query.namespace)
      return await eventsPage(operations, query)
    }
  })

  app.get('/v1/events/:id', {
    schema: {
      params: schemas.eventParams,
      querystring: schemas.noQuery,
      ...documented({
        summary: 'One event',
        description: 'As it was received: `bytes` can be checked against its id and its signature.',
        tag: 'queries',
        access: 'reader',
        answers: { 200: schemas.loggedEvent },
        empty: NOT_MODIFIED
      })
    },
    onSend: answerNotModified,
    handler: async ({ params }) => await findEvent(operations, params.id)
  })

  app.get('/v1/digest', {
    schema: {
      querystring: schemas.namespaceQuery,
      ...documented({
        summary: 'What two nodes compare',
        description: 'Two nodes with the same members and the same events answer the same digests.',
        tag: 'queries',
        access: 'reader',
        answers: { 200: schemas.digest },
        empty: NOT_MODIFIED,
        problems: OF_FOLDS
      })
    },
    onSend: answerNotModified,
    handler: async ({ query }) => await operations.digest(query.namespace)
  })
  registerReceiptRoutes(app, operations)
  registerLogProofRoutes(app, operations)
}

/** The event with this id. Throws `NOT_FOUND`. */
export async function findEvent(operations: Pick<Operations, 'event'>, id: string): Promise<LoggedEvent> {
  const event = HASH_PATTERN.test(id) ? await operations.event(id) : null
  if (event === null) throw new RequestRefused('NOT_FOUND', `the log holds no event ${id}`)
  return event
}
